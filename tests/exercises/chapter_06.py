"""06_experiments: the misconceptions that the checkers know, right answers in other styles, probes for the mutants."""

import bisect
import math
import statistics

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.swa_utils import get_ema_avg_fn

from mnist_helpers.exercises.chapter_06 import (
    AFTER,
    BEFORE,
    FEWER,
    FIVE_LABELS,
    LOG_PROBS,
    MORE,
    channels,
    exercises,  # noqa: F401
    random_numbers,
)


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


def smoothed_with(right, other, reduce=lambda losses: losses.mean()):
    """The smoothed loss with these targets of the right class and of the others, by epsilon and K."""

    def smoothed_loss(log_probs, labels, epsilon):
        classes = log_probs.shape[1]
        target = torch.full(log_probs.shape, float(other(epsilon, classes)))
        target[range(len(labels)), labels] = float(right(epsilon, classes))
        return reduce(-(target * log_probs).sum(dim=1))

    return smoothed_loss


def right_share(epsilon, classes):
    return 1 - epsilon + epsilon / classes


def other_share(epsilon, classes):
    return epsilon / classes


def norm_with(
    dims=(0, 2, 3),
    training_of=lambda training: training,
    correction=0,
    running_correction=1,
    divide=lambda centred, var: centred / (var + 1e-5).sqrt(),
    move=lambda old, new, momentum: (1 - momentum) * old + momentum * new,
    result=lambda *answers: answers,
    collect_in_eval=False,
):
    """Batch normalisation, of which one thing is another."""

    def batch_norm(x, running_mean, running_var, training, momentum):
        mean, var = running_mean[:, None, None], running_var[:, None, None]
        if training_of(training):
            mean, var = x.mean(dims, keepdim=True), x.var(dims, correction=correction, keepdim=True)
        if training or collect_in_eval:
            running_mean = move(running_mean, x.mean((0, 2, 3)), momentum)
            running_var = move(running_var, x.var((0, 2, 3), correction=running_correction), momentum)
        return result(divide(x - mean, var), running_mean, running_var)

    return batch_norm


def normalised_by(choose):
    """Batch normalisation that is wrong in the maps of train mode alone, made by choose(x, old and new statistics)."""

    def batch_norm(x, running_mean, running_var, training, momentum):
        maps, new_mean, new_var = norm_with()(x, running_mean, running_var, training, momentum)
        if training:
            old, new, batch = (running_mean, running_var), (new_mean, new_var), (x.mean((0, 2, 3)), biased(x))
            maps = choose(x, *(value[:, None, None] for pair in (old, new, batch) for value in pair))
        return maps, new_mean, new_var

    return batch_norm


def biased(x):
    return x.var((0, 2, 3), correction=0)


def maps(x, mean, var):
    return (x - mean) / (var + 1e-5).sqrt()


def in_eval(change):
    """Right in train mode; in eval mode the maps are change(x, mean, variance)."""

    def batch_norm(x, running_mean, running_var, training, momentum):
        answers = norm_with()(x, running_mean, running_var, training, momentum)
        if not training:
            answers = change(x, running_mean[:, None, None], running_var[:, None, None]), running_mean, running_var
        return answers

    return batch_norm


def deviation_collected(x, running_mean, running_var, training, momentum):
    normalised, new_mean, new_var = norm_with()(x, running_mean, running_var, training, momentum)
    if training:
        new_var = (1 - momentum) * running_var + momentum * x.std((0, 2, 3))
    return normalised, new_mean, new_var


def one_variance_collected(x, running_mean, running_var, training, momentum):
    normalised, new_mean, new_var = norm_with()(x, running_mean, running_var, training, momentum)
    if training:
        new_var = (1 - momentum) * running_var + momentum * x.var()
    return normalised, new_mean, new_var


def maps_in_place(x, running_mean, running_var, training, momentum):
    normalised, new_mean, new_var = norm_with()(x, running_mean, running_var, training, momentum)
    return x.copy_(normalised), new_mean, new_var


def collected_in_place(x, running_mean, running_var, training, momentum):
    normalised, new_mean, new_var = norm_with()(x, running_mean, running_var, training, momentum)
    return normalised, running_mean.copy_(new_mean), running_var.copy_(new_var)


# exercise: {misconception: what a student who holds it writes}
WRONG = {
    "ema": {
        "shares swapped": lambda average, weight, decay: (1 - decay) * average + decay * weight,
        "mean of both": lambda average, weight, decay: (average + weight) / 2,
        "momentum": lambda average, weight, decay: decay * average + weight,
        "decay twice": lambda average, weight, decay: decay * average + decay * weight,
        "all of the average kept": lambda average, weight, decay: average + (1 - decay) * weight,
        "minus": lambda average, weight, decay: decay * average - (1 - decay) * weight,
        "weight missing": lambda average, weight, decay: decay * average,
        "average missing": lambda average, weight, decay: (1 - decay) * weight,
        "old average": lambda average, weight, decay: average,
        "weight itself": lambda average, weight, decay: weight,
        "divided by 2": lambda average, weight, decay: (decay * average + (1 - decay) * weight) / 2,
        "averaged over the weights": lambda average, weight, decay: (decay * average + (1 - decay) * weight).mean(),
        "0.9 written into it": lambda average, weight, decay: 0.9 * average + 0.1 * weight,
        "decay to a power": lambda average, weight, decay: average**decay * weight ** (1 - decay),
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
        "always 21": lambda spread, gain: 21,
        "something else": lambda spread, gain: 50,
    },
    "smoothed_loss": {
        "not smoothed": lambda log_probs, labels, epsilon: F.nll_loss(log_probs, labels),
        "over the wrong classes": smoothed_with(lambda e, k: 1 - e, lambda e, k: e / (k - 1)),
        "right class without its part": smoothed_with(lambda e, k: 1 - e, other_share),
        "nothing spread": smoothed_with(lambda e, k: 1 - e, lambda e, k: 0),
        "K - 1 for the others only": smoothed_with(right_share, lambda e, k: e / (k - 1)),
        "nothing taken away": smoothed_with(lambda e, k: 1 + e / k, other_share),
        "1 and epsilon / 9": smoothed_with(lambda e, k: 1, lambda e, k: e / (k - 1)),
        "1 and epsilon / 10": smoothed_with(lambda e, k: 1, other_share),
        "epsilon each": smoothed_with(lambda e, k: 1, lambda e, k: e),
        "epsilon for each wrong class": smoothed_with(lambda e, k: 1 - e, lambda e, k: e),
        "shares exchanged": lambda log_probs, labels, epsilon: F.cross_entropy(
            log_probs, labels, label_smoothing=1 - epsilon
        ),
        "spread part alone": smoothed_with(other_share, other_share),
        "wrong classes alone": smoothed_with(lambda e, k: 0, other_share),
        "minus": smoothed_with(lambda e, k: 1 - e - e / k, lambda e, k: -e / k),
        "sum": smoothed_with(right_share, other_share, reduce=torch.sum),
        "one loss an image": smoothed_with(right_share, other_share, reduce=lambda losses: losses),
        "sign": smoothed_with(right_share, other_share, reduce=lambda losses: -losses.mean()),
        "mean over the classes too": lambda log_probs, labels, epsilon: (
            F.cross_entropy(log_probs, labels, label_smoothing=epsilon) / log_probs.shape[1]
        ),
        "probabilities smoothed": lambda log_probs, labels, epsilon: F.nll_loss(
            ((1 - epsilon) * log_probs.exp() + epsilon / log_probs.shape[1]).log(), labels
        ),
        "probabilities in the loss": lambda log_probs, labels, epsilon: smoothed_with(right_share, other_share)(
            log_probs.exp(), labels, epsilon
        ),
        "ten classes written into it": smoothed_with(lambda e, k: 1 - e + e / 10, lambda e, k: e / 10),
        "0.3 written into it": smoothed_with(lambda e, k: 0.7 + 0.3 / k, lambda e, k: 0.3 / k),
        "0.7 written into it": smoothed_with(lambda e, k: (0.7 if e else 1) + e / k, other_share),
        "two mistakes at once": smoothed_with(lambda e, k: 1 - e, lambda e, k: 0, reduce=torch.sum),
    },
    "batch_norm": {
        "running values in train mode": norm_with(training_of=lambda training: False),
        "running variance in train mode": normalised_by(lambda x, *s: maps(x, s[4], s[1])),
        "running mean in train mode": normalised_by(lambda x, *s: maps(x, s[0], s[5])),
        "new running values in train mode": normalised_by(lambda x, *s: maps(x, s[2], s[3])),
        "n - 1 in the maps": norm_with(correction=1),
        "all channels together": norm_with(dims=(0, 1, 2, 3)),
        "each map": norm_with(dims=(2, 3)),
        "each image": norm_with(dims=(1, 2, 3), correction=1),
        "each pixel": norm_with(dims=(0,)),
        "over the channels": norm_with(dims=(1,), correction=1),
        "divided by the variance": norm_with(divide=lambda centred, var: centred / (var + 1e-5)),
        "0.00001 outside of the root": norm_with(divide=lambda centred, var: centred / (var.sqrt() + 1e-5)),
        "0.00001 forgotten": norm_with(divide=lambda centred, var: centred / var.sqrt()),
        "multiplied": norm_with(divide=lambda centred, var: centred * (var + 1e-5).sqrt()),
        "mean alone": norm_with(divide=lambda centred, var: centred),
        "deviation alone": normalised_by(lambda x, *s: x / (s[5] + 1e-5).sqrt()),
        "parentheses": normalised_by(lambda x, *s: x - s[4] / (s[5] + 1e-5).sqrt()),
        "sign": norm_with(divide=lambda centred, var: -centred / (var + 1e-5).sqrt()),
        "not normalised": normalised_by(lambda x, *s: x),
        "two mistakes at once": norm_with(dims=(2, 3), divide=lambda centred, var: centred),
        "nothing collected": norm_with(move=lambda old, new, momentum: old),
        "only the last batch collected": norm_with(move=lambda old, new, momentum: new),
        "momentum on the wrong side": norm_with(move=lambda old, new, momentum: new.lerp(old, momentum)),
        "mean of both": norm_with(move=lambda old, new, momentum: (old + new) / 2),
        "running values grow": norm_with(move=lambda old, new, momentum: old + momentum * new),
        "running mean is a sum": norm_with(move=lambda old, new, momentum: old + new),
        "running variance by n": norm_with(running_correction=0),
        "running standard deviation": deviation_collected,
        "one running variance": one_variance_collected,
        "batch in eval mode": norm_with(training_of=lambda training: True),
        "collected in eval mode": norm_with(collect_in_eval=True),
        "variance as deviation in eval mode": in_eval(lambda x, mean, var: (x - mean) / var),
        "not normalised in eval mode": in_eval(lambda x, mean, var: x),
        "a scale too many in eval mode": in_eval(lambda x, mean, var: 2 * maps(x, mean, var)),
        "x in place": maps_in_place,
        "running values in place": collected_in_place,
        "maps alone": norm_with(result=lambda maps, mean, var: maps),
        "two things": norm_with(result=lambda maps, mean, var: (mean, var)),
        "another order": norm_with(result=lambda maps, mean, var: (mean, var, maps)),
        "0.25 written into it": norm_with(move=lambda old, new, momentum: 0.75 * old + 0.25 * new),
        "squeezed": norm_with(result=lambda maps, mean, var: (maps.squeeze(), mean, var)),
    },
}


def average_in_place(average, weight, decay):
    average.mul_(decay).add_(weight, alpha=1 - decay)
    return average


def looped_average(average, weight, decay):
    pairs = zip(average.flatten().tolist(), weight.flatten().tolist())
    return np.array([decay * old + (1 - decay) * new for old, new in pairs]).reshape(average.shape)


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


def looped_smoothing(log_probs, labels, epsilon):
    total = 0.0
    for row, label in zip(log_probs.tolist(), labels.tolist()):
        for place, log_prob in enumerate(row):
            total -= (epsilon / len(row) + (1 - epsilon) * (place == label)) * log_prob
    return total / len(labels)


def smoothing_by_numpy(log_probs, labels, epsilon):
    target = (1 - epsilon) * np.eye(log_probs.shape[1])[labels.numpy()] + epsilon / log_probs.shape[1]
    return -np.einsum("nk,nk->n", target, log_probs.numpy()).mean()


def two_losses(log_probs, labels, epsilon):
    return (1 - epsilon) * F.nll_loss(log_probs, labels) - epsilon * log_probs.mean()


def norm_by_layer(x, running_mean, running_var, training, momentum):
    layer = nn.BatchNorm2d(x.shape[1], affine=False, momentum=momentum).train(training)
    layer.running_mean.copy_(running_mean)
    layer.running_var.copy_(running_var)
    return layer(x), layer.running_mean, layer.running_var


def norm_by_numpy(x, running_mean, running_var, training, momentum):
    x, mean, var = x.numpy(), running_mean.numpy().copy(), running_var.numpy().copy()
    used_mean, used_var = mean, var
    if training:
        used_mean, used_var = x.mean(axis=(0, 2, 3)), x.var(axis=(0, 2, 3))
        mean += momentum * (used_mean - mean)
        var += momentum * (x.var(axis=(0, 2, 3), ddof=1) - var)
    deviation = np.sqrt(used_var + 1e-5)
    return (x - used_mean.reshape(1, -1, 1, 1)) / deviation.reshape(1, -1, 1, 1), mean, var


def looped_norm(x, running_mean, running_var, training, momentum):
    normalised, means, variances = torch.empty_like(x), running_mean.tolist(), running_var.tolist()
    for channel in range(x.shape[1]):
        values = x[:, channel]
        mean, var = means[channel], variances[channel]
        if training:
            mean, var = values.mean().item(), ((values - values.mean()) ** 2).mean().item()
            n = values.numel()
            means[channel] = (1 - momentum) * means[channel] + momentum * mean
            variances[channel] = (1 - momentum) * variances[channel] + momentum * var * n / (n - 1)
        normalised[:, channel] = (values - mean) / (var + 0.00001) ** 0.5
    return [normalised, means, variances]


RIGHT = {
    "ema": [
        average_in_place,
        looped_average,
        lambda average, weight, decay: average + (1 - decay) * (weight - average),
        lambda average, weight, decay: get_ema_avg_fn(decay)(average, weight, 0),
        lambda average, weight, decay: weight.numpy() * (1 - decay) + average.numpy() * decay,
    ],
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
        lambda spread, gain: int(8 * (spread / gain) ** 2) + 1,
    ],
    "smoothed_loss": [
        looped_smoothing,
        smoothing_by_numpy,
        two_losses,
        lambda log_probs, labels, epsilon: F.cross_entropy(log_probs, labels, label_smoothing=epsilon),
        lambda log_probs, labels, epsilon: smoothed_with(right_share, other_share)(log_probs.double(), labels, epsilon),
    ],
    "batch_norm": [norm_by_layer, norm_by_numpy, looped_norm, norm_with()],
}


# exercise: what a function gives on many inputs; two functions with equal results behave alike
PROBES = {
    "ema": lambda function: [
        function(*random_numbers(2, 3, 2, seed=seed), decay) for seed, decay in enumerate([0.0, 0.3, 0.9, 0.99, 1.0])
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
    "smoothed_loss": lambda function: [
        function(log_probs, labels, epsilon)
        for epsilon in (0.0, 0.05, 0.4, 1.0)
        for log_probs, labels in [
            (LOG_PROBS, FIVE_LABELS),
            (LOG_PROBS[:1], FIVE_LABELS[:1]),
            (random_numbers(2, 3, seed=3).log_softmax(dim=1), torch.tensor([2, 0])),
        ]
    ],
    "batch_norm": lambda function: [
        value
        for shape, momentum in [((4, 3, 5, 6), 0.25), ((1, 2, 3, 4), 0.1), ((2, 5, 2, 2), 0.6)]
        for training in (True, False)
        for value in function(*channels(shape, seed=shape[0]), training, momentum)
    ],
}
