"""Read and write the files of the notebooks."""

import re
from pathlib import Path

import nbformat

from mnist_helpers import CourseError
from mnist_helpers._support.atomic_files import atomic_write


def load(path: Path) -> nbformat.NotebookNode:
    """Read a notebook. Raises CourseError if it is missing, cannot be read, or is not valid."""
    try:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        return notebook
    except FileNotFoundError:
        reason = "is missing"
    except OSError as error:
        reason = f"cannot be read ({error.strerror})"
    except Exception:  # nbformat and jsonschema raise many types for an invalid notebook
        reason = "is no notebook"
    chapter = re.match(r"\d\d(?=_)", path.name)
    restore = f", or restore it with `make restore CHAPTER={chapter[0]}`" if chapter else ""
    raise CourseError(f"{path} {reason}; check the name{restore}.")


def load_executed(root: Path) -> dict[str, nbformat.NotebookNode]:
    """Return the notebooks that docs/index.md lists by name. Raises CourseError unless all exist and were run."""
    index = (root / "docs" / "index.md").read_text(encoding="utf-8")
    paths = [root / "notebooks" / f"{name}.ipynb" for name in re.findall(r"<notebooks/(\w+)>$", index, re.M)]
    notebooks = {path.stem: load(path) for path in paths}
    for path, notebook in zip(paths, notebooks.values()):
        if any(cell.source and cell.execution_count is None for cell in notebook.cells if cell.cell_type == "code"):
            raise CourseError(
                f"{path} has cells that were not run, so that results are missing; run it with `make run`."
            )
    return notebooks


def write(notebook: nbformat.NotebookNode, path: Path) -> None:
    """Write `notebook` to `path` atomically. Raises CourseError if it cannot be written."""
    with atomic_write(path) as file:
        file.write(nbformat.writes(notebook).encode() + b"\n")
