"""Exercises of 08_speed: throughput, ratio of medians, memory, multiply-adds, Amdahl's law, batches."""

import statistics

import pandas as pd
import torch

from mnist_helpers.exercises.core import Chapter, NotYet, PassedByReference, array, random_numbers, same

exercises = Chapter("chapter_08")


@exercises.add("How many images are done in one second?", "images / seconds")
def throughput(images, seconds):
    return images / seconds


@throughput.checker
def check_throughput(ask):
    """Check a whole epoch, then less than one image per second."""
    wrong = {
        8 / 60_000: "That is the time that one image takes. How many images does one second hold?",
        7500 // 64: "That is a throughput in batches of 64. Return images a second.",
        60_000 * 8: "You multiplied; the longer it takes, the lower the throughput.",
    }
    same(ask(60_000, 8), 7500, wrong)
    same(ask(1, 4), 0.25, {0: "A throughput need not be a whole number: divide with /."}, "One image in 4 s is 0.25.")


@exercises.add(
    "One number stands for the old code, one for the new: the median of its seconds.",
    "Faster means fewer seconds, so which of the two medians is divided by which?",
    "pd.Series(old).median() / pd.Series(new).median(); a tensor's median takes the lower of two middle ones.",
)
def speedup(old, new):
    return pd.Series(old).median() / pd.Series(new).median()


@speedup.checker
def check_speedup(ask):
    """Check three unsorted rounds with an outlier, then an even number of rounds."""
    old, new = [8.0, 40.0, 9.0], [3.0, 2.0, 4.0]
    mean = statistics.mean
    wrong = {
        mean(old) / mean(new): "That is the ratio of means, which the disturbed round of 40 s has spoilt.",
        mean(a / b for a, b in zip(old, new)): "That is the mean of the rounds' ratios: one bad round moves it.",
        statistics.median(a / b for a, b in zip(old, new)): "That is the median of ratios; take the ratio of medians.",
        min(old) / min(new): "You compared the fastest rounds; compare the medians.",
        40 / 2: "You took the round in the middle of the list. Sort first: the median is in the middle by size.",
        3 / 9: "Upside down: twice as fast must give 2, not a half.",
        9 - 3: "That is the difference in seconds. Return a ratio.",
        2 / 3: "That is the share of the time that is saved. Return how many times faster it is.",
    }
    same(ask(old, new), 3, wrong, "Not the ratio of medians: the medians of [8, 40, 9] and [3, 2, 4] are 9 and 3.")
    even = "With four rounds, the median is the mean of the two in the middle."
    same(ask([4.0, 1.0, 2.0, 3.0], [1.0, 1.0, 1.0, 9.0]), 2.5, otherwise=even)


@exercises.add(
    "How many numbers does the tensor hold? The product of the sizes on all axes.",
    "math.prod(shape) numbers, dtype.itemsize bytes each; a megabyte is 1,000,000 bytes.",
)
def megabytes(shape, dtype):
    numbers = 1
    for size in shape:
        numbers = numbers * size
    return numbers * dtype.itemsize / 1_000_000


@megabytes.checker
def check_megabytes(ask):
    """Check the training set in float32, uint8 and bfloat16, then a tensor larger than any memory."""
    shape = (60_000, 1, 28, 28)
    wrong = {
        188_160_000: "Those are bytes. Return megabytes, of 1,000,000 bytes.",
        188_160_000 / 2**20: "You divided by 1024 * 1024; a megabyte is 1,000,000 bytes here.",
        47.04: "You counted the numbers, but each takes dtype.itemsize bytes.",
        1505.28: "Those are bits: a float32 has 32 bits, but 4 bytes.",
        188_160: "You divided by 1,000: those are kilobytes.",
        (sum(shape) * 4) / 1e6: "You added the sizes of the axes; multiply them.",
    }
    same(ask(shape, torch.float32), 188.16, wrong)
    four = "Right for float32, but not for {}: take dtype.itemsize, and write no 4 into it."
    same(ask(shape, torch.uint8), 47.04, otherwise=four.format("uint8"))
    same(ask(shape, torch.bfloat16), 94.08, otherwise=four.format("bfloat16"))
    same(ask((10**6, 10**6, 10**6), torch.int64), 8e12, otherwise="Right for four axes, but not for three.")


@exercises.add(
    "How large is the output? Then: how many multiply-adds does one number of the output take?",
    "The output has height - kernel height + 1 rows, and columns likewise. One of its numbers takes channels in * "
    "kernel height * kernel width multiply-adds.",
    "The product of all four sizes of the weight, times the rows and the columns of the output.",
)
def conv_multiply_adds(weight_shape, image_size):
    channels_out, channels_in, kernel_height, kernel_width = weight_shape
    rows = image_size[0] - kernel_height + 1
    columns = image_size[1] - kernel_width + 1
    return channels_out * channels_in * kernel_height * kernel_width * rows * columns


@conv_multiply_adds.checker
def check_conv_multiply_adds(ask):
    """Check the report's second layer, its first layer, and a layer with rectangular shapes."""
    weight, image = (20, 10, 5, 5), (12, 12)
    wrong = {
        20 * 10 * 25 * 144: "The output is smaller than the input: a kernel of 5 does not fit at the last 4 places.",
        20 * 10 * 25 * 49: "One row and column too few: 12 - 5 + 1 places.",
        10 * 25 * 64: "That is the work for one channel of the output; there are 20.",
        20 * 25 * 64: "Each number of the output is a sum over all 10 channels of the input.",
        20 * 10 * 64: "Each weight of the 5x5 kernel takes one multiply-add.",
        20 * 10 * 25: "Those are the weights. Each is used once at every place of the output.",
        20 * 64: "Those are the numbers of the output. How many multiply-adds does each take?",
        2 * 320_000: "Those are FLOP: a multiply-add is two of them. Count each pair once.",
        320_000 + 20 * 64: "You counted the bias too; it is added, not multiplied. Leave it out.",
        64 * 320_000: "That is for a batch of 64. Return the work for one image.",
    }
    same(ask(weight, image), 320_000, wrong)
    same(ask((10, 1, 5, 5), (28, 28)), 144_000, otherwise="Right for the second layer, but not for the first.")
    same(ask((4, 3, 2, 5), (9, 8)), 4 * 3 * 10 * 8 * 4, otherwise="Not right where height and width differ.")


@exercises.add(
    "Take the old time as 1. How long does the new program take?",
    "The part that stays takes 1 - share, the other share / factor.",
    "1 / (1 - share + share / factor)",
)
def amdahl(share, factor):
    return 1 / (1 - share + share / factor)


@amdahl.checker
def check_amdahl(ask):
    """Check half of the time, another share, factor 1, and an infinite factor."""
    wrong = {
        5: "The whole is not 5 times faster: half of it stays as it was.",
        2.5: "You multiplied the factor by the share. Think in times: what does each part take afterwards?",
        3: "You took the mean of 5 and 1. Times add up, speeds do not.",
        0.6: "That is the new time, with 1 for the old one. How many times faster is it?",
        10: "You have made the part that stays vanish: 1 - share must be added.",
        2: "That is the limit for a part that takes no time at all; here it still takes share / factor.",
        0.4: "That is the time that is saved. How many times faster is the whole?",
    }
    same(ask(0.5, 5), 1 / 0.6, wrong)
    same(ask(0.9, 3), 2.5, otherwise="Right for a share of 0.5, but not for 0.9: which part stays?")
    same(ask(0.3, 1), 1, otherwise="A factor of 1 changes nothing.")
    endless = "A part that takes no time any more (factor infinity): the whole takes 1 - share."
    same(ask(0.75, float("inf")), 4, otherwise=endless)
    same(ask(0, 7), 1, otherwise="Where the share is 0, nothing is gained.")


@exercises.add(
    "Put images and labels into the new order first, both by the same indices, then cut.",
    "images[order] is the whole set in its new order; .split(batch_size) cuts it, and keeps a smaller rest.",
    "list(zip(images[order].split(batch_size), labels[order].split(batch_size)))",
)
def batches_in_order(images, labels, order, batch_size):
    return list(zip(images[order].split(batch_size), labels[order].split(batch_size)))


IMAGES, LABELS = random_numbers(7, 1, 2, 2, seed=6), torch.arange(7) + 20
ORDER = torch.tensor([3, 0, 6, 2, 5, 1, 4])


@batches_in_order.checker
def check_batches_in_order(ask):
    """Check seven images in batches of 3, 7, 10 and 1."""
    _check_batches(ask(IMAGES, LABELS, ORDER, 3), 3)
    _check_untouched(ask)
    for size in (7, 10, 1):
        _check_batches(ask(IMAGES, LABELS, ORDER, size), size, f"Right for batches of 3, but not of {size}: ")


def _check_batches(batches, size, prefix=""):
    images, labels = _joined(batches, prefix)
    _explain_order(images, labels, prefix)
    sizes = [len(labels) for _, labels in batches]
    expected = [len(part) for part in ORDER.split(size)]
    if sizes != expected:
        raise NotYet(f"{prefix}all images are there, but in batches of {sizes} where {expected} was expected.")


def _check_untouched(ask):
    given = IMAGES, LABELS, ORDER
    passed = [tensor.clone().as_subclass(PassedByReference) for tensor in given]
    ask(*passed, 3)
    for name, before, after in zip(["images", "labels", "order"], given, passed):
        if not torch.equal(before, after):
            raise NotYet(f"The batches are right, but you changed {name} in place. Leave what you are given as it is.")


def _joined(batches, prefix):
    """Return all images and all labels. Raises NotYet unless each batch is a pair of equal lengths."""
    if not isinstance(batches, (list, tuple)) or not batches:
        raise NotYet(f"{prefix}return a list of batches, each a pair (images, labels).")
    for batch in batches:
        if not isinstance(batch, (list, tuple)) or len(batch) != 2:
            apart = "images and labels apart; zip pairs them" if isinstance(batch, (list, tuple)) else "images alone"
            raise NotYet(f"{prefix}each batch must be a pair (images, labels), but you returned {apart}.")
        images, labels = map(array, batch)
        if images.shape[1:] != (1, 2, 2) or labels.ndim != 1:
            shapes = f"{list(images.shape)} and {list(labels.shape)}"
            raise NotYet(f"{prefix}a batch holds images [n, 1, 28, 28] and labels [n]; yours has the shapes {shapes}.")
        if len(images) != len(labels):
            raise NotYet(f"{prefix}a batch holds {len(images)} images, but {len(labels)} labels.")
    return [torch.cat([torch.as_tensor(batch[place]) for batch in batches]) for place in (0, 1)]


def _explain_order(images, labels, prefix):
    """Raise NotYet unless `images` and `labels` are IMAGES and LABELS in the order ORDER."""
    right = IMAGES[ORDER], LABELS[ORDER]
    if len(labels) < len(LABELS):
        raise NotYet(f"{prefix}{len(LABELS) - len(labels)} of 7 images are lost: the last batch may be smaller.")
    if len(labels) > len(LABELS):
        raise NotYet(f"{prefix}there are more images than were given: some came twice.")
    found = _equal(images, right[0]), _equal(labels, right[1])
    if found == (True, False):
        raise NotYet(f"{prefix}the images are in order, but not the labels: a picture has lost its label.")
    if found == (False, True):
        raise NotYet(f"{prefix}the labels are in order, but not the images: a picture has lost its label.")
    if _equal(labels, LABELS) and _equal(images, IMAGES):
        raise NotYet(f"{prefix}the images come in their old order: use order.")
    if _equal(labels, LABELS[ORDER.argsort()]):
        raise NotYet(f"{prefix}order was used the wrong way round: the first image is images[order[0]].")
    if found != (True, True):
        raise NotYet(f"{prefix}the images come in another order: the first is images[order[0]], and so on.")


def _equal(one, other):
    return one.shape == other.shape and torch.allclose(one.double(), other.double())
