"""Make pictures that are no digits, for a network to learn from: letters, scribbles, photographs, spoiled digits.

A network that has seen nothing but digits takes other things for digits, too. Outlier exposure shows it such things
in training, labelled with a tenth for each digit, so that it learns to be unsure of them: Hendrycks, Mazeika and
Dietterich, "Deep Anomaly Detection with Outlier Exposure", arXiv 1812.04606.

Nothing is downloaded: the fonts and the sample pictures are Matplotlib's, and all else is drawn at random. Each is
found on its page and prepared by `drawing.find_digits`, like a picture to be read. `rewritten` prepares digits in the
same way, so that a network cannot tell the outliers by how they were prepared.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib import cbook
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from mnist_helpers import drawing

SIDE = 140  # pixels of a page
DIGIT = 84  # pixels of a digit's 28x28 picture on a page
PAPER, INK = 235, 45
MIDDLE = (SIDE - 1) / 2
# Letters and signs, but not those that look like digits: B D G I L O Q S Z, c g i j l o q s u z
LETTERS = list("ACEFHJKMNPRTUVWXYabdefhkmnprtvwxy&#%@+*?")
# The benchmark of pictures tests with DejaVu fonts and scikit-learn's photographs, which are in neither list
FONTS = {
    "train": ["cmr10", "cmmi10", "cmss10", "cmtt10", "cmb10", "cmti10", "STIXGeneral", "STIXGeneralBol"],
    "validation": ["STIXGeneralItalic", "STIXGeneralBolIta"],
}
SAMPLES = {
    "train": ["grace_hopper.jpg", "jacksboro_fault_dem.npz"],
    "validation": ["Minduka_Present_Blue_Pack.png", "s1045.ima.gz"],
}
# Halves of other digits may be digits: half of a 6, 8 or 9 a 0, half of a 4 or 7 a 1
TOPS, BOTTOMS = (0, 5), (0, 2, 3, 5)


@dataclass(frozen=True)
class Sources:
    """What pictures are made from."""

    images: np.ndarray  # digits, uint8 [N, 28, 28], light ink on black
    labels: np.ndarray  # [N]
    split: str = "train"  # or "validation": a key of FONTS and SAMPLES

    def digit(self, rng: np.random.Generator, labels: Sequence[int] = range(10)) -> np.ndarray:
        """Return a page with one of these digits in its middle, ink from 0 to 1: float [SIDE, SIDE]."""
        place = rng.choice(np.flatnonzero(np.isin(self.labels, labels)))
        return enlarged(self.images[place])


def letter(rng: np.random.Generator, sources: Sources) -> np.ndarray:
    """A letter or sign, somewhat turned and bent."""
    name = f"fonts/ttf/{rng.choice(FONTS[sources.split])}.ttf"
    font = ImageFont.truetype(Path(matplotlib.get_data_path(), name), int(rng.integers(50, 90)))
    image = Image.new("L", (SIDE, SIDE), 0)
    ImageDraw.Draw(image).text((SIDE // 2, SIDE // 2), rng.choice(LETTERS), 255, font, anchor="mm")
    return on_paper(bent(rng, np.asarray(image.rotate(rng.uniform(-15, 15), Image.Resampling.BICUBIC)) / 255))


def scribble(rng: np.random.Generator, sources: Sources) -> np.ndarray:
    """One to four strokes along random points."""
    image, pen = Image.new("L", (SIDE, SIDE), 0), int(rng.integers(4, 14))
    for _ in range(rng.integers(1, 5)):
        points = rng.uniform(20, SIDE - 20, (rng.integers(3, 7), 2))
        ImageDraw.Draw(image).line(list(map(tuple, smooth(points))), 255, pen, joint="curve")
    return on_paper(np.asarray(image) / 255)


def texture(rng: np.random.Generator, sources: Sources) -> np.ndarray:
    """Spots: noise, smoothed in one direction more than in the other."""
    grey = ndimage.gaussian_filter(rng.normal(0, 1, (SIDE, SIDE)), rng.uniform(2, 12, 2))
    share = rng.uniform(0.5, 2)
    return on_paper(np.clip((grey / grey.std() - share) * 4 + 0.5, 0, 1))


def photograph(rng: np.random.Generator, sources: Sources) -> np.ndarray:
    """A part of a sample picture, turned by quarters or mirrored."""
    whole = sample(str(rng.choice(SAMPLES[sources.split])))
    side = int(rng.integers(60, min(whole.shape)))
    top, left = (rng.integers(0, length - side + 1) for length in whole.shape)
    part = Image.fromarray(whole[top : top + side, left : left + side]).resize((2 * SIDE, 2 * SIDE))
    turned = np.rot90(np.asarray(part), int(rng.integers(4)))
    return turned[:, ::-1] if rng.integers(2) else turned


def half(rng: np.random.Generator, sources: Sources) -> np.ndarray:
    """The upper or the lower half of a digit."""
    top = bool(rng.integers(2))
    page = sources.digit(rng, TOPS if top else BOTTOMS)
    rows = np.flatnonzero(page.max(axis=1) > 0.5)
    middle = int(rng.uniform(0.45, 0.55) * (rows[0] + rows[-1]))
    page[slice(middle, None) if top else slice(middle)] = 0
    return on_paper(page)


def quarter_turn(rng: np.random.Generator, sources: Sources) -> np.ndarray:
    """A digit that lies on its side. A 0 would stay a 0."""
    return on_paper(np.rot90(sources.digit(rng, range(1, 10)), int(rng.choice([1, 3]))))


def joined(rng: np.random.Generator, sources: Sources) -> np.ndarray:
    """Two digits side by side that touch."""
    first, second = sources.digit(rng), sources.digit(rng)
    end, start = np.flatnonzero(first.max(axis=0) > 0.5)[-1], np.flatnonzero(second.max(axis=0) > 0.5)[0]
    offset = end - start - int(rng.integers(1, 13))
    page = np.zeros((SIDE, 2 * SIDE))
    page[:, :SIDE] = first
    page[:, offset : offset + SIDE] = np.maximum(page[:, offset : offset + SIDE], second)
    return on_paper(page)


# The kinds of pictures, and the share of each
KINDS: dict[Callable[[np.random.Generator, Sources], np.ndarray], float] = {
    letter: 0.34,
    scribble: 0.14,
    texture: 0.08,
    photograph: 0.14,
    half: 0.08,
    quarter_turn: 0.10,
    joined: 0.12,
}


def outliers(count: int, seed: int, sources: Sources, kinds=KINDS) -> np.ndarray:
    """Return `count` pictures that are no digits, uint8 [N, 28, 28], one kind after the other."""
    rng = np.random.default_rng(seed)
    pictures: list[np.ndarray] = []
    ends = np.rint(np.cumsum(list(kinds.values())) / sum(kinds.values()) * count)
    for kind, end in zip(kinds, ends.astype(int)):
        while len(pictures) < end:
            pictures += shapes(kind, rng, sources)
        del pictures[end:]
    return np.stack(pictures)


def shapes(kind: Callable, rng: np.random.Generator, sources: Sources) -> list[np.ndarray]:
    """Return up to three of the shapes on a page of a kind, uint8 [28, 28], but no upright strokes."""
    found = [shape.picture for shape in drawing.find_digits(kind(rng, sources))]
    if kind is joined and len(found) > 1:  # they do not touch
        return []
    return [found[place] for place in rng.permutation(len(found))[:3] if not is_upright_stroke(found[place])]


def is_upright_stroke(picture: np.ndarray) -> bool:
    """Return whether a shape is long, thin and closer to upright than to level, as a 1 is."""
    rows, columns = np.nonzero(picture > 100)
    if len(rows) < 3:
        return False
    lengths, axes = np.linalg.eigh(np.cov(rows, columns))  # the second one is the longer one
    return bool(lengths[0] < 0.1 * lengths[1] and abs(axes[0, 1]) > abs(axes[1, 1]))


def rewritten(count: int, seed: int, sources: Sources) -> tuple[np.ndarray, np.ndarray]:
    """Return `count` digits with another slant, width and pen, uint8 [N, 28, 28], and their labels [N]."""
    rng, labels = np.random.default_rng(seed), []
    pictures: list[np.ndarray] = []
    while len(pictures) < count:
        place = rng.integers(len(sources.images))
        found = drawing.find_digits(on_paper(other_pen(rng, slanted(rng, enlarged(sources.images[place])))))
        if len(found) == 1:
            pictures.append(found[0].picture)
            labels.append(sources.labels[place])
    return np.stack(pictures), np.array(labels)


def enlarged(image: np.ndarray) -> np.ndarray:
    """Return a page with a digit uint8 [28, 28] in its middle, ink from 0 to 1: float [SIDE, SIDE]."""
    large = Image.fromarray(image).resize((DIGIT, DIGIT), Image.Resampling.BICUBIC)
    return np.pad(np.asarray(large) / 255, (SIDE - DIGIT) // 2)


def slanted(rng: np.random.Generator, ink: np.ndarray) -> np.ndarray:
    """Return ink with another slant, width and height."""
    slant, width, height = rng.uniform(-0.35, 0.35), rng.uniform(0.75, 1.3), rng.uniform(0.9, 1.1)
    back = np.array([[1 / height, 0], [slant / width, 1 / width]])
    return ndimage.affine_transform(ink, back, MIDDLE - back @ [MIDDLE, MIDDLE], order=1)


def other_pen(rng: np.random.Generator, ink: np.ndarray) -> np.ndarray:
    """Return ink with rounder, and narrower or wider strokes."""
    inside = ndimage.gaussian_filter(ink, rng.uniform(0.5, 2)) > 0.45
    distance = ndimage.distance_transform_edt(inside) - ndimage.distance_transform_edt(~inside)
    return np.clip(distance + rng.uniform(-1.5, 3) + 0.5, 0, 1)


def bent(rng: np.random.Generator, ink: np.ndarray) -> np.ndarray:
    """Return ink [SIDE, SIDE] that is shifted by some pixels, in one direction here and in another there."""
    shifts = ndimage.zoom(rng.normal(0, rng.uniform(0, 3), (2, 6, 6)), (1, SIDE / 6, SIDE / 6), order=3)
    return ndimage.map_coordinates(ink, np.indices(ink.shape) + shifts, order=1)


def smooth(points: np.ndarray) -> np.ndarray:
    """Return points [M, 2] of a curve along the points [N, 2]."""
    fine = np.linspace(0, len(points) - 1, 12 * len(points))
    dense = np.stack([np.interp(fine, np.arange(len(points)), axis) for axis in points.T], axis=1)
    return ndimage.gaussian_filter1d(dense, 4, axis=0, mode="nearest")


def on_paper(ink: np.ndarray) -> np.ndarray:
    """Return dark ink on light paper, uint8, of ink from 0 to 1."""
    return np.rint(PAPER - (PAPER - INK) * np.clip(ink, 0, 1)).astype(np.uint8)


@functools.cache
def sample(name: str) -> np.ndarray:
    """Return one of Matplotlib's sample pictures, uint8 [H, W]: photographs, the heights of hills, a scan of a head."""
    file: Any = cbook.get_sample_data(name)
    with file:
        if name.endswith((".jpg", ".png")):
            return np.asarray(Image.open(file).convert("L"))
        values = file["elevation"] if name.endswith(".npz") else np.frombuffer(file.read(), np.uint16).reshape(256, 256)
    return (255 * (values / values.max())).astype(np.uint8)
