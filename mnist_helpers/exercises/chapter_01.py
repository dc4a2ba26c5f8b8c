"""Exercises of 01_data: counting, encoding, normalising, parsing a file, batches, a loader with bugs, a classifier."""

import struct

import numpy as np
import torch

from mnist_helpers._support.translation import say
from mnist_helpers.data import MEAN, STD
from mnist_helpers.exercises.comparing import array, same
from mnist_helpers.exercises.core import Chapter
from mnist_helpers.exercises.judging import NotYet

exercises = Chapter("chapter_01")
DIGITS = torch.randint(0, 256, (5, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(3))
LABELS = torch.tensor([3, 1, 3, 0, 3, 9, 1])
SHUFFLES = 20  # calls of a function that shuffles


@exercises.add(
    "Comparing a tensor with a number gives a tensor of True and False.",
    "True counts as 1 and False as 0 when you add them up.",
)
def count_class(labels, digit):
    # labels == digit is True where an image shows the digit; the sum counts the Trues, also if there are none
    return (labels == digit).sum().item()


@count_class.checker
def check_count_class(ask):
    """Check counts in a short list of labels, and a class that no image has."""
    for digit, count in [(3, 3), (1, 2), (5, 0)]:
        share = {count / 7: "That is the share of the images. How many are they?"} if count else {}
        same(
            ask(LABELS, digit),
            count,
            share,
            given=say("the labels {labels} and the digit {digit}", labels=LABELS.tolist(), digit=digit),
        )
    labels = LABELS[:4]
    given = say("the labels {labels} and the digit 9", labels=labels.tolist())
    try:
        found = ask(labels, 9)
    except NotYet as error:
        reason = str(error)
        reason = reason[0].upper() + reason[1:]
        raise NotYet("For {given}, the answer is 0. {reason}", given=given, reason=reason) from None
    same(found, 0, given=given)


@exercises.add(
    "Start with zeros of shape [N, 10]. One number in each row becomes 1.",
    "Row 3 of torch.eye(10) is the one-hot row of class 3. You can pick several rows at once.",
)
def one_hot(labels):
    # Row d of the unit matrix is the one-hot vector of class d. There are always ten columns, whatever labels occur.
    return torch.eye(10)[labels]


@one_hot.checker
def check_one_hot(ask):
    """Check several labels, labels without a 9, and a single label."""
    right = np.eye(10)[LABELS]
    wrong = [
        (right.T, "Rows and columns have changed places: you need one row for each image, one column for each class."),
        (np.eye(10)[[3, 1, 0, 9]], "A label that occurs twice needs two rows."),
        (np.eye(10)[LABELS - 1], "Each 1 stands one column too far to the left: class 0 is the first column."),
        (1 - right, "0 and 1 have changed places."),
        (right * LABELS[:, None].numpy(), "Each row holds the label. One-hot holds a 1, whatever the class."),
    ]
    same(ask(LABELS), right, wrong)
    few = torch.tensor([3, 1, 3, 0])
    same(ask(few), np.eye(10)[few], otherwise="Every row needs ten numbers.", given="the labels [3, 1, 3, 0]")
    same(ask(torch.tensor([9])), np.eye(10)[[9]], given="a single label, [9]")


@exercises.add(
    "There are three steps: turn integers into floats from 0 to 1, normalise, and add the axis of the channel.",
    "Divide by 255 first. The two constants of normalisation are meant for pixels from 0 to 1.",
    "The figure of the pixels' brightness has both formulas in its code. unsqueeze(1) adds the axis.",
)
def to_network(images):
    # The constants are those of the training set, for all images alike; unsqueeze(1) turns [N, 28, 28] into [N, 1, ...]
    return ((images.float() / 255 - 0.1307) / 0.3081).unsqueeze(1)


@to_network.checker
def check_to_network(ask):
    """Check five random images and one that is completely black. The unrounded constants are right as well."""
    scaled = DIGITS.double() / 255
    right = ((scaled - MEAN) / STD).unsqueeze(1)
    own = ((scaled - scaled.mean()) / scaled.std()).unsqueeze(1)
    wrong = [
        (DIGITS.unsqueeze(1), "The numbers are still 0 to 255: divide and normalise them."),
        (scaled.unsqueeze(1), "The numbers run from 0 to 1, but they are not normalised yet."),
        ((right - MEAN) / STD, "These images were normalised twice. Once is enough."),
        (((DIGITS.double() - MEAN) / STD).unsqueeze(1), "Divide by 255 first: the constants are for pixels in 0..1."),
        ((scaled - MEAN / STD).unsqueeze(1), "Parentheses: subtract the mean first, then divide the difference."),
        (((scaled - STD) / MEAN).unsqueeze(1), "Mean and standard deviation have changed places."),
        (own, "You took the mean and the deviation of the images that were passed. Take those of the training set."),
        (right.squeeze(1), "The numbers are right, but the axis of the channel is missing: [N, 1, 28, 28]."),
        (right.squeeze(1)[None], "The channel is in the wrong place: [N, 1, 28, 28] was expected, not [1, N, 28, 28]."),
    ]
    _close(ask(DIGITS), right, wrong)
    black = torch.zeros(1, 28, 28, dtype=torch.uint8)
    _close(ask(black), np.full((1, 1, 28, 28), -MEAN / STD), given="one black image")


def _close(got, right, wrong=(), given=""):
    """Do the same as `same`, but allow for a mean and a deviation with more than four decimals."""
    found = array(got)
    if found.shape != right.shape or not np.allclose(found, right, atol=2e-3):
        same(got, right, wrong, given=given)


@exercises.add(
    "Byte 3 is the number of sizes. The first size begins at byte 4, and each size takes four bytes.",
    'int.from_bytes(content[4:8], "big") reads the first size, and the second one is in content[8:12].',
    "A loop over range(content[3]) goes through all sizes. Size n begins at byte 4 + 4 * n.",
    stars=2,
)
def idx_sizes(content):
    # Size n begins at byte 4 + 4 * n. It takes four bytes, and the first of them counts most ("big").
    starts = range(4, 4 + 4 * content[3], 4)
    return [int.from_bytes(content[start : start + 4], "big") for start in starts]


def idx_header(*sizes):
    """Return the header of an IDX file, followed by some pixels."""
    return bytes([0, 0, 8, len(sizes)]) + struct.pack(f">{len(sizes)}I", *sizes) + bytes(range(1, 40))


@idx_sizes.checker
def check_idx_sizes(ask):
    """Check the headers of an image file, a label file and a file with two sizes."""
    images, sizes = idx_header(600, 28, 20), (600, 28, 20)
    little_endian = struct.unpack("<III", images[4:16])
    wrong = [
        (little_endian, "These are the sizes with their bytes read backwards: the byte that counts most comes first."),
        ((2051, *sizes), "The first number is the magic number, which is no size."),
        ((8, 3, *sizes), "The first two numbers belong to the magic number, which is no size."),
        ((2051, 600, 28), "You began four bytes too early: bytes 0 to 3 are the magic number."),
    ]
    same(ask(images), sizes, wrong, given="a file of 600 images with 28 rows and 20 columns")
    for sizes in [(600,), (20_000_000, 5)]:
        given = "a file with 1 size" if len(sizes) == 1 else "a file with {count} sizes"
        byte = say("Byte 3 is {count} here.", count=len(sizes))
        same(ask(idx_header(*sizes)), sizes, otherwise=byte, given=say(given, count=len(sizes)))


@exercises.add(
    "An image and its label must move together.",
    "torch.randperm(n) gives the numbers 0 to n - 1 in a random order. You need one such order, and use it twice.",
    stars=2,
)
def shuffled(images, labels):
    # One order for both keeps each image beside its label. randperm draws every place exactly once.
    order = torch.randperm(len(images))
    return images[order], labels[order]


@shuffled.checker
def check_shuffled(ask):
    """Check fifty images whose index is stored in a pixel, shuffled many times."""
    images = torch.zeros(50, 28, 28)
    images[:, 0, 0] = torch.arange(50)
    labels = torch.arange(50) + 100
    orders = np.stack([_order(_pair(ask(images, labels))) for _ in range(SHUFFLES)])
    if (orders == np.arange(50)).all():
        raise NotYet("Images and labels fit each other, but they are in the old order.")
    if (orders == orders[0]).all():
        raise NotYet(
            "In {shuffles} calls the order was the same each time. Is a seed set inside the function?",
            shuffles=SHUFFLES,
        )
    _check_random(orders)


def _order(pair):
    """Return the new order of the images. Raises NotYet if images are lost or labels do not belong to them."""
    numbers, new_labels = pair
    if len(numbers) != 50 or len(new_labels) != 50:
        raise NotYet(
            "{images} images and {labels} labels came back; 50 of each went in.",
            images=len(numbers),
            labels=len(new_labels),
        )
    if set(numbers) != set(range(50)) or set(new_labels) != set(range(100, 150)):
        raise NotYet("Some came back twice and others not at all. Each must come back exactly once.")
    if np.array_equal(numbers + 100, new_labels):
        return numbers.astype(int)
    if np.array_equal(new_labels, np.arange(100, 150)):
        raise NotYet("The images are shuffled, but their labels are not.")
    if np.array_equal(numbers, np.arange(50)):
        raise NotYet("The labels are shuffled, but their images are not.")
    raise NotYet("Images and labels are in two different orders: draw one order and use it for both.")


def _check_random(orders):
    """Raise NotYet if 20 orders of 50 images are far less mixed than any that randperm draws."""
    for place, images in enumerate(orders.T):
        if len(set(images)) < 5:  # of 50, about 17 come there by chance
            raise NotYet(
                "In {shuffles} calls only {different} different images came to place {place}. Every image must be "
                "able to come to every place.",
                shuffles=SHUFFLES,
                different=len(set(images)),
                place=place,
            )
    steps = np.diff(orders, axis=1) % 50
    commonest = max(np.bincount(row).max() for row in steps)
    if commonest > 16 or np.abs(np.diff(orders, axis=1)).mean() < 12:  # by chance at most about 7, and about 17
        raise NotYet("Many images that were neighbours before are neighbours again. Shuffle single images, not groups.")


def _pair(result, expected="Two things should come back: the images [N, 28, 28] and the labels [N]."):
    """Return the indices of the returned images, and the returned labels."""
    try:
        images, labels = result
        return array(images)[:, 0, 0], array(labels)
    except (TypeError, ValueError, IndexError):
        raise NotYet(expected) from None


@exercises.add(
    "range(0, N, size) gives the place where each batch begins.",
    "images[start : start + size] is one batch. A slice that goes past the end stops at the end, without an error.",
    stars=2,
)
def batches(images, labels, size):
    # The last slice may be shorter than size: Python cuts it off at the end, so no image is lost
    starts = range(0, len(images), size)
    return [(images[start : start + size], labels[start : start + size]) for start in starts]


EACH_BATCH = "Each batch should be a pair: its images [n, 28, 28] and its labels [n]."


@batches.checker
def check_batches(ask):
    """Check ten images in batches of several sizes, and seven images."""
    for total, size in [(10, 4), (10, 5), (10, 6), (10, 1), (10, 64), (7, 3)]:
        images, labels = _numbered(total)
        found = _batches(ask(images, labels, size), total, size)
        for name, values in zip(["images", "labels"], zip(*found)):
            what = say("The {name} are not in their order.", name=name)
            same(
                np.concatenate(values),
                labels,
                otherwise=what,
                given=say("{total} images in batches of {size}", total=total, size=size),
            )


def _numbered(total):
    """Return images whose pixels are all equal to their label, and the labels 0, 1, 2, ..."""
    return torch.arange(float(total)).reshape(total, 1, 1).expand(total, 28, 28), torch.arange(total)


def _batches(result, total, size):
    """Return the batches as pairs of arrays. Raises NotYet if their lengths are wrong."""
    try:
        found = [_pair(batch, EACH_BATCH) for batch in list(result)]  # a generator is accepted as well
    except TypeError:
        raise NotYet("A list of batches was expected, but {kind} came back.", kind=type(result).__name__) from None
    lengths = [len(numbers) for numbers, _ in found]
    expected = [min(size, total - start) for start in range(0, total, size)]
    if lengths == expected and lengths == [len(labels) for _, labels in found]:
        return found
    reason = "The last batch is missing." if lengths == expected[:-1] else ""
    raise NotYet(
        reason,
        "{total} images in batches of {size} make batches of {expected}; yours have {lengths}.",
        total=total,
        size=size,
        expected=expected,
        lengths=lengths,
    )


@exercises.add(
    "Call it with ten images, size=4, and labels that are the numbers of the images. Look at what comes back.",
    "Three questions: Does each image come exactly once? Does each image keep its label? Is the last batch there?",
    "One bug is in the line of order, one in the line of the loop, and one in the last line of the loop.",
    stars=2,
)
def mixed_batches(images, labels, size):
    order = torch.randperm(len(images))  # randint would draw some images twice and others never
    result = []
    for start in range(0, len(images), size):  # up to the end, so that the last batch is not lost
        chosen = order[start : start + size]
        result.append((images[chosen], labels[chosen]))  # the same places for images and labels
    return result


@mixed_batches.checker
def check_mixed_batches(ask):
    """Check that batches are complete, in random order, with the right labels."""
    orders = []
    for total, size in [(11, 4), (12, 4), *[(50, 8)] * SHUFFLES]:
        images, labels = _numbered(total)
        found = _batches(ask(images, labels, size), total, size)
        numbers, new_labels = (np.concatenate(values) for values in zip(*found))
        if len(set(numbers)) < total:
            raise NotYet("The batches are complete in number, but some images are there twice and others not at all.")
        if not np.array_equal(numbers, new_labels):
            raise NotYet("All images are there, but some have labels that belong to other images.")
        orders.append(numbers.astype(int))
    if (np.stack(orders[2:]) == orders[2]).all():
        raise NotYet("Images and labels fit each other, but the order is the same at each call.")
    _check_random(np.stack(orders[2:]))


@exercises.add(
    "First compute one mean image for each of the ten classes, as the chapter does.",
    "torch.cdist takes two tables whose rows are vectors, so flatten the images with flatten(1).",
    "distances has one row for each new image and one column for each class. argmin(dim=1) finds the smallest place.",
    stars=3,
)
def nearest_mean(images, labels, new_images):
    # Learning is the first line: ten averages. Reading is the second: which average is closest to the new image?
    means = torch.stack([images[labels == digit].mean(dim=0) for digit in range(10)])
    return torch.cdist(new_images.flatten(1), means.flatten(1)).argmin(dim=1)


def blurred_classes():
    """Return training images [150, 28, 28], their labels, and 40 new images, most of them between two classes."""
    generator = torch.Generator().manual_seed(5)
    centres = torch.rand(10, 28, 28, generator=generator)
    labels = torch.cat([torch.arange(10), torch.randint(0, 10, (140,), generator=generator)])
    images = centres[labels] + torch.randn(150, 28, 28, generator=generator)
    first, second = torch.randint(0, 10, (2, 40), generator=generator)
    new = 0.55 * centres[first] + 0.45 * centres[second] + 0.2 * torch.randn(40, 28, 28, generator=generator)
    return images, labels, new


@nearest_mean.checker
def check_nearest_mean(ask):
    """Check forty new images against ten classes, then three images."""
    images, labels, new = blurred_classes()
    means = torch.stack([images[labels == digit].mean(dim=0) for digit in range(10)])
    sums = torch.stack([images[labels == digit].sum(dim=0) for digit in range(10)])
    distances = torch.cdist(new.flatten(1), means.flatten(1))
    wrong = [
        (distances, "These are the distances. Which class has the smallest one?"),
        (distances.argmax(dim=1), "These are the classes whose means lie farthest away."),
        (distances.min(dim=1).values, "These are the smallest distances. Which classes do they belong to?"),
        (labels[torch.cdist(new.flatten(1), images.flatten(1)).argmin(dim=1)], "You compared with single images."),
        (torch.cdist(new.flatten(1), sums.flatten(1)).argmin(dim=1), "You compared with sums. Take the means."),
        (torch.cdist(new.flatten(1), means.flatten(1), p=1).argmin(dim=1), "Square the differences, then add them up."),
    ]
    right = distances.argmin(dim=1)
    same(ask(images, labels, new), right, wrong, given="40 new images")
    same(ask(images, labels, new[:3]), right[:3], given="three new images")
