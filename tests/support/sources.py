"""All code of the course, and what it imports."""

import ast
from collections.abc import Iterator

import nbformat
from IPython.core.inputtransformer2 import TransformerManager

from mnist_helpers._support.paths import COURSE, NOTEBOOKS

FOLDERS = ("benchmarks", "docs", "mnist_helpers", "tests", "tools")


def all_sources() -> Iterator[tuple[str, str]]:
    """Yield the name and the code of every Python file, and of every code cell of the notebooks."""
    for path in [
        *COURSE.glob("*.py"),
        *(path for folder in FOLDERS for path in sorted((COURSE / folder).rglob("*.py"))),
    ]:
        yield path.relative_to(COURSE).as_posix(), path.read_text(encoding="utf-8")
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "code":
                name = path.relative_to(COURSE).as_posix()
                yield f"{name}, {cell.id}", TransformerManager().transform_cell(cell.source)


def imported_modules(source: str) -> Iterator[str]:
    """Yield the modules that the code imports; for `from a import b`, both a and a.b."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            yield from [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
