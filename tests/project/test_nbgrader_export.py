"""The export for nbgrader: each exercise has a cell with its solution and one with points; students get the stub."""

import contextlib
import importlib
import io
import re

import nbformat
import nbgrader_export
import notebook_files
import pytest
from copies import exercise_cells
from grading.points import Points

from mnist_helpers import CourseError
from mnist_helpers._support.paths import COURSE, NOTEBOOKS
from tests.exercises.mutants import CHAPTERS

PATHS = sorted(NOTEBOOKS.glob("*.ipynb"))
# The properties of a cell in version 3 of nbgrader's schema, nbgrader/nbgraderformat/v3.json
SCHEMA = {"schema_version": int, "grade": bool, "solution": bool, "locked": bool, "task": bool, "grade_id": str}
ID = r"[a-zA-Z0-9_\-]+"


def released(source):
    """Return what nbgrader leaves of a cell for students: a comment in place of the solution, and no hidden tests."""
    source = re.sub(r"    ### BEGIN SOLUTION\n.*?    ### END SOLUTION", "    # YOUR CODE HERE", source, flags=re.S)
    return re.sub(r"\n### BEGIN HIDDEN TESTS\n.*?### END HIDDEN TESTS", "", source, flags=re.S)


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    target = tmp_path_factory.mktemp("nbgrader") / "course"
    nbgrader_export.export(target, Points())
    return target


@pytest.fixture
def pairs(course, request):
    """The original stubs of a chapter, each with the two cells that come from it."""
    original = notebook_files.load(request.param)
    cells = nbformat.read(course / "source" / request.param.stem / request.param.name, as_version=4).cells
    after = {cell.id: (cell, following) for cell, following in zip(cells, cells[1:])}
    return [(stub, *after[stub.id]) for stub in exercise_cells(original)]


each_chapter = pytest.mark.parametrize("pairs", PATHS, indirect=True, ids=lambda path: path.stem)


@each_chapter
def test_students_get_the_stub_and_no_solution(pairs):
    for stub, solution, tests in pairs:
        assert released(solution.source).replace("    # YOUR CODE HERE\n", "", 1) == stub.source
        assert "YOUR CODE HERE" in released(solution.source)
        assert released(tests.source).count("\n") == 0 and released(tests.source).startswith("# The points")


@each_chapter
def test_the_metadata_are_those_of_nbgraders_schema(pairs):
    for _, solution, tests in pairs:
        for cell, extra in ((solution, set()), (tests, {"points"})):
            found = cell.metadata.nbgrader
            assert set(found) == {*SCHEMA, "cell_type", *extra}
            assert all(type(found[name]) is kind for name, kind in SCHEMA.items())
            assert found.schema_version == 3 and found.cell_type == "code" and re.fullmatch(ID, found.grade_id)
        assert (solution.metadata.nbgrader.solution, tests.metadata.nbgrader.grade) == (True, True)
        assert tests.metadata.nbgrader.locked and tests.metadata.nbgrader.points > 0


def test_the_ids_are_unique_and_the_points_those_of_the_instructors_page(course):
    cells = [cell for path in course.rglob("*.ipynb") for cell in nbformat.read(path, as_version=4).cells]
    marked = [cell.metadata.nbgrader for cell in cells if "nbgrader" in cell.metadata]
    assert len({cell.grade_id for cell in marked}) == len(marked) == 2 * sum(1 for cell in marked if cell.grade)
    page = (COURSE / "docs" / "instructors.md").read_text(encoding="utf-8")
    *chapters, total = map(int, re.findall(r"\d+", re.search(r"The ten chapters have (.*?) in all", page, re.S)[1]))
    assert sum(cell.points for cell in marked if cell.grade) == total == sum(chapters)


def test_solutions_pass_the_hidden_tests_and_stubs_do_not(course):
    module = importlib.import_module(f"mnist_helpers.exercises.{CHAPTERS[0]}")
    cells = nbformat.read(course / "source" / "01_data" / "01_data.ipynb", as_version=4).cells
    names = vars(module).copy()
    for cell, tests in zip(cells, cells[1:]):
        if cell.get("metadata", {}).get("nbgrader", {}).get("solution"):
            with contextlib.redirect_stdout(io.StringIO()):
                exec(cell.source, names)
                exec(tests.source, names)
                exec(released(cell.source), names)
                with pytest.raises(AssertionError, match="three dots"):
                    exec(tests.source, names)


def test_a_folder_in_which_nbgrader_worked_is_left_alone(tmp_path):
    target = tmp_path / "course"
    nbgrader_export.export(target, Points(), ("01",))
    nbgrader_export.export(target, Points(), ("02",))
    assert [path.name for path in (target / "source").iterdir()] == ["02_network"]
    (target / "gradebook.db").touch()
    with pytest.raises(CourseError, match="has gradebook.db besides"):
        nbgrader_export.export(target, Points(), ("01",))
    assert (target / "gradebook.db").exists() and (target / "source" / "02_network").is_dir()


def test_the_command_warns_of_forged_verdicts(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(nbgrader_export, "TARGET", tmp_path / "course")
    monkeypatch.setattr("sys.argv", ["nbgrader_export.py", "01"])
    nbgrader_export.main()
    assert "forge" in capsys.readouterr().out


def test_an_unknown_chapter_is_told_and_nothing_written(tmp_path, monkeypatch):
    monkeypatch.setattr(nbgrader_export, "TARGET", tmp_path / "course")
    monkeypatch.setattr("sys.argv", ["nbgrader_export.py", "12"])
    with pytest.raises(SystemExit, match="there is no chapter 12"):
        nbgrader_export.main()
    assert not (tmp_path / "course").exists()
