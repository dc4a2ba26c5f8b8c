"""06_experiments: the misconceptions that the checkers know, right answers in other styles, probes for the mutants."""

import bisect
import math
import statistics

import numpy as np
import pandas as pd
import torch
from torch import nn

from mnist_helpers.exercises.chapter_06 import (
    AFTER,
    BEFORE,
    FEWER,
    MORE,
    answer_and_calls,
    exercises,  # noqa: F401
)
from mnist_helpers.training import evaluate


def cycle(rise=0.3, start=0.0, bend=lambda share: share, rise_length=None, fall_length=None):
    """One cycle with another place of the top, another start, bent lines, or lines of another length."""

    def rate_at(step, steps, highest):
        top = rise * steps
        if step < top:
            return highest * (start + (1 - start) * bend(step / (rise_length or rise) / steps))
        return highest * max(0, bend(1 - (step - top) / (fall_length or 1 - rise) / steps))

    return rate_at


def cosine(share):
    return (1 - math.cos(math.pi * share)) / 2


def by_pytorch(step, steps, highest):
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=highest)
    options = {"pct_start": 0.3, "anneal_strategy": "linear", "cycle_momentum": False}
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, highest, total_steps=steps + 2, **options)
    for _ in range(step):
        optimizer.step()
        schedule.step()
    return schedule.get_last_lr()[0]


def gain_with(error, middle=np.mean, sign=1):
    """The gain by `middle`, and its standard error by `error` of both lists."""
    return lambda before, after: (sign * (middle(after) - middle(before)), error(before, after))


def standard_error(values, ddof=1):
    return np.std(values, ddof=ddof) / np.sqrt(len(values))


def right_error(before, after):
    return np.hypot(standard_error(before), standard_error(after))


def pooled(before, after):
    n, m = len(before), len(after)
    square = ((n - 1) * np.var(before, ddof=1) + (m - 1) * np.var(after, ddof=1)) / (n + m - 2)
    return np.sqrt(square / n + square / m)


def spreads(before, after, ddof=1):
    return np.hypot(np.std(before, ddof=ddof), np.std(after, ddof=ddof))


def paired(before, after):
    return standard_error([b - a for a, b in zip(before, after)])


def found_with(
    error=lambda before, after, n: np.sqrt((before.var(1, ddof=1) + after.var(1, ddof=1)) / n),
    errors=2.0,
    compare=lambda difference, limit: difference > limit,
    reduce=np.mean,
    draw_before=True,
    axis=1,
):
    """The power, of which one thing is another."""

    def power(spread, gain, seeds, experiments, rng):
        before = rng.normal(0, spread if draw_before else 0, (experiments, seeds))
        after = rng.normal(gain, spread, (experiments, seeds))
        difference = after.mean(axis=axis) - before.mean(axis=axis)
        return reduce(compare(difference, errors * error(before, after, seeds)))

    return power


def select(split=lambda n: n * 9 // 10, judge=None, mode=nn.Module.eval, choose=np.argmax, train_on=None):
    """The choice of a trainer, of which one thing is another."""

    def best_trainer(images, labels, trainers):
        cut = split(len(images))
        correct = []
        for train in trainers:
            part = (train_on or (lambda n: slice(0, n)))(cut)
            model = mode(train(images[part], labels[part]))
            judged = judge(cut) if judge else slice(cut, None)
            correct.append((model(images[judged]).argmax(dim=1) == labels[judged]).sum().item())
        return choose(correct)

    return best_trainer


def trainer_by_loss(images, labels, trainers):
    """The lowest loss in place of the most right answers."""
    cut = len(images) * 9 // 10
    models = [train(images[:cut], labels[:cut]) for train in trainers]
    return int(np.argmin([evaluate(model, images[cut:], labels[cut:])[0] for model in models]))


def never_trained(images, labels, trainers):
    return 0


def only_the_first(images, labels, trainers):
    trainers[0](images[: len(images) * 9 // 10], labels[: len(images) * 9 // 10])
    return 1


def labels_not_cut(images, labels, trainers):
    return int(np.argmax([len(train(images[: len(images) * 9 // 10], labels).known) for train in trainers]))


def letters(low, high, heart, fine):
    table = {"rate too low": low, "rate too high": high, "learns by heart": heart, "fine": fine}
    return lambda has: table[has]


# exercise: {misconception: what a student who holds it writes}
WRONG = {
    "choose": {
        "chosen by the test set": lambda validation, test: (np.argmax(test), max(test)),
        "the best test accuracy reported": lambda validation, test: (np.argmax(validation), max(test)),
        "validation accuracy reported": lambda validation, test: (np.argmax(validation), max(validation)),
        "chosen by the mean of both": lambda validation, test: (
            best := int(np.argmax(np.add(validation, test))),
            test[best],
        ),
        "mean of both reported": lambda validation, test: (
            best := int(np.argmax(validation)),
            (validation[best] + test[best]) / 2,
        ),
        "mean of all candidates reported": lambda validation, test: (np.argmax(validation), np.mean(test)),
        "changed places": lambda validation, test: (test[np.argmax(validation)], np.argmax(validation)),
        "index alone": lambda validation, test: np.argmax(validation),
        "accuracy alone": lambda validation, test: test[np.argmax(validation)],
        "counted from 1": lambda validation, test: (np.argmax(validation) + 1, test[np.argmax(validation)]),
        "always the second": lambda validation, test: (1, test[1] if len(test) > 1 else test[0]),
    },
    "run_that": {
        "high and low exchanged": letters("D", "B", "A", "C"),
        "fine and by heart exchanged": letters("B", "D", "C", "A"),
        "always A": letters("A", "A", "A", "A"),
        "always C": letters("C", "C", "C", "C"),
        "small letters": letters("b", "d", "a", "c"),
        "numbers": letters(1, 3, 0, 2),
        "two letters": letters("BD", "D", "A", "C"),
        "empty": letters("", "D", "A", "C"),
    },
    "rate_at": {
        "top in the middle": cycle(rise=0.5),
        "rise and fall exchanged": cycle(rise=0.7),
        "no fall": lambda step, steps, highest: highest * min(1, step / (0.3 * steps)),
        "rises all the time": lambda step, steps, highest: highest * step / steps,
        "rises for ever": lambda step, steps, highest: highest * step / (0.3 * steps),
        "falls all the time": lambda step, steps, highest: highest * (1 - step / steps),
        "no rise": lambda step, steps, highest: min(highest, highest * (steps - step) / (0.7 * steps)),
        "upside down": lambda step, steps, highest: highest - cycle()(step, steps, highest),
        "PyTorch's start": cycle(start=1 / 25),
        "PyTorch's schedule": by_pytorch,
        "highest missing": lambda step, steps, highest: cycle()(step, steps, 1),
        "rise not divided": lambda step, steps, highest: (
            highest * step if step < 0.3 * steps else 30 * cycle()(step, steps, highest)
        ),
        "fall from the first step on": lambda step, steps, highest: (
            highest * (step / (0.3 * steps) if step < 0.3 * steps else 1 - step / steps)
        ),
        "rise over all steps": cycle(rise_length=1),
        "both over all steps": lambda step, steps, highest: highest * min(step, steps - step) / steps,
        "fall over all steps": cycle(fall_length=1),
        "fall as short as the rise": cycle(fall_length=0.3),
        "whole-number division": lambda step, steps, highest: (
            highest * (step // (0.3 * steps) if step < 0.3 * steps else (steps - step) // (0.7 * steps))
        ),
        "cosine": cycle(bend=cosine),
        "a parabola": cycle(bend=lambda share: share**2),
        "all rates": lambda step, steps, highest: [cycle()(i, steps, highest) for i in range(steps + 1)],
        "100 steps written into it": lambda step, steps, highest: cycle()(step, 100, highest),
        "0.5 written into it": lambda step, steps, highest: cycle()(step, steps, 0.5),
    },
    "gain": {
        "standard deviation": gain_with(spreads),
        "standard deviation, ddof=0": gain_with(lambda before, after: spreads(before, after, ddof=0)),
        "ddof=0": gain_with(lambda b, a: np.hypot(standard_error(b, ddof=0), standard_error(a, ddof=0))),
        "divided by n": gain_with(lambda before, after: spreads(before, after) / len(before)),
        "divided by n, ddof=0": gain_with(lambda before, after: spreads(before, after, ddof=0) / len(before)),
        "errors added": gain_with(lambda before, after: standard_error(before) + standard_error(after)),
        "errors added, ddof=0": gain_with(lambda b, a: standard_error(b, ddof=0) + standard_error(a, ddof=0)),
        "standard deviations added": gain_with(lambda b, a: np.std(b, ddof=1) + np.std(a, ddof=1)),
        "errors subtracted": gain_with(lambda before, after: abs(standard_error(before) - standard_error(after))),
        "squares subtracted": gain_with(
            lambda before, after: np.sqrt(abs(standard_error(before) ** 2 - standard_error(after) ** 2))
        ),
        "mean of the errors": gain_with(lambda b, a: np.mean([standard_error(b), standard_error(a)])),
        "root missing": gain_with(lambda before, after: right_error(before, after) ** 2),
        "all seeds counted together": gain_with(lambda b, a: spreads(b, a) / np.sqrt(len(b) + len(a))),
        "two standard errors": gain_with(lambda before, after: 2 * right_error(before, after)),
        "error of the first only": gain_with(lambda before, after: standard_error(before)),
        "error of the second only": gain_with(lambda before, after: standard_error(after)),
        "paired": gain_with(paired),
        "both lists in one": gain_with(lambda before, after: standard_error(before + after)),
        "sign": gain_with(right_error, sign=-1),
        "absolute value": lambda before, after: (abs(np.mean(after) - np.mean(before)), right_error(before, after)),
        "best seeds": gain_with(right_error, middle=max),
        "medians": gain_with(right_error, middle=np.median),
        "sums": gain_with(right_error, middle=sum),
        "relative": lambda b, a: (np.mean(a) / np.mean(b) - 1, right_error(b, a)),
        "mean after": lambda before, after: (np.mean(after), right_error(before, after)),
        "swapped": lambda before, after: (right_error(before, after), np.mean(after) - np.mean(before)),
        "gain alone": lambda before, after: np.mean(after) - np.mean(before),
        "one a seed": lambda before, after: [b - a for a, b in zip(before, after)],
        "first n for both": gain_with(lambda before, after: spreads(before, after) / np.sqrt(len(before))),
        "second n for both": gain_with(lambda before, after: spreads(before, after) / np.sqrt(len(after))),
        "n exchanged": gain_with(
            lambda b, a: np.sqrt(np.var(b, ddof=1) / len(a) + np.var(a, ddof=1) / len(b)),
        ),
        "mean n": gain_with(lambda b, a: spreads(b, a) / np.sqrt((len(b) + len(a)) / 2)),
        "pooled": gain_with(pooled),
        "two mistakes at once, gain right": gain_with(lambda before, after: 3 * spreads(before, after)),
        "two mistakes at once, gain wrong": gain_with(spreads, middle=min),
        "three numbers": lambda before, after: (np.mean(before), np.mean(after), right_error(before, after)),
    },
    "seeds_needed": {
        "not rounded": lambda spread, gain: 8 * (spread / gain) ** 2,
        "rounded down": lambda spread, gain: int(8 * (spread / gain) ** 2),
        "standard error of one mean": lambda spread, gain: math.ceil(4 * (spread / gain) ** 2),
        "standard error of one mean, not rounded": lambda spread, gain: 4 * (spread / gain) ** 2,
        "one standard error": lambda spread, gain: math.ceil(2 * (spread / gain) ** 2),
        "one standard error, not rounded": lambda spread, gain: 2 * (spread / gain) ** 2,
        "one standard error of one mean": lambda spread, gain: math.ceil((spread / gain) ** 2),
        "errors added": lambda spread, gain: math.ceil(16 * (spread / gain) ** 2),
        "errors added, not rounded": lambda spread, gain: 16 * (spread / gain) ** 2,
        "all trainings": lambda spread, gain: 2 * math.ceil(8 * (spread / gain) ** 2),
        "square forgotten": lambda spread, gain: math.ceil(8 * spread / gain),
        "exchanged": lambda spread, gain: math.ceil(8 * (gain / spread) ** 2),
        "divided by n": lambda spread, gain: math.ceil(4 * spread / gain),
        "one too many at the limit": lambda spread, gain: int(8 * (spread / gain) ** 2) + 1,
        "always 21": lambda spread, gain: 21,
        "something else": lambda spread, gain: 50,
    },
    "best_trainer": {
        "judged on the images that it learnt from": select(judge=lambda cut: slice(0, cut)),
        "trained on everything": select(train_on=lambda cut: slice(None)),
        "first tenth held out": select(
            train_on=lambda cut: slice(cut // 9, None), judge=lambda cut: slice(0, cut // 9)
        ),
        "half held out": select(split=lambda n: n // 2),
        "in train mode": select(mode=nn.Module.train),
        "how many are right": select(choose=max),
        "all counts": select(choose=list),
        "counted from 1": select(choose=lambda correct: np.argmax(correct) + 1),
        "the lowest loss": trainer_by_loss,
        "never trained": never_trained,
        "only the first": only_the_first,
        "labels not cut": labels_not_cut,
    },
    "power": {
        "standard error of one mean": found_with(lambda before, after, n: np.sqrt(before.var(1, ddof=1) / n)),
        "standard deviations": found_with(
            lambda before, after, n: np.hypot(before.std(1, ddof=1), after.std(1, ddof=1))
        ),
        "divided by n": found_with(lambda b, a, n: np.hypot(b.std(1, ddof=1), a.std(1, ddof=1)) / n),
        "ddof=0": found_with(lambda before, after, n: np.sqrt((before.var(1) + after.var(1)) / n)),
        "spread known": lambda spread, gain, seeds, experiments, rng: found_with(
            lambda before, after, n: spread * np.sqrt(2 / n)
        )(spread, gain, seeds, experiments, rng),
        "errors added": found_with(lambda b, a, n: (b.std(1, ddof=1) + a.std(1, ddof=1)) / np.sqrt(n)),
        "one standard error": found_with(errors=1.0),
        "three standard errors": found_with(errors=3.0),
        "not found": found_with(compare=lambda difference, limit: difference <= limit),
        "the difference alone": found_with(compare=lambda difference, limit: difference > 0),
        "losses count too": found_with(compare=lambda difference, limit: abs(difference) > limit),
        "count": found_with(reduce=np.sum),
        "one experiment in each column": found_with(
            lambda before, after, n: np.sqrt((before.var(0, ddof=1) + after.var(0, ddof=1)) / n), axis=0
        ),
        "one an experiment": found_with(reduce=lambda found: found),
        "nothing drawn before": found_with(draw_before=False),
        "always half": lambda spread, gain, seeds, experiments, rng: 0.5,
        "spread known, root forgotten": lambda spread, gain, seeds, experiments, rng: np.mean(
            rng.normal(gain, spread, experiments) > 2 * spread
        ),
    },
}


def looped_cycle(step, steps, highest):
    rise, fall = 3 * steps // 10, 7 * steps // 10
    rate = 0.0
    for _ in range(min(step, rise)):
        rate += highest / rise
    for _ in range(step - rise):
        rate -= highest / fall
    return torch.tensor(rate)


def gain_by_statistics(before, after):
    squares = statistics.variance(before) / len(before) + statistics.variance(after) / len(after)
    return [statistics.mean(after) - statistics.mean(before), squares**0.5]


def gain_by_torch(before, after):
    before, after = torch.tensor(before), torch.tensor(after)
    squares = before.var() / before.numel() + after.var() / after.numel()
    return torch.stack([after.mean() - before.mean(), squares.sqrt()])


def gain_by_pandas(before, after):
    before, after = pd.Series(before), pd.Series(after)
    return after.mean() - before.mean(), np.hypot(before.sem(), after.sem())


def looped_seeds(spread, gain):
    seeds = 1
    while 2 * np.hypot(spread / np.sqrt(seeds), spread / np.sqrt(seeds)) > gain:
        seeds += 1
    return seeds


def seeds_by_bisection(spread, gain):
    return bisect.bisect_left(range(10_000), True, key=lambda n: n > 0 and 2 * spread * (2 / n) ** 0.5 <= gain)


def looped_choice(validation_accuracies, test_accuracies):
    best = 0
    for index, accuracy in enumerate(validation_accuracies):
        if accuracy > validation_accuracies[best]:
            best = index
    return [best, test_accuracies[best]]


def letters_by_if(has):
    if has == "fine":
        return "C"
    if "rate" in has:
        return "B" if has.endswith("low") else "D"
    return "A"


def trainer_by_evaluate(images, labels, trainers):
    held_out = len(images) // 10
    results = []
    for number, train in enumerate(trainers):
        model = train(images[:-held_out], labels[:-held_out])
        results.append((evaluate(model, images[-held_out:], labels[-held_out:])[1], number))
    return max(results)[1]


def looped_power(spread, gain, seeds, experiments, rng):
    found = 0
    for _ in range(experiments):
        before = rng.normal(0, spread, seeds)
        after = rng.normal(gain, spread, seeds)
        error = math.sqrt(statistics.variance(before) / seeds + statistics.variance(after) / seeds)
        found += statistics.fmean(after) - statistics.fmean(before) > 2 * error
    return found / experiments


def power_by_torch(spread, gain, seeds, experiments, rng):
    before, after = spread * torch.randn(seeds, experiments), gain + spread * torch.randn(seeds, experiments)
    error = ((before.var(0) + after.var(0)) / seeds).sqrt()
    return (after.mean(0) - before.mean(0) >= 2 * error).double().mean()


RIGHT = {
    "choose": [
        looped_choice,
        lambda validation, test: max(enumerate(test), key=lambda pair: validation[pair[0]]),
        lambda validation, test: (torch.tensor(validation).argmax(), np.array(test)[validation.index(max(validation))]),
    ],
    "run_that": [letters("B", "D", "A", "C"), letters_by_if],
    "rate_at": [
        looped_cycle,
        lambda step, steps, highest: np.interp(step, [0, 3 * steps / 10, steps], [0, highest, 0]),
        lambda step, steps, highest: highest * min(step / (0.3 * steps), (steps - step) / (0.7 * steps)),
        lambda step, steps, highest: np.array([cycle()(i, steps, highest) for i in range(steps + 1)])[step],
    ],
    "gain": [gain_by_statistics, gain_by_torch, gain_by_pandas, gain_with(right_error)],
    "seeds_needed": [
        looped_seeds,
        seeds_by_bisection,
        lambda spread, gain: np.ceil(2 * (2 * spread / gain) ** 2),
        lambda spread, gain: -int(-8 * spread**2 // gain**2),
        lambda spread, gain: math.ceil(8 * spread**2 / gain**2),
        lambda spread, gain: math.ceil((2 * spread / (gain / math.sqrt(2))) ** 2),
        lambda spread, gain: math.ceil((2 * np.hypot(spread, spread) / gain) ** 2),
    ],
    "best_trainer": [select(), trainer_by_evaluate, select(choose=lambda correct: torch.tensor(correct).argmax())],
    "power": [looped_power, power_by_torch, found_with()],
}


# exercise: what a function gives on many inputs; two functions with equal results behave alike
PROBES = {
    "choose": lambda function: [
        value
        for validation, test in [([0.96, 0.97, 0.95], [0.95, 0.94, 0.96]), ([0.9], [0.8]), ([0.1, 0.2], [0.4, 0.3])]
        for value in function(validation, test)
    ],
    "run_that": lambda function: [
        "ABCD".index(function(has)) for has in ("rate too low", "rate too high", "learns by heart", "fine")
    ],
    "rate_at": lambda function: [
        function(step, steps, highest)
        for steps, highest in [(10, 1.0), (100, 0.3), (1000, 2.0)]
        for step in range(0, steps + 1, steps // 10)
    ],
    "gain": lambda function: [
        value
        for before, after in [(BEFORE, AFTER), (FEWER, MORE), (AFTER, FEWER), ([1.0, 2.0], [3.0, 5.0, 6.0])]
        for value in function(before, after)
    ],
    "seeds_needed": lambda function: [
        function(spread, gain) for spread in (0.03, 0.07, 0.2, 1.1) for gain in (0.02, 0.09, 0.4)
    ],
    "best_trainer": lambda function: [
        value
        for count in (200, 100, 50)
        for answer, trainers in [answer_and_calls(function, count, [(1.0, 0.3), (0.4, 0.7), (0.9, 0.5)])]
        for value in [answer, *(len(ids) for trainer in trainers for ids, _ in trainer.calls)]
    ],
    "power": lambda function: [
        function(spread, gain, seeds, 2000, np.random.default_rng(7))
        for spread, gain, seeds in [(1.0, 1.5, 4), (0.3, 0.3, 9), (1.0, 0.2, 20)]
    ],
}
