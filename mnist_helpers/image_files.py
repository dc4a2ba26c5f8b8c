"""Read image files as grey values, page by page, and say in one sentence why a file cannot be read."""

import contextlib
import errno
import functools
import logging
import os
import re
import stat
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from mnist_helpers import CourseError, segment
from mnist_helpers._support.terminal import mute_c_libraries

MAX_SIDE = 800  # pixels; larger photos are reduced first
# Raster formats only: for some other formats, Pillow starts an external program
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
PAGED = {"GIF", "PNG", "TIFF", "WEBP"}  # of which all pages are read; a JPEG file's second picture is only a preview
SUFFIXES = {".bmp", ".gif", ".jfif", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
# Pictures and documents of other kinds, and what to do with them
OTHER_SUFFIXES = {
    **dict.fromkeys([".heic", ".heif"], "install the package pillow-heif, or save it as JPEG"),
    **dict.fromkeys([".pdf", ".svg"], "save its pages as PNG"),
    **dict.fromkeys([".avif", ".dng", ".jp2", ".jxl", ".psd"], "save it as PNG or JPEG"),
}


@dataclass(frozen=True)
class Page:
    """One page of a TIFF file, or one frame of an animation. Other image files have one page."""

    path: Path
    number: int = 1  # counted from 1
    count: int = 1  # pages in the file

    def __str__(self) -> str:
        return f"{self.path} page {self.number}" if self.count > 1 else str(self.path)


def pages(path: Path) -> list[Page]:
    """Return the pages of an image file. Raises CourseError as `read_grey` does."""
    path = Path(path)
    with _opened(path, str(path)) as image:
        count = getattr(image, "n_frames", 1) if image.format in PAGED else 1
    return [Page(path, number, count) for number in range(1, count + 1)]


def read_grey(path: Path | Page) -> np.ndarray:
    """Read an image file, or one page of it, as grey values: uint8 [H, W], at most MAX_SIDE pixels wide and high.

    Of a coloured image, this is the colour channel in which ink and paper differ most. Raises CourseError if the file
    is missing, not an image, too large to be opened safely, or no file but an address, a folder or a device.
    """
    page = path if isinstance(path, Page) else Page(Path(path))
    with _opened(page.path, str(page)) as image:
        if page.number > 1:
            image.seek(page.number - 1)
        image.draft("RGB", (MAX_SIDE, MAX_SIDE))
        return clearest_grey(image)


@contextlib.contextmanager
def _opened(path: Path, name: str) -> Iterator[Image.Image]:
    """Open an image file. Translates errors into CourseError, also those of the block; `name` stands in the message."""
    _check_kind(path, name)
    try:
        with _silent(), Image.open(path, formats=_formats()) as image, mute_c_libraries():
            yield image
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise CourseError(f"{name} is too large to be opened safely; save it with fewer pixels.") from None
    except MemoryError:
        raise CourseError(f"{name} needs more memory than is free; save it with fewer pixels.") from None
    except PermissionError:
        raise CourseError(f"{name} may not be opened by you; choose a file that you have permission to read.") from None
    except Exception:  # a damaged file raises errors of many kinds
        remedy = OTHER_SUFFIXES.get(path.suffix.lower(), "save it as PNG or JPEG")
        raise CourseError(f"{name} is no image that can be read; {remedy}.") from None


def _check_kind(path: Path, name: str) -> None:
    """Raise CourseError unless `path` is a regular file. Reading a pipe or a device might never end."""
    if re.match(r"(https?|ftp):/", path.as_posix()):
        address = re.sub(r":/+", "://", path.as_posix(), count=1)  # Path has removed a slash
        raise CourseError(f"{address} is an address, but a file was expected; save the picture first.")
    try:
        kind = os.stat(path).st_mode
    except (OSError, ValueError) as error:
        if getattr(error, "errno", None) == errno.EACCES:
            raise CourseError(f"{name} is in a folder that you may not open; copy the file to another one.") from None
        if getattr(error, "errno", None) == errno.ELOOP:
            raise CourseError(f"{name} is a link that leads back to itself; name the image file itself.") from None
        raise CourseError(f"{name} is not there, but an image file was expected; check the name.") from None
    if stat.S_ISDIR(kind):
        raise CourseError(f"{name} is a folder, but an image file was expected; name a file in it.")
    if not stat.S_ISREG(kind):
        raise CourseError(f"{name} is a pipe or a device, but an image file was expected; save the picture first.")


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Keep Pillow from warning about damaged files: a sentence of ours follows. Pictures that are too large raise."""
    logger = logging.getLogger("PIL")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    finally:
        logger.setLevel(level)


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
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
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
