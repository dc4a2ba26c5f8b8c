"""Export the exercises for nbgrader: `python tools/nbgrader_export.py`, or 01 02 behind it for these chapters.

The folder nbgrader_course/ is then a course of nbgrader, with an assignment for each chapter. The stubs of the
exercises have become cells with the solution, which nbgrader takes out for students. Each is followed by a cell with
hidden tests and points. Students and nbgrader need the course installed; see docs/instructors.md.
"""

import argparse
import ast
import importlib
import sys
from pathlib import Path

import nbformat
import notebook_files
from copies import exercise_cells, notebooks
from folders import atomic_folder
from grading.points import DEFAULT, Points
from notebook_cells import without_outputs

from mnist_helpers import CourseError
from mnist_helpers._support.paths import COURSE
from mnist_helpers.exercises.core import Exercise
from mnist_helpers.exercises.judging import CORRECT

TARGET = COURSE / "nbgrader_course"
CONFIG = "nbgrader_config.py"
WARNING = (
    "Students' code runs in the same process as the hidden tests and can forge their verdicts, for example with\n"
    "`for exercise in exercises: exercise.run_checker = lambda ask: None`. `make grade` cannot be deceived so."
)
SETTINGS = """# Settings of nbgrader for the exercises of this course.
c = get_config()  # noqa: F821
c.CourseDirectory.course_id = "mnist"
c.ClearSolutions.code_stub = {"python": "# YOUR CODE HERE"}  # the stub's own `return ...` stays below it
c.Execute.timeout = 600  # seconds for a cell; some train a network
"""
SOLUTION = {"grade": False, "solution": True, "locked": False}
TESTS = {"grade": True, "solution": False, "locked": True}


def export(target: Path, points: Points, chapters: tuple[str, ...] = ()) -> None:
    """Write the course, or these chapters of it, as a course of nbgrader to the folder `target`."""
    if target.is_dir() and (others := {path.name for path in target.iterdir()} - {CONFIG, "source"}):
        names = ", ".join(sorted(others))
        raise CourseError(f"{target} has {names} besides what this command wrote; move the folder away, then export.")
    with atomic_folder(target, mark=CONFIG) as folder:
        (folder / CONFIG).write_text(SETTINGS, encoding="utf-8", newline="\n")
        for path in notebooks(COURSE, chapters):
            place = folder / "source" / path.stem / path.name
            place.parent.mkdir(parents=True)
            notebook_files.write(assignment(notebook_files.load(path), path.name[:2], points), place)


def assignment(notebook: nbformat.NotebookNode, chapter: str, points: Points) -> nbformat.NotebookNode:
    """Return a chapter's notebook as an assignment, without outputs."""
    exercises = importlib.import_module(f"mnist_helpers.exercises.chapter_{chapter}").exercises
    stubs = [cell.id for cell in exercise_cells(notebook)]
    cells = []
    for cell in without_outputs(notebook).cells:
        cells.append(cell)
        if cell.id in stubs:
            exercise = getattr(exercises, cell.id.removeprefix("exercise-"))
            cell.source = with_solution(cell.source, exercise)
            cell.metadata.nbgrader = _metadata(cell.id, **SOLUTION)
            cells.append(tests_of(exercise, points.of(exercise)))
    notebook.cells = cells
    return notebook


def with_solution(stub: str, exercise: Exercise) -> str:
    """Return a stub with the exercise's solution in it, between the marks of nbgrader."""
    body = exercise.source().split("\n")[1:]  # behind the line with def
    [function] = [node for node in ast.parse(stub).body if isinstance(node, ast.FunctionDef)]
    lines, place = stub.split("\n"), function.body[0].lineno - 1
    return "\n".join([*lines[:place], "    ### BEGIN SOLUTION", *body, "    ### END SOLUTION", *lines[place:]])


def tests_of(exercise: Exercise, points: float) -> nbformat.NotebookNode:
    """Return the cell with the hidden tests of an exercise."""
    name = exercise.name
    lines = [
        f"# The points for {name} come from hidden tests in this cell.",
        "### BEGIN HIDDEN TESTS",
        f"verdict = exercises.{name}.check({name})",
        f"assert verdict.headline == {CORRECT!r}, verdict.text",
        "### END HIDDEN TESTS",
    ]
    cell = nbformat.v4.new_code_cell("\n".join(lines), id=f"points-{name}")
    cell.metadata.nbgrader = _metadata(f"points-{name}", points=points, **TESTS)
    return cell


def _metadata(name: str, **values) -> dict:
    """Return nbgrader's metadata of a cell, in version 3 of its schema."""
    return {"schema_version": 3, "cell_type": "code", "grade_id": name, "task": False, **values}


def main() -> None:
    """Export what the command line names."""
    parser = argparse.ArgumentParser(description="Export the exercises for nbgrader.")
    parser.add_argument("chapters", nargs="*", help="01 02 for these chapters only")
    parser.add_argument("--points", type=Path, default=DEFAULT, help="a TOML file with points")
    options = parser.parse_args()
    try:
        export(TARGET, Points(options.points), tuple(options.chapters))
    except (CourseError, OSError) as error:
        sys.exit(f"{error}\nNothing was written; {TARGET.name}/ is as it was.")
    print(f"written: {TARGET.name}/ ({CONFIG}, source/)\n{WARNING}")


if __name__ == "__main__":
    main()
