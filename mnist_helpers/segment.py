"""Find the handwritten digits in a picture of paper, and put them in reading order. Taught in chapter 10.

The steps: estimate the brightness of the paper at every pixel; keep what is darker, the ink; remove ruled lines, specks
and what lies at the border; group the connected parts of the ink into digits; even out the width of the strokes.

SciPy's ndimage finds connected parts and distances; scikit-learn brings it anyway. `import scipy` loads it when it is
first used. That takes a quarter of a second, and `predict --help` does without it.
"""

import math
from dataclasses import dataclass

import numpy as np
import scipy
from PIL import Image

Box = tuple[int, int, int, int]  # top, left, height, width in pixels

MIN_CONTRAST = 20  # between ink and paper, in grey values
# Sides of the window in which the paper is estimated, as shares of the shorter side: the next one if strokes are wider
WINDOWS = 0.15, 0.3, 0.6
MAX_INK = 0.45  # a picture with a larger share of ink does not show writing on paper
MAX_DIGITS = 60
DOT = 0.65  # a shape that fills a larger share of the square around it is a dot or a blot, no digit
FRAGMENT = 0.6  # a part lower than this share of the tallest one may be a piece of a digit
STACKED = 0.05  # two halves of a digit, one above the other, leave a gap of at most this share of the tallest part
SPECK = 0.2  # a part smaller than this share of the largest one is no writing
STROKE = 0.12, 0.16  # the thinnest and the widest stroke, as shares of the digit's longer side
APART = 1.25  # a wider gap, in heights of a digit, separates numbers; gaps within one reach 1.11 (validation pictures)
SIDEWAYS = 1.1, 1.2  # digits in a column, or in a row, lie on their side if they are more times as wide as high
EIGHT = np.ones((3, 3), dtype=bool)  # the neighbours of a pixel, diagonals included


@dataclass(frozen=True)
class Part:
    """One digit found in a picture: its box and its ink (bool, of the size of the box)."""

    box: Box
    ink: np.ndarray

    def centre(self) -> tuple[float, float]:
        """Return the centre of mass of the ink in the picture (row, column); the centre of the first pixel is 0.5."""
        row, column = np.argwhere(self.ink).mean(axis=0) + 0.5
        return self.box[0] + float(row), self.box[1] + float(column)


def find(grey: np.ndarray) -> list[Part]:
    """Return the digits in a picture of handwriting on paper, uint8 [H, W], in reading order."""
    grey = 255 - grey if is_light_on_dark(grey) else grey
    ink = ink_of_writing(scipy.ndimage.uniform_filter(grey, 3))
    return parts_of(ink) if ink.mean() <= MAX_INK else []


def find_drawn(drawing: np.ndarray) -> list[Part]:
    """Return the digits drawn in light ink on a black canvas, uint8 [H, W], in reading order.

    A canvas has neither shadows nor ruled lines, and a digit may touch its border.
    """
    return parts_of(drawing >= 128, to_border=True)


def parts_of(ink: np.ndarray, to_border: bool = False) -> list[Part]:
    """Group ink, bool [H, W], into digits in reading order. Ink at the border counts only with `to_border`."""
    labels, _ = scipy.ndimage.label(ink, EIGHT)
    boxes = _boxes(labels)
    groups = grouped(_writing(labels, boxes, to_border), boxes)
    parts = [part for part in (_part(labels, numbers, boxes) for numbers in groups) if not is_dot(part.ink)]
    return in_reading_order(parts) if len(parts) <= MAX_DIGITS else []


def is_dot(ink: np.ndarray) -> bool:
    """Return whether a shape (bool, of the size of its box) is a dot or a blot: it fills the square around it."""
    return bool(ink.sum() > DOT * max(ink.shape) ** 2)


def is_light_on_dark(grey: np.ndarray) -> bool:
    """Return whether the writing in `grey` uint8 [H, W] is lighter than the paper.

    The picture is looked at in coarse blocks. Writing is narrow, so the median of the blocks around is paper. Dark
    writing makes the darkest pixel of a block darker than that, and light writing makes the lightest pixel lighter. At
    the edge of a shadow, both happen.
    """
    block = max(1, round(min(grey.shape) / 24))
    rows, columns = (length // block for length in grey.shape)
    blocks = grey[: rows * block, : columns * block].reshape(rows, block, columns, block)
    darkest, lightest = (choose(choose(blocks, axis=1), axis=2) for choose in (np.min, np.max))
    paper = scipy.ndimage.median_filter(blocks.mean((1, 3)), 15)
    darker, lighter = paper - darkest, lightest - paper
    return bool(lighter[lighter > MIN_CONTRAST].sum() > darker[darker > MIN_CONTRAST].sum())


def ink_of_writing(grey: np.ndarray) -> np.ndarray:
    """Return which pixels of dark writing on paper, uint8 [H, W], are ink (bool), without ruled lines."""
    for share in WINDOWS:
        paper = paper_of(grey, max(3, round(share * min(grey.shape))))
        if not _hides_strokes(paper, grey):
            break
    darkness = paper - grey
    lines = ruled_lines(darkness >= max(MIN_CONTRAST / 2, Levels.of(darkness).noise))
    darkness[lines] = 0
    ink = ink_of(darkness)
    return ink | (lines & _bridged(ink)) if lines.any() else ink


def paper_of(grey: np.ndarray, window: int) -> np.ndarray:
    """Return the brightness of the paper at each pixel of `grey` uint8 [H, W], uint8 [H, W].

    The paper is what is left when everything narrower than `window` pixels is filled with the brightness beside it (a
    grey closing), so that slanted light and shadows do not matter.
    """
    paper = np.pad(grey, window - 1, mode="edge")
    for choose in (np.maximum, np.minimum):
        paper = _extreme(choose, _extreme(choose, paper, window, axis=0), window, axis=1)
    return paper


def _extreme(choose: np.ufunc, values: np.ndarray, size: int, axis: int) -> np.ndarray:
    """Return the minimum or maximum (`choose`) in each window of `size` values along an axis of an array [H, W].

    Two windows, one shifted, make a window of up to twice the size, so few steps over the whole array are enough:
    SciPy's minimum_filter1d and grey_closing return the same, and take many times longer.
    """
    reach = 1
    while reach < size:
        step = min(reach, size - reach)
        first, second = (values[:-step], values[step:]) if axis == 0 else (values[:, :-step], values[:, step:])
        values = choose(first, second)
        reach += step
    return values


def _hides_strokes(paper: np.ndarray, grey: np.ndarray) -> bool:
    """Return whether strokes wider than the window were taken for paper: it is dark in a place inside the picture.

    What is dark from edge to edge lies in the shadow, or beside the sheet.
    """
    dark = paper[::4, ::4] < (int(paper.max()) + int(grey.min())) / 2
    labels, _ = scipy.ndimage.label(dark)
    return any(height < dark.shape[0] and width < dark.shape[1] for *_, height, width in _boxes(labels))


@dataclass(frozen=True)
class Levels:
    """Three levels of a picture's darkness, in grey values."""

    paper: int
    noise: int  # the grain of the paper does not reach this level
    strong: int  # the darkest 1 of 4,000 pixels

    @classmethod
    def of(cls, darkness: np.ndarray) -> "Levels":
        """Measure the levels. Paper and noise come from the lighter half of the pixels."""
        rising = np.cumsum(Image.fromarray(darkness).histogram())  # ten times faster than np.bincount
        shares = np.array([0.1, 0.5, 1 - 1 / 4000])
        least, paper, strong = map(int, np.searchsorted(rising, shares * darkness.size))
        return cls(paper, paper + 5 * (paper - least), strong)


def ink_of(darkness: np.ndarray) -> np.ndarray:
    """Return which pixels are ink (bool): connected pixels that may be ink, if at least three of them surely are."""
    levels = Levels.of(darkness)
    sure, possible = (
        max(least, levels.noise, levels.paper + share * (levels.strong - levels.paper))
        for least, share in ((MIN_CONTRAST, 0.4), (MIN_CONTRAST / 2, 0.22))
    )
    labels, count = scipy.ndimage.label(darkness >= possible, EIGHT)
    found = np.bincount(labels[darkness >= sure], minlength=count + 1) >= 3
    found[0] = False
    return found[labels]


def ruled_lines(marks: np.ndarray) -> np.ndarray:
    """Return which pixels of `marks` (bool [H, W]) belong to thin, straight lines across the sheet."""
    return _level_lines(marks) | _level_lines(np.ascontiguousarray(marks.T)).T


def _level_lines(marks: np.ndarray) -> np.ndarray:
    """Return the pixels of horizontal lines; they may slope by a few pixels."""
    lines = _taller(_opened(_taller(marks), max(3, marks.shape[1] // 5), axis=1))
    if not lines.any():
        return lines
    labels, _ = scipy.ndimage.label(lines, EIGHT)
    across = [width >= 0.7 * marks.shape[1] for *_, width in _boxes(labels)]
    broad = _opened(lines, _line_height(marks) + 5, axis=0)
    return marks & ~broad & np.array([False, *across])[labels]


def _line_height(marks: np.ndarray) -> int:
    """Return the largest height of a ruled line in pixels."""
    return max(3, min(marks.shape) // 80)


def _taller(mask: np.ndarray) -> np.ndarray:
    """Add the pixels above and below each pixel of a mask."""
    taller = mask.copy()
    taller[1:] |= mask[:-1]
    taller[:-1] |= mask[1:]
    return taller


def _opened(mask: np.ndarray, length: int, axis: int) -> np.ndarray:
    """Keep only runs of at least `length` pixels along one axis (a binary opening)."""
    return _swept(mask, length, axis, np.minimum, np.maximum)


def _closed(mask: np.ndarray, length: int, axis: int) -> np.ndarray:
    """Fill gaps of fewer than `length` pixels along one axis (a binary closing)."""
    return _swept(mask, length, axis, np.maximum, np.minimum)


def _swept(mask: np.ndarray, length: int, axis: int, first: np.ufunc, then: np.ufunc) -> np.ndarray:
    """Apply two running extremes along an axis of a mask, with nothing outside."""
    margin = [(0, 0), (0, 0)]
    margin[axis] = (length - 1, length - 1)
    wide = np.pad(mask.view(np.uint8), margin)
    return _extreme(then, _extreme(first, wide, length, axis), length, axis).view(bool)


def _bridged(ink: np.ndarray) -> np.ndarray:
    """Close the gaps that a removed line leaves in strokes."""
    gap = _line_height(ink) + 7  # what is removed is some pixels higher than the line
    return _closed(ink, gap, axis=0) | _closed(ink, gap, axis=1)


def _boxes(labels: np.ndarray) -> list[Box]:
    """Return the box of each component of a picture of labels."""
    return [
        (rows.start, columns.start, rows.stop - rows.start, columns.stop - columns.start)
        for rows, columns in scipy.ndimage.find_objects(labels)
    ]


def _writing(labels: np.ndarray, boxes: list[Box], to_border: bool) -> list[int]:
    """Return the numbers of the components that may be writing: no specks, and nothing at the border.

    If all lies at the border, a large component may be a digit that fills the picture. With `to_border`, the border
    does not matter.
    """
    areas = np.bincount(labels[labels > 0])[1:]
    inside = [number for number, box in enumerate(boxes) if to_border or not _at_border(box, labels.shape)]
    inside = inside or [number for number, box in enumerate(boxes) if max(box[2:]) >= 0.4 * min(labels.shape)]
    largest = max((max(boxes[number][2:]) for number in inside), default=0)
    return [number for number in inside if max(boxes[number][2:]) >= SPECK * largest and areas[number] >= 8]


def _at_border(box: Box, shape: tuple[int, ...]) -> bool:
    """Return whether a box touches the border of the picture."""
    top, left, height, width = box
    return top == 0 or left == 0 or top + height == shape[0] or left + width == shape[1]


def grouped(numbers: list[int], boxes: list[Box]) -> list[list[int]]:
    """Group components into digits: a piece of a digit joins what is nearest to it.

    `numbers` are the components, and `boxes` the boxes of all components.
    """
    tallest = max((boxes[number][2] for number in numbers), default=0)
    waiting = sorted((([number], boxes[number]) for number in numbers), key=_height)
    done: list[tuple[list[int], Box]] = []
    while waiting:
        members, box = waiting.pop(0)
        others = [other for other in waiting + done if _is_piece(box, other[1], tallest)]
        if others:
            near = min(others, key=lambda other: _gap(box, other[1]))
            (waiting if near in waiting else done).remove(near)
            waiting = sorted([*waiting, (near[0] + members, _together(box, near[1]))], key=_height)
        else:
            done.append((members, box))
    return [members for members, box in done if box[2] >= 0.35 * tallest]


def _is_piece(box: Box, other: Box, tallest: int) -> bool:
    """Return whether a box holds a piece of the digit in another box.

    It does if it is low and near to the other one, or if one lies above the other and they nearly touch, as the halves
    of a broken 5. Together, they must not be much too tall.
    """
    height = _together(box, other)[2]
    if box[2] < FRAGMENT * tallest:
        return _gap(box, other) <= 0.2 * tallest and height <= 1.7 * tallest
    down, right = _distances(box, other)
    beside = -right < 0.5 * min(box[3], other[3])
    return down <= STACKED * tallest and not beside and height <= 2.1 * tallest


def _height(group: tuple[list[int], Box]) -> int:
    return group[1][2]


def _together(one: Box, other: Box) -> Box:
    """Return the box around two boxes."""
    top, left = min(one[0], other[0]), min(one[1], other[1])
    bottom, right = (max(one[axis] + one[axis + 2], other[axis] + other[axis + 2]) for axis in (0, 1))
    return top, left, bottom - top, right - left


def _gap(one: Box, other: Box) -> float:
    """Return the distance in pixels between two boxes, 0 if they overlap."""
    return math.hypot(*(max(distance, 0) for distance in _distances(one, other)))


def _distances(one: Box, other: Box) -> tuple[int, int]:
    """Return the distances down and to the right between two boxes in pixels, below 0 if they overlap."""
    down, right = (
        max(one[axis], other[axis]) - min(one[axis] + one[axis + 2], other[axis] + other[axis + 2]) for axis in (0, 1)
    )
    return down, right


def _part(labels: np.ndarray, numbers: list[int], boxes: list[Box]) -> Part:
    """Cut out the components of one digit."""
    box = boxes[numbers[0]]
    for number in numbers[1:]:
        box = _together(box, boxes[number])
    top, left, height, width = box
    return Part(box, np.isin(labels[top : top + height, left : left + width], np.array(numbers) + 1))


def in_reading_order(parts: list[Part]) -> list[Part]:
    """Order parts in lines from top to bottom, and in a line from left to right."""
    lines: list[list[Part]] = []
    for part in sorted(parts, key=lambda part: _middle(part.box)):
        if lines and not _lies_below(part.box, lines[-1][-1].box):
            lines[-1].append(part)
        else:
            lines.append([part])
    return [part for line in lines for part in sorted(line, key=lambda part: part.box[1])]


def _middle(box: Box) -> float:
    """Return the row in the middle of a box."""
    return box[0] + box[2] / 2


def _lies_below(box: Box, other: Box) -> bool:
    """Return whether a box lies in a line below another one: its middle is not above the bottom of the other."""
    return _middle(box) >= other[0] + other[2]


def spaces(boxes: list[Box]) -> list[str]:
    """Return what to write before each digit: a space where a new number begins, otherwise nothing.

    `boxes` are those of digits in reading order. A number begins on a new line, and after a gap that is clearly wider
    than the digits beside it are high.
    """
    return [" " if n > 0 and _begins_number(box, boxes[n - 1]) else "" for n, box in enumerate(boxes)]


def _begins_number(box: Box, before: Box) -> bool:
    """Return whether a digit begins a new number, by its box and the box of the digit before it."""
    gap = box[1] - (before[1] + before[3])
    is_new_line = box[1] < before[1] or _lies_below(box, before)
    return is_new_line or gap > APART * max(box[2], before[2])


def lie_sideways(boxes: list[Box]) -> bool:
    """Return whether two or more digits lie on their side, as far as their boxes tell: most are wider than high.

    In a picture that is turned by a quarter, a number is a column, so a column is suspected earlier than a row.
    """
    if len(boxes) < 2:
        return False
    tops, lefts, heights, widths = np.array(boxes, dtype=float).T
    is_column = np.ptp(tops + heights / 2) > np.ptp(lefts + widths / 2)
    return bool(np.exp(np.log(widths / heights).mean()) > SIDEWAYS[0 if is_column else 1])


def even_strokes(ink: np.ndarray) -> np.ndarray:
    """Widen strokes that are too thin for MNIST, and narrow those that are too wide.

    `ink` is bool [H, W]; returns bool [H', W'], of the size of the new ink. A stroke is about four times as wide as the
    mean distance of its pixels to its edge.
    """
    side = max(ink.shape)
    ink = np.pad(ink, 1)
    inside = scipy.ndimage.distance_transform_edt(ink)
    width = 4 * (inside[ink].mean() - 0.5)
    thinnest, widest = (share * side for share in STROKE)
    if width < thinnest:
        growth = (thinnest - width) / 2
        ink = scipy.ndimage.distance_transform_edt(~np.pad(ink, int(growth) + 1)) <= growth + 0.5
    elif width > widest:
        ink = inside > min((width - widest) / 2, np.quantile(inside[ink], 0.9) - 1)
    return _cut_out(ink)


def _cut_out(ink: np.ndarray) -> np.ndarray:
    """Return the smallest rectangle that holds all ink."""
    (box,) = scipy.ndimage.find_objects(ink.view(np.uint8))
    return ink[box]
