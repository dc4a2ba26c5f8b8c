"""Exercises of 03_gradients: a slope, descent, the chain rule, softmax, momentum, a loop to repair, loss curves."""

import functools

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from mnist_helpers import data
from mnist_helpers._support.translation import say
from mnist_helpers.exercises.comparing import array, same
from mnist_helpers.exercises.core import Chapter
from mnist_helpers.exercises.inputs import random_numbers
from mnist_helpers.exercises.judging import NotYet

exercises = Chapter("chapter_03")


@exercises.add(
    "What is the result at the place, and what is it a nudge further on?",
    "The change of the result, divided by the change of the place.",
    "Call function twice: at `at`, and at `at + nudge`. Subtract the first from the second, then divide.",
)
def slope(function, at, nudge):
    # Change of the result over change of the place: a slope is a ratio
    return (function(at + nudge) - function(at)) / nudge


@slope.checker
def check_slope(ask):
    """Check a square, where the nudge matters, and a cubic. A nudge to both sides is a finite difference as well."""
    given = "the square of a number, at = 3 and nudge = 0.5"
    wrong = [
        (3.25, "That is the change of the result. Divide it by the nudge."),
        (-6.5, "The sign: subtract the result at `at` from the result after the nudge."),
        (5.5, "You nudged downwards. The exercise asks for a nudge upwards."),
        (3.25 / 3, "You divided by the place. Divide by the nudge."),
        (3.25 * 0.5, "You multiplied by the nudge. Divide by it."),
        (12.25 / 9, "You divided one result by the other. A slope compares changes."),
        (12.25 / 0.5, "Subtract the result at `at` first: the slope is about the change."),
    ]
    _same_slope(ask, lambda weight: weight**2, 3.0, 0.5, wrong, given)
    given = "the square of a number, at = -1 and nudge = 0.001"
    _same_slope(ask, lambda weight: weight**2, -1.0, 0.001, (), given)
    _same_slope(ask, lambda weight: weight**3 - weight, 2.0, 0.1, (), "weight**3 - weight, at = 2 and nudge = 0.1")


def _same_slope(ask, function, at, nudge, wrong, given):
    """Compare with the finite difference; accept the nudge to both sides, which is closer to the slope."""
    found = ask(function, at, nudge)
    both = [(function(at + step) - function(at - step)) / (2 * step) for step in (nudge, nudge / 2)]
    if array(found).shape == () and np.isclose(array(found), both, rtol=1e-4).any():
        return
    expected = (function(at + nudge) - function(at)) / nudge
    same(found, expected, wrong, otherwise="That is not change over nudge.", given=given)


@exercises.add(
    "One step in a loop, and after each step the new place goes into a list.",
    "The next place is the last one minus the learning rate times the slope at the last one.",
    "Begin with places = [start]. In the loop, append a place that is computed from places[-1].",
)
def walk(slope_at, start, learning_rate, steps):
    places = [start]
    for _ in range(steps):
        # The slope is asked for anew: it changes with the place
        places.append(places[-1] - learning_rate * slope_at(places[-1]))
    return places


@walk.checker
def check_walk(ask):
    """Check three steps in the valley of weight**2, no step at all, and another valley."""
    right = [4.0, 2.0, 1.0, 0.5]
    wrong = [
        ([4.0, 6.0, 9.0, 13.5], "You walked uphill. Go against the slope."),
        ([4.0, 2.0, 0.0, -2.0], "You used the slope at the start in every step. Ask for it again at each place."),
        ([4.0, -4.0, 4.0, -4.0], "The learning rate is missing: a step is the learning rate times the slope."),
        (right[1:], "The start is missing from the list."),
        (right[:-1], "The last place is missing from the list."),
        (right[-1], "That is the last place alone. Return the list of all places."),
        ([*right, 0.25], "You took one step too many."),
        ([4.0, 3.75, 3.5, 3.25], "You moved by the learning rate alone. Multiply it by the slope."),
    ]
    given = "the slope 2 * weight, start 4, learning rate 0.25 and 3 steps"
    same(ask(lambda weight: 2 * weight, 4.0, 0.25, 3), right, wrong, "These are not the right places.", given)
    none = "With steps = 0 the list holds the start alone."
    same(ask(lambda weight: 2 * weight, 4.0, 0.25, 0), [4.0], otherwise=none, given="0 steps")
    given = "the slope weight - 3, start -1, learning rate 0.5 and 4 steps"
    right = [-1.0, 1.0, 2.0, 2.5, 2.75]
    same(
        ask(lambda weight: weight - 3, -1.0, 0.5, 4),
        right,
        otherwise="Right for the first slope, but not for this one.",
        given=given,
    )


@exercises.add(
    "Begin at the loss: how fast does it change with y? Then go back one link at a time, and multiply.",
    "The ReLU is one link more. It passes a positive h on as it is, so r changes exactly as fast as h. It sets a "
    "negative h to 0, whatever h is, so r does not change at all.",
    "The slope for y is twice the distance from the target, with its sign. For w2, multiply it by r. For w1, multiply "
    "it by what lies on the way back: w2, the ReLU's 1 or 0, and x.",
    stars=2,
)
def chain_slopes(x, w1, w2, target):
    h = w1 * x
    r = max(0, h)
    slope_of_y = 2 * (w2 * r - target)
    slope_of_h = slope_of_y * w2 * (h > 0)  # a ReLU that is switched off passes no slope back
    return slope_of_h * x, slope_of_y * r


@chain_slopes.checker
def check_chain_slopes(ask):
    """Check a positive h, a negative one, and a result below the target."""
    given = "x = 3, w1 = 0.5, w2 = 2, target = 1"
    wrong = [
        ((6.0, 24.0), "The two slopes have changed places: the one for w1 comes first."),
        ((12.0, 3.0), "Both slopes are half of what they should be: a square changes by twice what is squared."),
        ((12.0, 6.0), "The slope for w1 is half of what it should be: on the way back it passes w2."),
        ((8.0, 6.0), "The slope for w2 is right. The one for w1 is too small by a factor of x."),
        ((-24.0, -6.0), "The sign: the loss grows where y grows above the target."),
        ((24.0, 24.0), "The slope for w1 is right. For w2, multiply the slope for y by r, which is 1.5 here."),
        (24.0, "The slope for w1 is right. Return the one for w2 with it."),
        ((24.0, 8.0), "The slope for w1 is right. For w2, multiply by r, the input of this link, and not by w2."),
    ]
    same(ask(3.0, 0.5, 2.0, 1.0), (24.0, 6.0), wrong, "These are not the slopes.", given)
    for numbers in [(2.0, 1.5, -1.0, 4.0), (1.0, 2.0, 0.5, 3.0)]:
        given = ", ".join(f"{name} = {number:g}" for name, number in zip(("x", "w1", "w2", "target"), numbers))
        right = torch_chain(*numbers)
        same(ask(*numbers), right, otherwise="Right for the first numbers, but not for others.", given=given)
    given = "x = 2, w1 = -1, w2 = 3, target = 1, where h is negative"
    for x, w1 in [(2.0, -1.0), (-2.0, 1.0)]:
        off = "A ReLU with a negative input gives 0, and still 0 when w1 or w2 changes a little."
        given = f"x = {x:g}, w1 = {w1:g}, w2 = 3, target = 1"
        same(ask(x, w1, 3.0, 1.0), (0.0, 0.0), otherwise=off, given=given)


def torch_chain(x, w1, w2, target):
    """Return the two slopes as autograd computes them."""
    weights = torch.tensor([w1, w2], dtype=torch.float64, requires_grad=True)
    ((weights[1] * (weights[0] * x).relu() - target) ** 2).backward()
    return weights.grad


@exercises.add(
    "Adding the same number to all logits of a row changes nothing, and neither does subtracting one. Which number "
    "makes every power small enough?",
    "If the largest logit of each row becomes 0, no power is larger than 1. A power that is too small becomes 0, "
    "which does no harm here.",
    "Subtract from each row its own largest logit (max with dim=1 and keepdim=True), then do as in the chapter, with "
    "a sum over dim=1.",
    stars=2,
)
def softmax(logits):
    # The largest power is then e^0 = 1, so nothing overflows, and the sum is at least 1, so nothing is divided by 0
    powers = (logits - logits.max(dim=1, keepdim=True).values).exp()
    return powers / powers.sum(dim=1, keepdim=True)


FIVE_ROWS = 3 * random_numbers(5, 4, seed=3)
EXTREMES = {  # logits and what is certain about a function that fails on them, but not on those before
    "a row of 1000, 999 and 998": ([[1000.0, 999.0, 998.0]], "e^1000 is too large for a number."),
    "one 1000 among nine zeros": ([[1000.0] + 9 * [0.0]], "A power is still too large for a number here."),
    "a row near -1000": ([[-1000.0, -1002.0]], "All powers of a row become 0 here, and so does their sum."),
    "a row near 1000 and one near -1000": (
        [[1000.0, 999.0], [-1000.0, -999.0]],
        "Each row is a softmax of its own, so a large row must not change what is subtracted from a small one.",
    ),
}


@softmax.checker
def check_softmax(ask):
    """Check ordinary logits, a single row, and logits that overflow in one way after the other."""
    right, otherwise = FIVE_ROWS.softmax(dim=1), "These are not the probabilities."
    same(ask(FIVE_ROWS), right, _wrong_softmax(FIVE_ROWS), otherwise, "five rows of four logits")
    single = torch.tensor([[2.0, 1.0, -1.0]])
    same(
        ask(single),
        single.softmax(dim=1),
        otherwise="Right for five rows, but not for one.",
        given=str(single.tolist()),
    )
    for given, (rows, reason) in EXTREMES.items():
        logits = torch.tensor(rows)
        same(ask(logits), logits.softmax(dim=1), otherwise=reason, given=given)


def _wrong_softmax(logits):
    powers, tiny = logits.exp(), (logits - 100).exp()
    return [
        (logits.softmax(dim=0), "Your columns add up to 1. The rows should: sum over the classes, dim=1."),
        (powers / powers.sum(), "Your whole table adds up to 1. Each row should: sum over the classes, dim=1."),
        (logits.log_softmax(dim=1), "These are the logarithms of the probabilities. Return the probabilities."),
        (powers, "Your rows don't add up to 1 yet: divide by their sums."),
        (logits / logits.sum(dim=1, keepdim=True), "You divided the logits themselves. Take e to their power first."),
        (
            tiny / tiny.sum(dim=1, keepdim=True),
            "You subtracted 100 from every logit: here the powers become so small that they lose digits. Subtract a "
            "number that fits the row.",
        ),
    ]


@exercises.add(
    "First the new velocity, then the new weight, which needs it.",
    "The velocity is the old one times the momentum, plus the slope. The learning rate has no part in it.",
    "Two lines. The first computes the velocity from momentum, velocity and slope; the second moves the weight against "
    "the new velocity, by the learning rate.",
    stars=2,
)
def sgd_step(weight, slope, velocity, learning_rate, momentum):
    velocity = momentum * velocity + slope  # sums of slopes only, so that the learning rate may change later
    weight = weight - learning_rate * velocity  # by the new velocity, which holds this step's slope too
    return weight, velocity


@sgd_step.checker
def check_sgd_step(ask):
    """Compare with torch: a step with velocity, a first step, a matrix, and a step without momentum."""
    weight, gradient, velocity = [torch.tensor(v) for v in ([1.0, -2.0, 0.5], [0.3, 0.2, -1.0], [2.0, -1.0, 0.7])]
    moving = weight, gradient, velocity, 0.1, 0.8
    same(ask(*moving), torch_sgd(*moving), _wrong_steps(*moving))
    first = weight, gradient, torch.zeros(3), 0.1, 0.8
    same(ask(*first), torch_sgd(*first), otherwise="Right with a velocity, but not for a first step, where it is 0.")
    matrix = [random_numbers(2, 3, seed=seed) for seed in range(3)]
    other = *matrix, 0.01, 0.5
    reason = "Right for learning rate 0.1 and momentum 0.8, but not for 0.01 and 0.5: is a number written into it?"
    same(ask(*other), torch_sgd(*other), otherwise=reason)
    plain = weight - 0.1 * gradient, gradient
    same(
        ask(weight, gradient, velocity, 0.1, 0.0),
        plain,
        otherwise="With momentum 0 the new velocity is the slope itself.",
    )


def torch_sgd(weight, gradient, velocity, learning_rate, momentum):
    """Return the weight and velocity after a step of torch's SGD."""
    parameter = nn.Parameter(weight.clone())
    parameter.grad = gradient.clone()
    optimizer = torch.optim.SGD([parameter], learning_rate, momentum)
    optimizer.state[parameter]["momentum_buffer"] = velocity.clone()
    optimizer.step()
    return parameter.detach(), optimizer.state[parameter]["momentum_buffer"]


def _wrong_steps(weight, gradient, velocity, rate, momentum):
    new = momentum * velocity + gradient
    moved = weight - rate * new
    return [
        *_wrong_velocities(weight, gradient, velocity, rate, momentum),
        ((weight + rate * new, new), "Plus in place of minus: you moved the weight uphill, where the loss grows."),
        ((weight - rate * velocity, new), "You moved the weight by the old velocity: compute the new one first."),
        ((weight - rate * gradient, new), "You moved the weight by the slope alone: use the new velocity."),
        ((weight - rate * gradient, velocity), "The old velocity came back, and played no part in the step."),
        ((moved, velocity), "The weight is right, but the old velocity came back. The next step needs the new one."),
        ((momentum * weight - rate * new, new), "Momentum belongs to the velocity; the weight itself is not shrunk."),
        ((momentum * weight - rate * gradient, velocity), "You applied momentum to the weight, not to the velocity."),
        ((weight - rate * (gradient + momentum * new), new), "That is Nesterov's variant: it uses momentum twice."),
        ((weight - new, new), "The learning rate is missing: the weight moves by learning_rate times the velocity."),
        ((new, moved), "Weight and velocity have changed places: return the weight first."),
        (moved, "The new weight is right. Return the new velocity with it, for the next step: weight, velocity."),
        (new, "The new velocity is right. Return the new weight before it: weight, velocity."),
    ]


def _wrong_velocities(weight, gradient, velocity, rate, momentum):
    damped = momentum * velocity + (1 - momentum) * gradient
    scaled = momentum * velocity + rate * gradient
    down, scaled_down = momentum * velocity - gradient, momentum * velocity - rate * gradient
    downhill = "Your velocity points downhill and holds the learning rate."
    slopes = "In torch it adds up slopes alone, and the learning rate comes in when the weight moves."
    return [
        ((weight - scaled, scaled), "The learning rate belongs to the step of the weight, not into the velocity."),
        ((weight - rate * scaled, scaled), "You used the learning rate twice: it does not belong into the velocity."),
        ((weight - rate * damped, damped), "You damped the slope by 1 - momentum; torch adds all of it."),
        (
            (weight + rate * down, down),
            "You subtracted the slope from the velocity: torch adds it, and subtracts later.",
        ),
        ((weight + scaled_down, scaled_down), say(downhill, slopes)),
    ]


@exercises.add(
    "What must have happened before the slope can be used? What does backward do with the slopes of the step before?",
    "Three faults: the order of two lines, one sign, and one line that is missing.",
    "backward comes before the step. The step goes against the slope. After it, .grad must be empty again.",
    stars=2,
)
def descend(loss_of, weight, learning_rate, steps):
    weight = weight.clone().requires_grad_()
    for _ in range(steps):
        loss = loss_of(weight)
        loss.backward()  # before the step, which needs the slopes of this loss
        with torch.no_grad():
            weight -= learning_rate * weight.grad
        weight.grad = None  # or the next backward adds to it
    return weight.detach()


START, CENTRE = torch.tensor([3.0, -1.0]), torch.tensor([1.0, 1.0])


def bowl(weight):
    """Return a loss with its lowest point at `CENTRE`."""
    return ((weight - CENTRE) ** 2).sum()


@descend.checker
def check_descend(ask):
    """Check three steps in a bowl, other numbers, and that a loss with another shape works too."""
    distance = START - CENTRE
    right = CENTRE + distance * 0.8**3
    first, second = 0.8, 0.8 - 0.2 * 1.8  # with slopes that pile up
    wrong = [
        (CENTRE + distance * 1.2**3, "The weights walked away from the lowest point: a step goes against the slope."),
        (
            CENTRE + distance * (second - 0.2 * (1 + first + second)),
            "Each step used the sum of all slopes so far: .grad is not cleared between the steps.",
        ),
        (START, "The weights did not move."),
        (CENTRE + distance * 0.8**2, "You took one step too few."),
        (CENTRE + distance * 0.8, "That is one step. Take as many as `steps` says."),
        (CENTRE + distance * 0.4, "The slope stayed that of the start: compute the loss anew in each step."),
    ]
    given = "the squared distance from [1, 1], the start [3, -1], learning rate 0.1 and 3 steps"
    same(ask(bowl, START, 0.1, 3), right, wrong, "These are not the weights after three steps.", given)
    given = "the squared distance from [1, 1], the start [3, -1], learning rate 0.4 and 5 steps"
    right = CENTRE + distance * 0.2**5
    same(ask(bowl, START, 0.4, 5), right, otherwise="Right for the first numbers, but not for these.", given=given)
    same(ask(bowl, START, 0.4, 0), START, otherwise="The weights stay where they are.", given="0 steps")


@exercises.add(
    "Too high: which curve is ever far above its own start? Then leave this one out.",
    "Compare max(curve) with curve[0] for each run. For the others, compare how low they end: the mean of the last "
    "losses, since a single batch jitters.",
    "Two decisions by a maximum. The first is over all runs, by max(curve) / curve[0]. The second leaves out "
    "the winner of the first, and goes by the mean of the last twenty losses.",
    stars=2,
)
def read_curves(curves):
    runs = range(len(curves))
    too_high = max(runs, key=lambda run: max(curves[run]) / curves[run][0])
    # A wild run can end anywhere, so it must not take part in the second question
    others = [run for run in runs if run != too_high]
    too_low = max(others, key=lambda run: np.mean(curves[run][-20:]))
    return too_high, too_low


def four_curves(order, seed, end_of_wild=9.0):
    """Return curves of 100 losses, in `order`: 0 a wild run, 1 a slow one, 2 and 3 good ones, with jitter."""
    steps, start = np.arange(100), 2.3
    noise = random_numbers(4, 100, seed=seed).double().numpy()
    wild = 8 + 4 * np.abs(noise[0])
    wild[-25:] = end_of_wild
    curves = [wild, *(start * np.exp(-steps * rate) + 0.3 for rate in (0.005, 0.05, 0.1))]
    curves = [curve + 0.04 * jitter for curve, jitter in zip(curves, noise)]
    for curve in curves:
        curve[0] = start
    curves[2][-1] = 2.2  # one hard batch at the end of a good run
    curves[3][0], curves[3][1] = 2.2, 2.9  # another at its start: the largest loss does not tell a slow run
    return [curves[index].tolist() for index in order]


@read_curves.checker
def check_read_curves(ask):
    """Check three orders; the wild run ends high, then lower than the slow one, then lower than all."""
    orders = [((2, 0, 1, 3), 9.0), ((1, 3, 2, 0), 1.0), ((0, 2, 3, 1), 0.05)]
    for number, (order, end) in enumerate(orders):
        high, low = order.index(0), order.index(1)
        curves = four_curves(order, number, end)
        wrong = [
            ((low, high), "The two have changed places: too high first, then too low."),
            ((high + 1, low + 1), "You counted from 1. Python counts from 0."),
            (high, "That is the run with too high a rate. Return the one with too low a rate as well."),
            ((high, order.index(2)), "The first is right. You took a good run for the slow one: one batch was hard."),
            ((high, order.index(3)), "The first is right. The second is the run that falls fastest."),
            ((high, high), "The first is right. Leave this run out when you look for the slow one."),
            ((order.index(3), low), "The slow one is right. You took the fastest run for the wild one."),
        ]
        ends = ", ".join(f"{curve[-1]:.2f}" for curve in curves)
        given = say("four curves that end at {ends}", ends=ends)
        reason = "Right for the first four curves, but not for others." if number else "These are not the two runs."
        same(ask(curves), (high, low), () if number else wrong, reason, given)


@exercises.add(
    "The loop is the one of this chapter, with `batches` in place of random numbers.",
    "Start with zeros that record their slopes. For each batch: loss, backward, step, clear. Which learning rates were "
    "too low and too high in the figure of the loss curves?",
    "The loop of train_linear with its learning rate is enough; a rate of 0.005 is too slow for 200 steps. Return the "
    "two tensors, not the losses.",
    stars=3,
    seconds=30,
)
def train_to_90(batches):
    weight = torch.zeros(784, 10, requires_grad=True)
    bias = torch.zeros(10, requires_grad=True)
    optimizer = torch.optim.SGD([weight, bias], lr=0.1)  # larger than in the chapter: there are fewer steps
    for pixels, labels in batches:
        optimizer.zero_grad()
        loss = F.nll_loss((pixels @ weight + bias).log_softmax(dim=1), labels)
        loss.backward()
        optimizer.step()
    return weight.detach(), bias.detach()


class Batches:
    """200 batches of 100 training images, each given once. `ask` passes it without copying."""

    def __init__(self):
        pixels, labels, *_ = some_images()
        self.pairs = zip(pixels.split(100), labels.split(100))

    def __iter__(self):
        return self

    def __next__(self):
        return next(self.pairs)

    def __deepcopy__(self, memo):
        return self


@functools.cache
def some_images():
    """Return the pixels and labels of 20,000 training images in mixed order, and those of 10,000 others to judge by."""
    raw, labels = data.load_raw("train")
    order = torch.randperm(50_000, generator=torch.Generator().manual_seed(0))[:20_000]
    pixels, others = (data.normalise(images).flatten(1) for images in (raw[order], raw[50_000:]))
    return pixels, labels[order], others, labels[50_000:]


def share_read(weight, bias):
    """Return the share of the 10,000 images that this linear model reads correctly."""
    *_, pixels, labels = some_images()
    return ((pixels @ weight + bias).argmax(dim=1) == labels).double().mean().item()


@train_to_90.checker
def check_train_to_90(ask):
    """Check the shapes, then the accuracy on images that the function did not get."""
    answer = ask(Batches())
    if not isinstance(answer, (list, tuple)) or len(answer) != 2:
        raise NotYet("Two things are needed, in this order: the weight [784, 10] and the bias [10].")
    weight, bias = (torch.tensor(array(part), dtype=torch.float32) for part in answer)
    shapes = list(weight.shape), list(bias.shape)
    if shapes != ([784, 10], [10]):
        raise NotYet(
            "The weight [784, 10] and the bias [10] are needed, but {first} and {second} were returned.",
            first=shapes[0],
            second=shapes[1],
        )
    if weight.isnan().any() or bias.isnan().any():
        raise NotYet("There is nan among your weights, so the model reads nothing.")
    if (share := share_read(weight, bias)) < 0.9:
        loss = F.cross_entropy(some_images()[2] @ weight + bias, some_images()[3])
        raise NotYet(
            "Your model reads {share:.1%} of the 10,000 images, with a loss of {loss:.2f} (a guess has 2.30). 90 % "
            "are needed.",
            share=share,
            loss=loss,
        )
