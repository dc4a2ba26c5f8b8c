"""Exercises of 06_experiments: weight averaging, a schedule, gain and noise, number of seeds, smoothing, batch norm."""

import math

import numpy as np
import torch
import torch.nn.functional as F

from mnist_helpers.exercises.core import Chapter, NotYet, PassedByReference, array, random_numbers, same

exercises = Chapter("chapter_06")


@exercises.add(
    "The new average is a mixture of two things, and their shares add up to 1.",
    "A decay of 0.99 means that nearly all of the old average stays.",
    "decay times the average, plus (1 - decay) times the weight.",
)
def ema(average, weight, decay):
    return decay * average + (1 - decay) * weight


@ema.checker
def check_ema(ask):
    """Check three weights, a matrix with another decay, decay 0, which keeps nothing, and decay 1, which keeps all."""
    average, weight = torch.tensor([1.0, -2.0, 0.5]), torch.tensor([3.0, 1.0, -1.0])
    reason = "That is no mixture of the average and the weight with the shares decay and 1 - decay."
    same(ask(average, weight, 0.9), [1.2, -1.7, 0.35], _wrong_averages(average, weight, 0.9), reason)
    matrices = random_numbers(2, 3, seed=1), random_numbers(2, 3, seed=2)
    reason = "Right for a decay of 0.9, but not for 0.75: is a number written into it?"
    same(ask(*matrices, 0.75), matrices[0].lerp(matrices[1], 0.25), otherwise=reason)
    same(ask(*matrices, 0.0), matrices[1], otherwise="With a decay of 0 nothing is kept: the average is the weight.")
    same(ask(*matrices, 1.0), matrices[0], otherwise="With a decay of 1 all is kept: the average stays as it is.")


def _wrong_averages(average, weight, decay):
    kept, new = decay * average, (1 - decay) * weight
    return [
        (
            average.lerp(weight, decay),
            "The shares have changed places: the average keeps decay, the weight adds the rest.",
        ),
        ((average + weight) / 2, "That is the mean of both: then half of it is the latest weight. Where is the decay?"),
        (kept + weight, "You added all of the weight: what momentum does. The shares must add up to 1."),
        (kept + decay * weight, "Both got the share decay. The shares must add up to 1."),
        (average + new, "You kept all of the average, so it grows with every step. The shares must add up to 1."),
        (kept - new, "The sign: the share of the weight is added."),
        (kept, "The weight is missing: it adds its share, 1 - decay."),
        (new, "The old average is missing: it keeps its share, decay."),
        (average, "That is the old average: the weight has no share in it."),
        (weight, "That is the weight itself: nothing is averaged."),
        ((kept + new) / 2, "The two shares add up to 1 already: do not divide by 2."),
        ((kept.mean() + new.mean()), "You averaged over the weights of the layer. Each weight has its own average."),
    ]


@exercises.add(
    "Two straight lines that meet at the highest rate. On which of them is this step?",
    "Up to 3/10 of the steps the rate is highest times the part of the rise that is done, step / (0.3 * steps).",
    "After that it is highest times the part of the fall that is left: (steps - step) / (0.7 * steps).",
)
def rate_at(step, steps, highest):
    top = 0.3 * steps
    if step < top:
        return highest * step / top
    return highest * (steps - step) / (steps - top)


SOME_STEPS = [0, 10, 29, 30, 31, 50, 65, 100]


@rate_at.checker
def check_rate_at(ask):
    """Check eight of 100 steps, then another number of steps and another highest rate."""
    right = [0, 0.5 / 3, 0.5 * 29 / 30, 0.5, 0.5 * 69 / 70, 0.5 * 5 / 7, 0.25, 0]
    found = [_single_rate(ask, step, 100, 0.5) for step in SOME_STEPS]
    wrong = [([rate(step) for step in SOME_STEPS], reason) for rate, reason in WRONG_CYCLES]
    same(found, right, wrong, _first_miss(found, right))
    found = [_single_rate(ask, step, 2000, 0.5) for step in (300, 600, 1300)]
    same(found, [0.25, 0.5, 0.25], otherwise="Right for 100 steps, but not for 2000: is a number written into it?")
    found = [_single_rate(ask, step, 100, 0.02) for step in (15, 65)]
    same(
        found, [0.01, 0.01], otherwise="Right for a highest rate of 0.5, but not for 0.02: is a number written into it?"
    )


def _single_rate(ask, step, steps, highest):
    rate = array(ask(step, steps, highest))
    if rate.size != 1:
        raise NotYet(
            f"For step {step} a single rate was expected, but {rate.size} numbers came: return this step's rate."
        )
    return rate.item()


def _first_miss(found, right):
    """Return a message about the first step with a wrong rate."""
    for step, rate, expected in zip(SOME_STEPS, found, right):
        if not math.isclose(rate, expected, rel_tol=1e-4, abs_tol=1e-5):
            return f"Step {step} of 100, highest rate 0.5: your rate is {rate:.4g}, but {expected:.4g} was expected."
    return ""


def polyline(*corners):
    """Return the rate as a piecewise linear function of the step through these (step, rate) points."""
    return lambda step: np.interp(step, *zip(*corners))


WRONG_CYCLES = [
    (polyline((0, 0), (50, 0.5), (100, 0)), "Your top is in the middle. The rise takes 3/10 of the steps only."),
    (polyline((0, 0), (70, 0.5), (100, 0)), "Your rise takes 7/10 of the steps. It takes 3/10, and the fall the rest."),
    (polyline((0, 0), (30, 0.5)), "Your rate stays at the highest one. After the top it falls to zero."),
    (polyline((0, 0), (100, 0.5)), "Your rate rises all the time. It is at the top after 3/10 of the steps."),
    (polyline((0, 0.5), (100, 0)), "Your rate falls all the time. The first 3/10 of the steps are the rise."),
    (polyline((0, 0.5), (30, 0), (100, 0.5)), "Your cycle is upside down: it is to rise first, then to fall."),
    (polyline((0, 0.5), (30, 0.5), (100, 0)), "The fall is right. The rise is missing: begin at zero."),
    (
        polyline((0, 0.02), (30, 0.5), (100, 0)),
        "Your rate begins at highest / 25, as PyTorch's does. Begin at zero here.",
    ),
    (polyline((0, 0), (30, 1), (100, 0)), "The form is right, but its top is 1. Multiply by the highest rate."),
    (
        polyline((0, 0), (30, 15), (100, 0)),
        "Your top is 30 times too high: the rise is the share step / (0.3 * steps).",
    ),
    (
        lambda step: 0.5 * step / 30,
        "The rise is right, but it goes on for ever. After 3/10 of the steps the rate falls to zero.",
    ),
    (
        lambda step: 0.5 * (step / 30 if step < 30 else 1 - step / 100),
        "Your rate jumps down at the top. The fall begins at the top, and has 7/10 of the steps, not all of them.",
    ),
    (
        lambda step: 0.5 * (step / 100 if step < 30 else (100 - step) / 70),
        "Your rate jumps up at the top. The rise takes 3/10 of the steps: divide by 0.3 * steps.",
    ),
    (
        lambda step: 0.5 * min(step, 100 - step) / 100,
        "Your rate never comes near the highest one. Divide by the length of the rise, and by that of the fall.",
    ),
    (
        lambda step: 0.5 * (step / 30 if step < 30 else 1 - (step - 30) / 100),
        "Your fall is too slow: it ends at 0.3 * highest. It has 7/10 of the steps, not all of them.",
    ),
    (
        lambda step: 0.5 * (step / 30 if step < 30 else max(0, 1 - (step - 30) / 30)),
        "Your fall is as short as the rise. It takes the 7/10 of the steps that are left.",
    ),
    (
        lambda step: 0.5 * (step // 30 if step < 30 else (100 - step) // 70),
        "Your rate is zero, except at the top: // cuts the share off. Divide with /.",
    ),
    (
        lambda step: 0.25 * (1 - math.cos(math.pi * (step / 30 if step < 30 else (100 - step) / 70))),
        "Your lines are bent: a cosine. One cycle is made of straight lines here.",
    ),
]


@exercises.add(
    "The gain is the difference of the two means. Each mean has a standard error of its own.",
    "Standard error: the standard deviation over seeds, divided by the square root of how many seeds there are. "
    "NumPy's std needs ddof=1, which divides by n - 1.",
    "For the difference the squares add up: np.hypot(error_before, error_after).",
)
def gain(before, after):
    error_before = np.std(before, ddof=1) / np.sqrt(len(before))
    error_after = np.std(after, ddof=1) / np.sqrt(len(after))
    return np.mean(after) - np.mean(before), np.hypot(error_before, error_after)


BEFORE, AFTER = [96.4, 96.9, 96.6, 97.1, 96.5, 96.1], [98.2, 97.6, 98.0, 97.9, 98.3, 98.2]
FEWER, MORE = [98.9, 97.5, 98.6], [97.0, 96.2, 97.9, 96.8, 97.3, 95.9, 97.7, 96.0]


def difference(before, after):
    """Return the gain and its squared standard error, computed from sums."""
    (mean, square), (later_mean, later_square) = _mean_and_square(before), _mean_and_square(after)
    return later_mean - mean, square / len(before) + later_square / len(after)


def _mean_and_square(values):
    """Return the mean and the variance, dividing by n - 1."""
    mean = sum(values) / len(values)
    return mean, sum((value - mean) ** 2 for value in values) / (len(values) - 1)


@gain.checker
def check_gain(ask):
    """Check six seeds each, then three against eight with a negative gain, and two seeds without spread after."""
    expected, square = difference(BEFORE, AFTER)
    right = expected, math.sqrt(square)
    found = ask(BEFORE, AFTER)
    same(found, right, _wrong_gains(BEFORE, AFTER), _half_right(found, right))
    expected, square = difference(FEWER, MORE)
    reason = "Right for lists of one length, but not for 3 seeds against 8: each standard error has its own n."
    same(ask(FEWER, MORE), (expected, math.sqrt(square)), _wrong_lengths(FEWER, MORE), reason)
    reason = "Right for six seeds each, but not for two, 90 and 92 before, 95 and 95 after."
    same(ask([90.0, 92.0], [95.0, 95.0]), (4, 1), otherwise=reason)


def _half_right(found, right):
    found = array(found)
    if found.shape != (2,):
        return "Return two numbers: gain, standard_error."
    if math.isclose(found[0], right[0], rel_tol=1e-4):
        return (
            "The gain is right, but not its standard error: look at the three steps, std, √n, the sum of the squares."
        )
    return "The gain is not right: it is the mean of after minus the mean of before."


def _wrong_gains(before, after):
    """Return the results of known mistakes for six seeds each, with explanations."""
    (mean, square), (later_mean, later_square) = _mean_and_square(before), _mean_and_square(after)
    plus, error = later_mean - mean, math.hypot(*_errors(square, later_square))
    wrong_gains = [
        (-plus, "The sign of the gain: after minus before."),
        (max(after) - max(before), "You compared the best seeds: that is luck. Compare the means."),
        (np.median(after) - np.median(before), "You compared the medians. Compare the means."),
        (sum(after) - sum(before), "You compared the sums over seeds. Compare the means."),
        (plus / mean, "You divided the gain by the accuracy before. Return the plain difference."),
        (later_mean, "That is the mean after the change. The gain is what it is higher than before."),
    ]
    each_seed = "That is one difference a seed. Return the difference of the means, and its error."
    return [
        *(((plus, wrong), reason) for wrong, reason in _wrong_errors(before, after, square, later_square)),
        *(((wrong, error), reason) for wrong, reason in wrong_gains),
        ((error, plus), "The two have changed places: return the gain first."),
        (plus, "The gain is right. Return its standard error with it: gain, standard_error."),
        (np.subtract(after, before), each_seed),
    ]


def _errors(square, later_square, n=6):
    return math.sqrt(square / n), math.sqrt(later_square / n)


def _wrong_errors(before, after, square, later_square):
    one, other = _errors(square, later_square)
    right, all_twelve = math.hypot(one, other), np.std(before + after, ddof=1) / 12**0.5
    paired = np.std(np.subtract(after, before), ddof=1) / 6**0.5
    alone = "take the standard deviation of each list."
    return [
        *_wrong_divisors(one, other),
        (one + other, "You added the standard errors. Their squares add up: np.hypot, or a square root of a sum."),
        (abs(one - other), "You subtracted the standard errors. For a difference, too, their squares add up."),
        (math.sqrt(abs(one**2 - other**2)), "You subtracted the squares. They add up, for a difference too."),
        ((one + other) / 2, "That is the mean of both standard errors. A difference is less sure: add the squares."),
        (right**2, "That is the sum of the squares: its square root is missing."),
        (2 * right, "These are two standard errors. Return one."),
        (one, "That is the standard error of the mean before. The mean after is not sure either."),
        (other, "That is the standard error of the mean after. The mean before is not sure either."),
        (paired, f"You paired the seeds, but these two lists have nothing in common, seed by seed: {alone}"),
        (all_twelve, f"You put both lists together, and the gain became a part of the spread: {alone}"),
    ]


def _wrong_divisors(one, other):
    """Return standard errors with a wrong divisor, given both standard errors of six seeds, with explanations."""
    right = math.hypot(one, other)
    population = math.sqrt(5 / 6)  # factor on a standard deviation if n replaces n - 1
    root_n = "divide by √n, since the mean of n seeds is surer than one"
    ddof = "NumPy's std divides by n: say ddof=1, which divides by n - 1, as pandas and torch do."
    return [
        (6**0.5 * right, f"That is the standard deviation: {root_n}."),
        (6**0.5 * population * right, f"That is the standard deviation: {root_n}. And {ddof}"),
        (6**0.5 * (one + other), f"You added the standard deviations: {root_n}, and add the squares."),
        (population * right, f"Nearly right. {ddof}"),
        (population * (one + other), f"Two things: the squares of the standard errors add up; and {ddof}"),
        (right / 6**0.5, "You divided by n. The standard error is the standard deviation divided by √n."),
        (population * right / 6**0.5, f"Two things: divide by √n, not by n; and {ddof}"),
        (right / 2**0.5, "You divided by √12, for all seeds together. Each mean has six seeds only."),
    ]


def _wrong_lengths(before, after):
    """Return the results of mistakes that only show for lists of different length, with explanations."""
    plus = difference(before, after)[0]
    (_, square), (_, later_square) = _mean_and_square(before), _mean_and_square(after)
    n, m = len(before), len(after)
    pooled = ((n - 1) * square + (m - 1) * later_square) / (n + m - 2)
    same_n = "For 3 seeds against 8 you divided both by"
    return [
        ((plus, math.sqrt((square + later_square) / n)), f"{same_n} √3: the second list has 8."),
        ((plus, math.sqrt((square + later_square) / m)), f"{same_n} √8: the first list has 3."),
        ((plus, math.sqrt(square / m + later_square / n)), "You divided each by the other list's √n."),
        ((plus, math.sqrt((square + later_square) * 2 / (n + m))), f"{same_n} their mean number. Each has its own."),
        (
            (plus, math.sqrt(pooled / n + pooled / m)),
            "You pooled the two spreads, as if they were equal. Keep them apart.",
        ),
        ((-plus, math.sqrt(square / n + later_square / m)), "Here the change is a loss: the gain is negative."),
    ]


@exercises.add(
    "With n seeds each, what is the standard error of one mean, and what is that of the difference?",
    "The squares add up: spread² / n twice. Two standard errors of the difference are 2 * sqrt(2 * spread² / n).",
    "Solve 2 * sqrt(2 * spread² / n) = gain for n, then round up: np.ceil.",
)
def seeds_needed(spread, gain):
    return int(np.ceil(8 * (spread / gain) ** 2))


@seeds_needed.checker
def check_seeds_needed(ask):
    """Check a spread and a gain for which each known mistake gives another number, then smaller and larger values."""
    same(ask(0.08, 0.05), 21, WRONG_SEEDS, "For a spread of 0.08 and a gain of 0.05, 21 seeds each are needed.")
    for spread, clear, seeds in [(0.08, 0.025, 82), (0.16, 0.1, 21), (0.3, 0.7, 2), (0.5, 0.03, 2223)]:
        reason = f"Right for a spread of 0.08 and a gain of 0.05, but for {spread} and {clear} it is {seeds}."
        same(ask(spread, clear), seeds, otherwise=reason)


WRONG_SEEDS = {
    20.48: "That is where the two are equal, but there are no parts of a seed: round up.",
    20: "With 20 seeds two standard errors are still a little larger than the gain: round up.",
    11: "You took the standard error of one mean. Both means are unsure: their squares add up.",
    10.24: "You took the standard error of one mean. Both means are unsure: their squares add up. Then round up.",
    6: "That makes one standard error as small as the gain. It should be two.",
    5.12: "That makes one standard error as small as the gain. It should be two, and the number whole.",
    3: "You asked for one standard error of one mean. Take two, and those of the difference of two means.",
    41: "You added the two standard errors. Their squares add up.",
    40.96: "You added the two standard errors. Their squares add up. Then round up.",
    42: "That is the number of all trainings. Return how many seeds each of the two recipes needs.",
    5: "The square is missing: the standard error falls with √n only, so n goes with the square of spread / gain.",
    13: "The square is missing: the standard error falls with √n only, so n goes with the square of spread / gain.",
    4: "gain and spread have changed places: a larger spread needs more seeds, a larger gain fewer.",
    7: "You divided by n in place of √n: the standard error falls more slowly than that.",
}


@exercises.add(
    "What is the target of one image? Ten numbers that add up to 1.",
    "Each class gets epsilon / K, where K is the number of classes, and the right one 1 - epsilon on top of it.",
    "The loss of an image is minus the sum of target times log-probability over the classes.",
)
def smoothed_loss(log_probs, labels, epsilon):
    images, classes = log_probs.shape
    target = torch.full((images, classes), epsilon / classes)
    target[range(images), labels] += 1 - epsilon
    return -(target * log_probs).sum(dim=1).mean()


LOG_PROBS, FIVE_LABELS = (2 * random_numbers(5, 10, seed=5)).log_softmax(dim=1), torch.tensor([3, 0, 3, 9, 1])


@smoothed_loss.checker
def check_smoothed_loss(ask):
    """Compare with torch: five images with ten classes, one image with three, epsilon 0 and epsilon 1."""
    right = F.cross_entropy(LOG_PROBS, FIVE_LABELS, label_smoothing=0.3)
    reason = "Look at the target of a single image first: ten numbers, all positive, that add up to 1."
    same(ask(LOG_PROBS, FIVE_LABELS, 0.3), right, _wrong_losses(LOG_PROBS, FIVE_LABELS, 0.3), reason)
    single = torch.tensor([[2.0, 1.0, -1.0]]).log_softmax(dim=1), torch.tensor([2])
    reason = "Right for five images with ten classes, but not for one with three: is the 10 written into it?"
    same(ask(*single, 0.3), F.cross_entropy(*single, label_smoothing=0.3), otherwise=reason)
    reason = "With an epsilon of 0 nothing is smoothed: the loss is the negative log-likelihood."
    same(ask(LOG_PROBS, FIVE_LABELS, 0.0), F.nll_loss(LOG_PROBS, FIVE_LABELS), otherwise=reason)
    reason = "Right for an epsilon of 0.3, but not for 1, where all classes have the same share."
    same(ask(LOG_PROBS, FIVE_LABELS, 1.0), -LOG_PROBS.mean(), otherwise=reason)


def _wrong_losses(log_probs, labels, epsilon):
    """Return the results of known mistakes for five images with ten classes, with explanations."""
    losses = F.cross_entropy(log_probs, labels, label_smoothing=epsilon, reduction="none")  # [5]
    plain = F.nll_loss(log_probs, labels, reduction="none")
    others = -log_probs.sum(dim=1) - plain
    probabilities = log_probs.exp()
    target = (1 - epsilon) * F.one_hot(labels, 10) + epsilon / 10
    over_probabilities = -(target * probabilities).sum(dim=1).mean()
    smoothed = F.nll_loss(((1 - epsilon) * probabilities + epsilon / 10).log(), labels)
    by_target = [(*target_of(epsilon), reason) for target_of, reason in WRONG_TARGETS]
    return [
        *(((right * plain + other * others).mean(), reason) for right, other, reason in by_target),
        (losses.sum(), "You added up the losses of the images. Return their mean."),
        (losses, "That is one loss an image. Return their mean, a single number."),
        (-losses.mean(), "The sign: log-probabilities are negative, the loss is positive."),
        (losses.mean() / 10, "You averaged over the classes as well. Sum over the classes, mean over the images."),
        (smoothed, "You smoothed the network's probabilities. Smooth the target: what the loss asks for."),
        (over_probabilities, "You multiplied the target by probabilities. Take the log-probabilities, as they came."),
    ]


MORE_THAN_1, LESS_THAN_1 = (f"Your targets add up to {what} than 1:" for what in ("more", "less"))
# For ten classes: the target of the right class, the target of the others, and the explanation
WRONG_TARGETS = [
    (lambda e: (1, 0), "Nothing is smoothed: that is the negative log-likelihood. Where is epsilon?"),
    (lambda e: (1 - e, e / 9), "You spread epsilon over the nine wrong classes. Spread it over all ten."),
    (lambda e: (1 - e, e / 10), f"{LESS_THAN_1} the right class gets epsilon / 10 too, on top of 1 - epsilon."),
    (lambda e: (1 - e, 0), f"{LESS_THAN_1} epsilon is taken from the right class, but no class gets it."),
    (lambda e: (1 - e + e / 10, e / 9), f"{MORE_THAN_1} each wrong class gets epsilon / 10, not epsilon / 9."),
    (lambda e: (1 + e / 10, e / 10), f"{MORE_THAN_1} the right class gives epsilon away, and gets epsilon / 10 back."),
    (lambda e: (1, e / 9), f"{MORE_THAN_1} the right class gives nothing away, and nine get epsilon / 9."),
    (lambda e: (1, e / 10), f"{MORE_THAN_1} the right class gives nothing away, and nine get epsilon / 10."),
    (lambda e: (1, e), f"{MORE_THAN_1} each class got all of epsilon. It is shared: epsilon / 10 each."),
    (lambda e: (1 - e, e), f"{MORE_THAN_1} each wrong class got all of epsilon. It is shared: epsilon / 10 each."),
    (lambda e: (e + (1 - e) / 10, (1 - e) / 10), "The shares have changed places: 1 - epsilon is spread in yours."),
    (lambda e: (e / 10, e / 10), "That is the spread part alone. The right class has 1 - epsilon on top of it."),
    (lambda e: (0, e / 10), "The wrong classes alone count here. The right one has most of the target."),
    (lambda e: (1 - e - e / 10, -e / 10), "You subtracted the spread part. Both parts are added."),
]


@exercises.add(
    "Which numbers belong to one channel? All images, all rows, all columns: dimensions 0, 2 and 3. In train mode they "
    "give the mean and the variance to use; in eval mode the running values are used.",
    "A [C] tensor meets [N, C, H, W] as mean[:, None, None]. The variance of x divides by n: var(..., correction=0).",
    "Running values: (1 - momentum) times the old plus momentum times the batch's. For the variance that is the one "
    "that divides by n - 1, which var gives unless it is told otherwise.",
)
def batch_norm(x, running_mean, running_var, training, momentum):
    mean, var = running_mean, running_var
    if training:
        mean, var = x.mean(dim=(0, 2, 3)), x.var(dim=(0, 2, 3), correction=0)
        running_mean = (1 - momentum) * running_mean + momentum * mean
        running_var = (1 - momentum) * running_var + momentum * x.var(dim=(0, 2, 3))
    normalised = (x - mean[:, None, None]) / torch.sqrt(var[:, None, None] + 1e-5)
    return normalised, running_mean, running_var


def channels(shape, seed):
    """Return maps of this shape whose channels differ in mean and scale, with running means and variances."""
    scale, mean = torch.tensor([2.0, 0.01, 0.5, 1.0, 3.0])[: shape[1]], torch.arange(1.0, 1 + shape[1])
    x = random_numbers(*shape, seed=seed) * scale[:, None, None] + mean[:, None, None]
    x = x + 0.3 * random_numbers(shape[0], 1, 1, 1, seed=seed)  # images differ in brightness
    return x, 0.5 * mean + 0.2, 0.4 * scale + 0.3


def torch_batch_norm(x, running_mean, running_var, training, momentum):
    """Return the normalised maps and the new running values computed by torch."""
    running_mean, running_var = running_mean.clone(), running_var.clone()
    normalised = F.batch_norm(x, running_mean, running_var, training=training, momentum=momentum)
    return normalised, running_mean, running_var


@batch_norm.checker
def check_batch_norm(ask):
    """Compare with torch: a batch in both modes, then a single image with another momentum."""
    batch = channels((4, 3, 5, 6), seed=1)
    _check_mode(ask, (*batch, True, 0.25), "In train mode", _wrong_in_train_mode(*batch, 0.25))
    _check_mode(ask, (*batch, False, 0.25), "In eval mode", _wrong_in_eval_mode(*batch, 0.25))
    case = "Right for one batch, but for a single image of two channels and a momentum of 0.1"
    single = channels((1, 2, 3, 4), seed=2)
    for training in (True, False):
        _check_mode(ask, (*single, training, 0.1), case, [[], [], []])


def _check_mode(ask, arguments, case, wrong):
    """Compare each of the three results, then check that the arguments were not changed in place."""
    passed = [value.clone().as_subclass(PassedByReference) for value in arguments[:3]]
    found, right = ask(*passed, *arguments[3:]), torch_batch_norm(*arguments)
    count = len(found) if isinstance(found, (tuple, list)) else 1
    if count != 3:
        raise NotYet(f"Return three things, the result, running_mean and running_var. Yours: {count}.")
    for name, one, other, mistakes in zip(["the result", "running_mean", "running_var"], found, right, wrong):
        same(one, other, mistakes, f"{case}, {name} is not right.")
    for name, before, after in zip(["x", "running_mean", "running_var"], arguments, passed):
        if not torch.equal(before, after):
            raise NotYet(
                f"The answer is right, but you changed {name} in place. Leave it as it is: return new tensors."
            )


def _wrong_in_train_mode(x, running_mean, running_var, momentum):
    """Return the known mistakes for each of the three results."""
    mean, var, divided_by_n = x.mean((0, 2, 3)), x.var((0, 2, 3)), x.var((0, 2, 3), correction=0)
    into_variance = [
        (divided_by_n, "your running variance takes the one that divides by n. Here it is n - 1, as in PyTorch."),
        (var.sqrt(), "your running variance takes the standard deviation. Take the variance, its square."),
        (divided_by_n.sqrt(), "your running variance takes the standard deviation. Take the variance, its square."),
        (x.var(), "your running variance takes that of all channels. Each channel has its own."),
    ]
    return (
        _wrong_maps(x, running_mean, running_var, momentum),
        _wrong_running(running_mean, mean, momentum, "mean"),
        [
            *_wrong_running(running_var, var, momentum, "variance"),
            *((running_var.lerp(one, momentum), f"In train mode {reason}") for one, reason in into_variance),
        ],
    )


def _normalised(x, mean, var):
    return (x - mean) / (var + 1e-5).sqrt()


def _wrong_maps(x, running_mean, running_var, momentum):
    """Yield the maps that known mistakes give in train mode, with explanations."""
    mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
    yield from _wrong_formulas(x, mean[:, None, None], var[:, None, None])
    new_mean, new_var = torch_batch_norm(x, running_mean, running_var, True, momentum)[1:]
    for one, other, reason in [
        (running_mean, running_var, "you used the running values. Use this batch's mean and variance."),
        (mean, running_var, "you used the running variance. Use this batch's."),
        (running_mean, var, "you used the running mean. Use this batch's."),
        (new_mean, new_var, "you used the new running values. Use this batch's mean and variance."),
        (mean, x.var((0, 2, 3)), "the maps are normalised by the variance that divides by n, not n - 1."),
    ]:
        yield _normalised(x, one[:, None, None], other[:, None, None]), f"In train mode {reason}"
    for dims, reason in WRONG_DIMENSIONS:
        for correction in (0, 1):
            other = _normalised(x, x.mean(dims, keepdim=True), x.var(dims, correction=correction, keepdim=True))
            yield other, f"In train mode {reason} Average over dimensions 0, 2 and 3."


def _wrong_formulas(x, mean, var):
    """Return the maps for wrong formulas with the right mean and variance, both [C, 1, 1]."""
    std, centred = (var + 1e-5).sqrt(), x - mean
    return [
        (maps, f"In train mode {reason}")
        for maps, reason in [
            (centred / (var + 1e-5), "you divided by the variance. Divide by its square root."),
            (centred / (var.sqrt() + 1e-5), "you added 0.00001 to the standard deviation. Add it to the variance."),
            (centred / var.sqrt(), "0.00001 is missing: without it a channel without spread would divide by 0."),
            (centred * std, "you multiplied by the standard deviation. Divide by it."),
            (centred, "you subtracted the mean alone. Divide by the standard deviation too."),
            (x / std, "you divided by the standard deviation alone. Subtract the mean first."),
            (x - mean / std, "parentheses are missing: subtract first, then divide."),
            (-centred / std, "you turned the sign: it is x minus the mean."),
            (x, "the maps came back as they were."),
        ]
    ]


WRONG_DIMENSIONS = [
    ((0, 1, 2, 3), "you normalised all channels together. Each channel has its own mean and variance."),
    ((2, 3), "you normalised each map of each image by itself. A channel's maps of all images belong together."),
    ((1, 2, 3), "you normalised each image by itself. A channel's maps of all images belong together."),
    ((0,), "you normalised each pixel by itself. All places of a channel belong together."),
    ((1,), "you normalised over the channels. Each channel has its own mean and variance."),
]


def _wrong_running(old, batch, momentum, name):
    return [
        (value, f"In train mode {reason}")
        for value, reason in [
            (old, f"the running {name} moves: by momentum towards this batch's {name}."),
            (batch, f"you returned the {name} of this batch. The running one moves by momentum towards it."),
            (
                batch.lerp(old, momentum),
                f"the shares of your running {name} have changed places: momentum is the share of the batch here.",
            ),
            ((old + batch) / 2, f"your running {name} is the mean of both. Momentum is the share of the batch."),
            (old + momentum * batch, f"your running {name} grows: the old one keeps the share 1 - momentum only."),
        ]
    ]


def _wrong_in_eval_mode(x, running_mean, running_var, momentum):
    in_train_mode, new_mean, new_var = torch_batch_norm(x, running_mean, running_var, True, momentum)
    mean, var = running_mean[:, None, None], running_var[:, None, None]
    batch = "In eval mode you used this batch's mean and variance. Use the running ones: a single image has no batch."
    root = "In eval mode you divided by the variance, running_var. Divide by its square root."
    still = "In eval mode nothing is collected: return the running values as they came."
    return (
        [
            (in_train_mode, batch),
            (_normalised(x, new_mean[:, None, None], new_var[:, None, None]), still),
            ((x - mean) / var, root),
            ((x - mean) / (var + 1e-5), root),
            (x, "In eval mode the maps came back as they were. Normalise them by the running values."),
        ],
        [(new_mean, still), (x.mean((0, 2, 3)), still)],
        [(new_var, still), (x.var((0, 2, 3)), still), (x.var((0, 2, 3), correction=0), still)],
    )
