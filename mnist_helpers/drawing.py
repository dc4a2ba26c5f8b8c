"""Convert drawn or photographed digits to the 28x28 images that an MNIST network expects."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from mnist_helpers import CourseError, segment
from mnist_helpers.image_files import read_grey


def read_image(path: Path) -> np.ndarray:
    """Read the one handwritten digit in an image file and prepare it like MNIST: uint8 [28, 28], light ink on black.

    The image may have any size and mode. Transparent parts are treated as paper, and dark ink on light paper is
    inverted. Raises CourseError as `read_grey` does, or unless the image shows exactly one digit.
    """
    found = find_digits(read_grey(path))
    if not found:
        raise CourseError(
            f"{path} shows no ink on paper, but a digit was expected; use a thick, dark pen and leave a paper margin."
        )
    if len(found) > 1:
        raise CourseError(f"{path} shows {len(found)} digits, but one was expected; read it with predict.read_digits.")
    return found[0].picture


@dataclass(frozen=True)
class FoundDigit:
    """A digit in a larger picture: where it is, and the picture that the network is given."""

    box: segment.Box  # top, left, height and width in the larger picture
    picture: np.ndarray  # uint8 [28, 28], light ink on black
    centre: tuple[float, float]  # row and column of the ink's centre of mass in the larger picture


def find_digits(grey: np.ndarray) -> list[FoundDigit]:
    """Return the digits in a picture of handwriting on paper, uint8 [H, W], in reading order, prepared like MNIST."""
    return [_prepared(part) for part in segment.find(grey)]


def digits_of_drawing(drawing: np.ndarray) -> list[FoundDigit]:
    """Return the digits in a drawing of light ink on a black canvas, uint8 [H, W], as `find_digits` does."""
    return [_prepared(part) for part in segment.find_drawn(drawing)]


def _prepared(part: segment.Part) -> FoundDigit:
    return FoundDigit(part.box, centred(segment.even_strokes(part.ink)), part.centre())


def centred(ink: np.ndarray) -> np.ndarray:
    """Fit ink into 20x20 pixels and centre its mass in 28x28, as the authors of MNIST describe.

    `ink` is an array [height, width] with bright ink up to its edges. Returns uint8 [28, 28].
    """
    small = _fit_into(ink, 20)
    row, column = (_corner(small, axis) for axis in (0, 1))
    picture = np.zeros((28, 28), dtype=np.uint8)
    picture[row : row + small.shape[0], column : column + small.shape[1]] = np.rint(small)
    return picture


def _fit_into(ink: np.ndarray, side: int) -> np.ndarray:
    """Resize a picture by averaging so that its longer side is `side`, and scale it so that its maximum is 255."""
    scale = side / max(ink.shape)
    height, width = (max(1, round(length * scale)) for length in ink.shape)
    image = Image.fromarray(np.float32(ink)).resize((width, height), Image.Resampling.BOX)
    small = np.asarray(image, dtype=float)
    return small * (255 / small.max())


def _corner(small: np.ndarray, axis: int) -> int:
    """Return the first row (axis 0) or column (axis 1) that centres the mass of `small` in 28x28 without cutting it."""
    length = small.shape[axis]
    centre = (small.sum(1 - axis) @ np.arange(length)) / small.sum()
    return min(max(round(14 - centre), 0), 28 - length)
