"""Exercises of 06_experiments: choose, read curves, a schedule, gain and noise, number of seeds, validation, power."""

import math

import numpy as np
import torch
from scipy import stats
from torch import nn

from mnist_helpers._support.translation import say
from mnist_helpers.exercises.comparing import array, same
from mnist_helpers.exercises.core import Chapter
from mnist_helpers.exercises.judging import NotYet

exercises = Chapter("chapter_06")


@exercises.add(
    "Which of the two lists may you look at while you are still deciding?",
    "Only the validation accuracies decide. The test set is opened once, for the network that you have chosen.",
    "np.argmax gives the index of the largest number in a list. Take the test accuracy that stands at this index.",
)
def choose(validation_accuracies, test_accuracies):
    # the choice flatters the validation accuracy of the chosen one, so the number to report is the test accuracy
    best = int(np.argmax(validation_accuracies))
    return best, test_accuracies[best]


VALIDATION, TEST = [0.961, 0.974, 0.972, 0.940], [0.950, 0.962, 0.971, 0.973]


@choose.checker
def check_choose(ask):
    """Check networks for which validation, test and their mean disagree, then the best network first and last."""
    given = say(
        "the validation accuracies {validation} and the test accuracies {test}", validation=VALIDATION, test=TEST
    )
    same(ask(VALIDATION, TEST), (1, 0.962), _wrong_choices(), given=given)
    for validation, test, right in [
        ([0.98, 0.97], [0.94, 0.99], (0, 0.94)),
        ([0.91, 0.93, 0.95], [0.90, 0.94, 0.93], (2, 0.93)),
        ([0.9], [0.8], (0, 0.8)),
    ]:
        given = say(
            "the validation accuracies {validation} and the test accuracies {test}", validation=validation, test=test
        )
        same(ask(validation, test), right, otherwise="Your function is right for four networks.", given=given)


def _wrong_choices():
    right, test_decides = "The choice is right, but", "the test set must have no say in the choice."
    flattered = (
        "you report its validation accuracy. That number is too good, because you chose by it: report the test's."
    )
    return [
        ((3, 0.973), "You chose by the test set. Then part of its result is luck, and it is no honest test any more."),
        ((2, 0.971), say("This network is the best by the mean of both lists, but", test_decides)),
        ((2, 0.9715), say("You chose and reported by the mean of both lists, but", test_decides)),
        ((3, 0.940), "You chose by the test set and reported validation. It is the other way round."),
        ((1, 0.973), say(right, "0.973 is the test accuracy of another network.")),
        ((1, 0.974), say(right, flattered)),
        ((1, 0.968), say(right, "you report the mean of its two accuracies. Report the test accuracy alone.")),
        ((1, 0.964), say(right, "you report the mean of all test accuracies. Report that of your network.")),
        ((0.962, 1), "Index and accuracy have changed places: return the index first."),
        ((2, 0.962), "The accuracy is right, but the index counts from 0."),
        (1, "The choice is right. Return its accuracy with it: index, accuracy."),
        (0.962, "The accuracy is right. Return the index before it: index, accuracy."),
    ]


DIAGNOSES = {"rate too low": "B", "rate too high": "D", "learns by heart": "A", "fine": "C"}


@exercises.add(
    "Compare the two lines of each panel first. Are they together, or does a gap open?",
    "Both lines high and flat: nothing is learnt. Both high and still falling slowly: each step is too small. "
    "One line falls to zero while the other does not follow: the images are learnt by heart.",
    "In one panel the loss stays near 2.3, the loss of a guess: there the steps are so large that all is lost.",
)
def run_that(has):
    # high and flat is not the same as high and falling: only the second would be cured by more epochs
    return {"rate too low": "B", "rate too high": "D", "learns by heart": "A", "fine": "C"}[has]


@run_that.checker
def check_run_that(ask):
    """Check the letter of each diagnosis, without telling the right one."""
    letters = {diagnosis: ask(diagnosis) for diagnosis in DIAGNOSES}
    for diagnosis, letter in letters.items():
        if not isinstance(letter, str) or letter not in {"A", "B", "C", "D"}:
            what = (
                repr(letter) if isinstance(letter, str) else say("an object of type {kind}", kind=type(letter).__name__)
            )
            raise NotYet(
                "For {diagnosis!r} one of the letters 'A' to 'D' was expected, but {what} came back.",
                diagnosis=diagnosis,
                what=what,
            )
    wrong = [
        say("{diagnosis!r} is not {letter}", diagnosis=diagnosis, letter=letter)
        for diagnosis, letter in letters.items()
        if DIAGNOSES[diagnosis] != letter
    ]
    if wrong:
        raise NotYet("{right} of 4 are right: look again, {wrong}.", right=4 - len(wrong), wrong="; ".join(wrong))


@exercises.add(
    "Two straight lines that meet at the highest rate. On which of them is this step?",
    "Up to 3/10 of the steps the rate is highest times the part of the rise that is done, step / (0.3 * steps).",
    "After that it is highest times the part of the fall that is left. The fall takes 0.7 * steps.",
    stars=2,
)
def rate_at(step, steps, highest):
    top = 0.3 * steps  # both lines meet here, at the highest rate
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
            "For step {step} a single rate was expected, but {size} numbers came: return this step's rate.",
            step=step,
            size=rate.size,
        )
    return rate.item()


def _first_miss(found, right):
    """Return a message about the first step with a wrong rate."""
    for step, rate, expected in zip(SOME_STEPS, found, right):
        if not math.isclose(rate, expected, rel_tol=1e-4, abs_tol=1e-5):
            return say(
                "Step {step} of 100, highest rate 0.5: your rate is {rate:.4g}, but {expected:.4g} was expected.",
                step=step,
                rate=rate,
                expected=expected,
            )
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
    "For a difference, add the squares of the two standard errors and take the root of the sum.",
    stars=2,
)
def gain(before, after):
    # each mean is unsure in its own way, with its own number of seeds
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
        (paired, say("You paired the seeds, but these two lists have nothing in common, seed by seed:", alone)),
        (all_twelve, say("You put both lists together, and the gain became a part of the spread:", alone)),
    ]


def _wrong_divisors(one, other):
    """Return standard errors with a wrong divisor, given both standard errors of six seeds, with explanations."""
    right = math.hypot(one, other)
    population = math.sqrt(5 / 6)  # factor on a standard deviation if n replaces n - 1
    root_n = "divide by √n, since the mean of n seeds is surer than one"
    ddof = "NumPy's std divides by n: say ddof=1, which divides by n - 1, as pandas and torch do."
    return [
        (6**0.5 * right, say("That is the standard deviation: {root_n}.", root_n=root_n)),
        (6**0.5 * population * right, say("That is the standard deviation: {root_n}. And", ddof, root_n=root_n)),
        (
            6**0.5 * (one + other),
            say("You added the standard deviations: {root_n}, and add the squares.", root_n=root_n),
        ),
        (population * right, say("Nearly right.", ddof)),
        (population * (one + other), say("Two things: the squares of the standard errors add up; and", ddof)),
        (right / 6**0.5, "You divided by n. The standard error is the standard deviation divided by √n."),
        (population * right / 6**0.5, say("Two things: divide by √n, not by n; and", ddof)),
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
        ((plus, math.sqrt((square + later_square) / n)), say(same_n, "√3: the second list has 8.")),
        ((plus, math.sqrt((square + later_square) / m)), say(same_n, "√8: the first list has 3.")),
        ((plus, math.sqrt(square / m + later_square / n)), "You divided each by the other list's √n."),
        ((plus, math.sqrt((square + later_square) * 2 / (n + m))), say(same_n, "their mean number. Each has its own.")),
        (
            (plus, math.sqrt(pooled / n + pooled / m)),
            "You pooled the two spreads, as if they were equal. Keep them apart.",
        ),
        ((-plus, math.sqrt(square / n + later_square / m)), "Here the change is a loss: the gain is negative."),
    ]


@exercises.add(
    "With n seeds each, what is the standard error of one mean, and what is that of the difference?",
    "The squares add up: spread² / n twice. Two standard errors of the difference are 2 * sqrt(2 * spread² / n).",
    "Set these two standard errors equal to gain, square both sides, solve for n, and round up.",
    stars=2,
)
def seeds_needed(spread, gain):
    # 2 * sqrt(2 * spread² / n) <= gain, squared and solved for n
    return int(np.ceil(8 * (spread / gain) ** 2))


@seeds_needed.checker
def check_seeds_needed(ask):
    """Check values for which each known mistake gives another number, then others, and a gain at the limit."""
    same(ask(0.08, 0.05), 21, WRONG_SEEDS, "For a spread of 0.08 and a gain of 0.05, 21 seeds each are needed.")
    for spread, clear, seeds in [(0.08, 0.025, 82), (0.16, 0.1, 21), (0.3, 0.7, 2), (0.5, 0.03, 2223)]:
        reason = say(
            "Right for a spread of 0.08 and a gain of 0.05, but for {spread} and {clear} it is {seeds}.",
            spread=spread,
            clear=clear,
            seeds=seeds,
        )
        same(ask(spread, clear), seeds, otherwise=reason)
    # numbers for which rounding moves no usual way to compute the answer across the limit
    at_the_limit = "With 50 seeds a gain of 0.188 is exactly two standard errors for a spread of 0.47: that is enough."
    same(ask(0.47, 0.188), 50, {51: at_the_limit}, given="a spread of 0.47 and a gain of 0.188")


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
    "Cut the images in two. Train on the first part only, and judge on the second part only.",
    "With cut = len(images) * 9 // 10, the training part is images[:cut] and the validation part images[cut:]. "
    "Switch each network to eval mode before you judge it.",
    "Collect, for each trainer, how many of the validation labels equal argmax(dim=1) of what its network says. "
    "np.argmax of these counts is the answer.",
    stars=2,
)
def best_trainer(images, labels, trainers):
    cut = len(images) * 9 // 10
    correct = []
    for train in trainers:
        model = train(images[:cut], labels[:cut]).eval()  # dropout off: chapter 02's trap
        said = model(images[cut:]).argmax(dim=1)
        correct.append((said == labels[cut:]).sum().item())  # never judged on images that it learnt from
    return int(np.argmax(correct))


class FakeNetwork(nn.Module):
    """Reads a share of the images it was trained on, another of new ones, and a wrong one in train mode.

    An image holds its label and a number of its own in its first two pixels. The more a network reads of new images,
    the surer are its mistakes: so the one with the lowest loss is not the best.
    """

    def __init__(self, images, labels, learnt, new):
        super().__init__()
        self.known, self.learnt, self.new = set(images[:, 0, 0, 1].tolist()), learnt, new
        self.of_others = -2 / (1 - new) ** 2  # log-probability of each class that is not the answer

    def forward(self, images):
        log_probs = []
        for label, number in images[:, 0, 0, :2].tolist():
            share = self.learnt if number in self.known else self.new
            share = 1 - 2 * abs(0.6 - self.new) if self.training else share
            right = (7 * number) % 10 < 10 * share  # the same images for each network, spread evenly
            answer = int(label) if right else (int(label) + 1) % 10
            log_probs.append([-0.1 if digit == answer else self.of_others for digit in range(10)])
        return torch.tensor(log_probs)


class FakeTrainer:
    """Return a FakeNetwork, and remember which images it was trained on."""

    def __init__(self, learnt: float, new: float):
        self.learnt, self.new = learnt, new
        self.calls: list[tuple[list[float], int]] = []  # numbers of the images, and how many labels

    def __call__(self, images, labels):
        self.calls.append((images[:, 0, 0, 1].tolist(), len(labels)))
        return FakeNetwork(images, labels, self.learnt, self.new)

    def __deepcopy__(self, memo):
        return self


def fake_digits(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return `count` images [N, 1, 28, 28] for FakeNetwork, with their labels."""
    images, labels = torch.zeros(count, 1, 28, 28), (torch.arange(count) * 3 + 1) % 10
    images[:, 0, 0, 0], images[:, 0, 0, 1] = labels.float(), torch.arange(count).float()
    return images, labels


def answer_and_calls(ask, count, shares):
    """Return the student's answer for trainers with these shares, and the trainers."""
    trainers = [FakeTrainer(*share) for share in shares]
    return ask(*fake_digits(count), trainers), trainers


@best_trainer.checker
def check_best_trainer(ask):
    """Check one that learns by heart against better ones, then other places of the best, and another number."""
    for count, shares, best in [
        (200, [(1.0, 0.5), (0.8, 0.8), (0.7, 0.7), (0.6, 0.6), (0.9, 0.3)], 1),
        (200, [(0.6, 0.9), (1.0, 0.8)], 0),
        (100, [(0.9, 0.3), (1.0, 0.4), (0.5, 0.7)], 2),
    ]:
        answer, trainers = answer_and_calls(ask, count, shares)
        cut = count * 9 // 10
        for number, trainer in enumerate(trainers):
            _check_calls(number, trainer.calls, count, cut)
        named = "; ".join(say("{learnt:.0%} and {new:.0%}", learnt=learnt, new=new) for learnt, new in shares)
        given = say(
            "networks that read these shares of the images they learnt from, and of new ones ({named})", named=named
        )
        same(answer, best, _wrong_trainers(answer, best, shares), given=given)


def _check_calls(number, calls, count, cut):
    """Raise NotYet unless the trainer was called with the first `cut` of `count` images, each time."""
    if not calls:
        raise NotYet("Trainer {number} was never called: train with each of them.", number=number)
    for ids, labels in calls:
        leaked = sum(image >= cut for image in ids)
        values = {"number": number, "images": len(ids), "labels": labels, "count": count, "leaked": leaked, "cut": cut}
        if labels != len(ids):
            raise NotYet(
                "Trainer {number} got {images} images, but {labels} labels: cut both in the same place.", **values
            )
        if leaked:
            raise NotYet(
                "Trainer {number} learnt from {images} of {count} images, {leaked} of them from the last tenth.",
                "No network may learn from the validation images.",
                **values,
            )
        if len(set(ids)) != cut:
            raise NotYet("Trainer {number} got {images} images: the first {cut} of {count} were expected.", **values)


def _wrong_trainers(answer, best, shares):
    learnt = int(np.argmax([share[0] for share in shares]))
    if array(answer).size == 1 and learnt != best:
        yield learnt, "Your choice is the best on the images that it learnt from. Judge on the last tenth."
    least = int(np.argmin([share[1] for share in shares]))
    if array(answer).size == 1 and least not in (best, learnt):
        reads = "Trainer {least} has the lowest loss, but reads the fewest validation images: count right answers."
        yield least, say(reads, least=least)
    in_train_mode = int(np.argmax([1 - 2 * abs(0.6 - share[1]) for share in shares]))
    if array(answer).size == 1 and in_train_mode not in (best, learnt):
        yield (
            in_train_mode,
            say(
                "Trainer {in_train_mode} wins if the networks stay in train mode. Call eval() first.",
                in_train_mode=in_train_mode,
            ),
        )


@exercises.add(
    "One experiment: draw `seeds` results around 0, and as many around `gain`. Does the difference of the means exceed "
    "two of its standard errors? Repeat, and count.",
    "rng.normal(gain, spread, size=(experiments, seeds)) draws all experiments at once, one in each row. Then "
    "mean(axis=1), and var(axis=1, ddof=1).",
    "The squared standard error of the difference is the sum of the two variances, divided by `seeds`. "
    "The mean of True and False is the share of True.",
    stars=3,
    seconds=20,
)
def power(spread, gain, seeds, experiments, rng):
    # each row is one whole experiment, with its own luck
    before = rng.normal(0, spread, (experiments, seeds))
    after = rng.normal(gain, spread, (experiments, seeds))
    difference = after.mean(axis=1) - before.mean(axis=1)
    # whoever runs the experiment does not know the spread, and estimates it from the seeds
    squares = before.var(axis=1, ddof=1) + after.var(axis=1, ddof=1)
    return np.mean(difference > 2 * np.sqrt(squares / seeds))


EXPERIMENTS = 4000


def expected_power(spread, gain, seeds):
    """Return the exact share: the difference in standard errors has a noncentral t-distribution."""
    return stats.nct.sf(2, 2 * seeds - 2, gain / (spread * math.sqrt(2 / seeds)))


@power.checker
def check_power(ask):
    """Compare with the exact share: few seeds, many, no gain, another spread; a share must come back."""
    for spread, gain, seeds in [(1.0, 2.0, 3), (1.0, 1.0, 8), (0.06, 0.05, 12), (0.5, 0.0, 5), (2.0, 0.8, 30)]:
        found = array(ask(spread, gain, seeds, EXPERIMENTS, np.random.default_rng(seeds)))
        given = "a spread of {spread}, a gain of {gain}, {seeds} seeds each and {experiments:,} experiments"
        given = say(given, spread=spread, gain=gain, seeds=seeds, experiments=EXPERIMENTS)
        if found.shape != ():
            raise NotYet("One number was expected, but your answer has the shape {shape}.", shape=list(found.shape))
        expected = expected_power(spread, gain, seeds)
        tolerance = 0.003 + 4.5 * math.sqrt(max(expected * (1 - expected), 0.01) / EXPERIMENTS)  # standard deviations
        if 1 < found <= EXPERIMENTS and abs(found / EXPERIMENTS - expected) < tolerance:
            raise NotYet("That is the number of experiments that find the gain. Return their share.")
        if not abs(found - expected) < tolerance:
            known = [why for wrong, why in _wrong_powers(spread, gain, seeds) if abs(found - wrong) < tolerance]
            if found == 1 and gain > spread:  # the share of the seeds, each a mean over thousands of experiments
                known = ["Did you average over the experiments? With one experiment in each row, it is axis=1."]
            message = "For {given}, about {expected:.2f} was expected, but your function returned {found:.4g}."
            raise NotYet(message, *known[:1], given=given, expected=expected, found=found)
    reason = "A gain of 50 spreads is found in each of 10 experiments."
    same(ask(1.0, 50.0, 4, 10, np.random.default_rng(1)), 1, otherwise=reason)


def _wrong_powers(spread, gain, seeds):
    """Return the shares for three known mistakes, almost, with explanations."""
    rng = np.random.default_rng(5)
    before, after = rng.normal(0, spread, (40_000, seeds)), rng.normal(gain, spread, (40_000, seeds))
    difference = after.mean(axis=1) - before.mean(axis=1)
    divided_by_n = np.sqrt((before.var(axis=1) + after.var(axis=1)) / seeds)
    error = divided_by_n * math.sqrt(seeds / (seeds - 1))
    return [
        (np.mean(difference > 2 * divided_by_n), "NumPy's std and var divide by n. Did you say ddof=1?"),
        (np.mean(abs(difference) > 2 * error), "Without abs: a large loss is no gain."),
        (
            np.mean(difference > 2 * spread * math.sqrt(2 / seeds)),
            "Did you use `spread` in the standard error? Estimate it from the results of each experiment.",
        ),
    ]
