"""Read the notebooks with the outputs that the site and the single files show."""

import re
from pathlib import Path

import nbformat

from mnist_helpers import CourseError


def chapters(root: Path) -> dict[str, nbformat.NotebookNode]:
    """Return the notebooks listed in docs/index.md by name. Raises CourseError unless all exist and were run."""
    index = (root / "docs" / "index.md").read_text(encoding="utf-8")
    names = re.findall(r"<notebooks/(\w+)>$", index, re.M)
    return {name: read_executed(root / "notebooks" / f"{name}.ipynb") for name in names}


def read_executed(path: Path) -> nbformat.NotebookNode:
    """Read a notebook with its outputs. Raises CourseError if it is missing, invalid or has cells that were not run."""
    try:
        notebook = nbformat.read(path, as_version=4)
    except FileNotFoundError:
        raise CourseError(f"{path} is missing; restore it with `make restore CHAPTER={path.name[:2]}`.") from None
    except Exception:  # nbformat raises many types for an invalid notebook
        raise CourseError(f"{path} is no notebook; restore it with `make restore CHAPTER={path.name[:2]}`.") from None
    if any(cell.source and cell.execution_count is None for cell in notebook.cells if cell.cell_type == "code"):
        raise CourseError(f"{path} has cells that were not run, so that results are missing; run it with `make run`.")
    return notebook
