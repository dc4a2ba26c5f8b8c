"""10_pictures: the misconceptions that the checkers know, right answers in other styles, probes for the mutants."""

import numpy as np
import torch
from scipy import ndimage

from mnist_helpers.exercises.chapter_10 import (
    CONFIDENCE,
    CONFIDENCE_TABLE,
    RING,
    SCATTERED,
    SHEET,
    SLOPING,
    SMALL,
    TWO_LINES,
    exercises,  # noqa: F401
    sizes_of,
)
from mnist_helpers.exercises.chapter_10 import (
    RIGHT as RIGHT_ANSWERS,
)


def down_to_the_first(table, allowed):
    """From the highest threshold down, until the share is too large for the first time."""
    lowest = None
    for threshold, kept, wrong in sorted(table, reverse=True):
        if wrong / kept > allowed:
            break
        lowest = threshold
    return 1 if lowest is None else lowest


def kept_cost(confidence, right, threshold, of_refusal, of_mistake):
    total = 0
    for sure, good in zip(confidence, right):
        total += of_refusal if sure < threshold else 0 if good else of_mistake
    return total / len(confidence)


def middles(boxes):
    return [top + height / 2 for top, _, height, _ in boxes]


def lines_of(boxes, bottom_of=-1, key=middles, inside=lambda box: box[0] + box[2], turned=False):
    """Reading order, with choices for what is wrong: whose bottom decides, what is sorted, where a line ends."""
    keys, lines = key(boxes), []
    for place in sorted(range(len(boxes)), key=lambda place: keys[place]):
        if lines and keys[place] < inside(boxes[lines[-1][bottom_of]]):
            lines[-1].append(place)
        else:
            lines.append([place])
    return [place for line in lines for place in sorted(line, key=lambda place: boxes[place][1], reverse=turned)]


def order_by_recursion(boxes):
    def rest(places):
        if not places:
            return []
        first = min(places, key=lambda place: middles(boxes)[place])
        line = [first]
        for place in sorted(set(places) - {first}, key=lambda place: middles(boxes)[place]):
            if middles(boxes)[place] >= boxes[line[-1]][0] + boxes[line[-1]][2]:
                break
            line.append(place)
        return sorted(line, key=lambda place: boxes[place][1]) + rest([p for p in places if p not in line])

    return rest(list(range(len(boxes))))


def closing(grey, window):
    brightest = ndimage.maximum_filter(grey, size=window)
    return ndimage.minimum_filter(brightest, size=window)


def flood(ink, neighbours, mark_early=True):
    ink, sizes = ink.copy(), []
    for row, column in np.argwhere(ink):
        if not ink[row, column]:
            continue
        waiting, size = [(row, column)], 0
        ink[row, column] = False
        while waiting:
            row, column = waiting.pop()
            size += 1
            for down, right in neighbours:
                place = row + down, column + right
                if 0 <= place[0] < ink.shape[0] and 0 <= place[1] < ink.shape[1] and ink[place]:
                    ink[place] = not mark_early and len(waiting) < 3
                    waiting.append(place)
        sizes.append(size)
    return sizes


EIGHT = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1) if (down, right) != (0, 0)]
FOUR = [(-1, 0), (1, 0), (0, -1), (0, 1)]


def wrapped(ink):
    """Pieces that go on at the opposite border."""
    twice = np.tile(ink, (3, 3))
    labels, _ = ndimage.label(twice, np.ones((3, 3)))
    height, width = ink.shape
    inner = labels[height : 2 * height, width : 2 * width]
    return sorted((int((labels == label).sum()) for label in np.unique(inner[inner > 0])), reverse=True)


def by_merging(ink):
    """Give each pixel a number of its own, and take the larger one of two neighbours until nothing changes."""
    numbers = np.where(ink, np.arange(1, ink.size + 1).reshape(ink.shape), 0)
    while True:
        larger = np.where(ink, ndimage.maximum_filter(numbers, size=3, mode="constant"), 0)
        if (larger == numbers).all():
            return np.sort(np.unique(numbers[ink], return_counts=True)[1])[::-1]
        numbers = larger


WRONG = {
    "choose_threshold": {
        "the highest": lambda table, allowed: max(t for t, kept, wrong in table if wrong / kept <= allowed),
        "less than allowed": lambda table, allowed: min([t for t, k, w in table if w / k < allowed], default=1),
        "share of all images": lambda table, allowed: min(
            t for t, kept, wrong in table if wrong / max(k for _, k, _ in table) <= allowed
        ),
        "the first row that fits": lambda table, allowed: next(t for t, k, w in table if w / k <= allowed),
        "down to the first that does not fit": down_to_the_first,
        "the whole row": lambda table, allowed: next(row for row in table if row[2] / row[1] <= allowed),
        "the share itself": lambda table, allowed: max(w / k for t, k, w in table if w / k <= allowed),
        "the share of right ones": lambda table, allowed: min(t for t, k, w in table if 1 - w / k >= allowed),
    },
    "reading_order": {
        "by the top row": lambda boxes: sorted(range(len(boxes)), key=lambda place: boxes[place][:2]),
        "by the left side": lambda boxes: sorted(range(len(boxes)), key=lambda place: boxes[place][1]),
        "the lower line first": lambda boxes: lines_of([(-t - h, le, h, w) for t, le, h, w in boxes]),
        "from right to left": lambda boxes: lines_of(boxes, turned=True),
        "ranks": lambda boxes: np.argsort(lines_of(boxes)),
        "the first box decides": lambda boxes: lines_of(boxes, bottom_of=0),
        "boxes": lambda boxes: [boxes[place] for place in lines_of(boxes)],
        "by the middle row": lambda boxes: lines_of(boxes, inside=lambda box: 0),
    },
    "ink_in_shadow": {
        "one paper for all": lambda grey, window, least: np.median(grey) - grey >= least,
        "wrapped around": lambda grey, window, least: grey - closing(grey, window) >= least,
        "the lighter pixels": lambda grey, window, least: grey.astype(int) - np.median(grey) > least,
        "an opening": lambda grey, window, least: ndimage.grey_opening(grey, size=(window, window)) - grey >= least,
        "paper": lambda grey, window, least: closing(grey, window) - grey < least,
        "darkness": lambda grey, window, least: closing(grey, window) - grey,
        "more than": lambda grey, window, least: closing(grey, window) - grey > least,
        "the brightest only": lambda grey, window, least: (
            ndimage.maximum_filter(grey, size=(window, window)) - grey >= least
        ),
        "0 and 1": lambda grey, window, least: (closing(grey, window) - grey >= least).astype(int),
        "a window of its own": lambda grey, window, least: closing(grey, 11) - grey >= least,
        "a darkness of its own": lambda grey, window, least: closing(grey, window) - grey >= 30,
    },
    "cost": {
        "the sum": lambda *given: kept_cost(*given) * len(given[0]),
        "over the kept": lambda c, r, t, fee, loss: kept_cost(c, r, t, fee, loss) * len(c) / max((c >= t).sum(), 1),
        "at the threshold refused": lambda c, r, t, fee, loss: ((c <= t) * fee + ((c > t) & ~r) * loss).mean(),
        "refused mistakes paid": lambda c, r, t, fee, loss: ((c < t) * fee + ~r * loss).mean(),
        "the confident refused": lambda c, r, t, fee, loss: ((c >= t) * fee + ((c < t) & ~r) * loss).mean(),
        "right ones refused only": lambda c, r, t, fee, loss: (((c < t) & r) * fee + ((c >= t) & ~r) * loss).mean(),
        "refusing for nothing": lambda c, r, t, fee, loss: (((c >= t) & ~r) * loss).mean(),
        "mistakes for nothing": lambda c, r, t, fee, loss: ((c < t) * fee).mean(),
        "right ones cost": lambda c, r, t, fee, loss: ((c < t) * fee + ((c >= t) & r) * loss).mean(),
    },
    "pieces": {
        "sides only": lambda ink: sorted(flood(ink, FOUR), reverse=True),
        "the paper": lambda ink: sizes_of(~ink),
        "the smallest first": lambda ink: sizes_of(ink)[::-1],
        "how many": lambda ink: len(sizes_of(ink)),
        "all ink together": lambda ink: [ink.sum()],
        "the paper as a piece": lambda ink: sorted([*sizes_of(ink), (~ink).sum()], reverse=True),
        "across the border": wrapped,
        "ink by rows": lambda ink: sorted(filter(None, ink.sum(axis=1)), reverse=True),
    },
}
RIGHT = {
    "choose_threshold": [
        lambda table, allowed: [t for t, kept, wrong in sorted(table) if wrong <= allowed * kept + 1e-9][0],
        lambda table, allowed: np.min([t for t, kept, wrong in table if 1 - wrong / kept >= 1 - allowed - 1e-12]),
    ],
    "reading_order": [
        lines_of,
        order_by_recursion,
        lambda boxes: np.array(lines_of(boxes)),
    ],
    "ink_in_shadow": [
        lambda grey, window, least: closing(grey, window).astype(int) - grey.astype(int) >= least,
        lambda grey, window, least: ndimage.black_tophat(grey, size=(window, window)) >= least,
        lambda grey, window, least: torch.tensor(closing(grey, window)) - torch.tensor(grey) >= least,
        lambda grey, window, least: ~(closing(grey, window) < grey.astype(float) + least),
    ],
    "cost": [
        kept_cost,
        lambda c, r, t, fee, loss: np.where(c < t, fee, np.where(r, 0, loss)).mean(),
    ],
    "pieces": [
        lambda ink: sorted(flood(ink, EIGHT), reverse=True),
        by_merging,
        lambda ink: np.array(sizes_of(ink)),
    ],
}
PROBES = {
    "choose_threshold": lambda function: [
        function(CONFIDENCE_TABLE, allowed) for allowed in (0, 0.001, 0.0025, 0.01, 0.02, 0.04)
    ],
    "reading_order": lambda function: [function(boxes) for boxes in (TWO_LINES, SLOPING, TWO_LINES[::-1])],
    "ink_in_shadow": lambda function: [
        function(SHEET, window, least) for window, least in [(11, 30), (11, 40), (11, 20), (3, 30)]
    ],
    "cost": lambda function: [
        function(CONFIDENCE, RIGHT_ANSWERS, threshold, fee, loss)
        for threshold, fee, loss in [(0.62, 1, 10), (0.9, 2, 7), (0, 1, 10), (1, 3, 5)]
    ],
    "pieces": lambda function: [function(ink) for ink in (SMALL, RING, SCATTERED, np.zeros((4, 4), bool))],
}
