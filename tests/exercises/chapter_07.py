"""07_improving: the misconceptions that the checkers know, right answers in other styles, probes for the mutants."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.swa_utils import get_ema_avg_fn

from mnist_helpers.augment import BLACK, shift
from mnist_helpers.exercises.chapter_07 import (
    FIVE_LABELS,
    LOG_PROBS,
    channels,
    exercises,  # noqa: F401
    fixed_networks,
    random_numbers,
    some_digits,
)


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


def moved_down(images, pixels):
    padded = F.pad(images, (0, 0, pixels, 0), value=BLACK)
    return padded[:, :, : images.shape[2]]


def broken_shift(images, pixels):
    shifted = torch.zeros_like(images)
    if pixels:  # else it stops with an error
        shifted[:, :, pixels:] = images[:, :, :-pixels]
    return shifted


def slice_to_minus(images, pixels):
    shifted = torch.full_like(images, BLACK)
    rows = images[:, :, :-pixels] if pixels else images[:, :, :0]
    shifted[:, :, pixels : pixels + rows.shape[2]] = rows
    return shifted


def averaged(combine=lambda p: p.mean(0), mode=nn.Module.eval):
    """The ensemble, of which one thing is another."""
    return lambda models, images: combine(torch.stack([mode(model)(images).exp() for model in models]))


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
    "shift_down": {
        "the broken code with BLACK": slice_to_minus,
        "the broken code": broken_shift,
        "rolled": lambda images, pixels: images.roll(pixels, dims=2),
        "up": lambda images, pixels: torch.cat(
            [images[:, :, pixels:], torch.full_like(images[:, :, :pixels], BLACK)], dim=2
        ),
        "to the right": lambda images, pixels: moved_down(images.transpose(2, 3), pixels).transpose(2, 3),
        "old rows kept": lambda images, pixels: torch.cat(
            [images[:, :, :pixels], moved_down(images, pixels)[:, :, pixels:]], 2
        ),
        "not moved": lambda images, pixels: images,
        "in place": lambda images, pixels: images.copy_(moved_down(images, pixels)),
        "filled with the minimum": lambda images, pixels: torch.where(
            moved_down(images, pixels) == BLACK, images.min(), moved_down(images, pixels)
        ),
        "one row more": lambda images, pixels: moved_down(images, pixels + 1),
        "cut off": lambda images, pixels: images[:, :, : images.shape[2] - pixels],
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
    "ensemble": {
        "train mode": averaged(mode=lambda model: model),
        "log-probabilities averaged": averaged(combine=lambda p: p.log().mean(0).exp()),
        "log-probabilities returned": averaged(combine=lambda p: p.log().mean(0)),
        "log-probabilities averaged, normalised": averaged(combine=lambda p: p.log().mean(0).softmax(1)),
        "sum": averaged(combine=lambda p: p.sum(0)),
        "log of the mean": averaged(combine=lambda p: p.mean(0).log()),
        "first alone": averaged(combine=lambda p: p[0]),
        "last alone": averaged(combine=lambda p: p[-1]),
        "largest": averaged(combine=lambda p: p.amax(0)),
        "votes": averaged(combine=lambda p: F.one_hot(p.argmax(2), 10).double().mean(0)),
        "digits": averaged(combine=lambda p: p.mean(0).argmax(1)),
        "over the images": averaged(combine=lambda p: p.mean(1)),
        "not averaged": averaged(combine=lambda p: p),
        "median": averaged(combine=lambda p: p.median(0).values),
        "divided by 3": averaged(combine=lambda p: p.sum(0) / 3),
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


def shift_by_helper(images, pixels):
    count = len(images)
    return shift(images, torch.full((count,), pixels), torch.zeros(count, dtype=torch.long), reach=images.shape[2])


def looped_shift(images, pixels):
    rows = images.numpy()
    shifted = np.full_like(rows, BLACK)
    for row in range(pixels, rows.shape[2]):
        shifted[:, :, row] = rows[:, :, row - pixels]
    return shifted


def rolled_and_filled(images, pixels):
    rolled = images.roll(pixels, dims=2)
    rolled[:, :, :pixels] = BLACK
    return rolled


def looped_ensemble(models, images):
    total = 0
    for model in models:
        model.eval()
        with torch.no_grad():
            total = total + model(images).softmax(dim=1)
    return total / len(models)


def ensemble_by_logsumexp(models, images):
    log_probs = torch.stack([model.eval()(images) for model in models])
    return (log_probs.logsumexp(dim=0) - np.log(len(models))).exp()


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
    "shift_down": [moved_down, shift_by_helper, looped_shift, rolled_and_filled],
    "smoothed_loss": [
        looped_smoothing,
        smoothing_by_numpy,
        two_losses,
        lambda log_probs, labels, epsilon: F.cross_entropy(log_probs, labels, label_smoothing=epsilon),
        lambda log_probs, labels, epsilon: smoothed_with(right_share, other_share)(log_probs.double(), labels, epsilon),
    ],
    "ensemble": [averaged(), looped_ensemble, ensemble_by_logsumexp],
    "batch_norm": [norm_by_layer, norm_by_numpy, looped_norm, norm_with()],
}


# exercise: what a function gives on many inputs; two functions with equal results behave alike
PROBES = {
    "ema": lambda function: [
        function(*random_numbers(2, 3, 2, seed=seed), decay) for seed, decay in enumerate([0.0, 0.3, 0.9, 0.99, 1.0])
    ],
    "shift_down": lambda function: [function(some_digits(2, 1, 7, 6), pixels) for pixels in (0, 1, 2, 6)],
    "smoothed_loss": lambda function: [
        function(log_probs, labels, epsilon)
        for epsilon in (0.0, 0.05, 0.4, 1.0)
        for log_probs, labels in [
            (LOG_PROBS, FIVE_LABELS),
            (LOG_PROBS[:1], FIVE_LABELS[:1]),
            (random_numbers(2, 3, seed=3).log_softmax(dim=1), torch.tensor([2, 0])),
        ]
    ],
    "ensemble": lambda function: [
        function(fixed_networks(count, number, seed=30), torch.zeros(number, 1, 28, 28))
        for count, number in [(1, 1), (2, 3), (4, 2)]
    ],
    "batch_norm": lambda function: [
        value
        for shape, momentum in [((4, 3, 5, 6), 0.25), ((1, 2, 3, 4), 0.1), ((2, 5, 2, 2), 0.6)]
        for training in (True, False)
        for value in function(*channels(shape, seed=shape[0]), training, momentum)
    ],
}
