"""Exercises of 10_pictures: thresholds, reading order, ink in a shadow, costs, connected pieces."""

import numpy as np
import torch
from scipy import ndimage

from mnist_helpers._support.translation import say
from mnist_helpers.exercises.comparing import array, same
from mnist_helpers.exercises.core import Chapter
from mnist_helpers.exercises.judging import NotYet

exercises = Chapter("chapter_10")


@exercises.add(
    "For each row: which share of the kept answers is wrong?",
    "Keep the rows whose share wrong / kept is at most `allowed`, and take the lowest of their thresholds.",
)
def choose_threshold(table, allowed):
    # The lowest threshold refuses the fewest answers; min also works if the rows are in another order
    return min(threshold for threshold, kept, wrong in table if wrong / kept <= allowed)


CONFIDENCE_TABLE = [(0.0, 1000, 40), (0.5, 950, 25), (0.7, 900, 9), (0.9, 800, 2), (0.99, 500, 0)]
RISE_AND_FALL = [(0.0, 1000, 40), (0.5, 950, 19), (0.7, 900, 27), (0.9, 800, 2)]  # shares 4, 2, 3 and 0.25 %


def _choice(allowed, table=CONFIDENCE_TABLE):
    return say("the table {table} and allowed = {allowed}", table=table, allowed=allowed)


@choose_threshold.checker
def check_choose_threshold(ask):
    """Check a share between two rows, one that a row meets exactly, none allowed, and another order of the rows."""
    same(ask(CONFIDENCE_TABLE, 0.02), 0.7, (), "", _choice(0.02))
    same(ask(CONFIDENCE_TABLE, 0.01), 0.7, (), "9 wrong of 900 is a share of 0.01: that is allowed.", _choice(0.01))
    kept = "9 wrong of 900 kept answers is a share of 0.01: divide by the kept answers, not by all."
    same(ask(CONFIDENCE_TABLE, 0.0095), 0.9, (), kept, _choice(0.0095))
    same(ask(CONFIDENCE_TABLE, 0.0), 0.99, (), "Only the last row has no wrong answer.", _choice(0.0))
    same(ask(CONFIDENCE_TABLE, 0.04), 0.0, (), "Here nothing must be refused.", _choice(0.04))
    other = CONFIDENCE_TABLE[::-1]
    same(ask(other, 0.02), 0.7, (), "The rows may stand in any order.", _choice(0.02, other))
    reason = "The share is 0.03 at 0.7, but only 0.02 at 0.5: look at all rows."
    same(ask(RISE_AND_FALL, 0.02), 0.5, (), reason, _choice(0.02, RISE_AND_FALL))


@exercises.add(
    "First make lines of the boxes, then put each line in order.",
    "Sort the places by the middle row, top + height / 2. Compare each middle with the bottom of the box before it.",
    "If the middle is above that bottom, append the place to the last line; if not, append a new line. In the end, "
    "sort each line by left.",
    stars=2,
)
def reading_order(boxes):
    def middle(place):
        top, _, height, _ = boxes[place]
        return top + height / 2

    lines = []
    for place in sorted(range(len(boxes)), key=middle):
        before = boxes[lines[-1][-1]] if lines else None  # the box before this one, in the last line
        if before is not None and middle(place) < before[0] + before[2]:
            lines[-1].append(place)
        else:
            lines.append([place])
    return [place for line in lines for place in sorted(line, key=lambda place: boxes[place][1])]


# Two lines whose digits stand at different heights; the second begins further to the left than the first
TWO_LINES = [
    (118, 200, 44, 30),
    (12, 150, 50, 30),
    (125, 20, 50, 30),
    (20, 60, 30, 40),
    (8, 250, 60, 36),
    (112, 90, 60, 30),
]
SLOPING = [(0, 300, 40, 20), (30, 0, 40, 20), (15, 150, 40, 20), (100, 0, 40, 20)]  # a line that rises to the right


@reading_order.checker
def check_reading_order(ask):
    """Check two lines, the same boxes in another order, a sloping line, a column and a single box."""
    given = say("the boxes {boxes}", boxes=TWO_LINES)
    right = [3, 1, 4, 2, 5, 0]
    wrong = _wrong_orders(TWO_LINES, right)
    same(ask(TWO_LINES), right, wrong, "", given)
    turned = TWO_LINES[::-1]
    same(
        ask(turned),
        [5 - place for place in right],
        (),
        "The boxes can be in any order.",
        say("the boxes {boxes}", boxes=turned),
    )
    slope = "The bottom of the box before decides, not that of the first box in the line."
    same(ask(SLOPING), [1, 2, 0, 3], (), slope, say("the boxes {boxes}", boxes=SLOPING))
    column = [(80, 10, 30, 20), (0, 12, 30, 20), (40, 8, 30, 20)]
    same(
        ask(column),
        [1, 2, 0],
        (),
        "Each of these boxes is a line of its own.",
        say("the boxes {boxes}", boxes=column),
    )
    same(ask([(5, 5, 9, 9)]), [0], (), "", "a single box")


def _wrong_orders(boxes, right):
    """Return orders that show without doubt what went wrong, with explanations."""
    places = range(len(boxes))
    return [
        (sorted(places, key=lambda place: boxes[place][:2]), "You sorted by the top row. In a line, left decides."),
        (
            sorted(places, key=lambda place: boxes[place][0] + boxes[place][2] / 2),
            "You sorted by the middle row only. In a line, left decides.",
        ),
        (sorted(places, key=lambda place: boxes[place][1]), "You sorted by the left side only. There are two lines."),
        (right[3:] + right[:3], "The lower line comes first. Rows are counted from the top."),
        (right[2::-1] + right[:2:-1], "Each line goes from right to left."),
        (
            np.argsort(right),
            "You returned the rank of each box. Return the places: first that of the box to read first.",
        ),
        ([boxes[place] for place in right], "The order is right, but return places in the list, not the boxes."),
    ]


@exercises.add(
    "Which paper does a pixel in the shadow lie on? And what does 30 - 235 give in uint8?",
    "One median can't be right in light and shadow: ndimage.grey_closing(grey, size=(window, window)) gives a paper of "
    "its own to each pixel. Ink is darker: which of the two must you subtract from which?",
    "paper - grey can't be negative, because the closing is nowhere darker than the picture. `at least` is >=.",
    stars=2,
)
def ink_in_shadow(grey, window, least):
    # A closing is never darker than the picture, so that uint8 can't wrap around here
    paper = ndimage.grey_closing(grey, size=(window, window))
    return paper - grey >= least


def shaded_sheet():
    """Return a sheet, uint8 [40, 60], with a step from light to shadow and a stroke in each part."""
    sheet = np.full((40, 60), 230, np.uint8)
    sheet[:, 36:] = 100
    sheet[8:30, 10:14] = 40  # 190 darker than its paper
    sheet[8:30, 48:51] = 60  # 40 darker than its paper
    sheet[34:36, 5:20] = 210  # 20 darker: a faint line
    return sheet


SHEET = shaded_sheet()


@ink_in_shadow.checker
def check_ink_in_shadow(ask):
    """Check light and shadow, a darkness that is met exactly, other windows, and that the result is bool."""
    given = "a sheet of the shape [40, 60] whose right part is in shadow, window = 11 and least = {least}"
    strokes = np.zeros(SHEET.shape, bool)
    strokes[8:30, 10:14] = strokes[8:30, 48:51] = True
    faint = strokes.copy()
    faint[34:36, 5:20] = True
    paper = ndimage.grey_closing(SHEET, size=(11, 11))
    found = ask(SHEET, 11, 30)
    same(found, strokes, _wrong_inks(SHEET, strokes, paper, 30), "", say(given, least=30))
    if getattr(found, "dtype", None) not in (np.dtype(bool), torch.bool):
        raise NotYet(
            "a bool array was expected, but your function returned {dtype}.", dtype=getattr(found, "dtype", "no array")
        )
    same(ask(SHEET, 11, 40), strokes, (), "40 darker is `at least` 40.", say(given, least=40))
    same(ask(SHEET, 11, 20), faint, (), "20 darker is `at least` 20.", say(given, least=20))
    strokes[8:30, 48:51] = False
    same(ask(SHEET, 11, 41), strokes, (), "Nothing in the shadow is 41 darker.", say(given, least=41))
    wide = "a stroke of 9 x 9 pixels, window = {window} and least = 50"
    blot = np.full((30, 30), 200, np.uint8)
    blot[10:19, 10:19] = 90
    same(ask(blot, 11, 50), blot == 90, (), "The window is wider than the stroke.", say(wide, window=11))
    same(ask(blot, 7, 50), np.zeros(blot.shape, bool), (), "The window fits into the stroke.", say(wide, window=7))


def _wrong_inks(sheet, right, paper, least):
    """Return results that show without doubt what went wrong, with explanations."""
    median = int(np.median(sheet))
    whole = sheet.astype(int)
    return [
        (
            np.zeros(sheet.shape, bool),
            "You found no ink. The paper is a closing, not an opening; subtract the picture from it.",
        ),
        (median - whole >= least, "The whole shadow is ink: give each pixel the paper beside it."),
        (median - whole > least, "The whole shadow is ink: give each pixel the paper beside it."),
        (
            (sheet - paper) >= least,
            "The faint line is ink, too: `least` is missing, or uint8 wrapped around (40 - 230 is 66). Turn it around.",
        ),
        (~right, "True and False are exchanged."),
        (paper - whole, "That is the darkness. Compare it with `least`."),
        (
            ndimage.maximum_filter(sheet, size=(11, 11)) - whole >= least,
            "Pixels beside the light are ink: after the brightest pixel of a window, a closing takes the darkest.",
        ),
    ]


@exercises.add(
    "Each image costs something in one of two cases: it is refused, or it is kept and read wrongly.",
    "Where the confidence is below the threshold, a person is paid, whether or not the network was right.",
    "refused = confidence < threshold is an array of True and False. Which answers are neither refused nor right?",
    stars=2,
)
def cost(confidence, right, threshold, of_refusal, of_mistake):
    # A refused answer costs its fee even if it was right, because nobody knew; a kept one costs only if it is wrong
    refused = confidence < threshold
    return (refused * of_refusal + (~refused & ~right) * of_mistake).mean()


CONFIDENCE = np.array([0.99, 0.35, 0.8, 0.62, 0.91, 0.5, 0.97, 0.45, 0.7, 0.88])
RIGHT = np.array([True, False, True, False, True, True, False, True, True, True])


@cost.checker
def check_cost(ask):
    """Check a confidence equal to the threshold, other thresholds and costs, and all or no answers refused."""
    answers = ", ".join(f"{sure} {say('right' if good else 'wrong')}" for sure, good in zip(CONFIDENCE, RIGHT))
    given = "the answers {answers} with threshold = {threshold}, of_refusal = {of_refusal}, of_mistake = {of_mistake}"
    cases = [
        (
            0.62,
            1,
            10,
            (3 * 1 + 2 * 10) / 10,
            "Three answers are below the threshold, and two of the kept ones are wrong.",
        ),
        (0.62, 3, 0.5, (3 * 3 + 2 * 0.5) / 10, "Both costs can be any number."),
        (0.9, 2, 7, (7 * 2 + 1 * 7) / 10, "Seven answers are refused, and one of the kept ones is wrong."),
        (0.0, 1, 10, 3, "With threshold 0 nothing is refused, and three answers are wrong."),
        (1.0, 1, 10, 1, "With threshold 1 all ten are refused."),
    ]
    for threshold, of_refusal, of_mistake, expected, why in cases:
        answer = ask(CONFIDENCE, RIGHT, threshold, of_refusal, of_mistake)
        words = say(given, answers=answers, threshold=threshold, of_refusal=of_refusal, of_mistake=of_mistake)
        same(answer, expected, WRONG_COSTS if threshold == 0.62 and of_refusal == 1 else (), why, words)


# For a threshold of 0.62, which is the confidence of a wrong answer, and costs of 1 and 10
WRONG_COSTS = {
    23: "That is the cost of all images. Return their mean.",
    23 / 7: "You divided by the number of kept answers. The mean is over all images.",
    3.3: "A refused answer costs `of_refusal` alone, whether it was right or wrong.",
    1.4: "Only a confidence below the threshold is refused: one that is equal is kept.",
    3.2: "The two costs have changed places.",
}


@exercises.add(
    "Start at an ink pixel. How do you get from it to all others of its piece, and how do you know which are done?",
    "Keep a list of pixels that wait. Take one, and add those of its eight neighbours that are ink and not yet marked.",
    "Mark a pixel when you add it to the list, not when you take it; so none is counted twice. A copy of `ink` can "
    "keep the marks: set a pixel to False once it is taken care of. Mind the border.",
    stars=3,
)
def pieces(ink):
    waiting_ink = np.pad(ink, 1)  # a border without ink, so that no neighbour lies outside; also a copy
    sizes = []
    for start in np.argwhere(waiting_ink):
        waiting, size = [tuple(start)], 0
        while waiting:
            row, column = waiting.pop()
            if waiting_ink[row, column]:  # not yet counted
                waiting_ink[row, column] = False
                size += 1
                waiting += [(row + down, column + right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
        if size:
            sizes.append(size)
    return sorted(sizes, reverse=True)


def drawn(*rows):
    """Return a picture of text: # is ink."""
    return np.array([[letter == "#" for letter in row] for row in rows])


SMALL = drawn("##...", "...#.", ".#.#.", "#..#.")  # its corner pieces meet if index -1 is taken for a neighbour
RING = drawn("######", "#....#", "#.##.#", "#....#", "######")
SCATTERED = np.random.default_rng(4).random((40, 50)) < 0.3


@pieces.checker
def check_pieces(ask):
    """Check corners, a ring around a piece, the border, one large piece, many small ones, and no ink at all."""
    shown = say("the picture {rows}", rows=" / ".join("".join(".#"[int(pixel)] for pixel in row) for row in SMALL))
    same(ask(SMALL), [3, 2, 2], _wrong_sizes(SMALL), "", shown)
    found, reason = ask(RING), "A ring and what is inside it are two pieces."
    if array(found).sum() > RING.sum():
        reason = "Some pixels are counted twice: mark a pixel when you add it to the list, not when you take it."
    same(found, [18, 2], (), reason, "a ring around two pixels")
    same(ask(np.ones((40, 50), bool)), [2000], (), "", "40 x 50 pixels, all of them ink")
    same(ask(SCATTERED), sizes_of(SCATTERED), (), "Small pictures were right.", "a picture of the shape [40, 50]")
    same(ask(drawn("#.#", "...", "#.#")), [1, 1, 1, 1], (), "Opposite borders don't touch.", "ink in the four corners")
    if array(ask(np.zeros((4, 4), bool))).size:
        raise NotYet("a picture without ink has no pieces: an empty list was expected.")


def sizes_of(ink, structure=None):
    """Return the sizes of connected pieces with SciPy, the largest first."""
    labels, _ = ndimage.label(ink, np.ones((3, 3)) if structure is None else structure)
    return sorted(np.bincount(labels.ravel())[1:].tolist(), reverse=True)


def _wrong_sizes(ink):
    """Return results that show without doubt what went wrong, with explanations."""
    right = sizes_of(ink)
    return [
        (sizes_of(ink, ndimage.generate_binary_structure(2, 1)), "Pixels that touch at a corner belong together, too."),
        (sizes_of(~ink), "Those are the pieces of the paper."),
        (right[::-1], "The sizes are right, but the largest comes first."),
        (len(right), "That is the number of pieces. Return their sizes."),
        ([ink.sum()], "That is all ink together. Count each piece by itself."),
        ([4, 3], "Opposite borders don't touch: in NumPy, the index -1 is the last row or column."),
        (sorted([*right, (~ink).sum()], reverse=True), "You counted the paper as a piece."),
    ]
