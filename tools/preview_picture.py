"""Draw the picture that is shown with a link to the site: docs/_static/preview.png.

It shows one digit of MNIST whose pixels are digits of MNIST: the brighter the pixel, the brighter its digit.
"""

import numpy as np
from matplotlib import font_manager
from PIL import Image, ImageDraw, ImageFont

from mnist_helpers import data
from mnist_helpers._support.paths import COURSE as ROOT

PICTURE = ROOT / "docs" / "_static" / "preview.png"
SIZE = 1200, 630  # pixels, as the services that show links ask for
CELL = 22  # pixels of a small digit: 28 of them are as wide as a large one
INK, PAPER, ACCENT = (255, 244, 224), (11, 19, 32), (108, 189, 240)
LARGE = 7  # the place of a clear 3 in the training set
FAINTEST, GLOW = 0.11, 0.3  # how bright a digit is that stands for black, and the paper of one that stands for white
TEXT = [  # words, font, size, colour, place of the left end of the base line
    ("From pixels", "bold", 55, INK, (60, 222)),
    ("to a network", "bold", 55, INK, (60, 294)),
    ("that you trained", "bold", 55, INK, (60, 366)),
    ("A course in Jupyter notebooks,", "normal", 27, ACCENT, (62, 446)),
    ("with PyTorch, for beginners", "normal", 27, ACCENT, (62, 484)),
]


def mosaic(images: np.ndarray) -> Image.Image:
    """Return the digit LARGE of images [N, 28, 28] as a picture of 28 by 28 small digits, the first ones in order."""
    tiles = [np.asarray(Image.fromarray(image).resize((CELL, CELL))) for image in images[: 28 * 28]]
    ink = np.minimum(1, np.stack(tiles).reshape(28, 28, CELL, CELL) / 180)  # bolder than they are
    brightness = images[LARGE][:, :, None, None, None] / 255
    paper = PAPER + GLOW * brightness * np.subtract(ACCENT, PAPER)
    colours = paper + (FAINTEST + (1 - FAINTEST) * brightness) * ink[..., None] * (INK - paper)
    # [28, 28, CELL, CELL, 3]
    return Image.fromarray(colours.swapaxes(1, 2).reshape(28 * CELL, 28 * CELL, 3).astype(np.uint8))


def draw(images: np.ndarray) -> Image.Image:
    """Return the whole picture."""
    picture, digit = Image.new("RGB", SIZE, PAPER), mosaic(images)
    picture.paste(digit, (SIZE[0] - digit.width, (SIZE[1] - digit.height) // 2))
    pen = ImageDraw.Draw(picture)
    for words, weight, size, colour, left in TEXT:
        file = font_manager.findfont(font_manager.FontProperties(family="DejaVu Sans", weight=weight))
        pen.text(left, words, colour, ImageFont.truetype(file, size), anchor="ls")
    return picture


def main() -> None:
    """Draw the picture and write it."""
    images, _ = data.load_raw("train")
    draw(images.numpy()).quantize(64).save(PICTURE, optimize=True)
    print("written:", PICTURE.relative_to(ROOT))


if __name__ == "__main__":
    main()
