"""A digit of one's own: from an image file to the 28x28 picture that an MNIST network expects."""

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from mnist_helpers import CourseError

FAINTEST = 0.1  # the least difference of ink and paper, from 0 to 1
LONGEST_SIDE = 512  # a photo is reduced to this first; a stroke stays many pixels wide
# Pictures of pixels alone: Pillow would start another program for some others
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}


@dataclass(frozen=True)
class Fitted:
    """A digit as the network receives it, and how it came there: rows come before columns, heights before widths."""

    picture: np.ndarray  # uint8 [28, 28], light ink on black
    box: tuple[int, int, int, int]  # top, left, height and width of the ink in the drawing
    size: tuple[int, int]  # height and width of the ink in the picture, at most 20
    corner: tuple[int, int]  # row and column of the picture where the ink begins


def read_image(path: Path) -> np.ndarray:
    """Read one drawn digit from an image file and prepare it as MNIST was: uint8 [28, 28], light ink on black.

    Any size and mode; transparent parts count as paper, dark ink on light paper is inverted. Raises CourseError for a
    file that is missing, no image, too large to be opened safely, or blank.
    """
    path = Path(path)
    try:
        with warnings.catch_warnings(action="error", category=Image.DecompressionBombWarning):
            image = Image.open(path, formats=FORMATS)
        with image:
            image.draft("L", (LONGEST_SIDE, LONGEST_SIDE))
            ink = _ink(image)
    except FileNotFoundError:
        raise CourseError(f"{path} is not there, but an image file was expected; check the name.") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise CourseError(f"{path} is too large to be opened safely; save it with fewer pixels.") from None
    except Exception:  # a damaged file raises errors of many kinds
        raise CourseError(f"{path} is no image that can be read; save your digit as PNG or JPEG.") from None
    if ink.max() - np.median(ink) < FAINTEST:
        raise CourseError(
            f"{path} shows no ink on paper, but a digit was expected; use a thick, dark pen and leave paper around it."
        )
    return prepare(ink)


def _ink(image: Image.Image) -> np.ndarray:
    """Grey values 0..1 with ink bright and paper dark, told apart by the border, which is taken to be paper."""
    image = ImageOps.exif_transpose(image)
    if image.mode in ("1", "P", "PA"):  # Pillow would leave out pixels of these instead of averaging, and thin strokes
        image = image.convert("RGBA")
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    if image.mode.startswith(("I", "F")):  # 16 bits or more: Pillow would clip them
        grey = np.asarray(image, dtype=np.float64)
        if not np.isfinite(grey).all():
            raise ValueError("a pixel is not a number")
        grey = (grey - grey.min()) / max(np.ptp(grey), 1)
    else:
        grey = _on_paper(image.convert("RGBA"))
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    return grey.max() - grey if np.median(border) > (grey.min() + grey.max()) / 2 else grey


def _on_paper(rgba: Image.Image) -> np.ndarray:
    """Grey values 0..1 with white behind transparent parts, or black where nothing can be seen on white."""
    for paper in ("white", "black"):
        grey = np.asarray(Image.alpha_composite(Image.new("RGBA", rgba.size, paper), rgba).convert("L")) / 255
        if np.ptp(grey) >= FAINTEST:
            break
    return grey


def prepare(ink: np.ndarray) -> np.ndarray:
    """Fit a digit (grey values 0..1, ink bright, any size) into 20x20 and centre its mass in 28x28: uint8 [28, 28].

    This is how the authors of MNIST describe its making. Raises CourseError for anything else, or without ink.
    """
    return fit(ink).picture


def fit(ink: np.ndarray) -> Fitted:
    """Do what `prepare` does, and tell what was done; docs/_static/prepare.js does the same in a web page."""
    ink = _without_paper(_checked(ink))
    rows, columns = np.nonzero(ink)
    if not len(rows):
        raise CourseError("a picture without ink was given, but a digit was expected; draw one.")
    top, left = int(rows.min()), int(columns.min())
    cut = ink[top : rows.max() + 1, left : columns.max() + 1]
    small = _fit_into(cut, 20)
    row, column = (_corner(small, axis) for axis in (0, 1))
    picture = np.zeros((28, 28), dtype=np.uint8)
    picture[row : row + small.shape[0], column : column + small.shape[1]] = np.rint(small)
    return Fitted(picture, (top, left, *cut.shape), small.shape, (row, column))


def _checked(ink: np.ndarray) -> np.ndarray:
    """Refuse what are no grey values; returns them as float64, in which nothing overflows."""
    numbers = isinstance(ink, np.ndarray) and ink.dtype.kind in "buif"
    if not (numbers and ink.ndim == 2 and ink.size and ink.min() >= 0 and ink.max() <= 1):  # false for nan as well
        given = f"{ink.dtype} {list(ink.shape)}" if isinstance(ink, np.ndarray) else type(ink).__name__
        raise CourseError(
            f"a NumPy array of grey values from 0 to 1 was expected, [height, width], but {given} was given; divide "
            "pixels by 255, and read files with read_image."
        )
    return ink.astype(np.float64)


def _without_paper(ink: np.ndarray) -> np.ndarray:
    """Grey values 0..1 with the paper, and its shadows and grain, at 0 and the strongest ink at 1."""
    paper = np.median(ink)
    ink = np.clip((ink - paper) / max(ink.max() - paper, 1e-6), 0, 1)
    ink[ink < 0.25] = 0
    return ink


def _fit_into(ink: np.ndarray, side: int) -> np.ndarray:
    """Scale a picture so that its longer side is `side`, each pixel a mean of those it covers; the brightest is 255."""
    scale = side / max(ink.shape)
    height, width = (max(1, round(length * scale)) for length in ink.shape)
    image = Image.fromarray(np.float32(ink)).resize((width, height), Image.Resampling.BOX)
    small = np.asarray(image, dtype=float)
    return small * (255 / small.max())


def _corner(small: np.ndarray, axis: int) -> int:
    """The row (axis 0) or column (1) at which `small` must begin so that its mass is centred in 28x28, within it."""
    length = small.shape[axis]
    centre = (small.sum(1 - axis) @ np.arange(length)) / small.sum()
    return min(max(round(14 - centre), 0), 28 - length)
