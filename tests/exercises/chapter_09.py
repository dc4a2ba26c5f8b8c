"""09_deployment: the misconceptions that the checkers know, right answers in other styles, probes for the mutants."""

import numpy as np
import torch

from mnist_helpers.exercises.chapter_09 import (
    ACTIVATIONS,
    CONFIDENCE,
    LOGITS,
    ONE,
    OTHER,
    VALUES,
    WEIGHT,
    exercises,  # noqa: F401
    random_array,
    random_probabilities,
)
from mnist_helpers.exercises.chapter_09 import (
    RIGHT as RIGHT_ANSWERS,
)


def parity_by_loop(one, other):
    largest, changed = 0.0, 0
    for row, found in zip(one, other):
        largest = max(largest, max(abs(a - b) for a, b in zip(row, found)))
        changed += int(np.argmax(row)) != int(np.argmax(found))
    return largest, changed


def powers(logits):
    return np.exp(logits)


def naive_softmax(logits):
    return powers(logits) / powers(logits).sum(axis=1, keepdims=True)


def shifted_by_all(logits):
    moved = np.exp(logits - logits.max())
    with np.errstate(all="ignore"):
        return moved / moved.sum(axis=1, keepdims=True)


def shifted_by_smallest(logits):
    return naive_softmax(logits - logits.min(axis=1, keepdims=True))


def quiet(function):
    """The same function without NumPy's warnings."""

    def silent(*arguments):
        with np.errstate(all="ignore"):
            return function(*arguments)

    return silent


def whole(values, scale, zero_point):
    return np.rint(values / scale) + zero_point


def kept_cost(confidence, right, threshold, of_refusal, of_mistake):
    total = 0
    for sure, good in zip(confidence, right):
        total += of_refusal if sure < threshold else 0 if good else of_mistake
    return total / len(confidence)


def product(images, weight, rounding=np.rint, kind=np.int32, which=(0, 1), back=(0, 1), steps=127):
    arrays, scales = [images, weight], [np.abs(values).max() / steps for values in (images, weight)]
    for index in which:
        arrays[index] = rounding(arrays[index] / scales[index]).astype(kind)
    result = arrays[0] @ arrays[1].T
    for index in back:
        result = result * scales[index]
    return result


WRONG = {
    "parity": {
        "the other order": lambda one, other: parity_by_loop(one, other)[::-1],
        "the same predictions counted": lambda a, b: (np.abs(a - b).max(), (a.argmax(1) == b.argmax(1)).sum()),
        "a share": lambda a, b: (np.abs(a - b).max(), (a.argmax(1) != b.argmax(1)).mean()),
        "along the images": lambda a, b: (np.abs(a - b).max(), (a.argmax(0) != b.argmax(0)).sum()),
        "numbers that differ": lambda a, b: (np.abs(a - b).max(), (a != b).sum()),
        "the mean difference": lambda a, b: (np.abs(a - b).mean(), (a.argmax(1) != b.argmax(1)).sum()),
        "without abs": lambda a, b: ((a - b).max(), (a.argmax(1) != b.argmax(1)).sum()),
    },
    "softmax": {
        "over all numbers": lambda logits: powers(logits) / powers(logits).sum(),
        "over the images": lambda logits: powers(logits) / powers(logits).sum(axis=0),
        "its logarithm": lambda logits: np.log(naive_softmax(logits)),
        "powers alone": powers,
        "divided by the largest": lambda logits: powers(logits) / powers(logits).max(axis=1, keepdims=True),
        "without powers": lambda logits: logits / logits.sum(axis=1, keepdims=True),
        "naive": quiet(naive_softmax),
        "the largest of all rows subtracted": quiet(shifted_by_all),
        "the smallest subtracted": quiet(shifted_by_smallest),
    },
    "quantise": {
        "without the zero point": lambda values, scale, zero: np.rint(values / scale),
        "cut off": lambda values, scale, zero: (values / scale + zero).astype(int),
        "multiplied": lambda values, scale, zero: np.rint(values * scale) + zero,
        "the zero point before the scale": lambda values, scale, zero: np.rint((values + zero) / scale),
        "the zero point subtracted": lambda values, scale, zero: np.clip(whole(values, scale, -zero), 0, 255),
        "not rounded": lambda values, scale, zero: values / scale + zero,
        "and back": lambda values, scale, zero: (whole(values, scale, zero) - zero) * scale,
        "wrapped": lambda values, scale, zero: whole(values, scale, zero).astype(int) % 256,
        "not clipped": whole,
        "with a sign": lambda values, scale, zero: np.clip(whole(values, scale, zero), -128, 127),
        "too wide": lambda values, scale, zero: np.clip(whole(values, scale, zero), 0, 255).astype(int),
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
    "whole_number_product": {
        "exact": lambda images, weight: images @ weight.T,
        "turned": lambda images, weight: product(images, weight).T,
        "no way back": lambda images, weight: product(images, weight, back=()),
        "the weight's scale missing": lambda images, weight: product(images, weight, back=(0,)),
        "the images' scale missing": lambda images, weight: product(images, weight, back=(1,)),
        "cut off": lambda images, weight: product(images, weight, rounding=np.trunc),
        "8 bits throughout": lambda images, weight: product(images, weight, kind=np.int8),
        "the images alone": lambda images, weight: product(images, weight, which=(0,), back=(0,)),
        "the weight alone": lambda images, weight: product(images, weight, which=(1,), back=(1,)),
        "255 steps": lambda images, weight: product(images, weight, steps=255),
    },
}
RIGHT = {
    "parity": [
        parity_by_loop,
        lambda one, other: [float(abs(one - other).max()), int(np.sum(one.argmax(-1) != other.argmax(-1)))],
    ],
    "softmax": [
        lambda logits: torch.from_numpy(logits).log_softmax(dim=1).exp().numpy(),
        lambda logits: torch.from_numpy(logits).softmax(dim=1),
    ],
    "quantise": [
        lambda values, scale, zero: np.uint8(np.minimum(np.maximum(np.round(values / scale) + zero, 0), 255)),
        lambda values, scale, zero: np.rint(values / scale + zero).clip(0, 255).astype("uint8"),
    ],
    "cost": [
        kept_cost,
        lambda c, r, t, fee, loss: np.where(c < t, fee, np.where(r, 0, loss)).mean(),
    ],
    "whole_number_product": [
        product,
        lambda images, weight: product(images, weight, kind=np.int64),
        lambda images, weight: torch.from_numpy(product(images, weight, kind=np.float64)),
    ],
}
PROBES = {
    "parity": lambda function: [
        value for pair in [(ONE, OTHER), (OTHER, ONE), (ONE, ONE)] for value in function(*pair)
    ],
    "softmax": lambda function: [
        function(logits) for logits in [LOGITS, LOGITS * 300, LOGITS + 1000, random_array(3, 10, seed=9) - 1000]
    ],
    "quantise": lambda function: [
        function(values, scale, zero)
        for values, scale, zero in [(VALUES, 0.1, 100), (VALUES * 20, 0.1, 100), (VALUES, 0.03, 7), (VALUES, 0.5, 0)]
    ],
    "cost": lambda function: [
        function(CONFIDENCE, RIGHT_ANSWERS, threshold, fee, loss)
        for threshold, fee, loss in [(0.62, 1, 10), (0.9, 2, 7), (0, 1, 10), (1, 3, 5)]
    ],
    "whole_number_product": lambda function: [
        function(images, weight)
        for images, weight in [
            (ACTIVATIONS, WEIGHT),
            (-np.abs(ACTIVATIONS[:1]), WEIGHT * 7),
            (random_probabilities(3, seed=2), random_probabilities(4, seed=3)),
        ]
    ],
}
