"""All that an exercise shows is in the catalogue for translators: shown in brackets, nothing stays without them."""

import ast
import copy
import importlib
import re

import collect_texts
import pytest

from mnist_helpers import CourseError
from mnist_helpers._support import translation
from mnist_helpers._support.paths import PACKAGE
from mnist_helpers.exercises import core, judging, progress_file
from tests.exercises.mutants import CHAPTERS
from tests.support.brackets import LANGUAGE, english, install

TABLES = {name: importlib.import_module(f"tests.exercises.{name}") for name in CHAPTERS}
EXERCISES = sorted((PACKAGE / "exercises").glob("*.py"))
# Without modules.py, whose message is about a course that lacks files, and script.py, which looks up JavaScript's texts
WIDGETS = [path for path in sorted((PACKAGE / "widgets").glob("*.py")) if path.stem not in ("modules", "script")]
LONG = {"train_to_goal", "export_and_compare"}  # they take seconds for each check


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("locale")
    install(folder)
    return folder


@pytest.fixture(autouse=True)
def in_brackets(folder, in_this_process, monkeypatch, tmp_path):
    """Show everything in brackets, check in this process, and keep the progress in a file of the test's own."""
    monkeypatch.setattr(translation, "LOCALE", folder)
    monkeypatch.setenv("MNIST_COURSE_LANGUAGE", LANGUAGE)
    monkeypatch.setattr(judging, "MAX_REASON", 100_000)
    monkeypatch.setattr(progress_file, "PROGRESS", tmp_path / "progress.json")
    translation.translations.cache_clear()
    yield
    translation.translations.cache_clear()


def shown(card):
    """Return what a card shows, as text and as a page without its tags; errors of a student's own code left out."""
    texts = repr(card), re.sub(r"<[^>]*>", " ", card._repr_html_())
    return [re.sub("stopped with⟧.*", "⟧", text) for text in texts]


def cards_of(exercise, table):
    """Yield what an exercise shows: hints, and verdicts on no answer, wrong ones and the solution."""
    yield from (exercise.hint() for _ in exercise.hint_texts)
    yield from (exercise.check(answer) for answer in (..., 7, exercise.run_solution, lambda *_: None, lambda *_: 7))
    if exercise.name not in LONG:
        yield from (exercise.check(answer) for answer in table.WRONG[exercise.name].values())
    yield core.Card(exercise.solution().headline)


@pytest.mark.integration
@pytest.mark.parametrize("chapter", CHAPTERS)
def test_nothing_that_an_exercise_shows_stays_in_english(chapter):
    exercises = copy.deepcopy(TABLES[chapter].exercises)
    cards = [card for exercise in exercises for card in cards_of(exercise, TABLES[chapter])]
    left = {text: words for card in [*cards, exercises.progress()] for text in shown(card) if (words := english(text))}
    assert left == {}


def test_the_words_of_a_verdict_come_from_the_catalogue():
    exercise = copy.deepcopy(TABLES["chapter_01"].exercises.one_hot)
    card = exercise.check(exercise.run_solution)
    assert (
        card.headline == judging.CORRECT
        and repr(card) == "⟦✓ correct⟧"
        and core.COLOURS[judging.CORRECT] in card._repr_html_()
    )
    assert english("⟦✗ not yet⟧: Not in brackets") == ["Not in brackets"]


def test_slips_are_told_in_the_readers_language():
    exercises = copy.deepcopy(TABLES["chapter_01"].exercises)
    for slip in (
        lambda: exercises.one_hat,
        lambda: exercises.qqqqqq,
        exercises.one_hot.check,
        lambda: exercises.one_hot.solve,
    ):
        with pytest.raises(CourseError) as told:
            slip()
        assert "⟦" in str(told.value) and english(str(told.value)) == []


def of_words(node):
    """Return whether a node is an f-string with two words in a row, which no catalogue can have."""
    if not isinstance(node, ast.JoinedStr):
        return False
    text = "".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values)
    return not text.startswith("<") and re.search("[A-Za-z]{2,},? (…|[A-Za-z]{2,})|… [A-Za-z]{2,}", text) is not None


@pytest.mark.parametrize(
    "source, found", [('f"For {given}, no"', True), ('f"{x} of {y}"', True), ('f"x = {x:g}, w = {w}"', False)]
)
def test_a_sentence_in_an_f_string_is_found(source, found):
    assert of_words(ast.parse(source, mode="eval").body) == found


@pytest.mark.parametrize("path", [*EXERCISES, *WIDGETS], ids=lambda path: path.stem)
def test_no_sentence_is_an_f_string(path):
    """Write say("{count} images came back.", count=n) in place of f"{n} images came back."."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert [f"line {node.lineno}" for node in ast.walk(tree) if of_words(node)] == []


@pytest.mark.parametrize("path", WIDGETS, ids=lambda path: path.stem)
def test_what_a_widget_looks_up_stands_in_the_call(path):
    """Only a literal in say("...") is collected: write no `text = "..."; say(text)`."""
    calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if collect_texts.looks_up(node)]
    assert [f"line {call.lineno}" for call in calls if not isinstance(call.args[0], ast.Constant)] == []


def test_the_catalogue_has_texts_of_all_kinds():
    texts = {message.id: message for message in collect_texts.catalogue() if message.id}
    hints = [hint for table in TABLES.values() for exercise in table.exercises for hint in exercise.hint_texts]
    shown = [
        "✓ correct",
        "hint {number} of {count}",
        "Draw a digit here",
        "Stop",
        "The figure for {title}",
        "The figure could not be drawn ({kind}: {error}).",
        "This network does not return ten probabilities for a picture, so nothing can be shown.",
        "Netron showing {name}",
    ]
    assert {*hints, *shown, "{right} was expected, but your function returned {found}."} <= texts.keys()
    assert [text for text, message in texts.items() if any("alt text" in comment for comment in message.auto_comments)]
    assert "python-brace-format" in texts["hint {number} of {count}"].flags


def test_docstrings_code_and_parts_of_f_strings_are_no_texts():
    source = '"""A docstring."""\nsay("one")\nx = "no_text", f"{a} of them", "two words"\nNotYet("yes" if x else "no")'
    assert [text for _, text in collect_texts.texts_of_module(source)] == ["one", "two words", "yes", "no"]
    assert [text for _, text in collect_texts.texts_of_module(source, marked=True)] == ["one", "yes", "no"]
