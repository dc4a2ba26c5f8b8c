"""Two kinds of copies of the course for instructors, made from the notebooks as they are:

    python tools/copies.py handout   # handout/: for students, outputs cleared, without the solutions of the exercises
    python tools/copies.py answers   # answers/: every exercise solved, the notebooks executed

Run twice, either writes the same files.
"""

import argparse
import ast
import importlib
import shutil
import sys
from pathlib import Path

import nbformat
import run_notebooks
from folders import atomic_folder

from mnist_helpers import CourseError
from mnist_helpers._support.paths import COURSE as ROOT
from mnist_helpers.exercises.core import CORRECT

HANDED_OUT = [
    *("LICENSE", "constraints.txt", "environment.yml", "pyproject.toml"),
    *("benchmarks", "data", "mnist_helpers", "models", "notebooks"),
    *("docs/draw.md", "docs/model_card.md"),  # chapters link to them
    *("tools/jupyterlab_config.json", "tools/jupyterlab_overrides.json"),  # installed with the package
    "tools/train_model.py",  # benchmarks/deployment.py imports it
]
STUDENTS_README = "tools/handout/README.md"
MAKEFILE_ENDS = "\n# For authors and instructors"  # in the Makefile: what follows needs tools and tests
MADE_BY_COMMANDS = ("__pycache__", "*-ubyte", ".ipynb_checkpoints", "*.egg-info")
NO_SOLUTION = '    """Your instructor has the solution."""'


def handout(target: Path) -> None:
    """Write the students' copy of the course to the folder `target`, in place of an older one."""
    with atomic_folder(target, mark="notebooks/01_data.ipynb") as folder:
        fill_handout(folder)


def fill_handout(target: Path) -> None:
    """Fill an empty folder with the students' copy."""
    for name in HANDED_OUT:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns(*MADE_BY_COMMANDS))
        else:
            (target / name).parent.mkdir(exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    shutil.copyfile(ROOT / STUDENTS_README, target / "README.md")
    makefile, mark, _ = (ROOT / "Makefile").read_text(encoding="utf-8").partition(MAKEFILE_ENDS)
    if not mark:
        raise CourseError(
            f"The Makefile has no line {MAKEFILE_ENDS.strip()!r}, which ends the students' part; restore it."
        )
    (target / "Makefile").write_text(makefile, encoding="utf-8", newline="\n")
    for path in sorted((target / "notebooks").glob("*.ipynb")):
        run_notebooks.write(without_outputs(run_notebooks.load(path)), path)
    for path in sorted((target / "mnist_helpers" / "exercises").glob("chapter_*.py")):
        path.write_text(without_solutions(path.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")


def without_outputs(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Empty the outputs of all cells."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return notebook


def without_solutions(source: str) -> str:
    """Replace the body of each function that `exercises.add` decorates by a docstring."""
    lines = source.splitlines()
    for node in reversed(ast.parse(source).body):
        if isinstance(node, ast.FunctionDef) and any("exercises.add" in ast.unparse(d) for d in node.decorator_list):
            lines[node.body[0].lineno - 1 : node.end_lineno] = [NO_SOLUTION]
    return "\n".join(lines) + "\n"


def answers(target: Path) -> None:
    """Write every notebook, solved and executed, to the folder `target`; ends the program if one does not work out."""
    with atomic_folder(target, mark="01_data.ipynb") as folder:
        fill_answers(folder)


def fill_answers(target: Path) -> None:
    """Fill an empty folder with the notebooks, solved and executed."""
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        notebook = solved(run_notebooks.load(path), path)
        run_notebooks.execute(notebook, path)
        run_notebooks.clean(notebook)
        for cell in exercise_cells(notebook):
            if CORRECT not in str(cell.outputs):
                sys.exit(f"The solution in cell {cell.id} of {path.name} is not judged correct; nothing was written.")
        run_notebooks.write(notebook, target / path.name)


def exercise_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """Return the stub cells, in order."""
    return [cell for cell in notebook.cells if "exercise" in cell.metadata.get("tags", [])]


def solved(notebook: nbformat.NotebookNode, path: Path) -> nbformat.NotebookNode:
    """Put the solutions of the chapter's exercises into its stub cells."""
    chapter = importlib.import_module(f"mnist_helpers.exercises.chapter_{path.name[:2]}")
    for cell in exercise_cells(notebook):
        exercise = getattr(chapter.exercises, cell.id.removeprefix("exercise-"))
        cell.source = f"{exercise.source()}\n\n\nexercises.{exercise.name}.check({exercise.name})"
    return notebook


def main() -> None:
    """Make the copy that the command line names."""
    parser = argparse.ArgumentParser(description="Make copies of the course for students or for instructors.")
    parser.add_argument("kind", choices=["handout", "answers"])
    kind = parser.parse_args().kind
    try:
        {"handout": handout, "answers": answers}[kind](ROOT / kind)
    except (CourseError, OSError) as error:
        sys.exit(f"{error}\nNothing was written; {kind}/ is as it was.")
    print(f"written: {kind}/")


if __name__ == "__main__":
    main()
