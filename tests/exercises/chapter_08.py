"""08_speed: the misconceptions that the checkers know, right answers in other styles, and probes for the mutants."""

import math
import statistics

import numpy as np
import pandas as pd
import torch

from mnist_helpers.exercises.chapter_08 import (
    IMAGES,
    LABELS,
    ORDER,
    PROFILE,
    SLOWER,
    TABLE,
    exercises,  # noqa: F401
    pretended_jobs,
)


def by_round(old, new):
    return [a / b for a, b in zip(old, new)]


def middle_of_the_list(old, new):
    return old[len(old) // 2] / new[len(new) // 2]


def lower_median(old, new):
    return sorted(old)[(len(old) - 1) // 2] / sorted(new)[(len(new) - 1) // 2]


def cut(images, labels, size):
    return list(zip(images.split(size), labels.split(size)))


def full_only(images, labels, order, size):
    return [batch for batch in cut(images[order], labels[order], size) if len(batch[1]) == size] or [
        (images[:0], labels[:0])
    ]


def in_place(images, labels, order, size):
    images[:], labels[:] = images[order], labels[order]
    return cut(images, labels, size)


def shuffled_batches(images, labels, order, size):
    return cut(images[order], labels[order], size)[::-1]


def overlapping(images, labels, order, size):
    return [(images[order[i:][:size]], labels[order[i:][:size]]) for i in range(len(order))]


def looped(images, labels, order, size):
    batches = []
    for start in range(0, len(order), size):
        chosen = order[start : start + size]
        batches.append((images[chosen], labels[chosen]))
    return batches


def one_by_one(images, labels, order, size):
    batches = [([], [])]
    for index in order.tolist():
        if len(batches[-1][0]) == size:
            batches.append(([], []))
        batches[-1][0].append(images[index])
        batches[-1][1].append(labels[index])
    return [(torch.stack(pictures), torch.stack(classes)) for pictures, classes in batches]


def own_times(profile):
    own = {}
    for name, _, _, time in profile:
        own[name] = own.get(name, 0) + time
    return own


def largest(times):
    name = max(times, key=times.get)
    return name, times[name] / sum(times.values())


def single_row(profile):
    name, _, _, own = max(profile, key=lambda row: row[3])
    return name, own / sum(row[3] for row in profile)


def sorted_own(profile):
    frame = pd.DataFrame(profile, columns=["name", "calls", "total", "own"])
    own = frame.groupby("name")["own"].sum().sort_values(ascending=False)
    return own.index[0], own.iloc[0] / own.sum()


def fitting(table, memory):
    return [row for row in table if row[2] <= memory]


def fast_enough(table, best, share=0.95):
    return min((size for size, seconds, _ in table if size / seconds >= share * best), default=0)


def best_of(table):
    return max(size / seconds for size, seconds, _ in table)


def sorted_choice(table, memory):
    fast = pd.DataFrame(table, columns=["size", "seconds", "megabytes"]).query("megabytes <= @memory")
    images = fast["size"] / fast["seconds"]
    return fast["size"][images >= 0.95 * images.max()].min()


def timed_in_turns(jobs, rounds, clock, warm_up=1, work=list, inside=True):
    for _ in range(warm_up):
        for job in jobs.values():
            list(job())
    seconds = {name: [] for name in jobs}
    for _ in range(rounds):
        for name, job in jobs.items():
            start = clock()
            batches = job()
            if inside:
                work(batches)
            seconds[name].append(clock() - start)
            if not inside:
                work(batches)
    return seconds


def sum_of_lengths(batches):
    return sum(map(len, batches))


def one_after_the_other(jobs, rounds, clock):
    seconds = {name: [] for name in jobs}
    for name, job in jobs.items():
        list(job())
        for _ in range(rounds):
            start = clock()
            list(job())
            seconds[name].append(clock() - start)
    return seconds


def as_given(jobs, rounds, clock):
    """The broken code of the prompt."""
    seconds = {name: [] for name in jobs}
    for name, job in jobs.items():
        for _ in range(rounds):
            start = clock()
            job()
            seconds[name].append(clock() - start)
    return seconds


def rotated(jobs, rounds, clock):
    names = list(jobs)
    for name in names:
        for _ in jobs[name]():
            pass
    seconds = {name: [] for name in names}
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            start = clock()
            for _ in jobs[name]():
                pass
            seconds[name] += [clock() - start]
    return seconds


# exercise: {misconception: what a student who holds it writes}
WRONG = {
    "speedup": {
        "ratio of means": lambda old, new: np.mean(old) / np.mean(new),
        "mean of ratios": lambda old, new: np.mean(by_round(old, new)),
        "median of ratios": lambda old, new: np.median(by_round(old, new)),
        "fastest rounds": lambda old, new: min(old) / min(new),
        "middle of the list": middle_of_the_list,
        "upside down": lambda old, new: np.median(new) / np.median(old),
        "difference": lambda old, new: np.median(old) - np.median(new),
        "share saved": lambda old, new: 1 - np.median(new) / np.median(old),
        "lower of two in the middle": lower_median,
        "slowest rounds": lambda old, new: max(old) / max(new),
    },
    "slowest": {
        "total times": lambda profile: largest({name: total for name, _, total, _ in profile}),
        "most calls": lambda profile: (max(profile, key=lambda row: row[1])[0], 0.13),
        "one row": single_row,
        "time in place of a share": lambda profile: (largest(own_times(profile))[0], max(own_times(profile).values())),
        "share of the total": lambda profile: (largest(own_times(profile))[0], largest(own_times(profile))[1] / 2.42),
        "the name alone": lambda profile: largest(own_times(profile))[0],
        "the share first": lambda profile: largest(own_times(profile))[::-1],
        "always the convolution": lambda profile: ("convolution", 0.31),
    },
    "conv_multiply_adds": {
        "output as large as the input": lambda w, image: math.prod(w) * math.prod(image),
        "a place too few": lambda w, image: math.prod(w) * (image[0] - w[2]) * (image[1] - w[3]),
        "one channel out": lambda w, image: math.prod(w[1:]) * (image[0] - w[2] + 1) * (image[1] - w[3] + 1),
        "one channel in": lambda w, image: w[0] * w[2] * w[3] * (image[0] - w[2] + 1) * (image[1] - w[3] + 1),
        "kernel forgotten": lambda w, image: w[0] * w[1] * (image[0] - w[2] + 1) * (image[1] - w[3] + 1),
        "weights": lambda w, image: math.prod(w),
        "numbers of the output": lambda w, image: w[0] * (image[0] - w[2] + 1) * (image[1] - w[3] + 1),
        "FLOP": lambda w, image: 2 * math.prod(w) * (image[0] - w[2] + 1) * (image[1] - w[3] + 1),
        "bias": lambda w, image: (math.prod(w) + w[0]) * (image[0] - w[2] + 1) * (image[1] - w[3] + 1),
        "batch of 64": lambda w, image: 64 * math.prod(w) * (image[0] - w[2] + 1) * (image[1] - w[3] + 1),
        "12 written into it": lambda w, image: math.prod(w) * 64,
        "square kernel": lambda w, image: math.prod(w) * (image[0] - w[2] + 1) * (image[1] - w[2] + 1),
    },
    "choose_batch_size": {
        "highest throughput that fits": lambda table, memory: max(fitting(table, memory), key=lambda r: r[0] / r[1])[0],
        "highest throughput": lambda table, memory: max(table, key=lambda r: r[0] / r[1])[0],
        "fastest step": lambda table, memory: min(fitting(table, memory), key=lambda r: r[1])[0],
        "memory forgotten": lambda table, memory: fast_enough(table, best_of(table)),
        "best of all, smallest that fits": lambda table, memory: fast_enough(fitting(table, memory), best_of(table)),
        "less than the memory": lambda table, memory: fast_enough(
            [r for r in table if r[2] < memory], best_of(fitting(table, memory))
        ),
        "half is enough": lambda table, memory: fast_enough(
            fitting(table, memory), best_of(fitting(table, memory)), 0.5
        ),
        "row of the table": lambda table, memory: [row for row in table if row[0] == 256][:1],
    },
    "amdahl": {
        "factor alone": lambda share, factor: factor,
        "share of the factor": lambda share, factor: share * factor,
        "mean of speeds": lambda share, factor: share * factor + (1 - share),
        "new time": lambda share, factor: 1 - share + share / factor,
        "rest forgotten": lambda share, factor: factor / share,
        "limit": lambda share, factor: 1 / (1 - share),
        "time saved": lambda share, factor: share - share / factor,
        "parts exchanged": lambda share, factor: 1 / (share + (1 - share) / factor),
    },
    "obstacles": {
        "random numbers": lambda: [2, 4, 6],
        "a comparison": lambda: [3, 6, 11],
        "the multiplication instead of its condition": lambda: [4, 7, 11],
        "a change in place": lambda: [4, 10, 11],
        "the optimizer": lambda: [4, 9, 11],
        "backward": lambda: [6, 8, 11],
        "the gradients": lambda: [1, 4, 11],
        "the loss, whose shapes come from line 4": lambda: [5, 6, 11],
        "reading back alone": lambda: [6, 11],
        "no decision": lambda: [4, 11],
        "no item": lambda: [4, 6],
        "one of them twice": lambda: [4, 6, 11, 11],
        "counted from 0": lambda: [0, 5, 10],
        "the number of lines": lambda: 3,
    },
    "batches_in_order": {
        "labels not shuffled": lambda images, labels, order, size: cut(images[order], labels, size),
        "images not shuffled": lambda images, labels, order, size: cut(images, labels[order], size),
        "nothing shuffled": lambda images, labels, order, size: cut(images, labels, size),
        "last batch dropped": full_only,
        "shuffled in place": in_place,
        "wrong way round": lambda images, labels, order, size: cut(
            images[order.argsort()], labels[order.argsort()], size
        ),
        "another order": lambda images, labels, order, size: cut(images[order.flip(0)], labels[order.flip(0)], size),
        "batches that overlap": overlapping,
        "so many batches": lambda images, labels, order, size: list(
            zip(images[order].chunk(size + 1), labels[order].chunk(size + 1))
        ),
        "a pair of lists": lambda images, labels, order, size: (
            images[order].split(size),
            labels[order].split(size),
        ),
        "images alone": lambda images, labels, order, size: list(images[order].split(size)),
        "one batch": lambda images, labels, order, size: [(images[order], labels[order])],
    },
    "measure": {
        "as given": as_given,
        "no warm-up": lambda jobs, rounds, clock: timed_in_turns(jobs, rounds, clock, warm_up=0),
        "one after the other": one_after_the_other,
        "the work after the clock": lambda jobs, rounds, clock: timed_in_turns(jobs, rounds, clock, inside=False),
        "the warm-up counts as a round": lambda jobs, rounds, clock: timed_in_turns(jobs, rounds - 1, clock),
        "means alone": lambda jobs, rounds, clock: {
            name: sum(times) / rounds for name, times in timed_in_turns(jobs, rounds, clock).items()
        },
        "lists without names": lambda jobs, rounds, clock: list(timed_in_turns(jobs, rounds, clock).values()),
    },
}

# exercise: right answers, in other styles
RIGHT = {
    "speedup": [
        lambda old, new: np.median(old) / np.median(new),
        lambda old, new: 1 / (statistics.median(new) / statistics.median(old)),
    ],
    "slowest": [sorted_own, lambda profile: list(largest(own_times(profile)))],
    "conv_multiply_adds": [
        lambda w, image: math.prod(w) * (image[0] - w[2] + 1) * (image[1] - w[3] + 1),
        lambda w, image: math.prod(w) * torch.nn.Conv2d(w[1], 1, w[2:])(torch.zeros(1, w[1], *image)).numel(),
    ],
    "choose_batch_size": [
        sorted_choice,
        lambda table, memory: fast_enough(fitting(table, memory), best_of(fitting(table, memory))),
    ],
    "amdahl": [
        lambda share, factor: factor / (factor * (1 - share) + share),
        lambda share, factor: 1 / (1 - share * (1 - 1 / factor)),
        lambda share, factor: factor / (factor - share * (factor - 1)),
        lambda share, factor: 1 / ((1 - share) + share * (1 / factor)),
        lambda share, factor: 100 / (100 * (1 - share) + 100 * share / factor),
    ],
    "obstacles": [lambda: [11, 6, 4], lambda: (4, 6, 11), lambda: torch.tensor([4, 6, 11])],
    "batches_in_order": [
        looped,
        one_by_one,
        lambda images, labels, order, size: [(images[chosen], labels[chosen]) for chosen in order.split(size)],
        lambda images, labels, order, size: zip(images[order].split(size), labels[order].split(size)),
    ],
    "measure": [
        timed_in_turns,
        rotated,
        lambda jobs, rounds, clock: timed_in_turns(jobs, rounds, clock, warm_up=3, work=sum_of_lengths),
    ],
}


def probe_measure(function):
    jobs, clock, log = pretended_jobs()
    seconds = function(jobs, 3, clock)
    return [*seconds.values(), [["old", "new", "newest"].index(name) for name in log[-9:]]]


def probe_slowest(function):
    names = sorted({name for name, *_ in PROFILE})
    answers = [function(PROFILE), function(PROFILE[:5]), function(PROFILE[2:4])]
    return [value for name, share in answers for value in (names.index(name), share)]


def probe_batches(function):
    values = []
    for size in (1, 2, 3, 7, 10):
        batches = function(IMAGES, LABELS, ORDER, size)
        values += [len(batches), *(part for batch in batches for part in batch)]
    return values


# exercise: what a function gives on many inputs; two functions with equal results behave alike
PROBES = {
    "speedup": lambda function: [
        function([8.0, 40.0, 9.0], [3.0, 2.0, 4.0]),
        function([4.0, 1.0, 2.0, 3.0], [1.0, 1.0, 1.0, 9.0]),
    ],
    "slowest": probe_slowest,
    "conv_multiply_adds": lambda function: [
        function(weight, image)
        for weight, image in [((20, 10, 5, 5), (12, 12)), ((10, 1, 5, 5), (28, 28)), ((4, 3, 2, 5), (9, 8))]
    ],
    "choose_batch_size": lambda function: [
        function(table, memory) for table, memory in [(TABLE, 1000), (TABLE, 250), (TABLE, 205), (SLOWER, 1000)]
    ],
    "amdahl": lambda function: [function(share, factor) for share in (0, 0.3, 0.5, 0.9) for factor in (1, 2, 5, 1e6)],
    "obstacles": lambda function: [function()],
    "batches_in_order": probe_batches,
    "measure": probe_measure,
}
