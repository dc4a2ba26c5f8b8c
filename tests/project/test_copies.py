"""The students' copy holds no solution and still judges; the solved stubs work in one kernel, in order."""

import ast
import filecmp
import importlib
import re
import shutil
import subprocess
import sys
import zipfile

import copies
import nbformat
import pytest

from mnist_helpers import CourseError, restore
from mnist_helpers._support.paths import COURSE as ROOT
from mnist_helpers.exercises.core import Card
from mnist_helpers.exercises.judging import CORRECT
from tests.exercises.mutants import CHAPTERS

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module")
def handout(tmp_path_factory):
    target = tmp_path_factory.mktemp("copies") / "handout"
    copies.handout(target)
    return target


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_the_handout_is_the_same_when_made_twice(handout, tmp_path):
    again = tmp_path / "again"
    copies.handout(again)
    copies.handout(again)  # in place of an older one
    assert files(again) == files(handout)
    assert not filecmp.cmpfiles(handout, again, files(handout), shallow=False)[1]


def test_the_handout_has_no_solution_in_any_file(handout):
    text = "\n".join(
        path.read_text(encoding="utf-8") for path in handout.rglob("*.*") if path.suffix in (".py", ".ipynb")
    )
    for name in CHAPTERS:
        for exercise in importlib.import_module(f"mnist_helpers.exercises.{name}").exercises:
            body = exercise.source().split("\n", 1)[1]
            assert body not in text, f"the solution of {exercise.name} is in the handout"
    assert not (handout / "tests").exists()


def test_the_handouts_notebooks_have_no_outputs_and_promise_no_solutions(handout):
    for path in NOTEBOOKS:
        ours, theirs = (nbformat.read(folder / "notebooks" / path.name, as_version=4) for folder in (ROOT, handout))
        assert copies.for_students(ours) == theirs and "solution()" not in nbformat.writes(theirs)
        assert not any(cell.get("outputs") for cell in theirs.cells)


def test_what_the_handouts_notebooks_link_to_is_there(handout):
    for path in (handout / "notebooks").glob("*.ipynb"):
        prose = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown"]
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", "\n".join(prose)):
            assert (path.parent / link).exists(), f"{path.name} links to {link}"


def test_the_handout_has_the_networks_that_chapter_09_runs(handout):
    assert {"models/digits.onnx", "models/report_net.onnx"} <= set(files(handout))


def test_the_zip_holds_the_folder(handout):
    with zipfile.ZipFile(handout.with_name("handout.zip")) as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == [f"handout/{name}" for name in files(handout)]
        assert archive.read("handout/README.md") == (handout / "README.md").read_bytes()


@pytest.fixture(scope="module")
def some_chapters(tmp_path_factory):
    target = tmp_path_factory.mktemp("copies") / "handout"
    copies.handout(target, ("02", "03"))
    return target


def test_a_chapter_comes_back_as_it_was_handed_out(some_chapters, tmp_path):
    for name in ("notebooks", "tools"):
        shutil.copytree(some_chapters / name, tmp_path / name)
    (tmp_path / "notebooks" / "02_network.ipynb").write_text("mine")
    restore.restore("02", tmp_path)
    for path in (some_chapters / "notebooks").glob("*.ipynb"):
        assert (tmp_path / "notebooks" / path.name).read_bytes() == path.read_bytes()
    with pytest.raises(CourseError, match="choose one of 02, 03"):
        restore.restore("01", tmp_path)


def test_a_handout_of_some_chapters_has_no_link_to_the_others(some_chapters):
    assert sorted(path.name[:2] for path in (some_chapters / "notebooks").glob("*.ipynb")) == ["02", "03"]
    test_what_the_handouts_notebooks_link_to_is_there(some_chapters)
    assert "has only the chapters 02, 03." in (some_chapters / "README.md").read_text(encoding="utf-8")
    for name in ("Makefile", "docs/install.md"):
        text = (some_chapters / name).read_text(encoding="utf-8")
        assert "01_data" not in text and "notebooks/02_network.ipynb" in text, name


@pytest.mark.parametrize("make", [copies.handout, copies.answers])
def test_an_unknown_chapter_gets_one_sentence_and_changes_nothing(make, tmp_path):
    with pytest.raises(CourseError, match="there is no chapter 2; the chapters are 01, 02"):
        make(tmp_path / "copy", ("2",))
    assert list(tmp_path.iterdir()) == []


def test_links_to_what_is_left_out_become_words():
    text = "See [the data](01_data.ipynb#bytes), [here](02_network.ipynb) and [docs](../docs/draw.md)."
    assert copies.without_links(text, ["02_network.ipynb"]) == (
        "See the data, [here](02_network.ipynb) and [docs](../docs/draw.md)."
    )


def test_answers_of_one_chapter_keep_those_of_the_others(tmp_path, monkeypatch):
    monkeypatch.setattr(copies.run_notebooks, "execute", lambda notebook, path: None)
    monkeypatch.setattr(copies, "exercise_cells", lambda notebook: [])
    target = tmp_path / "answers"
    copies.answers(target, ("02",))
    copies.answers(target, ("03",))
    assert [path.name for path in sorted(target.iterdir())] == ["02_network.ipynb", "03_gradients.ipynb"]


JUDGE = """
import importlib
from mnist_helpers.exercises import isolation, judging
isolation.can_fork = lambda: False  # a copy of the process for each of these checks would take minutes
assert judging.__file__.startswith({folder!r}), judging.__file__
for chapter in {chapters}:
    table = importlib.import_module("tests.exercises." + chapter)
    for exercise in importlib.import_module("mnist_helpers.exercises." + chapter).exercises:
        assert "Your instructor has the solution" in exercise.solution().code
        assert exercise.check(lambda *arguments: ...).headline == judging.NOT_ATTEMPTED
        if exercise.seconds > {longest}:
            continue
        # One answer of each kind: the others are judged there, too
        for answer, verdict in [
            (table.RIGHT[exercise.name][0], judging.CORRECT),
            (next(iter(table.WRONG[exercise.name].values())), judging.NOT_YET),
        ]:
            card = exercise.check(answer)
            assert card.headline == verdict, (exercise.name, card)
"""


# Every day without those that take longest: they train or export for seconds
@pytest.mark.parametrize("longest", [30, pytest.param(10_000, marks=pytest.mark.slow)])
def test_the_handout_judges_without_the_solutions(longest, handout):
    program = f"import sys; sys.path[:0] = [{str(handout)!r}, {str(ROOT)!r}]\n"
    program += JUDGE.format(chapters=CHAPTERS, folder=str(handout), longest=longest)
    done = subprocess.run([sys.executable, "-c", program], cwd=handout, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_solved_stubs_are_correct_in_one_kernel_and_in_order(path):
    notebook = copies.solved(nbformat.read(path, as_version=4), path)
    stubs = copies.exercise_cells(notebook)
    first = next(cell for cell in notebook.cells if cell.id == "imports")
    before = next(cell for cell in notebook.cells if cell.id == "exercises-import")
    names = {}
    for cell in [first, before, *stubs]:
        *statements, last = ast.parse(cell.source).body
        exec(compile(ast.Module(statements, []), cell.id, "exec"), names)
        if cell in stubs:
            card = eval(compile(ast.Expression(last.value), cell.id, "eval"), names)
            assert isinstance(card, Card) and card.headline == CORRECT, f"{cell.id}: {card}"
        else:
            exec(compile(ast.Module([last], []), cell.id, "exec"), names)
    assert [cell.id for cell in stubs] == [f"exercise-{exercise.name}" for exercise in names["exercises"]]
