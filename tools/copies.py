"""Two kinds of copies of the course for instructors, made from the notebooks as they are:

    python tools/copies.py handout   # handout/: for students, outputs cleared, without the solutions of the exercises
    python tools/copies.py answers   # answers/: every exercise solved, the notebooks executed
    python tools/copies.py handout 01 02   # these chapters only; handout.zip holds the same

Run twice, either writes the same files.
"""

import argparse
import ast
import importlib
import re
import shutil
import signal
import sys
import zipfile
from pathlib import Path

import nbformat
import notebook_files
import run_notebooks
from folders import atomic_folder
from notebook_cells import without_outputs
from replacing import replace_in

from mnist_helpers import CourseError
from mnist_helpers._support.atomic_files import atomic_write
from mnist_helpers._support.paths import COURSE as ROOT
from mnist_helpers.exercises.judging import CORRECT
from mnist_helpers.restore import ORIGINALS

HANDED_OUT = [
    *("LICENSE", "constraints.txt", "environment.yml", "pyproject.toml"),
    *("benchmarks", "data", "mnist_helpers", "models", "notebooks"),
    *("docs/draw.md", "docs/install.md", "docs/model_card.md"),  # chapters link to them
    *("tools/jupyterlab_config.json", "tools/jupyterlab_overrides.json"),  # installed with the package
    "tools/train_model.py",  # benchmarks/deployment.py imports it
]
STUDENTS_README = "tools/handout/README.md"
ORDER = "Take them in this order."  # in the students' README: what comes before it says which chapters there are
MAKEFILE_ENDS = "\n# For authors and instructors"  # in the Makefile: what follows needs tools and tests
MADE_BY_COMMANDS = ("__pycache__", "*-ubyte", ".ipynb_checkpoints", ".ruff_cache", "*.egg-info")
NO_SOLUTION = '    """Your instructor has the solution."""'
PROMISE = re.compile(r" `exercises\.\w+\.solution\(\)` shows a solution\.")


def handout(target: Path, chapters: tuple[str, ...] = ()) -> None:
    """Write the students' copy of the course, or of these chapters, to `target` and its zip, in place of older ones."""
    with atomic_folder(target, mark="mnist_helpers/__init__.py") as folder:
        fill_handout(ROOT, folder, chapters)
    pack(target, target.parent)


def fill_handout(root: Path, target: Path, chapters: tuple[str, ...] = ()) -> None:
    """Fill an empty folder with the students' copy of the course at `root`."""
    for name in HANDED_OUT:
        if (root / name).is_dir():
            shutil.copytree(root / name, target / name, ignore=shutil.ignore_patterns(*MADE_BY_COMMANDS))
        else:
            (target / name).parent.mkdir(exist_ok=True)
            shutil.copy2(root / name, target / name)
    shutil.copyfile(root / STUDENTS_README, target / "README.md")
    makefile, mark, _ = (root / "Makefile").read_text(encoding="utf-8").partition(MAKEFILE_ENDS)
    if not mark:
        raise CourseError(
            f"The Makefile has no line {MAKEFILE_ENDS.strip()!r}, which ends the students' part; restore it."
        )
    (target / "Makefile").write_text(makefile, encoding="utf-8", newline="\n")
    for path in sorted((target / "notebooks").glob("*.ipynb")):
        notebook_files.write(for_students(notebook_files.load(path)), path)
    for path in sorted((target / "mnist_helpers" / "exercises").glob("chapter_*.py")):
        path.write_text(without_solutions(path.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")
    if chapters:
        leave_out_others(target, chapters)
    pack_originals(target)


def for_students(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Empty a notebook's outputs, and remove the sentence that promises a solution; return the notebook."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = PROMISE.sub("", cell.source)
    return without_outputs(notebook)


def pack_originals(folder: Path) -> None:
    """Write the notebooks of a students' copy to a zip in it, from which `make restore` brings them back."""
    write_zip(folder / ORIGINALS, sorted((folder / "notebooks").glob("*.ipynb")), folder)


def leave_out_others(target: Path, chapters: tuple[str, ...]) -> None:
    """Remove the notebooks of other chapters from a students' copy, and what would lead there."""
    kept = [path.name for path in notebooks(target, chapters)]
    for path in sorted((target / "notebooks").glob("*.ipynb")):
        if path.name not in kept:
            path.unlink()
            continue
        notebook = notebook_files.load(path)
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                cell.source = without_links(cell.source, kept)
        notebook_files.write(notebook, path)
    for name in ("README.md", "Makefile", *(page for page in HANDED_OUT if page.endswith(".md"))):
        text = without_links((target / name).read_text(encoding="utf-8"), kept)
        text = text.replace("notebooks/01_data.ipynb", f"notebooks/{kept[0]}")
        (target / name).write_text(text, encoding="utf-8", newline="\n")
    have = f"the chapters {', '.join(chapters)}" if len(chapters) > 1 else f"chapter {chapters[0]}"
    replace_in(target / "README.md", ORDER, f"This copy has only {have}. {ORDER}")


def without_links(text: str, kept: list[str]) -> str:
    """Replace links to notebooks that are not in `kept` by their words."""

    def words(link: re.Match) -> str:
        return link[0] if link[2] in kept else link[1]

    return re.sub(r"\[([^\]]*)\]\((?:[\w./]*/)?(\d\d_\w+\.ipynb)[^)]*\)", words, text)


def pack(folder: Path, target: Path) -> None:
    """Write the files of a folder to a zip of its name in the folder `target`."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    write_zip(target / f"{folder.name}.zip", files, folder.parent)


def write_zip(target: Path, files: list[Path], folder: Path) -> None:
    """Write files to a zip, under their paths in `folder`; the same bytes each time."""
    with atomic_write(target) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files:
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix())
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(entry, path.read_bytes())


def notebooks(root: Path, chapters: tuple[str, ...] = ()) -> list[Path]:
    """Return the notebooks of the course at `root`, or of these chapters. Raises CourseError if a chapter is none."""
    paths = {path.name[:2]: path for path in sorted((root / "notebooks").glob("*.ipynb"))}
    if unknown := [chapter for chapter in chapters if chapter not in paths]:
        raise CourseError(f"there is no chapter {', '.join(unknown)}; the chapters are {', '.join(paths)}.")
    return [path for number, path in paths.items() if number in chapters or not chapters]


def without_solutions(source: str) -> str:
    """Replace the body of each function that `exercises.add` decorates by a docstring."""
    lines = source.splitlines()
    for node in reversed(ast.parse(source).body):
        if isinstance(node, ast.FunctionDef) and any("exercises.add" in ast.unparse(d) for d in node.decorator_list):
            lines[node.body[0].lineno - 1 : node.end_lineno] = [NO_SOLUTION]
    return "\n".join(lines) + "\n"


def answers(target: Path, chapters: tuple[str, ...] = ()) -> None:
    """Write the notebooks, or those of these chapters, solved and executed, to the folder `target`.

    Other chapters' notebooks that are there stay. Raises CourseError if a cell fails, or a solution is not correct.
    """
    chosen = notebooks(ROOT, chapters)
    older = sorted(target.glob("[0-9][0-9]_*.ipynb"))
    with atomic_folder(target, mark=older[0].name if older else "01_data.ipynb") as folder:
        for path in older if chapters else ():
            shutil.copy2(path, folder / path.name)
        fill_answers(folder, chosen)


def fill_answers(target: Path, paths: list[Path]) -> None:
    """Fill a folder with these notebooks, solved and executed."""
    for path in paths:
        notebook = solved(notebook_files.load(path), path)
        run_notebooks.execute(notebook, path)
        run_notebooks.clean(notebook)
        for cell in exercise_cells(notebook):
            if CORRECT not in str(cell.outputs):
                raise CourseError(f"The solution in cell {cell.id} of {path.name} is not judged correct.")
        notebook_files.write(notebook, target / path.name)


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
    parser.add_argument("chapters", nargs="*", help="01 02 for these chapters only")
    options = parser.parse_args()
    kind, unchanged = options.kind, f"Nothing was written; {options.kind}/ is as it was."
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(f"Stopped. {unchanged}"))
    try:
        {"handout": handout, "answers": answers}[kind](ROOT / kind, tuple(options.chapters))
    except (CourseError, OSError) as error:
        sys.exit(f"{error}\n{unchanged}")
    print(f"written: {kind}/" + (f" and {kind}.zip" if kind == "handout" else ""))


if __name__ == "__main__":
    main()
