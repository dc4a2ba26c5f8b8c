"""Digits of MNIST pass unchanged, a drawing gives the same picture in every format, and bad files are refused."""

import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps
from scipy import ndimage

from mnist_helpers import data, drawing
from tests.support.refusal import refused

SIZE = (300, 400)


@pytest.fixture(scope="module")
def drawn():
    """A seven on white paper, off the centre: mode L."""
    image = Image.new("L", SIZE, 255)
    ImageDraw.Draw(image).line([(60, 80), (205, 85), (120, 260)], fill=0, width=22, joint="curve")
    return image


@pytest.fixture(scope="module")
def expected(drawn):
    return drawing.centred(255 - np.asarray(ImageOps.crop(drawn, border_around(drawn))))


def border_around(drawn):
    """The widths of the white borders of a drawing: left, top, right, bottom."""
    left, top, right, bottom = ImageOps.invert(drawn).getbbox()
    return left, top, SIZE[0] - right, SIZE[1] - bottom


@pytest.fixture(scope="module")
def read(drawn, tmp_path_factory):
    """The seven, read from a file."""
    path = tmp_path_factory.mktemp("drawn") / "seven.png"
    drawn.save(path)
    return drawing.read_image(path)


def test_a_file_gives_about_the_same_picture_as_its_ink(read, expected):
    assert difference(read, expected) < 5  # grey levels; upside down it would be about 35


def centre(picture):
    picture = np.asarray(picture, dtype=float)
    return np.array([np.average(np.arange(28), weights=picture.sum(axis=axis)) for axis in (1, 0)])


def difference(one, other):
    """The mean difference of two pictures in grey levels."""
    return np.abs(one.astype(int) - other).mean()


def box(picture):
    rows, columns = np.nonzero(np.asarray(picture) > 63)
    return np.array([rows.min(), rows.max(), columns.min(), columns.max()])


def cut_out(picture):
    """The box of the ink in a picture."""
    rows, columns = np.nonzero(picture)
    return picture[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]


def test_digits_of_mnist_pass_nearly_unchanged():
    raw = data.load_raw("test")[0][:200].numpy()
    prepared = np.stack([drawing.centred(cut_out(digit)) for digit in raw])
    moved = [np.abs(centre(new) - centre(old)).max() for old, new in zip(raw, prepared)]
    grown = [np.abs(box(new) - box(old)).max() for old, new in zip(raw, prepared)]
    assert max(moved) <= 1 and np.mean(moved) < 0.2
    assert max(grown) <= 2 and np.mean(grown) < 1
    assert difference(prepared, raw) < 3  # grey levels; two different digits differ by 40


def test_picture_is_made_as_mnist_was(expected):
    assert expected.shape == (28, 28) and expected.dtype == np.uint8
    top, bottom, left, right = box(expected)
    assert max(bottom - top, right - left) + 1 == 20
    assert np.abs(centre(expected) - 14).max() <= 0.5
    assert expected.max() == 255 and expected[0, 0] == 0


def test_fitting_is_averaging():
    ink = np.random.default_rng(0).uniform(0.3, 1, (140, 140))
    means = ink.reshape(20, 7, 20, 7).mean(axis=(1, 3))
    assert difference(cut_out(drawing.centred(ink)), 255 * means / means.max()) < 0.5


def test_a_drawing_gives_the_same_picture_as_a_photo_of_it(drawn):
    (on_paper,) = drawing.find_digits(np.asarray(drawn))
    (on_canvas,) = drawing.digits_of_drawing(255 - np.asarray(drawn))
    assert difference(on_canvas.picture, on_paper.picture) < 3
    assert np.abs(np.array(on_canvas.box) - on_paper.box).max() <= 2
    assert on_canvas.centre == pytest.approx(on_paper.centre, abs=2)


def test_the_centre_is_that_of_the_ink(drawn):
    (digit,) = drawing.digits_of_drawing(255 - np.asarray(drawn))
    assert digit.centre == pytest.approx(ndimage.center_of_mass(np.asarray(drawn) < 128) + np.array(0.5))


def test_a_small_digit_is_prepared_as_a_large_one(drawn):
    (large,) = drawing.digits_of_drawing(255 - np.asarray(drawn))
    (small,) = drawing.digits_of_drawing(255 - np.asarray(drawn.resize((60, 80))))
    for top, bottom, left, right in (box(large.picture), box(small.picture)):
        assert max(bottom - top, right - left) + 1 == 20
    assert small.picture.sum() == pytest.approx(large.picture.sum(), rel=0.1)  # the same width of strokes


def test_drawing_needs_no_torch():
    code = "import sys, mnist_helpers.drawing; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def transparent(image, colour="black"):
    """Ink of a colour on nothing."""
    ink = Image.new("RGBA", image.size, colour)
    ink.putalpha(ImageOps.invert(image))
    return ink


def sixteen_bits(image):
    return Image.fromarray(np.asarray(image).astype(np.uint16) * 257)


FORMATS = {
    "L.png": lambda image: image,
    "1.png": lambda image: image.convert("1", dither=Image.Dither.NONE),
    "RGB.png": lambda image: image.convert("RGB"),
    "RGBA.png": lambda image: image.convert("RGBA"),
    "LA.png": lambda image: image.convert("LA"),
    "P.gif": lambda image: image.convert("P"),
    "transparent.png": transparent,
    "sixteen-bits.png": sixteen_bits,
    "sixteen-bits.tiff": sixteen_bits,
    "floats.tiff": lambda image: Image.fromarray(np.asarray(image, dtype=np.float32) / 255),
    "white-on-transparent.png": lambda image: transparent(image, "white"),
    "white-on-black.png": ImageOps.invert,
    "white-on-black-sixteen-bits.png": lambda image: sixteen_bits(ImageOps.invert(image)),
    "grey-on-yellow.png": lambda image: ImageOps.colorize(image, (60, 60, 80), (250, 240, 180)),
    "RGB.jpg": lambda image: image.convert("RGB"),
    "CMYK.jpg": lambda image: image.convert("CMYK"),
    "RGB.webp": lambda image: image.convert("RGB"),
    "RGB.bmp": lambda image: image.convert("RGB"),
    "moved.png": lambda image: ImageOps.expand(image, (100, 0, 0, 150), fill=255),
    "four-times.png": lambda image: image.resize((1200, 1600)),
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_picture(name, drawn, read, tmp_path):
    FORMATS[name](drawn).save(tmp_path / name)
    picture = drawing.read_image(tmp_path / name)
    assert picture.shape == (28, 28) and picture.dtype == np.uint8
    assert difference(picture, read) < 3


def test_photo_that_was_taken_sideways_is_turned(drawn, read, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held so that the picture must be turned by a quarter
    drawn.rotate(90, expand=True).save(tmp_path / "photo.jpg", exif=exif)
    assert difference(drawing.read_image(tmp_path / "photo.jpg"), read) < 3


def huge_png(side):
    """The start of a PNG of `side` x `side` pixels: many megapixels in 50 bytes."""
    header = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    chunks = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header)) + struct.pack(">I", 9) + b"IDAT"
    return b"\x89PNG\r\n\x1a\n" + chunks


def saved(image, path):
    image.save(path)
    return path.read_bytes()


BAD = {
    "missing": (lambda path: None, "is not there"),
    "a folder": (lambda path: path.mkdir(), "is no image"),
    "empty": (lambda path: path.write_bytes(b""), "is no image"),
    "text": (lambda path: path.write_text("seven"), "is no image"),
    "torn": (lambda path: path.write_bytes(saved(Image.effect_noise(SIZE, 99), path)[:5000]), "is no image"),
    "huge": (lambda path: path.write_bytes(huge_png(100_000)), "too large"),
    "large enough for Pillow to warn": (lambda path: path.write_bytes(huge_png(10_000)), "too large"),
    "a rarer format": (lambda path: Image.new("L", SIZE).save(path, "PCX"), "is no image"),
    "white": (lambda path: Image.new("L", SIZE, 255).save(path), "no ink on paper"),
    "black": (lambda path: Image.new("RGB", SIZE, 0).save(path), "no ink on paper"),
    "nothing": (lambda path: Image.new("RGBA", SIZE, (0, 0, 0, 0)).save(path), "no ink on paper"),
    "blank in 16 bits": (lambda path: Image.new("I;16", SIZE, 65535).save(path), "no ink on paper"),
    "mostly ink": (lambda path: ImageOps.expand(Image.new("L", SIZE, 0), 20, fill=255).save(path), "no ink on paper"),
    "one pixel": (lambda path: Image.new("L", (1, 1), 9).save(path), "no ink on paper"),
}


@pytest.mark.parametrize("mode", ["1", "P"])
def test_thin_lines_of_a_scan_in_few_colours_are_kept(mode, drawn, expected, tmp_path):
    scan = Image.new("L", (3000, 4000), 255)
    ImageDraw.Draw(scan).line([(600, 800), (2050, 850), (1200, 2600)], fill=0, width=5)
    scan.save(tmp_path / "L.png")
    scan.convert(mode).save(tmp_path / "few.png")
    grey, few = (drawing.read_image(tmp_path / name) for name in ("L.png", "few.png"))
    assert difference(few, grey) < 1


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", BAD)
def test_file_without_a_digit_is_refused_and_left_alone(kind, tmp_path):
    path = tmp_path / "digit.png"
    make, words = BAD[kind]
    make(path)
    before = path.read_bytes() if path.is_file() else None
    with refused(str(path), words):
        drawing.read_image(path)
    assert (path.read_bytes() if path.is_file() else None) == before


def test_paper_in_dim_light_is_paper_still(drawn, read, tmp_path):
    drawn.convert("L").point(lambda value: 20 + value * 90 // 255).save(tmp_path / "dim.png")
    picture = drawing.read_image(tmp_path / "dim.png")
    assert difference(picture, read) < 3


def test_a_picture_with_what_is_no_number_is_refused(tmp_path):
    pixels = np.zeros((40, 40), np.float32)
    pixels[10:30, 20] = np.nan
    Image.fromarray(pixels).save(tmp_path / "nan.tiff")
    with refused("nan.tiff"):
        drawing.read_image(tmp_path / "nan.tiff")
