"""Every exercise of every chapter: right answers pass, wrong ones are told apart, and nothing a student does breaks it.

The misconceptions that the checkers know are named in the tables of chapter_01.py and its sisters.
"""

import contextlib
import copy
import importlib
import inspect
import itertools
import json
import re
import sys
import time

import nbformat
import pytest

from mnist_helpers import CourseError
from mnist_helpers._support.paths import COURSE, NOTEBOOKS
from mnist_helpers.exercises import judging, progress_file
from mnist_helpers.exercises.core import Card, Chapter, Exercise
from mnist_helpers.exercises.judging import CORRECT, NOT_ATTEMPTED, NOT_YET, verdict
from tests.exercises.mutants import CHAPTERS, examine

pytestmark = pytest.mark.usefixtures("in_this_process")
TABLES = {name: importlib.import_module(f"tests.exercises.{name}") for name in CHAPTERS}
LONG = {("chapter_04", "train_to_goal"), ("chapter_09", "export_and_compare")}  # seconds for each check


def each_exercise(mark_of_the_long):
    names = [(name, exercise.name) for name, table in TABLES.items() for exercise in table.exercises]
    marked = [pytest.param(*pair, marks=[mark_of_the_long] * (pair in LONG)) for pair in names]
    return pytest.mark.parametrize("chapter, name", marked)


every_exercise = each_exercise(pytest.mark.integration)
with_many_checks = each_exercise(pytest.mark.slow)  # all exercises take the same way through what they may be given


@pytest.fixture
def exercise(chapter, name):
    original = getattr(TABLES[chapter].exercises, name)
    fresh = Exercise(original.run_solution, original.hint_texts, original.stars, original.seconds)
    fresh.run_checker = original.run_checker
    return fresh


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_has_four_to_eight_exercises_and_a_table_for_each(chapter):
    names = [exercise.name for exercise in TABLES[chapter].exercises]
    assert 4 <= len(names) <= 8
    for table in (TABLES[chapter].WRONG, TABLES[chapter].RIGHT, TABLES[chapter].PROBES):
        assert list(table) == names
    assert all(len(wrong) >= 3 for wrong in TABLES[chapter].WRONG.values())
    assert all(len(right) >= 2 for right in TABLES[chapter].RIGHT.values())


def test_the_page_for_instructors_says_how_many_wrong_answers_are_known():
    counts = [sum(map(len, table.WRONG.values())) for table in TABLES.values()]
    said = f"{sum(counts)} wrong answers ({', '.join(map(str, counts[:-1]))} and {counts[-1]} in the ten chapters)"
    assert said in " ".join((COURSE / "docs" / "instructors.md").read_text(encoding="utf-8").split())


@every_exercise
def test_the_solution_is_correct_and_shown_as_it_is_run(exercise):
    assert exercise.check(exercise.run_solution).headline == CORRECT
    names = dict(exercise.run_solution.__globals__)
    exec(exercise.solution().code, names)
    assert exercise.check(names[exercise.name]).headline == CORRECT


@every_exercise
def test_the_stub_is_not_attempted(exercise):
    assert exercise.check(lambda *arguments: ...).headline == NOT_ATTEMPTED
    assert exercise.check(...).headline == NOT_ATTEMPTED
    assert exercise.state == NOT_ATTEMPTED


@every_exercise
def test_right_answers_in_other_styles_are_correct(exercise, chapter, name):
    for answer in TABLES[chapter].RIGHT[name]:
        card = exercise.check(answer)
        assert card.headline == CORRECT, f"{answer}: {card}"


@every_exercise
def test_each_misconception_gets_an_explanation_of_its_own(exercise, chapter, name):
    reasons = {}
    for misconception, answer in TABLES[chapter].WRONG[name].items():
        card = exercise.check(answer)
        assert card.headline == NOT_YET, f"{misconception}: {card}"
        assert "your function stopped with" not in card.text, f"{misconception}: {card}"
        assert "could not be checked" not in card.text, f"{misconception}: {card}"
        assert not re.match(r"(\[.*\]|\S+) was expected", card.text), (
            f"{misconception} gets no reason of its own: {card}"
        )
        assert reasons.setdefault(card.text, misconception) == misconception, f"{misconception}: {card}"


class Unspeakable(Exception):
    def __str__(self):
        raise self


class EndsWhenLookedAt:
    def __iter__(self):
        sys.exit()


def say_nothing(*_):
    raise Unspeakable


WHATEVER = [  # what a student may give, and what the card must say
    (lambda *_: 1 / 0, "ZeroDivisionError"),
    (say_nothing, "Unspeakable"),
    (lambda *_: EndsWhenLookedAt(), ""),
    (lambda *_: exit(), "SystemExit"),
    (lambda: 1, "TypeError"),
    (lambda *_: None, "returned None"),
    (lambda *_: "seven", ""),
    (lambda *_: object(), ""),
    (lambda *_: [], ""),
    (lambda *_: {}, ""),
    (lambda *_: [[1], [2, 3]], ""),
    (lambda *_: [[0, 1, 2], [0, 1, 2]], ""),
    (lambda *_: float("nan"), ""),
    (7, "a function was expected, but int was given"),
    ("seven", "a function was expected, but str was given"),
    (None, "a function was expected, but NoneType was given"),
]


@with_many_checks
def test_whatever_a_function_does_is_survived(exercise):
    fits = not inspect.signature(exercise.run_solution).parameters  # then `lambda: 1` is called as it should be
    for number, (answer, part) in enumerate(WHATEVER):
        card = exercise.check(answer)
        assert card.headline == NOT_YET and "\n" not in card.text, f"{number}: {card}"
        assert part in card.text or (part == "TypeError" and fits), f"{number}: {card}"


def right_at_first(solution, right_calls):
    """Return a function that is right for some calls and then fails, so that a checker may add words of its own."""
    calls = itertools.count()

    def answer(*arguments):
        if next(calls) < right_calls:
            return solution(*arguments)
        raise ValueError("{d} is no {name}")

    return answer


@with_many_checks
def test_braces_in_what_a_student_wrote_stay_as_they_are(exercise):
    """No text of a checker's may be filled with what stands in braces in the student's message."""
    for right_calls in (0, 1, 2, 3, 5):
        card = exercise.check(right_at_first(exercise.run_solution, right_calls))
        assert card.headline == CORRECT or "ValueError: {d} is no {name}" in card.text, right_calls
        assert "could not be checked" not in card.text, right_calls


def broken_off(*_):
    yield 1
    raise ValueError("half-way")


def without_end(*_):
    while True:
        yield 1


@every_exercise
def test_generators_that_fail_or_have_no_end_are_survived(exercise):
    for answer, part in [(broken_off, "ValueError: half-way"), (without_end, "")]:
        card = exercise.check(answer)
        assert card.headline == NOT_YET, f"{answer.__name__}: {card}"
        assert part in card.text and "\n" not in card.text, f"{answer.__name__}: {card}"


def endless(*_):
    while True:
        with contextlib.suppress(Exception):
            time.sleep(0.01)


@every_exercise
def test_a_function_that_never_returns_is_stopped(exercise, monkeypatch):
    limit = judging.time_limit
    monkeypatch.setattr(judging, "time_limit", lambda seconds: limit(0.1))
    assert "did not return within" in exercise.check(endless).text


@every_exercise
def test_hints_come_one_by_one_and_the_last_one_stays(exercise):
    given = [exercise.hint() for _ in range(len(exercise.hint_texts) + 1)]
    assert len(exercise.hint_texts) >= 2
    assert [card.text for card in given] == [*exercise.hint_texts, exercise.hint_texts[-1]]
    assert given[0].headline == f"hint 1 of {len(exercise.hint_texts)}"


@every_exercise
def test_wrong_calls_get_one_sentence(exercise):
    for answers in [(), (1, 2)]:
        with pytest.raises(CourseError, match=f"{len(answers)} answers"):
            exercise.check(*answers)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_an_unknown_exercise_suggests_the_nearest(chapter):
    name = next(iter(TABLES[chapter].exercises)).name
    with pytest.raises(CourseError, match=f"did you mean {name}"):
        getattr(TABLES[chapter].exercises, name + "s")
    with pytest.raises(CourseError, match="there are"):
        TABLES[chapter].exercises.qqqqqqqq  # noqa: B018
    assert not hasattr(TABLES[chapter].exercises, "__wrapped__")


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_exercises_get_harder_and_the_prompts_say_how_hard_they_are(chapter):
    exercises = list(TABLES[chapter].exercises)
    stars = [exercise.stars for exercise in exercises]
    assert stars == sorted(stars) and set(stars) <= {1, 2, 3}
    [path] = NOTEBOOKS.glob(f"{chapter.removeprefix('chapter_')}_*.ipynb")
    cells = nbformat.read(path, as_version=4).cells
    prompts = {cell.id: before.source for before, cell in zip(cells, cells[1:])}
    for exercise in exercises:
        assert exercise.difficulty() in prompts[f"exercise-{exercise.name}"], exercise.name


@pytest.fixture
def progress(tmp_path, monkeypatch):
    """The path of an empty progress file."""
    path = tmp_path / "progress.json"
    monkeypatch.setattr(progress_file, "PROGRESS", path)
    return path


def test_progress_is_kept_between_sessions(progress):
    exercises = copy.deepcopy(TABLES["chapter_01"].exercises)
    exercises.count_class.hint()
    exercises.count_class.check(exercises.count_class.run_solution)
    exercises.one_hot.check(lambda labels: labels)
    exercises.batches.check(lambda *_: ...)  # the stub
    later = Chapter("chapter_01")
    for exercise in exercises:
        later.add(*exercise.hint_texts)(exercise.run_solution)
    assert [line[0] for line in later.progress().code.splitlines()] == list("✓✗○○○○○○")
    assert later.progress().headline == "1 of 8 correct"
    entries = json.loads(progress.read_text())["chapter_01"]
    assert entries["count_class"].keys() == {"correct", "when", "hints"} and entries["count_class"]["hints"] == 1
    exercises.count_class.check(lambda labels, digit: 0)
    assert progress_file.read()["chapter_01"]["count_class"]["correct"]  # what was solved stays solved


@pytest.mark.parametrize("content", ["", "[1]", '{"chapter_01": 3}', '{"chapter_01": {"one_hot": "yes"}}', "\0"])
def test_a_damaged_progress_file_counts_as_none(content, progress):
    progress.write_text(content)
    assert progress_file.read() == {}
    assert copy.deepcopy(TABLES["chapter_01"].exercises).progress().headline.endswith("of 8 correct")


def test_a_damaged_progress_file_is_kept_beside_the_new_one(progress):
    progress.write_text("{damaged")
    for name in ("one_hot", "count_class"):
        progress_file.record("chapter_01", name, True, 0)
    assert progress.with_name("progress_damaged.json").read_text() == "{damaged"
    assert progress_file.read()["chapter_01"].keys() == {"one_hot", "count_class"}


def test_progress_that_cannot_be_saved_is_told_beside_the_verdict(progress, monkeypatch):
    (progress.parent / "file").touch()
    monkeypatch.setattr(progress_file, "PROGRESS", progress.parent / "file" / "progress.json")
    exercises = copy.deepcopy(TABLES["chapter_01"].exercises)
    card = exercises.count_class.check(exercises.count_class.run_solution)
    assert card.headline == CORRECT and "Your progress was not saved" in card.text


@pytest.mark.parametrize("kind", TABLES["chapter_01"].HARDLY_SHUFFLED)
def test_what_is_hardly_shuffled_is_refused_in_chapter_01(kind):
    answer = TABLES["chapter_01"].order_by(TABLES["chapter_01"].HARDLY_SHUFFLED[kind])
    state, reason = verdict(TABLES["chapter_01"].exercises.shuffled.run_checker, answer)
    assert state == NOT_YET and ("were neighbours" in reason or "different images came to place" in reason)


def test_an_easy_slip_is_understood_or_told(exercise=TABLES["chapter_01"].exercises.one_hot):
    assert copy.copy(exercise).hints().headline.startswith("hint 1")
    with pytest.raises(CourseError, match="an exercise has no solve; use exercises.one_hot.check"):
        exercise.solve()


def test_progress_shows_the_three_states(progress):
    exercises = copy.deepcopy(TABLES["chapter_01"].exercises)
    for exercise in exercises:
        exercise.state = NOT_ATTEMPTED
    exercises.count_class.check(exercises.count_class.run_solution)
    exercises.one_hot.check(lambda labels: labels)
    card = exercises.progress()
    assert card.headline == "1 of 8 correct"
    assert [line.split()[0] for line in card.code.splitlines()] == list("✓✗○○○○○○")
    assert "one_hot" in repr(card) and "one_hot" in card._repr_html_()


def test_a_card_shows_what_a_student_wrote_as_text():
    card = Card(NOT_YET, "<b>x</b>", code="a < b")
    assert "<b>x</b>" not in card._repr_html_() and "a &lt; b" in card._repr_html_()
    assert repr(card) == "✗ not yet: <b>x</b>\na < b"


@pytest.mark.integration
@pytest.mark.parametrize("chapter", CHAPTERS)
def test_checkers_catch_the_mutants_of_their_solution(chapter):
    results = examine(TABLES[chapter])
    missed = [f"{exercise}:\n{source}" for exercise, source, caught in results if not caught]
    assert len(results) >= 30
    assert len(missed) <= 0.05 * len(results), "\n\n".join(missed)
