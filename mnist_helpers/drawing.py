"""Convert drawn or photographed digits to the 28x28 images that an MNIST network expects."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from mnist_helpers import CourseError, segment
from mnist_helpers.image_files import read_grey


@dataclass(frozen=True)
class Fitted:
    """A prepared digit and how it was fitted. Rows come before columns, and heights before widths."""

    picture: np.ndarray  # uint8 [28, 28], light ink on black
    box: tuple[int, int, int, int]  # top, left, height and width of the ink in the original
    size: tuple[int, int]  # height and width of the ink in the picture, at most 20
    corner: tuple[int, int]  # row and column of the ink's top left corner in the picture


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


def find_digits(grey: np.ndarray) -> list[FoundDigit]:
    """Return the digits in a picture of handwriting on paper, uint8 [H, W], in reading order, prepared like MNIST."""
    return [FoundDigit(part.box, _centred(segment.even_strokes(part.ink))[0]) for part in segment.find(grey)]


def prepare(ink: np.ndarray) -> np.ndarray:
    """Fit a digit into 20x20 pixels and centre its mass in 28x28, as the authors of MNIST describe.

    `ink` is an array [height, width] of grey values 0..1 with bright ink. Returns uint8 [28, 28]. Raises CourseError
    for any other argument, or if there is no ink.
    """
    return fit(ink).picture


def fit(ink: np.ndarray) -> Fitted:
    """Prepare a digit as `prepare` does, and also return its position. docs/_static/prepare.js does the same."""
    ink = _remove_background(_check(ink))
    rows, columns = np.nonzero(ink)
    if not len(rows):
        raise CourseError("a picture without ink was given, but a digit was expected; draw a digit.")
    top, left = int(rows.min()), int(columns.min())
    cut = ink[top : rows.max() + 1, left : columns.max() + 1]
    picture, size, corner = _centred(cut)
    return Fitted(picture, (top, left, *cut.shape), size, corner)


def _centred(ink: np.ndarray) -> tuple[np.ndarray, tuple[int, int], tuple[int, int]]:
    """Fit ink into 20x20 and centre its mass in 28x28; return the picture, and size and corner of the ink in it."""
    small = _fit_into(ink, 20)
    row, column = (_corner(small, axis) for axis in (0, 1))
    picture = np.zeros((28, 28), dtype=np.uint8)
    picture[row : row + small.shape[0], column : column + small.shape[1]] = np.rint(small)
    return picture, (small.shape[0], small.shape[1]), (row, column)


def _check(ink: np.ndarray) -> np.ndarray:
    """Return grey values as float64, which cannot overflow. Raises CourseError for anything else."""
    numeric = isinstance(ink, np.ndarray) and ink.dtype.kind in "buif"
    if not (numeric and ink.ndim == 2 and ink.size and ink.min() >= 0 and ink.max() <= 1):  # also rejects nan
        given = f"{ink.dtype} {list(ink.shape)}" if isinstance(ink, np.ndarray) else type(ink).__name__
        raise CourseError(
            f"a NumPy array [height, width] of grey values from 0 to 1 was expected, but {given} was given; divide "
            "the pixels by 255, or read the file with read_image."
        )
    return ink.astype(np.float64)


def _remove_background(ink: np.ndarray) -> np.ndarray:
    """Scale grey values so that paper, shadows and grain become 0 and the strongest ink becomes 1."""
    paper = np.median(ink)
    ink = np.clip((ink - paper) / max(ink.max() - paper, 1e-6), 0, 1)
    ink[ink < 0.25] = 0
    return ink


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
