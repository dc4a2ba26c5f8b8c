"""A digit of one's own: from an image file to the 28x28 picture that an MNIST network expects."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError

from mnist_helpers import CourseError

LONGEST_SIDE = 512  # a photo is reduced to this first; a stroke stays many pixels wide


def read_image(path: Path) -> torch.Tensor:
    """Read one drawn digit from an image file and prepare it as MNIST was: uint8 [28, 28], light ink on black.

    Any size and mode; transparent parts count as white paper, dark ink on light paper is inverted. Raises CourseError
    for a file that is missing, no image, too large to be opened safely, or blank.
    """
    path = Path(path)
    try:
        with Image.open(path) as image:
            image.draft("L", (LONGEST_SIDE, LONGEST_SIDE))
            ink = _ink(image)
    except FileNotFoundError:
        raise CourseError(f"{path} is not there, but an image file was expected; check the name.") from None
    except Image.DecompressionBombError:
        raise CourseError(f"{path} is too large to be opened safely; save it with fewer pixels.") from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError):
        raise CourseError(f"{path} is no image that can be read; save your digit as PNG or JPEG.") from None
    if not np.ptp(ink) >= 0.1:  # also when a pixel is not a number
        raise CourseError(f"{path} is blank, but a digit was expected; draw it with a thick, dark pen.")
    return prepare(ink)


def _ink(image: Image.Image) -> np.ndarray:
    """Grey values 0..1 with ink bright and paper dark, told apart by the border, which is taken to be paper."""
    image = ImageOps.exif_transpose(image)
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    if image.mode.startswith(("I", "F")):  # 16 bits or more: Pillow would clip them
        grey = np.asarray(image, dtype=np.float64)
        grey = (grey - grey.min()) / max(np.ptp(grey), 1)
    else:
        rgba = image.convert("RGBA")
        paper = Image.new("RGBA", rgba.size, "white")
        grey = np.asarray(Image.alpha_composite(paper, rgba).convert("L")) / 255
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    return grey.max() - grey if np.median(border) > (grey.min() + grey.max()) / 2 else grey


def prepare(ink: np.ndarray) -> torch.Tensor:
    """Fit a digit (grey values 0..1, ink bright, any size) into 20x20 and centre its mass in 28x28: uint8 [28, 28].

    This is how the authors of MNIST describe its making. Raises CourseError when there is no ink.
    """
    ink = np.clip((ink - np.median(ink)) / max(ink.max() - np.median(ink), 1e-6), 0, 1)
    ink[ink < 0.25] = 0  # shadows and grain of the paper
    rows, columns = np.nonzero(ink)
    if not len(rows):
        raise CourseError("a picture without ink was given, but a digit was expected; draw one.")
    box = ink[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    scale = 20 / max(box.shape)
    size = [max(1, round(side * scale)) for side in reversed(box.shape)]
    small = np.asarray(Image.fromarray(np.float32(box)).resize(size, Image.Resampling.BOX), dtype=float)
    small *= 255 / small.max()
    corner = [int(round(14 - (small.sum(1 - axis) @ np.arange(small.shape[axis])) / small.sum())) for axis in (0, 1)]
    top, left = (min(max(c, 0), 28 - n) for c, n in zip(corner, small.shape))
    picture = torch.zeros(28, 28, dtype=torch.uint8)
    picture[top : top + small.shape[0], left : left + small.shape[1]] = torch.from_numpy(small).round().to(torch.uint8)
    return picture
