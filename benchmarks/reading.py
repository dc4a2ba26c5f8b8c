"""Read pictures of handwritten digits in many conditions: light, shadow, ruled paper, blur, several digits, none.

Each condition has pictures made from MNIST digits that the network has not seen, with a seed for each picture.
A picture without a digit counts as refused if no digit is read in it. `python benchmarks/reading.py` writes
results/reading.json; `--split validation` is for decisions and writes nothing.
"""

import argparse
import io
from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np
import results_file
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from scipy import ndimage
from sklearn.datasets import load_sample_images

from mnist_helpers import CourseError, data, drawing, image_files
from mnist_helpers.predict import Reader, answer_from

SIDE = 500  # pixels of a picture
PAPER, INK = 235.0, 45.0
PICTURES = 100  # for each condition


class Sheet:
    """A sheet of paper to write on: grey values [SIDE, SIDE] and how much ink covers each pixel, from 0 to 1."""

    def __init__(self, rng: np.random.Generator):
        self.rng = rng
        self.ink = np.zeros((SIDE, SIDE))
        self.paper = np.full((SIDE, SIDE), PAPER)

    def write(self, digit: np.ndarray, height: int, top: int, left: int, pen: float = 0.0) -> None:
        """Write a digit [28, 28] whose ink is about `height` pixels high; `pen` widens the strokes by pixels."""
        side = round(height * 28 / 20)
        large = np.asarray(Image.fromarray(digit).resize((side, side), Image.Resampling.BICUBIC), float)
        large = ndimage.gaussian_filter(large, side / 90)
        inside = large > 110
        distance = ndimage.distance_transform_edt(inside) - ndimage.distance_transform_edt(~inside)
        covered = np.clip(distance + pen + 0.5, 0, 1)
        top, left = top - round(height * 4 / 20), left - round(height * 4 / 20)
        rows, columns = slice(max(top, 0), top + side), slice(max(left, 0), left + side)
        target = self.ink[rows, columns]
        shown = covered[max(-top, 0) :, max(-left, 0) :][: target.shape[0], : target.shape[1]]
        np.maximum(target, shown, out=target)

    def write_row(self, digits: np.ndarray, height: int, top: int, left: int) -> int:
        """Write digits side by side, somewhat unevenly; return where the next one would begin."""
        for digit in digits:
            self.write(digit, height, top + self.rng.integers(-8, 9), left)
            left += round(height * self.rng.uniform(1.1, 1.3))
        return left

    def photograph(self, ink: np.ndarray | float = INK, light: np.ndarray | float = 1.0) -> np.ndarray:
        """Return the picture uint8 [SIDE, SIDE] under `light`, with a little noise."""
        grey = (self.paper * (1 - self.ink) + ink * self.ink) * light
        return np.clip(grey + self.rng.normal(0, 2, grey.shape), 0, 255).astype(np.uint8)


def one(rng: np.random.Generator, digits: np.ndarray, height: float = 0.4, pen: float = 0.0) -> Sheet:
    """Return a sheet with the first digit somewhere near the middle; `height` is a share of the sheet."""
    sheet = Sheet(rng)
    pixels = round(height * SIDE)
    free = SIDE - pixels
    top, left = (rng.integers(round(free * 0.3), max(round(free * 0.7), 1) + 1) for _ in range(2))
    sheet.write(digits[0], pixels, top, left, pen)
    return sheet


def plain(rng, digits):
    return one(rng, digits).photograph()


def slanted_light(rng, digits):
    angle = rng.uniform(0, 2 * np.pi)
    rows, columns = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    slope = (np.cos(angle) * rows + np.sin(angle) * columns) / 1.42
    return one(rng, digits).photograph(light=0.65 + 0.35 * slope)


def shadow(rng, digits):
    angle, offset = rng.uniform(0, 2 * np.pi), rng.uniform(-0.3, 0.3)
    rows, columns = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    edge = np.clip((np.cos(angle) * rows + np.sin(angle) * columns - offset) * 60 + 0.5, 0, 1)
    return one(rng, digits).photograph(light=0.5 + 0.5 * edge)


def rules(sheet, rng, vertical):
    spacing, first, thickness = rng.integers(28, 50), rng.integers(5, 25), rng.integers(1, 3)
    darkness = rng.uniform(40, 90)
    for start in range(first, SIDE, spacing):
        sheet.paper[start : start + thickness] = PAPER - darkness
        if vertical:
            sheet.paper[:, start : start + thickness] = PAPER - darkness
    return sheet


def lined_paper(rng, digits):
    return rules(one(rng, digits), rng, vertical=False).photograph()


def squared_paper(rng, digits):
    return rules(one(rng, digits), rng, vertical=True).photograph()


def table_edge(rng, digits):
    sheet = one(rng, digits)
    width = rng.integers(20, 90)
    grain = 70 + 12 * np.sin(np.arange(SIDE) / rng.uniform(3, 9))[:, None] + rng.normal(0, 4, (SIDE, width))
    table = np.full((SIDE, SIDE), np.nan)
    table[:, :width] = grain
    table = np.rot90(table, rng.integers(4))
    picture = sheet.photograph().astype(float)
    return np.where(np.isnan(table), picture, table).clip(0, 255).astype(np.uint8)


def turned(rng, digits):
    picture = Image.fromarray(plain(rng, digits))
    return np.asarray(picture.rotate(rng.uniform(-15, 15), Image.Resampling.BICUBIC, fillcolor=int(PAPER)))


def perspective(rng, digits):
    lean = rng.uniform(-0.25, 0.25, 2) / SIDE
    picture = Image.fromarray(plain(rng, digits))
    middle = 1 + lean.sum() * SIDE / 2
    shift = SIDE / 2 * (middle - 1)
    numbers = (1, 0, shift, 0, 1, shift, lean[0], lean[1])
    size = picture.size
    return np.asarray(
        picture.transform(size, Image.Transform.PERSPECTIVE, numbers, Image.Resampling.BICUBIC, fillcolor=int(PAPER))
    )


def blurred(rng, digits):
    return np.asarray(Image.fromarray(plain(rng, digits)).filter(ImageFilter.GaussianBlur(4)))


def jpeg_20(rng, digits):
    stream = io.BytesIO()
    Image.fromarray(plain(rng, digits)).save(stream, "JPEG", quality=20)
    return np.asarray(Image.open(stream))


def tiny(rng, digits):
    return one(rng, digits, height=0.06).photograph()


def huge(rng, digits):
    return one(rng, digits, height=0.9).photograph()


def thick_pen(rng, digits):
    return one(rng, digits, height=0.3, pen=6).photograph()


def thinned(inside: np.ndarray) -> np.ndarray:
    """Return the middle lines of a shape, one pixel wide: remove pixels of its edge while it stays in one piece."""
    edge = np.array([[0, 0, 0], [0, 1, 0], [1, 1, 1]]), np.array([[1, 1, 1], [0, 0, 0], [0, 0, 0]])
    corner = np.array([[0, 0, 0], [1, 1, 0], [0, 1, 0]]), np.array([[0, 1, 1], [0, 0, 1], [0, 0, 0]])
    before = None
    while before is None or (before != inside).any():
        before = inside
        for turns in range(4):
            for kept, empty in (edge, corner):
                inside = inside & ~ndimage.binary_hit_or_miss(inside, np.rot90(kept, turns), np.rot90(empty, turns))
    return inside


def thin_pen(rng, digits):
    sheet = one(rng, digits, height=0.5)
    middle = np.kron(thinned(sheet.ink[::4, ::4] > 0.5), np.eye(4)[[1]].T @ np.eye(4)[[1]]) > 0
    middle = ndimage.binary_closing(middle, iterations=4)
    sheet.ink = np.clip(2 - ndimage.distance_transform_edt(~middle), 0, 1)
    return sheet.photograph()


def pencil(rng, digits):
    sheet = one(rng, digits)
    grain = ndimage.gaussian_filter(rng.normal(0, 1, (SIDE, SIDE)), 1.5)
    return sheet.photograph(ink=165 + 90 * np.clip(grain, -0.3, 0.3))


def coloured(rng, digits, ink, paper):
    covered = one(rng, digits).ink[:, :, None]
    picture = np.array(paper) * (1 - covered) + np.array(ink) * covered
    return np.clip(picture + rng.normal(0, 2, picture.shape), 0, 255).astype(np.uint8)


INKS = [(200, 30, 40), (30, 60, 190), (20, 130, 60), (235, 200, 30), (240, 130, 20), (130, 40, 150)]
PAPERS = [(250, 240, 150), (180, 220, 250), (250, 190, 190), (190, 240, 190), (60, 90, 70), (40, 40, 45)]


def coloured_ink(rng, digits):
    return coloured(rng, digits, INKS[rng.integers(len(INKS))], (245, 245, 240))


def coloured_paper(rng, digits):
    paper = PAPERS[rng.integers(len(PAPERS))]
    return coloured(rng, digits, (240, 240, 235) if sum(paper) < 300 else (30, 30, 60), paper)


def specks(rng, digits):
    sheet = one(rng, digits)
    for _ in range(3):
        row, column, radius = rng.integers(20, SIDE - 20), rng.integers(20, SIDE - 20), rng.integers(2, 6)
        rows, columns = np.ogrid[:SIDE, :SIDE]
        sheet.ink[(rows - row) ** 2 + (columns - column) ** 2 <= radius**2] = 1
    return sheet.photograph()


def row_of(rng, digits, count):
    sheet, height = Sheet(rng), rng.integers(70, 95)
    left, top = rng.integers(25, 45), rng.integers(100, 300)
    sheet.write_row(digits[:count], height, top, left)
    return sheet.photograph()


def two_digits(rng, digits):
    return row_of(rng, digits, 2)


def four_digits(rng, digits):
    return row_of(rng, digits, 4)


def column_of_three(rng, digits):
    sheet, height, left = Sheet(rng), 90, rng.integers(120, 280)
    for top, digit in zip((30, 190, 350), digits):
        sheet.write(digit, height, top + rng.integers(-8, 9), left + rng.integers(-8, 9))
    return sheet.photograph()


def two_numbers(rng, digits):
    """Two numbers of two digits each, on two lines or far apart on one line."""
    sheet, height = Sheet(rng), rng.integers(50, 60)
    left, top = rng.integers(25, 45), rng.integers(100, 300)
    right = sheet.write_row(digits[:2], height, top, left)
    down, gap = (round(height * rng.uniform(*limits)) for limits in ((1.6, 2.2), (1.3, 2)))
    place = (top + down, left) if rng.integers(2) else (top, right + gap)
    sheet.write_row(digits[2:4], height, *place)
    return sheet.photograph()


def noise_page(rng, digits):
    grey = ndimage.gaussian_filter(rng.normal(0, 1, (SIDE, SIDE)), rng.uniform(0, 8))
    return np.clip(128 + 40 * grey / grey.std(), 0, 255).astype(np.uint8)


def blank_page(rng, digits):
    sheet = Sheet(rng)
    kind = rng.integers(3)
    if kind == 1:
        rules(sheet, rng, vertical=bool(rng.integers(2)))
    light = np.linspace(1, rng.uniform(0.5, 1), SIDE)[:, None]
    return sheet.photograph(light=light)


# Pictures without a digit

LETTERS = "ACEFHJKMNPRTUVWXYabdefhkmnprtvwxy"  # not those that look like digits: B D G I L O Q S Z, c g i j l o q s u z
FONTS = ("DejaVuSans.ttf", "DejaVuSerif-Italic.ttf", "DejaVuSans-Oblique.ttf")


def letter(rng, digits):
    """A letter of one of Matplotlib's fonts, slightly turned."""
    font = ImageFont.truetype(str(Path(matplotlib.get_data_path(), "fonts/ttf", FONTS[rng.integers(3)])), 260)
    image = Image.new("L", (SIDE, SIDE), 0)
    ImageDraw.Draw(image).text((SIDE // 2, SIDE // 2), LETTERS[rng.integers(len(LETTERS))], 255, font, anchor="mm")
    sheet = Sheet(rng)
    sheet.ink = np.asarray(image.rotate(rng.uniform(-8, 8), Image.Resampling.BICUBIC)) / 255
    return sheet.photograph()


def photograph(rng, digits):
    """A part of a photograph of a building or a flower (scikit-learn's sample images)."""
    whole = load_sample_images().images[rng.integers(2)]
    side = rng.integers(150, 400)
    top, left = (rng.integers(0, length - side) for length in whole.shape[:2])
    return whole[top : top + side, left : left + side]


# What is written in the pictures of each kind, with {} for a digit
DIGITS_IN: dict[Callable, str] = {
    **dict.fromkeys([plain, slanted_light, shadow, lined_paper, squared_paper, table_edge, turned, perspective], "{}"),
    **dict.fromkeys([blurred, jpeg_20, tiny, huge, thick_pen, thin_pen, pencil, coloured_ink, coloured_paper], "{}"),
    specks: "{}",
    two_digits: "{}{}",
    four_digits: "{}{}{}{}",
    column_of_three: "{} {} {}",
    two_numbers: "{}{} {}{}",
    **dict.fromkeys([noise_page, blank_page, letter, photograph], ""),
}


def pictures(condition: Callable, images: np.ndarray, labels: np.ndarray, count: int):
    """Yield (picture, true numbers as text) of a condition."""
    for number in range(count):
        rng = np.random.default_rng([number, *condition.__name__.encode()])
        chosen = rng.choice(len(images), 4, replace=False)
        yield condition(rng, images[chosen]), DIGITS_IN[condition].format(*labels[chosen])


def read(reader: Reader, picture: np.ndarray) -> str:
    """Return what is read in a picture, with ? for digits that are not sure, or an empty text for no digit."""
    found = drawing.find_digits(image_files.clearest_grey(Image.fromarray(picture)))
    try:
        return answer_from(image_files.Page(Path("picture")), reader.digits(found)).number
    except CourseError:
        return ""


def count(reader: Reader, condition: Callable, images: np.ndarray, labels: np.ndarray, number: int) -> dict[str, int]:
    """Count the pictures of a condition that are read, read in part or refused, and read wrongly."""
    counts = {"right": 0, "refused": 0, "wrong": 0}
    for picture, truth in pictures(condition, images, labels, number):
        answer = read(reader, picture)
        if not answer.strip("?"):
            counts["refused"] += 1
        elif len(answer) == len(truth) and all(said in (written, "?") for said, written in zip(answer, truth)):
            counts["right" if answer == truth else "refused"] += 1
        else:
            counts["wrong"] += 1
    return counts


def main() -> None:
    """Count for all conditions; write the results, unless they are for decisions."""
    parser = argparse.ArgumentParser(description="Read pictures of handwritten digits in many conditions.")
    parser.add_argument("--split", choices=["test", "validation"], default="test", help="where the digits come from")
    parser.add_argument("--threshold", type=float, help="default: the one in models/digits.onnx")
    parser.add_argument("--pictures", type=int, default=PICTURES, metavar="N", help="for each condition")
    options = parser.parse_args()
    raw = data.load_raw("test" if options.split == "test" else "train")
    images, labels = (part[-10_000:].numpy() for part in raw)  # the last 10,000 of the training set are validation
    reader, table = Reader(threads=1, threshold=options.threshold), {}
    for condition in DIGITS_IN:
        table[condition.__name__] = count(reader, condition, images, labels, options.pictures)
        print(
            f"{condition.__name__:16}", *(f"{kind} {n:3}" for kind, n in table[condition.__name__].items()), flush=True
        )
    if options.split == "test":
        kept = {"pictures": options.pictures, "threshold": reader.threshold, "conditions": table}
        print("written:", results_file.write_results("reading", **kept))


if __name__ == "__main__":
    main()
