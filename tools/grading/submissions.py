"""Find submitted notebooks, and take from them imports and definitions alone. Nothing is run, no file is written to.

A folder of submissions holds a folder for each student, or notebooks whose names begin with the student's:

    submissions/ada/01_data.ipynb    submissions/grace_01_data.ipynb
"""

import ast
import functools
import importlib
import json
import re
from dataclasses import dataclass, field
from pathlib import Path

from mnist_helpers._support.paths import NOTEBOOKS, PACKAGE
from mnist_helpers.exercises.core import Chapter

MAX_BYTES = 20 * 1024**2  # of a notebook; those of the course have less than 2 MB
KEPT = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass
class Submission:
    """A notebook of a student. `problem` says why it cannot be graded, if that is so."""

    student: str
    path: Path
    chapter: str = ""  # 01
    problem: str = ""
    cells: dict[str, str] = field(default_factory=dict)  # exercise -> its imports and definitions
    broken: dict[str, str] = field(default_factory=dict)  # exercise -> why its cell cannot be read


@functools.cache
def exercises_of(chapter: str) -> Chapter:
    """Return the exercises of a chapter, given as 01."""
    return importlib.import_module(f"mnist_helpers.exercises.chapter_{chapter}").exercises


@functools.cache
def chapters() -> dict[str, list[str]]:
    """Return the names of the exercises of each chapter that has some."""
    names = sorted(path.stem.removeprefix("chapter_") for path in (PACKAGE / "exercises").glob("chapter_*.py"))
    return {name: [exercise.name for exercise in exercises_of(name)] for name in names}


def found_in(folder: Path) -> list[Submission]:
    """Return a submission for each notebook in the folder, read, in the order of students and chapters."""
    found = [
        read(path, _student(path.relative_to(folder)))
        for path in sorted(folder.rglob("*.ipynb"))
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    empty = [Submission(path.name, path, problem="there is no notebook in this folder.") for path in _empty(folder)]
    return sorted([*found, *empty], key=lambda one: (one.student, one.chapter, str(one.path)))


def _empty(folder: Path) -> list[Path]:
    folders = [path for path in folder.iterdir() if path.is_dir() and path.name[0] != "."]
    return [path for path in folders if not any(path.rglob("*.ipynb"))]


def _student(path: Path) -> str:
    """Return the first folder, or the name of the file without the chapter's."""
    if len(path.parts) > 1:
        return path.parts[0]
    return re.sub(r"[ _-]*\d\d_[a-z]+$", "", path.stem) or path.stem


def read(path: Path, student: str) -> Submission:
    """Read a notebook, whatever it holds."""
    submission = Submission(student, path)
    try:
        if path.is_symlink():  # it may lead anywhere on the instructor's disk
            raise ValueError("it is a link, not a file")
        if not path.is_file() or path.stat().st_size > MAX_BYTES:
            raise ValueError(f"it is no file, or larger than {MAX_BYTES // 1024**2} MB")
        cells = _code_cells(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError) as error:
        submission.problem = f"the notebook cannot be read ({str(error)[:200]})."
        return submission
    definitions = {name: source for cell in cells for name, source in _defined(cell)}
    submission.chapter = _chapter(definitions)
    if not submission.chapter:
        submission.problem = "this notebook has none of the course's exercises."
        return submission
    for name in chapters()[submission.chapter]:
        if name in definitions:
            _take(submission, name, definitions[name])
    return submission


def _code_cells(notebook) -> list[tuple[str, str]]:
    """Return the ids and sources of the code cells. Raises ValueError if that is no notebook."""
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        raise ValueError("it is no notebook")
    cells = []
    for cell in notebook["cells"]:
        if isinstance(cell, dict) and cell.get("cell_type") == "code":
            source = cell.get("source", "")
            source = "".join(map(str, source)) if isinstance(source, list) else str(source)
            cells.append((str(cell.get("id", "")), source))
    return cells


def _defined(cell: tuple[str, str]):
    """Yield the exercises that a cell seems to answer: that of its id, or those whose functions it defines."""
    name, source = cell
    if name.startswith("exercise-") and not name.endswith("-prompt"):
        yield name.removeprefix("exercise-"), source
    else:  # a program that rewrote the notebook may have lost the ids
        for found in re.findall(r"^def (\w+)\(", source, re.MULTILINE):
            if f"exercises.{found}.check(" in source:
                yield found, source


def _chapter(definitions: dict[str, str]) -> str:
    """Return the chapter that has most of these exercises, or an empty text."""
    counts = {chapter: len(definitions.keys() & set(names)) for chapter, names in chapters().items()}
    best = max(counts, key=lambda chapter: counts[chapter])
    return best if counts[best] else ""


def _take(submission: Submission, name: str, source: str) -> None:
    try:
        submission.cells[name] = definitions_in(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        words = error.msg if isinstance(error, SyntaxError) else str(error)
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
        submission.broken[name] = f"the cell is no valid Python ({words}{line})."


def definitions_in(source: str) -> str:
    """Return the source with imports, functions, classes and literal constants alone, each in its own line as before.

    Raises SyntaxError if the source is no Python.
    """
    lines = re.split(r"\r\n|\r|\n", source)  # as Python does: for str.splitlines, a form feed ends a line, too
    kept = [""] * len(lines)
    for node in ast.parse(source).body:
        if isinstance(node, KEPT) or _is_constant(node):
            first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
            kept[first - 1 : node.end_lineno] = lines[first - 1 : node.end_lineno]
    text = "\n".join(kept).rstrip()
    ast.parse(text)  # statements in one line, separated by ";", may have been cut apart
    return text


def _is_constant(node: ast.stmt) -> bool:
    """Return whether the statement gives a name to a number, a text, or a list of such."""
    if not isinstance(node, ast.Assign):
        return False
    try:
        ast.literal_eval(node.value)
    except (ValueError, TypeError, RecursionError):
        return False
    return all(isinstance(target, ast.Name) for target in node.targets)


@functools.cache
def course_imports(chapter: str) -> tuple[str, ...]:
    """Return the imports of the course's own notebook, and its definitions, without those of the exercises."""
    [path] = NOTEBOOKS.glob(f"{chapter}_*.ipynb")
    parts = []
    for name, source in _code_cells(json.loads(path.read_text(encoding="utf-8"))):
        if not name.startswith("exercise"):
            for node in _parsed(source):
                if isinstance(node, KEPT):
                    parts.append(ast.unparse(node))
    return tuple(part for part in parts if "mnist_helpers.exercises" not in part)


def _parsed(source: str) -> list[ast.stmt]:
    try:
        return ast.parse(source).body
    except SyntaxError:  # a line for IPython, which begins with % or !
        return []
