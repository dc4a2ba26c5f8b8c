"""Convert a drawn or photographed digit to the 28x28 image that an MNIST network expects."""

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from mnist_helpers import CourseError

MIN_CONTRAST = 0.1  # between ink and paper, from 0 to 1
MAX_SIDE = 512  # pixels; larger photos are reduced first, which keeps strokes many pixels wide
# Raster formats only: for some other formats, Pillow starts an external program
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}


@dataclass(frozen=True)
class Fitted:
    """A prepared digit and how it was fitted. Rows come before columns, and heights before widths."""

    picture: np.ndarray  # uint8 [28, 28], light ink on black
    box: tuple[int, int, int, int]  # top, left, height and width of the ink in the original
    size: tuple[int, int]  # height and width of the ink in the picture, at most 20
    corner: tuple[int, int]  # row and column of the ink's top left corner in the picture


def read_image(path: Path) -> np.ndarray:
    """Read one drawn digit from an image file and prepare it like MNIST: uint8 [28, 28], light ink on black.

    The image may have any size and mode. Transparent parts are treated as paper, and dark ink on light paper is
    inverted. Raises CourseError if the file is missing, not an image, too large to be opened safely, or blank.
    """
    path = Path(path)
    try:
        with warnings.catch_warnings(action="error", category=Image.DecompressionBombWarning):
            image = Image.open(path, formats=FORMATS)
        with image:
            image.draft("L", (MAX_SIDE, MAX_SIDE))
            ink = _ink(image)
    except FileNotFoundError:
        raise CourseError(f"{path} is not there, but an image file was expected; check the name.") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise CourseError(f"{path} is too large to be opened safely; save it with fewer pixels.") from None
    except Exception:  # a damaged file raises errors of many kinds
        raise CourseError(f"{path} is no image that can be read; save your digit as PNG or JPEG.") from None
    if ink.max() - np.median(ink) < MIN_CONTRAST:
        raise CourseError(
            f"{path} shows no ink on paper, but a digit was expected; use a thick, dark pen and leave a paper margin."
        )
    return prepare(ink)


def _ink(image: Image.Image) -> np.ndarray:
    """Return grey values 0..1 with bright ink and dark paper, assuming that the border of the image is paper."""
    image = ImageOps.exif_transpose(image)
    if image.mode in ("1", "P", "PA"):  # Pillow resizes these without averaging, which loses thin strokes
        image = image.convert("RGBA")
    image.thumbnail((MAX_SIDE, MAX_SIDE))
    if image.mode.startswith(("I", "F")):  # 16 bits or more: Pillow would clip the values
        grey = np.asarray(image, dtype=np.float64)
        if not np.isfinite(grey).all():
            raise ValueError("a pixel is not a number")
        grey = (grey - grey.min()) / max(np.ptp(grey), 1)
    else:
        grey = _flatten_alpha(image.convert("RGBA"))
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    return grey.max() - grey if np.median(border) > (grey.min() + grey.max()) / 2 else grey


def _flatten_alpha(rgba: Image.Image) -> np.ndarray:
    """Return grey values 0..1 on a white background, or on black if the image has no contrast on white."""
    for paper in ("white", "black"):
        grey = np.asarray(Image.alpha_composite(Image.new("RGBA", rgba.size, paper), rgba).convert("L")) / 255
        if np.ptp(grey) >= MIN_CONTRAST:
            break
    return grey


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
    small = _fit_into(cut, 20)
    row, column = (_corner(small, axis) for axis in (0, 1))
    picture = np.zeros((28, 28), dtype=np.uint8)
    picture[row : row + small.shape[0], column : column + small.shape[1]] = np.rint(small)
    return Fitted(picture, (top, left, *cut.shape), small.shape, (row, column))


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
