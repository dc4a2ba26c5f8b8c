"""Exercises of 08_speed: medians, a profile, multiply-adds, batch size, Amdahl, capture, batches, benchmark."""

import statistics

import pandas as pd
import torch

from mnist_helpers._support.translation import say
from mnist_helpers.exercises.comparing import array, same
from mnist_helpers.exercises.core import Chapter
from mnist_helpers.exercises.inputs import random_numbers
from mnist_helpers.exercises.judging import NotYet, PassedByReference

exercises = Chapter("chapter_08")


def with_values(expected, given, reasons):
    """Return `reasons`, which maps wrong results to reasons, with input, expected and found value added."""
    return {
        found: say(
            "For {given}, {expected:.6g} was expected, but your function returned {found:.6g}.",
            reason,
            given=given,
            expected=expected,
            found=found,
        )
        for found, reason in reasons.items()
    }


@exercises.add(
    "One number stands for the old code and one for the new code: the median of its seconds.",
    "Faster means fewer seconds. Which of the two medians must stand above the line of the fraction?",
    "pd.Series(numbers).median() sorts for you, and takes the mean of the two middle ones if their number is even.",
)
def speedup(old, new):
    # Medians, so that a single disturbed round doesn't count; old above new, so that 2 means twice as fast
    return pd.Series(old).median() / pd.Series(new).median()


@speedup.checker
def check_speedup(ask):
    """Check three unsorted rounds with an outlier, then an even number of rounds."""
    old, new = [8.0, 40.0, 9.0], [3.0, 2.0, 4.0]
    mean, given = statistics.mean, "old = [8, 40, 9] and new = [3, 2, 4]"
    reasons = {
        mean(old) / mean(new): "That is the ratio of the means, and the disturbed round of 40 s moves a mean.",
        3 / 9: "That is upside down: new code that is twice as fast must give 2, not 0.5.",
        9 - 3: "That is the difference in seconds. Return a ratio.",
    }
    same(ask(old, new), 3, with_values(3, given, reasons), "The medians are 9 and 3.", given)
    even = "With four rounds, the median is the mean of the two in the middle."
    same(ask([4.0, 1.0, 2.0, 3.0], [1.0, 1.0, 1.0, 9.0]), 2.5, (), even, "old = [4, 1, 2, 3] and new = [1, 1, 1, 9]")


@exercises.add(
    "Which column tells you what a part does by itself, without the parts that it calls?",
    "The same name can stand in several rows. Add up its own times before you look for the largest.",
    "Collect the own times in a dict: own[name] = own.get(name, 0) + own_time. Then max(own, key=own.get) is a name.",
    stars=2,
)
def slowest(profile):
    own = {}
    for name, _, _, own_time in profile:  # the total contains the time of other rows, so it can't be added up
        own[name] = own.get(name, 0) + own_time
    name = max(own, key=own.get)
    return name, own[name] / sum(own.values())


PROFILE = [  # name, calls, total, own
    ("train_on", 1, 100.0, 4.0),
    ("next_batch", 20, 52.0, 6.0),
    ("to_tensor", 1280, 24.0, 24.0),
    ("normalise", 1280, 10.0, 10.0),
    ("collect", 20, 12.0, 12.0),
    ("convolution", 20, 16.0, 16.0),
    ("convolution", 20, 15.0, 15.0),
    ("zero", 5000, 13.0, 13.0),
]


@slowest.checker
def check_slowest(ask):
    """Check a table whose slowest part has two rows, then others with other answers."""
    rows = "the two rows of 'convolution' have 16 and 15 of their own, more than any other name"
    _check_slowest(ask(PROFILE), "convolution", 31.0, 100.0, rows)
    alone = [("run", 1, 50.0, 10.0), ("load", 5, 40.0, 40.0)]
    _check_slowest(ask(alone), "load", 40.0, 50.0, say("the rows were {rows}", rows=alone))
    inside = [("outer", 9, 30.0, 20.0), ("inner", 2, 10.0, 10.0)]
    _check_slowest(ask(inside), "outer", 20.0, 30.0, say("the rows were {rows}", rows=inside))


def _check_slowest(answer, name, own, whole, why):
    if not isinstance(answer, (list, tuple)) or len(answer) != 2:
        raise NotYet("return two values, the name and its share.")
    if not isinstance(answer[0], str):
        raise NotYet("return the name first, a text, and then its share.")
    if answer[0] != name:
        raise NotYet(
            "most time goes into '{name}', but your function returned '{answer}': {why}.",
            name=name,
            answer=answer[0],
            why=why,
        )
    same(answer[1], own / whole, (), say("The name '{name}' is right.", name=name), "the share of all own times")


@exercises.add(
    "How large is the output? Then: how many multiply-adds does one number of the output take?",
    "A kernel of 5 pixels fits into 12 pixels at 8 places. One number of the output is a sum over all channels in "
    "and all pixels of the kernel.",
    "Each weight is used once at each place: multiply the number of weights by the number of places.",
    stars=2,
)
def conv_multiply_adds(weight_shape, image_size):
    channels_out, channels_in, kernel_height, kernel_width = weight_shape
    # The kernel must fit inside the image, so it has fewer places than the image has pixels
    rows = image_size[0] - kernel_height + 1
    columns = image_size[1] - kernel_width + 1
    return channels_out * channels_in * kernel_height * kernel_width * rows * columns


@conv_multiply_adds.checker
def check_conv_multiply_adds(ask):
    """Check the report's second layer, its first layer, and a layer with rectangular shapes."""
    weight, image = (20, 10, 5, 5), (12, 12)
    given = "weight_shape = (20, 10, 5, 5) and image_size = (12, 12)"
    reasons = {
        20 * 10 * 25 * 144: "A kernel of 5 pixels doesn't fit at all 12 places of a row, only at 8.",
        20 * 10 * 25: "That is the number of weights. Each is used once at every place of the output.",
        20 * 64: "That is how many numbers the output has. How many multiply-adds does each take?",
        2 * 320_000: "That is twice as many: count FLOP and you get two for each multiply-add.",
    }
    same(ask(weight, image), 320_000, with_values(320_000, given, reasons), "", given)
    first = "weight_shape = (10, 1, 5, 5) and image_size = (28, 28)"
    same(ask((10, 1, 5, 5), (28, 28)), 144_000, (), "The second layer was right, the first is not.", first)
    other = "weight_shape = (4, 3, 2, 5) and image_size = (9, 8)"
    same(ask((4, 3, 2, 5), (9, 8)), 4 * 3 * 10 * 8 * 4, (), "Height and width may differ.", other)


@exercises.add(
    "Keep the rows that fit into memory. Which number tells how fast each of them is?",
    "The throughput is batch size / seconds. Find the best one among the rows that fit.",
    "Of the rows that fit and reach 0.95 times the best throughput, take the smallest batch size with min.",
    stars=2,
)
def choose_batch_size(table, memory):
    fitting = [(size, size / seconds) for size, seconds, megabytes in table if megabytes <= memory]
    best = max(throughput for _, throughput in fitting)
    # The smallest that is nearly as fast: a larger batch means fewer steps, so the training changes more
    return min(size for size, throughput in fitting if throughput >= 0.95 * best)


TABLE = [  # batch size, seconds a step, megabytes; 9,481 images/s with 256, 9,660 with 512, 9,752 with 1,024
    (512, 0.0530, 790),
    (16, 0.0040, 40),
    (64, 0.0084, 110),
    (1024, 0.1050, 1560),
    (128, 0.0145, 205),
    (256, 0.0270, 400),
]
SLOWER = [(32, 0.010, 10), (64, 0.016, 20), (128, 0.040, 40)]  # large batches are slower


@choose_batch_size.checker
def check_choose_batch_size(ask):
    """Check three sizes of memory, and a table in which large batches are slower."""
    reasons = {
        512: "That is the highest throughput that fits, but a smaller batch reaches 95 % of it.",
        16: "That step takes the least time, but it also does the fewest images.",
    }
    given = say("the table {table} and a memory of 1000 MB", table=TABLE)
    same(ask(TABLE, 1000), 256, with_values(256, given, reasons), "", given)
    same(ask(TABLE, 250), 128, (), "Only rows that fit into memory count.", "the same table and a memory of 250 MB")
    same(ask(TABLE, 205), 128, (), "A row that fills the memory exactly fits.", "the same table and 205 MB")
    slower = say("the table {table} and a memory of 1000 MB", table=SLOWER)
    same(ask(SLOWER, 1000), 64, (), "Here a larger batch is slower.", slower)
    same(ask(SLOWER[:1], 1000), 32, (), "A table may have one row.", "the table [(32, 0.01, 10)]")


@exercises.add(
    "Take the old time as 1. How long does the new program take?",
    "The part that stays takes 1 - share. How long does the other part take, once it is `factor` times faster?",
    "Add the times of the two parts. How many times does this new time fit into the old time, 1?",
    stars=2,
)
def amdahl(share, factor):
    return 1 / (1 - share + share / factor)  # times add up, speeds don't: so the new time first, then old / new


@amdahl.checker
def check_amdahl(ask):
    """Check half of the time, another share, factor 1, and a factor of a million."""
    given = "share = {share} and factor = {factor}"
    reasons = {
        0.6: "That is the new time, if the old one is 1. How many times faster is the program?",
        0.4: "That is the time saved. How many times faster is the program?",
        2: "That is the limit for a part that takes no time at all. Here it still takes share / factor.",
    }
    half = say(given, share=0.5, factor=5)
    same(ask(0.5, 5), 1 / 0.6, with_values(1 / 0.6, half, reasons), "Add the times of both parts.", half)
    same(ask(0.9, 3), 2.5, (), "A share of 0.5 was right.", say(given, share=0.9, factor=3))
    same(ask(0.3, 1), 1, (), "A factor of 1 changes nothing.", say(given, share=0.3, factor=1))
    endless = "A part that is a million times faster takes hardly any time."
    same(ask(0.75, 1e6), 1 / (0.25 + 0.75e-6), (), endless, say(given, share=0.75, factor=1_000_000))
    same(ask(0, 7), 1, (), "If the share is 0, nothing is gained.", say(given, share=0, factor=7))


@exercises.add(
    "Three of the chapter's four rules are broken once each: shapes, reading back, decisions about data in Python.",
    "How many images are left after line 4? What must Python know in line 6, and in line 11?",
    "Random numbers, comparisons and changes in place are kernels like all others: lines 2, 3 and 10 may stay.",
    stars=2,
)
def obstacles():
    # 4: how many images are left depends on the data; 6: Python asks the GPU once; 11: item() reads back
    return [4, 6, 11]


HARMLESS = {  # line: why it can be captured
    1: "it runs no kernel, and the next backward makes the gradients anew",
    2: "each replay draws new random numbers, from a state that the graph moves on",
    3: "it has the same shape each time: one truth value for each image",
    5: "its shapes would be the same each time, were it not for line 4",
    7: "the multiplication is a kernel like any other; the decision about it is in another line",
    8: "it only launches kernels, as forward does",
    9: "it only launches kernels, as long as the learning rate is a tensor",
    10: "it changes a tensor in place, at the same address, and reads nothing back",
}
MISSED = {
    4: "After one line, the number of images depends on their values, but a graph has fixed shapes.",
    6: "In one line, Python decides about a number that lies on the GPU. In a replay, no Python runs.",
    11: "One line waits for a number from the GPU. In a capture nothing runs that it could wait for.",
}


@obstacles.checker
def check_obstacles(ask):
    """Check the three numbers, in any order; explain the first harmless line, or the first one that is missing."""
    found = array(ask())
    if found.ndim != 1:
        raise NotYet("return a list of numbers, such as [1, 2, 3].")
    for number in found:
        if number in HARMLESS:
            raise NotYet("Line {number:.0f} can be captured: {why}.", number=number, why=HARMLESS[number])
        if number not in MISSED:
            raise NotYet("There is no line {number:g}. The lines have the numbers 1 to 11.", number=number)
    for number, reason in MISSED.items():
        if number not in found:
            raise NotYet(say("These lines do, but there are three.", reason) if len(found) else reason)
    if len(found) != len(MISSED):
        raise NotYet("The three lines are there, but one of them twice.")


@exercises.add(
    "Put images and labels into the new order first, both by the same indices. Then cut.",
    "images[order] is the whole set in its new order. .split(batch_size) cuts it and keeps the smaller rest.",
    "zip pairs the pieces of the images with the pieces of the labels; list makes a list of the pairs.",
    stars=3,
)
def batches_in_order(images, labels, order, batch_size):
    # One index for both keeps each image with its label; indexing copies, so the originals stay as they are
    return list(zip(images[order].split(batch_size), labels[order].split(batch_size)))


IMAGES, LABELS = random_numbers(7, 1, 2, 2, seed=6), torch.arange(7) + 20
ORDER = torch.tensor([3, 0, 6, 2, 5, 1, 4])


@batches_in_order.checker
def check_batches_in_order(ask):
    """Check seven images in batches of 3, 7, 10 and 1."""
    _check_batches(ask(IMAGES, LABELS, ORDER, 3), 3)
    _check_untouched(ask)
    for size in (7, 10, 1):
        _check_batches(
            ask(IMAGES, LABELS, ORDER, size),
            size,
            say("Batches of 3 were right, batches of {size} are not:", size=size),
        )


def _check_batches(batches, size, prefix=""):
    images, labels = _joined(batches, prefix)
    _explain_order(images, labels, prefix)
    sizes = [len(labels) for _, labels in batches]
    expected = [len(part) for part in ORDER.split(size)]
    if sizes != expected:
        reason = "all images are there. Batches of {expected} were expected, but yours have {sizes}."
        raise NotYet(prefix, say(reason, expected=expected, sizes=sizes))


def _check_untouched(ask):
    given = IMAGES, LABELS, ORDER
    passed = [tensor.clone().as_subclass(PassedByReference) for tensor in given]
    ask(*passed, 3)
    for name, before, after in zip(["images", "labels", "order"], given, passed):
        if not torch.equal(before, after):
            raise NotYet(
                "The batches are right, but your function changed {name} in place. Leave the inputs as they are.",
                name=name,
            )


def _joined(batches, prefix):
    """Return all images and all labels. Raises NotYet unless each batch is a pair of equal lengths."""
    if not isinstance(batches, (list, tuple)) or not batches:
        raise NotYet(prefix, "return a list of batches, each a pair (images, labels).")
    for batch in batches:
        if not isinstance(batch, (list, tuple)) or len(batch) != 2:
            apart = "something else" if isinstance(batch, (list, tuple)) else "single tensors"
            reason = "each batch must be a pair (images, labels), but you returned {apart}."
            raise NotYet(prefix, say(reason, apart=apart))
        images, labels = map(array, batch)
        if images.shape[1:] != (1, 2, 2) or labels.ndim != 1:
            shapes = say("{images} and {labels}", images=list(images.shape), labels=list(labels.shape))
            reason = "a batch holds images [n, 1, 2, 2] and labels [n] here; yours has the shapes {shapes}."
            raise NotYet(prefix, say(reason, shapes=shapes))
        if len(images) != len(labels):
            reason = "a batch holds {images} images, but {labels} labels."
            raise NotYet(prefix, say(reason, images=len(images), labels=len(labels)))
    return [torch.cat([torch.as_tensor(batch[place]) for batch in batches]) for place in (0, 1)]


def _explain_order(images, labels, prefix):
    """Raise NotYet unless `images` and `labels` are IMAGES and LABELS in the order ORDER."""
    right = IMAGES[ORDER], LABELS[ORDER]
    if len(labels) < len(LABELS):
        missing = len(LABELS) - len(labels)
        raise NotYet(prefix, say("{missing} of 7 images are missing. The last batch may be smaller.", missing=missing))
    if len(labels) > len(LABELS):
        raise NotYet(prefix, say("{labels} images came out of 7: some came twice.", labels=len(labels)))
    found = _equal(images, right[0]), _equal(labels, right[1])
    if found == (True, False):
        raise NotYet(prefix, "the images are in the right order, but the labels are not.")
    if found == (False, True):
        raise NotYet(prefix, "the labels are in the right order, but the images are not.")
    if _equal(labels, LABELS) and _equal(images, IMAGES):
        raise NotYet(prefix, "the images come in their old order. Use order.")
    if found != (True, True):
        wanted, came = ORDER.tolist(), [int(label) - 20 for label in labels]
        message = "the order {wanted} was expected, but the images came in the order {came}."
        raise NotYet(prefix, say(message, wanted=wanted, came=came))


def _equal(one, other):
    return one.shape == other.shape and torch.allclose(one.double(), other.double())


@exercises.add(
    "There are three faults. When does a generator do its work? What does a first call cost? Who runs when?",
    "list(job()) makes a job do its work. Do that once for every job before you start to time.",
    "Exchange the two loops: the rounds outside, the jobs inside, so that every round times each job once.",
    stars=3,
)
def measure(jobs, rounds, clock):
    for job in jobs.values():
        list(job())  # the first call includes setup, so it is not timed
    seconds = {name: [] for name in jobs}
    for _ in range(rounds):  # rounds outside: the jobs take turns, and a busy moment slows them all
        for name, job in jobs.items():
            start = clock()
            list(job())  # a generator works only when its values are taken
            seconds[name].append(clock() - start)
    return seconds


COST = {"old": 3.0, "new": 2.0, "newest": 1.0}  # seconds in the pretended world
SETUP = 10.0  # seconds that the first call of a job takes besides


def pretended_jobs(cost=COST):
    """Return lazy jobs, a clock that they move, and the list of the jobs that have done their work."""
    now, log = [0.0], []

    def job(name):
        def batches():
            now[0] += cost[name] + (0 if name in log else SETUP)
            log.append(name)
            yield name

        return batches

    return {name: job(name) for name in cost}, lambda: now[0], log


@measure.checker
def check_measure(ask):
    """Check in a pretended world, in which jobs move the clock, that they work, take turns and are warmed up."""
    jobs, clock, log = pretended_jobs()
    seconds = ask(jobs, 4, clock)
    if not isinstance(seconds, dict) or list(seconds) != list(COST):
        raise NotYet("return a dict with the names {names} and a list of seconds for each.", names=", ".join(COST))
    lengths = [len(array(numbers).reshape(-1)) for numbers in seconds.values()]
    if lengths != [4, 4, 4]:
        raise NotYet("4 rounds must give 4 times for each job, but your lists have {lengths} entries.", lengths=lengths)
    if not log:
        raise NotYet("no job did any work: job() gives a generator, which works when its values are taken.")
    for name, numbers in seconds.items():
        work = say("The job '{name}' works for {seconds:g} s.", name=name, seconds=COST[name])
        same(numbers, [COST[name]] * 4, [_with_setup(name)], work, "its four rounds")
    last = log[-12:]
    if any(set(last[start : start + 3]) != set(COST) for start in (0, 3, 6, 9)):
        raise NotYet(
            "the times are right, but the jobs don't take turns: they ran in the order {order}.", order=", ".join(last)
        )
    jobs, clock, log = pretended_jobs({"only": 5.0})
    same(
        ask(jobs, 1, clock)["only"], [5.0], (), "Three jobs were right, one job is not.", "one job of 5 s and one round"
    )


def _with_setup(name):
    reason = say(
        "The first time of '{name}' is {setup:g} s too long: its first call, with the setup, was timed. A warm-up "
        "must do all the work, once.",
        name=name,
        setup=SETUP,
    )
    return [COST[name] + SETUP, *[COST[name]] * 3], reason
