"""01_data: the misconceptions that the checkers know, right answers in other styles, and probes for the mutants."""

import numpy as np
import torch

from mnist_helpers.exercises.chapter_01 import DIGITS, LABELS, exercises, idx_header  # noqa: F401

# exercise: {misconception: what a student who holds it writes}
WRONG = {
    "count_class": {
        "share in place of count": lambda labels, digit: (labels == digit).float().mean(),
        "the other classes counted": lambda labels, digit: (labels != digit).sum(),
        "labels added up": lambda labels, digit: labels[labels == digit].sum(),
        "all labels counted": lambda labels, digit: len(labels),
        "one digit written into it": lambda labels, digit: (labels == 3).sum(),
    },
    "idx_sizes": {
        "little-endian": lambda content: np.frombuffer(content[4 : 4 + 4 * content[3]], "<u4"),
        "magic number taken for a size": lambda content: np.frombuffer(content[: 4 + 4 * content[3]], ">u4"),
        "begun at byte 0": lambda content: np.frombuffer(content[: 4 * content[3]], ">u4"),
        "always three sizes": lambda content: np.frombuffer(content[4:16], ">u4"),
    },
    "to_network": {
        "normalisation forgotten": lambda images: (images / 255).unsqueeze(1),
        "nothing but the channel": lambda images: images.unsqueeze(1),
        "normalised twice": lambda images: (((images / 255 - 0.1307) / 0.3081 - 0.1307) / 0.3081).unsqueeze(1),
        "not divided by 255": lambda images: ((images - 0.1307) / 0.3081).unsqueeze(1),
        "parentheses": lambda images: (images / 255 - 0.1307 / 0.3081).unsqueeze(1),
        "mean and deviation swapped": lambda images: ((images / 255 - 0.3081) / 0.1307).unsqueeze(1),
        "channel forgotten": lambda images: (images / 255 - 0.1307) / 0.3081,
        "channel before the batch": lambda images: ((images / 255 - 0.1307) / 0.3081)[None],
    },
    "one_hot": {
        "transposed": lambda labels: torch.eye(10)[labels].T,
        "one row a class": lambda labels: torch.eye(10)[list(dict.fromkeys(labels.tolist()))],
        "shifted by one": lambda labels: torch.eye(10)[labels - 1],
        "inverted": lambda labels: 1 - torch.eye(10)[labels],
        "the label in place of 1": lambda labels: torch.eye(10)[labels] * labels[:, None],
    },
    "shuffled": {
        "labels left behind": lambda images, labels: (images[torch.randperm(len(images))], labels),
        "images left behind": lambda images, labels: (images, labels[torch.randperm(len(labels))]),
        "two orders": lambda images, labels: (images[torch.randperm(len(images))], labels[torch.randperm(len(labels))]),
        "drawn with repetition": lambda images, labels: (images[order := torch.randint(50, (50,))], labels[order]),
        "not shuffled": lambda images, labels: (images, labels),
        "the same order each time": lambda images, labels: (images.flip(0), labels.flip(0)),
    },
    "batches": {
        "last batch dropped": lambda images, labels, size: [
            (images[i : i + size], labels[i : i + size]) for i in range(0, len(images) - size + 1, size)
        ],
        "overlapping": lambda images, labels, size: [
            (images[i : i + size], labels[i : i + size]) for i in range(len(images))
        ],
        "images alone": lambda images, labels, size: images.split(size),
        "labels of the wrong batch": lambda images, labels, size: list(
            zip(images.split(size), labels.flip(0).split(size))
        ),
    },
}


def loop_count(labels, digit):
    count = 0
    for label in labels:
        if label == digit:
            count += 1
    return count


def read_sizes(content):
    return [int.from_bytes(content[4 * n : 4 * n + 4], "big") for n in range(1, content[3] + 1)]


def filled_one_hot(labels):
    rows = np.zeros((len(labels), 10))
    rows[np.arange(len(labels)), labels.numpy()] = 1
    return rows


def shuffled_arrays(images, labels):
    order = np.random.permutation(len(images))
    return images.numpy()[order], labels.numpy()[order]


def one_by_one(images, labels):
    pairs = [(images[n], labels[n]) for n in torch.randperm(len(images)).tolist()]
    return torch.stack([image for image, _ in pairs]), torch.stack([label for _, label in pairs])


def yielded(images, labels, size):
    for start in range(0, len(images), size):
        yield images[start : start + size], labels[start : start + size]


RIGHT = {
    "count_class": [loop_count, lambda labels, digit: int(torch.bincount(labels, minlength=10)[digit])],
    "idx_sizes": [read_sizes, lambda content: np.frombuffer(content[4 : 4 + 4 * content[3]], ">u4")],
    "to_network": [
        lambda images: ((images.numpy().astype("float64") / 255 - 0.1307) / 0.3081)[:, None],
        lambda images: (images[:, None].double() - 255 * 0.1307) / (255 * 0.3081),
    ],
    "one_hot": [filled_one_hot, lambda labels: torch.nn.functional.one_hot(labels, 10)],
    "shuffled": [shuffled_arrays, one_by_one],
    "batches": [yielded, lambda images, labels, size: list(zip(images.split(size), labels.split(size)))],
}


def probe_shuffled(function):
    torch.manual_seed(0)
    images, labels = function(torch.arange(50.0).reshape(50, 1, 1).expand(50, 28, 28), torch.arange(50) + 100)
    return [images[:, 0, 0], labels]


# exercise: what a function gives on many inputs; two functions with equal results behave alike
PROBES = {
    "count_class": lambda function: [function(LABELS, digit) for digit in range(10)],
    "idx_sizes": lambda function: [
        value for sizes in [(600, 28, 20), (600,), (70_000, 5), (1, 2, 3, 4)] for value in function(idx_header(*sizes))
    ],
    "to_network": lambda function: [function(DIGITS), function(DIGITS[:1])],
    "one_hot": lambda function: [function(LABELS), function(LABELS[:1]), function(torch.arange(10))],
    "shuffled": probe_shuffled,
    "batches": lambda function: [
        part[:, 0, 0] if part.ndim > 1 else part
        for size in [1, 3, 4, 5, 10, 64]
        for batch in function(torch.arange(10.0).reshape(10, 1, 1).expand(10, 28, 28), torch.arange(10), size)
        for part in batch
    ],
}
