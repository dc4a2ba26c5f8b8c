"""Convert drawn or photographed digits to the 28x28 images that an MNIST network expects."""

import functools
import re
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from mnist_helpers import CourseError, segment

MAX_SIDE = 800  # pixels; larger photos are reduced first
# Raster formats only: for some other formats, Pillow starts an external program
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
# Pictures and documents of other kinds, and what to do with them
OTHER_SUFFIXES = {
    **dict.fromkeys([".heic", ".heif", ".avif"], "install the package pillow-heif, or save it as JPEG"),
    **dict.fromkeys([".pdf", ".svg"], "save its page as PNG"),
}


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


def read_grey(path: Path) -> np.ndarray:
    """Read an image file as grey values, uint8 [H, W], at most MAX_SIDE pixels wide and high.

    Of a coloured image, this is the colour channel in which ink and paper differ most. Raises CourseError if the file
    is missing, not an image, or too large to be opened safely.
    """
    path = Path(path)
    if re.match(r"https?:", str(path)):
        raise CourseError(f"{path} is an address, but a file was expected; save the picture first.")
    try:
        with warnings.catch_warnings(action="error", category=Image.DecompressionBombWarning):
            image = Image.open(path, formats=_formats())
        with image:
            image.draft("RGB", (MAX_SIDE, MAX_SIDE))
            return clearest_grey(image)
    except FileNotFoundError:
        raise CourseError(f"{path} is not there, but an image file was expected; check the name.") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise CourseError(f"{path} is too large to be opened safely; save it with fewer pixels.") from None
    except Exception:  # a damaged file raises errors of many kinds
        remedy = OTHER_SUFFIXES.get(path.suffix.lower(), "save it as PNG or JPEG")
        raise CourseError(f"{path} is no image that can be read; {remedy}.") from None


def count_pages(path: Path) -> int:
    """Return how many pages (TIFF) or frames (GIF) an image file has; 1 if it cannot be opened."""
    try:
        with Image.open(path, formats=_formats()) as image:
            return getattr(image, "n_frames", 1)
    except Exception:  # a damaged file raises errors of many kinds
        return 1


@functools.cache  # a failing import is searched for anew each time
def _formats() -> tuple[str, ...]:
    """Return the formats that are read: photos of telephones in HEIC only if pillow-heif is installed."""
    try:
        import pillow_heif
    except ImportError:
        return FORMATS
    pillow_heif.register_heif_opener()
    return (*FORMATS, "HEIF")


def clearest_grey(image: Image.Image) -> np.ndarray:
    """Return an image as `read_grey` does, turned as its camera was held."""
    image = ImageOps.exif_transpose(image)
    if image.mode in ("1", "P", "PA"):  # Pillow resizes these without averaging, which loses thin strokes
        image = image.convert("RGBA")
    image.thumbnail((MAX_SIDE, MAX_SIDE))
    if image.mode.startswith(("I", "F")):  # 16 bits or more: Pillow would clip the values
        values = np.asarray(image, dtype=np.float64)
        if not np.isfinite(values).all():
            raise ValueError("a pixel is not a number")
        return np.rint(255 * (values - values.min()) / max(np.ptp(values), 1)).astype(np.uint8)
    return _clearest_channel(image.convert("RGBA"))


def _clearest_channel(rgba: Image.Image) -> np.ndarray:
    """Return the colour channel with the most contrast, on white paper, or on black if there is none on white."""
    for paper in ("white", "black"):
        colours = np.asarray(Image.alpha_composite(Image.new("RGBA", rgba.size, paper), rgba))[:, :, :3]
        low, high = np.quantile(colours[::2, ::2].reshape(-1, 3), (0.001, 0.999), axis=0)
        if (high - low).max() >= segment.MIN_CONTRAST:
            break
    return np.ascontiguousarray(colours[:, :, int((high - low).argmax())])


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
