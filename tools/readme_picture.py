"""Copy the map of digits that is stored in chapter 01 to the image file that the README shows."""

import nbformat
from notebook_cells import stored_picture

from mnist_helpers._support.paths import COURSE, NOTEBOOKS

PICTURE = NOTEBOOKS / "images" / "digit_map.png"


def stored_map() -> bytes:
    """Return the PNG that is stored in the cell "map" of 01_data."""
    return stored_picture(nbformat.read(NOTEBOOKS / "01_data.ipynb", as_version=4), "map")


if __name__ == "__main__":
    PICTURE.write_bytes(stored_map())
    print("written:", PICTURE.relative_to(COURSE))
