"""01_data: the misconceptions that the checkers know, right answers in other styles, and probes for the mutants."""

import struct

import numpy as np
import torch
from torch.utils.data import DataLoader, TensorDataset

from mnist_helpers.exercises.chapter_01 import DIGITS, LABELS, blurred_classes, exercises, idx_header  # noqa: F401

# exercise: {misconception: what a student who holds it writes}
WRONG = {
    "count_class": {
        "share in place of count": lambda labels, digit: (labels == digit).float().mean(),
        "the other classes counted": lambda labels, digit: (labels != digit).sum(),
        "labels added up": lambda labels, digit: labels[labels == digit].sum(),
        "all labels counted": lambda labels, digit: len(labels),
        "one digit written into it": lambda labels, digit: (labels == 3).sum(),
        "a class above the largest label": lambda labels, digit: torch.bincount(labels)[digit],
        "an absent class counted once": lambda labels, digit: max(1, (labels == digit).sum()),
    },
    "one_hot": {
        "transposed": lambda labels: torch.eye(10)[labels].T,
        "one row a class": lambda labels: torch.eye(10)[list(dict.fromkeys(labels.tolist()))],
        "shifted by one": lambda labels: torch.eye(10)[labels - 1],
        "inverted": lambda labels: 1 - torch.eye(10)[labels],
        "the label in place of 1": lambda labels: torch.eye(10)[labels] * labels[:, None],
        "columns up to the largest label": torch.nn.functional.one_hot,  # as torch.eye(labels.max() + 1)[labels]
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
        "mean of the batch": lambda images: ((images.float() - images.float().mean()) / images.float().std())[:, None],
    },
    "idx_sizes": {
        "little-endian": lambda content: np.frombuffer(content[4 : 4 + 4 * content[3]], "<u4"),
        "magic number taken for a size": lambda content: np.frombuffer(content[: 4 + 4 * content[3]], ">u4"),
        "begun at byte 0": lambda content: np.frombuffer(content[: 4 * content[3]], ">u4"),
        "always three sizes": lambda content: np.frombuffer(content[4:16], ">u4"),
        "two bytes of four": lambda content: [256 * content[4 * n + 6] + content[4 * n + 7] for n in range(content[3])],
        "three bytes of four": lambda content: [
            int.from_bytes(content[4 * n + 5 : 4 * n + 8], "big") for n in range(content[3])
        ],
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
        "as many batches, of about one size": lambda images, labels, size: list(
            zip(images.chunk(-(-len(images) // size)), labels.chunk(-(-len(labels) // size)))
        ),
        "ten images expected": lambda images, labels, size: [
            (images[i : i + size], labels[i : i + size]) for i in range(0, 10, size)
        ],
    },
    "mixed_batches": {
        "as it was given": lambda images, labels, size: list(
            (images[chosen], labels[start : start + size])
            for order in [torch.randint(len(images), (len(images),))]
            for start in range(0, len(images) - size, size)
            for chosen in [order[start : start + size]]
        ),
        "drawn with repetition": lambda images, labels, size: [
            (images[chosen], labels[chosen]) for chosen in torch.zeros(len(images), dtype=int).split(size)
        ],
        "labels in the old order": lambda images, labels, size: list(
            zip(images[torch.randperm(len(images))].split(size), labels.split(size))
        ),
        "batches in random order, images in the old one": lambda images, labels, size: (
            [(images[chosen], labels[chosen]) for chosen in groups(len(images), size).split(size)]
        ),
        "not mixed": lambda images, labels, size: list(zip(images.split(size), labels.split(size))),
    },
    "nearest_mean": {
        "distances": lambda images, labels, new: torch.cdist(new.flatten(1), class_means(images, labels)),
        "farthest mean": lambda images, labels, new: torch.cdist(new.flatten(1), class_means(images, labels)).argmax(1),
        "smallest distance": lambda images, labels, new: torch.cdist(new.flatten(1), class_means(images, labels)).amin(
            1
        ),
        "nearest image": lambda images, labels, new: labels[
            torch.cdist(new.flatten(1), images.flatten(1)).argmin(dim=1)
        ],
        "sums": lambda images, labels, new: torch.cdist(
            new.flatten(1), torch.stack([images[labels == d].sum(0).flatten() for d in range(10)])
        ).argmin(1),
        "differences not squared": lambda images, labels, new: torch.cdist(
            new.flatten(1), class_means(images, labels), p=1
        ).argmin(1),
        "one mean for each new image": lambda images, labels, new: torch.cdist(
            class_means(images, labels), new.flatten(1)
        ).argmin(1),
    },
}


def class_means(images, labels):
    return torch.stack([images[labels == digit].mean(dim=0).flatten() for digit in range(10)])


def order_by(draw):
    """A function that puts images and labels into the order that `draw(n)` gives at each call."""

    def answer(images, labels):
        order = draw(len(images))
        return images[order], labels[order]

    return answer


def swapped(n):
    order, (one, other) = torch.arange(n), torch.randperm(n)[:2].tolist()
    order[[one, other]] = order[[other, one]]
    return order


def groups(n, size=4):
    parts = torch.arange(n).split(size)
    return torch.cat([parts[place] for place in torch.randperm(len(parts)).tolist()])


# Orders that are new at each call, and yet no shuffling; several share one message
HARDLY_SHUFFLED = {
    "rolled": lambda n: torch.arange(n).roll(torch.randint(1, n, ()).item()),
    "rolled backwards": lambda n: torch.arange(n).flip(0).roll(torch.randint(1, n, ()).item()),
    "one swap": swapped,
    "groups of four": groups,
    "pairs": lambda n: groups(n, 2),
    "mixed within groups of four": lambda n: torch.cat(
        [part[torch.randperm(len(part))] for part in torch.arange(n).split(4)]
    ),
    "the first stays": lambda n: torch.cat([torch.zeros(1, dtype=int), 1 + torch.randperm(n - 1)]),
    "the last stays": lambda n: torch.cat([torch.randperm(n - 1), torch.tensor([n - 1])]),
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


def nearest_in_numpy(images, labels, new):
    distances = [np.linalg.norm(images[labels == digit].mean(axis=0) - new) for digit in range(10)]
    return int(np.argmin(distances))


RIGHT = {
    "count_class": [loop_count, lambda labels, digit: int(torch.bincount(labels, minlength=10)[digit])],
    "one_hot": [filled_one_hot, lambda labels: torch.nn.functional.one_hot(labels, 10)],
    "to_network": [
        lambda images: ((images.numpy().astype("float64") / 255 - 0.1307) / 0.3081)[:, None],
        lambda images: (images[:, None].double() - 255 * 0.1307) / (255 * 0.3081),
        lambda images: ((images.double() / 255 - 0.13066048) / 0.30810780).unsqueeze(1),  # not rounded
    ],
    "idx_sizes": [
        read_sizes,
        lambda content: struct.unpack(">" + "I" * content[3], content[4 : 4 + 4 * content[3]]),
        lambda content: np.frombuffer(content[4 : 4 + 4 * content[3]], ">u4"),
    ],
    "shuffled": [shuffled_arrays, one_by_one],
    "batches": [yielded, lambda images, labels, size: list(zip(images.split(size), labels.split(size)))],
    "mixed_batches": [
        lambda images, labels, size: yielded(*one_by_one(images, labels), size),
        lambda images, labels, size: list(
            DataLoader(TensorDataset(images.contiguous(), labels), batch_size=size, shuffle=True)
        ),
    ],
    "nearest_mean": [
        lambda images, labels, new: [nearest_in_numpy(images.numpy(), labels.numpy(), one) for one in new.numpy()],
        lambda images, labels, new: ((new[:, None].flatten(2) - class_means(images, labels)) ** 2).sum(2).argmin(1),
    ],
}


def probe_shuffled(function):
    torch.manual_seed(0)
    images, labels = function(torch.arange(50.0).reshape(50, 1, 1).expand(50, 28, 28), torch.arange(50) + 100)
    return [images[:, 0, 0], labels]


def probe_batches(function, sizes):
    torch.manual_seed(0)
    images, labels = torch.arange(10.0).reshape(10, 1, 1).expand(10, 28, 28), torch.arange(10)
    pairs = [pair for size in sizes for pair in function(images, labels, size)]
    return [part[:, 0, 0] if part.ndim > 1 else part for pair in pairs for part in pair]


# exercise: what a function gives on many inputs; two functions with equal results behave alike
PROBES = {
    "count_class": lambda function: [function(LABELS, digit) for digit in range(10)],
    "one_hot": lambda function: [function(LABELS), function(LABELS[:1]), function(torch.arange(10))],
    "to_network": lambda function: [function(DIGITS), function(DIGITS[:1])],
    "idx_sizes": lambda function: [
        value for sizes in [(600, 28, 20), (600,), (70_000, 5), (1, 2, 3, 4)] for value in function(idx_header(*sizes))
    ],
    "shuffled": probe_shuffled,
    "batches": lambda function: probe_batches(function, [1, 3, 4, 5, 10, 64]),
    "mixed_batches": lambda function: probe_batches(function, [1, 4, 5, 64]),
    "nearest_mean": lambda function: [function(*blurred_classes())],
}
