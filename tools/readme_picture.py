"""Copy the map of digits that is stored in chapter 01 to the image file that the README shows."""

import base64

import nbformat

from mnist_helpers._support.paths import COURSE, NOTEBOOKS

PICTURE = NOTEBOOKS / "images" / "digit_map.png"


def stored_picture(notebook: nbformat.NotebookNode, cell_id: str) -> bytes:
    """Return the PNG that is stored in the first output of a cell."""
    (cell,) = [cell for cell in notebook.cells if cell.id == cell_id]
    return base64.b64decode(cell.outputs[0].data["image/png"])


def stored_map() -> bytes:
    """Return the PNG that is stored in the cell "map" of 01_data."""
    return stored_picture(nbformat.read(NOTEBOOKS / "01_data.ipynb", as_version=4), "map")


if __name__ == "__main__":
    PICTURE.write_bytes(stored_map())
    print("written:", PICTURE.relative_to(COURSE))
