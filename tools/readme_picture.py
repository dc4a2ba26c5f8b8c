"""Copy the map of digits, as chapter 01 has stored it, to the picture that the README shows."""

import base64

import nbformat

from mnist_helpers._support.paths import NOTEBOOKS

PICTURE = NOTEBOOKS / "images" / "digit_map.png"


def stored_picture(notebook: nbformat.NotebookNode, cell_id: str) -> bytes:
    """Return the PNG that a cell has stored."""
    (cell,) = [cell for cell in notebook.cells if cell.id == cell_id]
    return base64.b64decode(cell.outputs[0].data["image/png"])


def stored_map() -> bytes:
    """Return the PNG that cell "map" of 01_data has stored."""
    return stored_picture(nbformat.read(NOTEBOOKS / "01_data.ipynb", as_version=4), "map")


if __name__ == "__main__":
    PICTURE.write_bytes(stored_map())
