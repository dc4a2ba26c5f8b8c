"""03_gradients: the misconceptions that the checkers know, right answers in other styles, probes for the mutants."""

import numpy as np
import torch
import torch.nn.functional as F

from mnist_helpers.exercises.chapter_03 import (
    CENTRE,
    EXTREMES,
    FIVE_ROWS,
    START,
    Batches,
    bowl,
    exercises,  # noqa: F401
    four_curves,
    random_numbers,
    share_read,
    torch_chain,
)


def damped(weight, gradient, velocity, learning_rate, momentum):
    velocity = momentum * velocity + (1 - momentum) * gradient
    return weight - learning_rate * velocity, velocity


def rate_in_velocity(weight, gradient, velocity, learning_rate, momentum):
    velocity = momentum * velocity + learning_rate * gradient
    return weight - velocity, velocity


def walked(step, first=True):
    """A walk with another rule for a step: from place, start, rate and slope_at to the next place."""

    def walk(slope_at, start, learning_rate, steps):
        places = [start]
        for _ in range(steps):
            places.append(step(places[-1], start, learning_rate, slope_at))
        return places if first else places[1:]

    return walk


right_walk = walked(lambda place, start, rate, slope_at: place - rate * slope_at(place))


def unstable_softmax(logits):
    return logits.exp() / logits.exp().sum(dim=1, keepdim=True)


def shifted_softmax(shift):
    return lambda logits: unstable_softmax(logits - shift(logits))


def loop(sign=-1, clear=True, anew=True, skipped=0):
    """The loop to repair, with some of its faults repaired."""

    def descend(loss_of, weight, learning_rate, steps):
        weight = weight.clone().requires_grad_()
        for step in range(steps - skipped):
            if anew or not step:
                loss_of(weight).backward()
            with torch.no_grad():
                weight += sign * learning_rate * weight.grad
            if clear and anew:
                weight.grad = None
        return weight.detach()

    return descend


def one_step(loss_of, weight, learning_rate, steps):
    return loop()(loss_of, weight, learning_rate, 1)


def by_end(curves):
    ends = np.array([np.mean(curve[-20:]) for curve in curves])
    return ends.argsort()[::-1][:2]


def by_last_loss(curves):
    high = int(np.argmax([max(curve) for curve in curves]))
    return high, max((run for run in range(4) if run != high), key=lambda run: curves[run][-1])


def found(curves):
    high = int(np.argmax([np.mean(curve[:50]) for curve in curves]))
    return high, max((run for run in range(4) if run != high), key=lambda run: np.median(curves[run][50:]))


def linear(rate=0.05, sign=-1, clear=True, count=200, result=lambda weight, bias: (weight, bias)):
    """A linear model trained by hand on the first `count` batches."""

    def train(batches):
        weight, bias = torch.zeros(784, 10, requires_grad=True), torch.zeros(10, requires_grad=True)
        for number, (pixels, labels) in enumerate(batches):
            if number == count:
                break
            F.nll_loss((pixels @ weight + bias).log_softmax(dim=1), labels).backward()
            with torch.no_grad():
                for parameter in (weight, bias):
                    parameter += sign * rate * parameter.grad
                    if clear:
                        parameter.grad = None
        return result(weight.detach(), bias.detach())

    return train


def by_module(batches):
    model = torch.nn.Linear(784, 10)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.5)
    for pixels, labels in batches:
        optimizer.zero_grad()
        F.cross_entropy(model(pixels), labels).backward()
        optimizer.step()
    return model.weight.T, model.bias


# exercise: {misconception: what a student who holds it writes}
WRONG = {
    "slope": {
        "not divided": lambda function, at, nudge: function(at + nudge) - function(at),
        "sign": lambda function, at, nudge: (function(at) - function(at + nudge)) / nudge,
        "nudged downwards": lambda function, at, nudge: (function(at) - function(at - nudge)) / nudge,
        "divided by the place": lambda function, at, nudge: (function(at + nudge) - function(at)) / at,
        "multiplied": lambda function, at, nudge: (function(at + nudge) - function(at)) * nudge,
        "ratio of results": lambda function, at, nudge: function(at + nudge) / function(at),
        "nothing subtracted": lambda function, at, nudge: function(at + nudge) / nudge,
        "a nudge written into it": lambda function, at, nudge: (function(at + 0.01) - function(at)) / 0.01,
        "function of the nudge": lambda function, at, nudge: function(nudge) / nudge,
        "without its sign": lambda function, at, nudge: abs(function(at + nudge) - function(at)) / nudge,
    },
    "walk": {
        "uphill": walked(lambda place, start, rate, slope_at: place + rate * slope_at(place)),
        "slope at the start": walked(lambda place, start, rate, slope_at: place - rate * slope_at(start)),
        "rate forgotten": walked(lambda place, start, rate, slope_at: place - slope_at(place)),
        "slope forgotten": walked(lambda place, start, rate, slope_at: place - rate),
        "start forgotten": walked(lambda place, start, rate, slope_at: place - rate * slope_at(place), first=False),
        "last place only": lambda *given: right_walk(*given)[-1],
        "one step too few": lambda *given: right_walk(*given)[:-1],
        "one step too many": lambda slope_at, start, rate, steps: right_walk(slope_at, start, rate, steps + 1),
        "slope of 2 * weight written into it": walked(lambda place, start, rate, slope_at: place - rate * 2 * place),
        "the slopes returned": lambda slope_at, *given: [slope_at(place) for place in right_walk(slope_at, *given)],
        "always at least one step": lambda s, w, rate, steps: right_walk(s, w, rate, max(steps, 1)),
    },
    "chain_slopes": {
        "changed places": lambda *given: torch_chain(*given).flip(0),
        "half": lambda *given: torch_chain(*given) / 2,
        "w2 left out": lambda x, w1, w2, t: (torch_chain(x, w1, w2, t)[0] / w2, torch_chain(x, w1, w2, t)[1]),
        "x left out": lambda x, w1, w2, t: (torch_chain(x, w1, w2, t)[0] / x, torch_chain(x, w1, w2, t)[1]),
        "sign": lambda *given: -torch_chain(*given),
        "one slope for both": lambda *given: 2 * [torch_chain(*given)[0]],
        "w1 only": lambda *given: torch_chain(*given)[0],
        "multiplied by w2 for w2": lambda x, w1, w2, t: (2 * (w2 * w1 * x - t) * w2 * x, 2 * (w2 * w1 * x - t) * w2),
        "ReLU forgotten": lambda x, w1, w2, t: (2 * (w2 * w1 * x - t) * w2 * x, 2 * (w2 * w1 * x - t) * w1 * x),
        "target of the chapter": lambda x, w1, w2, t: torch_chain(x, w1, w2, 1.0),
        "ReLU off only if w1 is negative": lambda x, w1, w2, t: (
            torch_chain(x, w1, w2, t) if w1 < 0 else (2 * (w2 * w1 * x - t) * w2 * x, 2 * (w2 * w1 * x - t) * w1 * x)
        ),
    },
    "softmax": {
        "over the rows": lambda logits: logits.softmax(dim=0),
        "over the whole table": lambda logits: logits.flatten().softmax(dim=0).reshape(logits.shape),
        "logarithms": lambda logits: logits.log_softmax(dim=1),
        "powers alone": lambda logits: logits.exp(),
        "logits divided": lambda logits: logits / logits.sum(dim=1, keepdim=True),
        "overflow": unstable_softmax,
        "100 subtracted": shifted_softmax(lambda logits: 100),
        "mean subtracted": shifted_softmax(lambda logits: logits.mean(dim=1, keepdim=True)),
        "largest logit of the batch subtracted": shifted_softmax(lambda logits: logits.max()),
        "largest absolute value subtracted": shifted_softmax(lambda logits: logits.abs().amax(dim=1, keepdim=True)),
        "cut off at 80": lambda logits: unstable_softmax(logits.clamp(max=80)),
        "divided by the largest": lambda logits: unstable_softmax(logits / logits.amax(dim=1, keepdim=True)),
    },
    "sgd_step": {
        "plus in place of minus": lambda w, g, v, rate, momentum: (w + rate * (momentum * v + g), momentum * v + g),
        "old velocity used": lambda w, g, v, rate, momentum: (w - rate * v, momentum * v + g),
        "gradient alone used": lambda w, g, v, rate, momentum: (w - rate * g, momentum * v + g),
        "momentum ignored": lambda w, g, v, rate, momentum: (w - rate * g, v),
        "old velocity returned": lambda w, g, v, rate, momentum: (w - rate * (momentum * v + g), v),
        "learning rate inside the velocity": rate_in_velocity,
        "damped": damped,
        "momentum on the weight": lambda w, g, v, rate, momentum: (momentum * w - rate * g, v),
        "weight shrunk too": lambda w, g, v, rate, momentum: (
            momentum * w - rate * (momentum * v + g),
            momentum * v + g,
        ),
        "Nesterov": lambda w, g, v, rate, momentum: (
            w - rate * (g + momentum * (momentum * v + g)),
            momentum * v + g,
        ),
        "learning rate forgotten": lambda w, g, v, rate, momentum: (w - (momentum * v + g), momentum * v + g),
        "gradient subtracted from the velocity": lambda w, g, v, rate, momentum: (
            w + rate * (momentum * v - g),
            momentum * v - g,
        ),
        "velocity that points downhill": lambda w, g, v, rate, momentum: (
            w + (momentum * v - rate * g),
            momentum * v - rate * g,
        ),
        "changed places": lambda w, g, v, rate, momentum: (momentum * v + g, w - rate * (momentum * v + g)),
        "weight alone returned": lambda w, g, v, rate, momentum: w - rate * (momentum * v + g),
        "momentum written into it": lambda w, g, v, rate, momentum: (w - rate * (0.8 * v + g), 0.8 * v + g),
    },
    "descend": {
        "plus sign": loop(sign=1),
        "grad not cleared": loop(clear=False),
        "nothing moved": loop(sign=0),
        "one step too few": loop(skipped=1),
        "one step": one_step,
        "one slope for all steps": loop(anew=False),
        "two faults left": loop(sign=1, clear=False),
        "twice the rate": loop(sign=-2),
        "learning rate written into it": lambda loss_of, weight, rate, steps: loop()(loss_of, weight, 0.1, steps),
        "loss returned": lambda *given: bowl(loop()(*given)),
    },
    "read_curves": {
        "changed places": lambda curves: found(curves)[::-1],
        "counted from 1": lambda curves: [run + 1 for run in found(curves)],
        "too high only": lambda curves: found(curves)[0],
        "by the end of the curve": by_end,
        "by the last loss": by_last_loss,
        "the largest loss for both, which the fastest run can have": lambda curves: np.argsort(
            [max(curve) for curve in curves]
        )[::-1][:2],
        "one run for both": lambda curves: 2 * [found(curves)[0]],
        "fastest for wild": lambda curves: (int(np.argmin([np.mean(c[5:30]) for c in curves])), found(curves)[1]),
        "always the same": lambda curves: (1, 2),
        "no numbers of runs": lambda curves: [max(curve) for curve in curves],
    },
    "train_to_90": {
        "untrained": linear(count=0),
        "uphill": linear(sign=1),
        "rate too low": linear(rate=0.005),
        "rate far too low": linear(rate=0.0005),
        "rate too high": linear(rate=3),
        "grad not cleared": linear(clear=False),
        "first batch only": linear(count=1),
        "transposed": linear(result=lambda weight, bias: (weight.T, bias)),
        "weight alone": linear(result=lambda weight, bias: weight),
        "changed places": linear(result=lambda weight, bias: (bias, weight)),
        "nan": linear(result=lambda weight, bias: (weight * float("nan"), bias)),
    },
}


def central(function, at, nudge):
    return (function(at + nudge) - function(at - nudge)) / (2 * nudge)


def long_walk(slope_at, start, learning_rate, steps):
    place = torch.tensor(start, dtype=torch.float64)
    places = place.repeat(steps + 1)
    for step in range(1, steps + 1):
        place = place - learning_rate * slope_at(place)
        places[step] = place
    return places


def nudged_chain(x, w1, w2, target):
    def loss(w1, w2):
        return (w2 * max(0, w1 * x) - target) ** 2

    nudge = 1e-6
    by_w1 = (loss(w1 + nudge, w2) - loss(w1 - nudge, w2)) / (2 * nudge)
    return by_w1, (loss(w1, w2 + nudge) - loss(w1, w2 - nudge)) / (2 * nudge)


def branched_chain(x, w1, w2, target):
    if w1 * x <= 0:
        return [0, 0]
    error = w2 * w1 * x - target
    return [error * 2 * w2 * x, error * 2 * w1 * x]


def numpy_softmax(logits):
    shifted = logits.numpy() - logits.numpy().max(axis=1, keepdims=True)
    return np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True)


def in_place_step(weight, gradient, velocity, learning_rate, momentum):
    velocity.mul_(momentum).add_(gradient)
    weight -= learning_rate * velocity
    return [weight, velocity]


def numpy_step(weight, gradient, velocity, learning_rate, momentum):
    new = momentum * velocity.double().numpy() + gradient.double().numpy()
    return weight.double().numpy() - learning_rate * new, new


def looped_step(weight, gradient, velocity, learning_rate, momentum):
    pairs = zip(weight.flatten().tolist(), gradient.flatten().tolist(), velocity.flatten().tolist())
    rows = [(w - learning_rate * (momentum * v + g), momentum * v + g) for w, g, v in pairs]
    return tuple(torch.tensor(values).reshape(weight.shape) for values in zip(*rows))


def by_optimizer(loss_of, weight, learning_rate, steps):
    weight.requires_grad_()
    optimizer = torch.optim.SGD([weight], lr=learning_rate)
    for _ in range(steps):
        optimizer.zero_grad()
        loss_of(weight).backward()
        optimizer.step()
    return weight


RIGHT = {
    "slope": [central, lambda function, at, nudge: np.float64(function(at + nudge) - function(at)) / nudge],
    "walk": [long_walk, right_walk, lambda *given: tuple(right_walk(*given))],
    "chain_slopes": [torch_chain, nudged_chain, branched_chain],
    "softmax": [
        numpy_softmax,
        lambda logits: (logits - logits.logsumexp(dim=1, keepdim=True)).exp(),
        lambda logits: logits.softmax(dim=1).tolist(),
    ],
    "sgd_step": [in_place_step, numpy_step, looped_step],
    "descend": [by_optimizer, loop()],
    "read_curves": [found, lambda curves: torch.tensor(found(curves))],
    "train_to_90": [linear(), linear(rate=0.2), linear(result=lambda w, b: [w.tolist(), b.numpy()]), by_module],
}

# exercise: what a function gives on many inputs; two functions with equal results behave alike
PROBES = {
    "slope": lambda function: [
        function(curve, at, nudge)
        for curve in (lambda w: w**2, lambda w: w**3, lambda w: 5 * w)
        for at, nudge in [(3.0, 0.5), (-1.0, 0.1), (2.0, 0.01)]
    ],
    "walk": lambda function: [
        function(slope, start, rate, steps)
        for slope in (lambda w: 2 * w, lambda w: w - 3)
        for start, rate, steps in [(4.0, 0.25, 3), (-1.0, 0.5, 5), (2.0, 0.1, 0)]
    ],
    "chain_slopes": lambda function: [
        function(x, w1, w2, target)
        for x in (2.0, -1.0)
        for w1 in (0.5, -1.5)
        for w2 in (3.0, -2.0)
        for target in (1.0, 4.0)
    ],
    "softmax": lambda function: [
        function(logits) for logits in [FIVE_ROWS, *(torch.tensor(rows) for rows, _ in EXTREMES.values())]
    ],
    "sgd_step": lambda function: [
        value
        for rate, momentum, seed in [(0.1, 0.8, 1), (0.01, 0.5, 2), (0.5, 0.0, 3), (1.0, 0.9, 4)]
        for value in function(*random_numbers(3, 2, 4, seed=seed), rate, momentum)
    ],
    "descend": lambda function: [
        function(bowl, start, rate, steps) for start in (START, CENTRE) for rate in (0.1, 0.4) for steps in (0, 1, 4)
    ],
    "read_curves": lambda function: [
        function(four_curves(order, seed, end))
        for seed, (order, end) in enumerate([((2, 0, 1, 3), 9.0), ((1, 3, 2, 0), 1.0), ((0, 2, 3, 1), 0.05)])
    ],
    "train_to_90": lambda function: [share_read(*function(Batches())) >= 0.9],
}
