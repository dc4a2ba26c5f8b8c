"""Exercises of 01_data: counting, parsing a file, normalising, one-hot encoding, shuffling, splitting into batches."""

import struct

import numpy as np
import torch

from mnist_helpers.data import MEAN, STD
from mnist_helpers.exercises.core import Chapter, NotYet, array, same

exercises = Chapter("chapter_01")
DIGITS = torch.randint(0, 256, (5, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(3))
LABELS = torch.tensor([3, 1, 3, 0, 3, 9, 1])


@exercises.add(
    "Comparing a tensor with a number gives a tensor of True and False.",
    "True counts as 1 when you add it up: (labels == digit).sum().",
)
def count_class(labels, digit):
    return (labels == digit).sum().item()


@count_class.checker
def check_count_class(ask):
    """Check counts in a short list of labels, including a class that does not occur."""
    wrong = {
        4: "You counted the images that show another digit: != in place of ==?",
        3 / 7: "That is the share of the images. How many are they?",
        9: "You added up the labels themselves; add up where the comparison is True.",
        7: "That is the number of all labels.",
    }
    same(ask(LABELS, 3), 3, wrong)
    same(ask(LABELS, 1), 2, otherwise="Right for the digit 3, but not for another one: is a digit written into it?")
    same(ask(LABELS, 5), 0, otherwise="A class that no image has should be counted as 0.")


@exercises.add(
    "The magic number has four bytes: two zeros, the type of the values, and the number of dimensions.",
    "content[3] is the number of dimensions. Each size takes four bytes more, from byte 4 on.",
    'struct.unpack(">" + "I" * dimensions, content[4 : 4 + 4 * dimensions]) reads them all.',
)
def idx_sizes(content):
    dimensions = content[3]
    return struct.unpack(">" + "I" * dimensions, content[4 : 4 + 4 * dimensions])


def idx_header(*sizes):
    """Return the header of an IDX file, followed by some pixels."""
    return bytes([0, 0, 8, len(sizes)]) + struct.pack(f">{len(sizes)}I", *sizes) + bytes(range(1, 40))


@idx_sizes.checker
def check_idx_sizes(ask):
    """Check the headers of an image file, a label file and a file with two dimensions."""
    images, sizes = idx_header(600, 28, 20), (600, 28, 20)
    little_endian = struct.unpack("<III", images[4:16])
    wrong = [
        (little_endian, "These are the sizes with their bytes read backwards: the largest comes first, > in struct."),
        ((2051, *sizes), "The first number is the magic number. It says what follows, but is no size."),
        ((8, 3, *sizes), "The first two numbers belong to the magic number, which is no size."),
        ((2051, 600, 28), "You began four bytes too early: bytes 0 to 3 are the magic number."),
    ]
    same(ask(images), sizes, wrong)
    labels = ask(idx_header(600))
    if array(labels).size == 3:
        raise NotYet("A file of labels has one dimension only: read their number, content[3], from the file.")
    same(labels, (600,), otherwise="Right for a file of images, but a file of labels has one size only: [600].")
    same(ask(idx_header(70_000, 5)), (70_000, 5), otherwise="Right for one and three dimensions, but not for two.")


@exercises.add(
    "Three things: make floats of the numbers, scale them, and add the channel.",
    "Divide by 255 first: the two constants of normalisation are for pixels in 0..1.",
    "((images.float() / 255 - 0.1307) / 0.3081).unsqueeze(1)",
)
def to_network(images):
    return ((images.float() / 255 - 0.1307) / 0.3081).unsqueeze(1)


@to_network.checker
def check_to_network(ask):
    """Check five random images and one that is completely black."""
    scaled = DIGITS.double() / 255
    right = ((scaled - MEAN) / STD).unsqueeze(1)
    wrong = [
        (DIGITS.unsqueeze(1), "The numbers are still 0 to 255: scale and normalise them."),
        (
            scaled.unsqueeze(1),
            "The numbers are in 0..1, but not normalised: subtract the mean, divide by the spread.",
        ),
        ((right - MEAN) / STD, "Normalised twice: the mean of your pixels is far from 0. Once is enough."),
        (((DIGITS.double() - MEAN) / STD).unsqueeze(1), "Divide by 255 first: the constants are for pixels in 0..1."),
        ((scaled - MEAN / STD).unsqueeze(1), "Parentheses: subtract the mean first, then divide the difference."),
        (((scaled - STD) / MEAN).unsqueeze(1), "Mean and standard deviation have changed places."),
        (right.squeeze(1), "The numbers are right, but the channel is missing: [N, 1, 28, 28]."),
        (right.squeeze(1)[None], "The channel stands in the wrong place: [N, 1, 28, 28], not [1, N, 28, 28]."),
    ]
    same(ask(DIGITS), right, wrong)
    same(ask(torch.zeros(1, 28, 28, dtype=torch.uint8)), np.full((1, 1, 28, 28), -MEAN / STD))


@exercises.add(
    "Start with zeros of shape [N, 10]. One number a row becomes 1.",
    "Row n of the answer is row labels[n] of the 10 by 10 unit matrix.",
    "torch.eye(10)[labels]",
)
def one_hot(labels):
    return torch.eye(10)[labels]


@one_hot.checker
def check_one_hot(ask):
    """Check several labels, without some of the classes, and a single label."""
    right = np.eye(10)[LABELS]
    wrong = [
        (right.T, "Rows and columns have changed places: one row an image, one column a class."),
        (np.eye(10)[[3, 1, 0, 9]], "A label that occurs twice needs two rows."),
        (np.eye(10)[LABELS - 1], "Shifted by one: class 0 is the first column."),
        (1 - right, "0 and 1 have changed places."),
        (right * LABELS[:, None].numpy(), "Each row holds the label; one-hot holds a 1, whatever the class."),
    ]
    same(ask(LABELS), right, wrong)
    same(ask(torch.tensor([9])), np.eye(10)[[9]], otherwise="Right for many labels, but not for a single one.")


@exercises.add(
    "An image and its label must move together.",
    "Make one random order of the numbers 0 to N - 1 with torch.randperm, and use it twice.",
    "order = torch.randperm(len(images)), then images[order] and labels[order].",
)
def shuffled(images, labels):
    order = torch.randperm(len(images))
    return images[order], labels[order]


@shuffled.checker
def check_shuffled(ask):
    """Check fifty images whose index is stored in a pixel, shuffled twice."""
    images = torch.zeros(50, 28, 28)
    images[:, 0, 0] = torch.arange(50)
    labels = torch.arange(50) + 100
    results = [_pair(ask(images, labels)) for _ in range(2)]
    for numbers, new_labels in results:
        kept = set(numbers) == set(range(50)), set(new_labels) == set(range(100, 150))
        if len(numbers) != 50 or len(new_labels) != 50:
            raise NotYet(f"{len(numbers)} images and {len(new_labels)} labels came back; 50 of each went in.")
        if not all(kept):
            raise NotYet("Some came back twice and others not at all: draw an order without repetition (randperm).")
        if not np.array_equal(numbers + 100, new_labels):
            _explain_mismatch(numbers, new_labels)
    if np.array_equal(results[0][0], np.arange(50)):
        raise NotYet("Images and labels fit each other, but are in the old order.")
    if np.array_equal(results[0][0], results[1][0]):
        raise NotYet("The order is the same each time: do not set a seed inside the function.")


def _pair(result, expected="Two things should come back: the images [N, 28, 28] and the labels [N]."):
    """Return the indices of the returned images, and the returned labels."""
    try:
        images, labels = result
        return array(images)[:, 0, 0], array(labels)
    except (TypeError, ValueError, IndexError):
        raise NotYet(expected) from None


def _explain_mismatch(numbers, labels):
    if np.array_equal(labels, np.arange(100, 150)):
        raise NotYet("The images are shuffled, their labels are not: nothing can be learnt from such pairs.")
    if np.array_equal(numbers, np.arange(50)):
        raise NotYet("The labels are shuffled, their images are not: nothing can be learnt from such pairs.")
    raise NotYet("Images and labels are shuffled by two different orders: draw one order and use it for both.")


@exercises.add(
    "range(0, N, size) gives the place where each batch begins.",
    "A slice that ends behind the last element ends at the last element: the smaller batch needs no special case.",
    "[(images[start : start + size], labels[start : start + size]) for start in range(0, len(images), size)]",
)
def batches(images, labels, size):
    starts = range(0, len(images), size)
    return [(images[start : start + size], labels[start : start + size]) for start in starts]


EACH_BATCH = "Each batch should be a pair: its images [n, 28, 28] and its labels [n]."


@batches.checker
def check_batches(ask):
    """Check ten images in batches of 4, 5, 1 and 64."""
    images, labels = torch.arange(10.0).reshape(10, 1, 1).expand(10, 28, 28), torch.arange(10)
    for size in [4, 5, 1, 64]:
        found = [_pair(batch, EACH_BATCH) for batch in _listed(ask(images, labels, size))]
        lengths = [len(numbers) for numbers, _ in found]
        expected = [len(part) for part in labels.split(size)]
        if lengths != expected:
            _explain_lengths(lengths, expected, size)
        for place, values in enumerate(zip(*found)):
            same(np.concatenate(values), labels, otherwise=f"The {['images', 'labels'][place]} are not in their order.")


def _listed(result):
    try:
        return list(result)  # a generator is accepted as well
    except TypeError:
        raise NotYet(f"A list of batches was expected, but {type(result).__name__} came back.") from None


def _explain_lengths(lengths, expected, size):
    if lengths == [n for n in expected if n == size]:
        raise NotYet("The last, smaller batch is missing: its images would never be learnt from.")
    if sum(lengths) > sum(expected):
        raise NotYet(f"Batches of {size} overlap: {sum(lengths)} images came out of {sum(expected)}.")
    raise NotYet(f"10 images in batches of {size} make batches of {expected}; yours have {lengths}.")
