"""Exercises of 04_training: accuracy over batches, the loss, SGD, a training step, evaluation, model selection."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from mnist_helpers.exercises.core import Chapter, NotYet, array, random_numbers, same

exercises = Chapter("chapter_04")


@exercises.add(
    "How many images are right in all batches together, and how many images are there?",
    "A batch of 10 images must not count as much as one of 64: add up first, divide once.",
    "sum(correct) / sum(sizes)",
)
def mean_accuracy(correct, sizes):
    return sum(correct) / sum(sizes)


@mean_accuracy.checker
def check_mean_accuracy(ask):
    """Check a smaller last batch, a single batch, many batches, and no correct predictions."""
    correct, sizes = [48, 56, 2], [64, 64, 10]
    shares = [right / size for right, size in zip(correct, sizes)]
    wrong = [
        (np.mean(shares), "You averaged the accuracies of the batches: the last 10 images count as much as 64 others."),
        (106 / 3, "You divided by the number of batches; divide by the number of images."),
        (100 * 106 / 138, "That is the accuracy in per cent. Return the share, between 0 and 1."),
        (32 / 138, "That is the share of the wrong images."),
        (106, "That is how many are right. Which share of all images is it?"),
        (2 / 10, "That is the accuracy of the last batch alone."),
        (48 / 64, "That is the accuracy of the first batch alone: does your loop return too early?"),
        (106 / (3 * 64), "You counted the last batch as if it were full: it has 10 images, not 64."),
        (shares, "That is one accuracy a batch. Return one number for all images together."),
    ]
    same(ask(correct, sizes), 106 / 138, wrong)
    same(ask([7], [10]), 0.7, otherwise="Right for three batches, but not for a single one.")
    many = list(range(40)), [40] * 39 + [39]
    same(ask(*many), 780 / 1599, otherwise="Right for three batches, but not for forty.")
    same(ask([0, 0], [64, 3]), 0, otherwise="Where no image is right, the accuracy is 0.")


@exercises.add(
    "Three steps: log-probabilities from the logits, one of them for each image, and the mean with its sign turned.",
    "To be safe from overflow, subtract from each row its largest logit: the softmax stays the same. To be safe from "
    "log(0), do not compute probabilities at all: the log of e^z / sum is z - log(sum).",
    "shifted = logits - logits.max(dim=1, keepdim=True).values, then "
    "log_probs = shifted - shifted.exp().sum(dim=1, keepdim=True).log(). "
    "Row n's log-probability of its class is log_probs[n, labels[n]].",
)
def loss_from_logits(logits, labels):
    shifted = logits - logits.max(dim=1, keepdim=True).values
    log_probs = shifted - shifted.exp().sum(dim=1, keepdim=True).log()
    return -log_probs[range(len(labels)), labels].mean()


LOGITS, FIVE_LABELS = 3 * random_numbers(5, 10, seed=3), torch.tensor([3, 0, 3, 9, 1])


@loss_from_logits.checker
def check_loss_from_logits(ask):
    """Check five images with ten classes, one image with three, and logits for which exp overflows."""
    loss = ask(LOGITS, FIVE_LABELS)
    if np.isnan(array(loss)).any():
        raise NotYet("nan came out: do you take a logarithm of the logits themselves, some of which are negative?")
    same(loss, F.cross_entropy(LOGITS, FIVE_LABELS), _wrong_losses(LOGITS, FIVE_LABELS))
    single = torch.tensor([[2.0, 1.0, -1.0]]), torch.tensor([2])
    same(ask(*single), F.cross_entropy(*single), otherwise="Right for five images, but not for one with three classes.")
    _check_extremes(ask)


def _wrong_losses(logits, labels):
    losses = F.cross_entropy(logits, labels, reduction="none")
    probabilities, loss = logits.softmax(dim=1), losses.mean()
    over_images, over_all = logits.log_softmax(dim=0), logits - logits.flatten().logsumexp(dim=0)
    return [
        (F.cross_entropy(probabilities, labels), "You applied softmax twice: cross_entropy contains one already."),
        (
            F.nll_loss(logits, labels),
            "You averaged the logits of the right classes; make log-probabilities of them first.",
        ),
        (F.nll_loss(probabilities, labels), "You averaged the probabilities; take their logarithm first."),
        (F.nll_loss(over_images, labels), "Your softmax adds up to 1 over the images, not the classes."),
        (F.nll_loss(over_all, labels), "Your softmax adds up to 1 over the whole batch: sum over the classes, dim=1."),
        (-logits.log_softmax(dim=1).mean(), "You averaged over all classes; only the right class of an image counts."),
        (losses.sum(), "You added up the losses of the images. Return their mean."),
        (losses, "That is one loss an image. Return their mean, a single number."),
        (-loss, "The sign: the logarithm of a probability is negative, the loss is positive."),
        (loss / 10, "You divided by 50, all classes of all images; the mean is over the 5 images."),
        (loss / np.log(10), "You took logarithms to base 10. The loss uses natural ones: log, not log10."),
        (loss / np.log(2), "You took logarithms to base 2. The loss uses natural ones: log, not log2."),
    ]


def _check_extremes(ask):
    """Check an overflow of exp, a probability that underflows to 0, and large logits of both signs in one batch."""
    _check_extreme(
        ask,
        ([[1000.0, 999.0, 998.0]], [1]),
        "e^1000 is too large for a number. Subtract the largest logit of each row first; the softmax stays the same.",
    )
    _check_extreme(
        ask,
        ([[1000.0, 0.0, 0.0]], [1]),
        "the probability e^-1000 is rounded to 0 before you take its logarithm. Subtract the logarithm of the sum in "
        "place of dividing by the sum.",
    )
    _check_extreme(
        ask,
        ([[1000.0, 999.0], [-1000.0, -999.0]], [1, 0]),
        "subtract from each row its own largest logit, not the largest of the whole batch.",
    )


def _check_extreme(ask, lists, reason):
    logits, labels = map(torch.tensor, lists)
    loss, expected = ask(logits, labels), F.cross_entropy(logits, labels)
    shown = f"{array(loss).item():.4g}" if array(loss).size == 1 else "no single number"
    given = f"The logits {lists[0]} with the labels {lists[1]} gave {shown} in place of {expected:.4g}"
    same(loss, expected, otherwise=f"{given}: {reason}")


@exercises.add(
    "First the new velocity, then the new weight, which needs it.",
    "The velocity is the old one times the momentum, plus the gradient. The learning rate has no part in it.",
    "velocity = momentum * velocity + gradient, then weight - learning_rate * velocity.",
)
def sgd_step(weight, gradient, velocity, learning_rate, momentum):
    velocity = momentum * velocity + gradient
    weight = weight - learning_rate * velocity
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
        otherwise="With momentum 0 the new velocity is the gradient itself.",
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
        ((weight - rate * gradient, new), "You moved the weight by the gradient alone: use the new velocity."),
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
    downhill = (
        "Your velocity points downhill and holds the learning rate. In torch it adds up gradients alone, and the "
    )
    return [
        ((weight - scaled, scaled), "The learning rate belongs to the step of the weight, not into the velocity."),
        ((weight - rate * scaled, scaled), "You used the learning rate twice: it does not belong into the velocity."),
        ((weight - rate * damped, damped), "You damped the gradient by 1 - momentum; torch adds all of it."),
        (
            (weight + rate * down, down),
            "You subtracted the gradient from the velocity: torch adds it, and subtracts later.",
        ),
        ((weight + scaled_down, scaled_down), downhill + "learning rate comes in when the weight moves."),
    ]


class Watched(nn.Module):
    """A network of one layer with fixed weights that records its calls. `ask` passes it without copying."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(0.1 * random_numbers(784, 10, seed=3))
        self.weight.register_hook(lambda gradient: self.events.append("backward"))
        self.events, self.calls = [], []  # each call: (whether in train mode, whether gradients were enabled)

    def forward(self, images):
        self.events.append("forward")
        self.calls.append((self.training, torch.is_grad_enabled()))
        return F.log_softmax(images.flatten(1) @ self.weight, dim=1)  # [N, 10]

    def __deepcopy__(self, memo):
        return self


RATE = 0.002  # large enough for a visible step, small enough to keep the loss above 0


class WatchedSGD(torch.optim.SGD):
    """Plain SGD that records its calls in the events of the network."""

    def __init__(self, model):
        super().__init__(model.parameters(), RATE)
        self.events = model.events

    def zero_grad(self, *arguments, **options):
        self.events.append("zero_grad")
        super().zero_grad(*arguments, **options)

    def step(self, *arguments):
        self.events.append("step")
        return super().step(*arguments)

    def __deepcopy__(self, memo):
        return self


@exercises.add(
    "Five things, in the order of the notebook's loop, and before them the mode: dropout belongs to training.",
    "model.train(), optimizer.zero_grad(), the loss, loss.backward(), optimizer.step().",
    "The loss is F.nll_loss(model(images), labels). Keep it in a name, and return loss.item() at the end.",
)
def train_step(model, optimizer, images, labels):
    model.train()
    optimizer.zero_grad()
    loss = F.nll_loss(model(images), labels)
    loss.backward()
    optimizer.step()
    return loss.item()


TWO_BATCHES = [
    (random_numbers(6, 1, 28, 28, seed=1), torch.tensor([5, 0, 4, 1, 9, 2])),
    (random_numbers(4, 1, 28, 28, seed=2), torch.tensor([7, 7, 3, 0])),
]


@train_step.checker
def check_train_step(ask):
    """Check two steps, starting in eval mode, against gradients that torch computes separately."""
    model = Watched()
    optimizer = WatchedSGD(model)
    before, past_gradients = model.weight.detach().clone(), 0
    for images, labels in TWO_BATCHES:
        model.eval().events.clear()
        returned = ask(model, optimizer, images, labels)
        after = model.weight.detach().clone()
        _explain_events(model, moved=not torch.equal(before, after))
        loss, gradient = loss_and_gradient(before, images, labels)
        wrong = _wrong_moves(before, gradient, past_gradients, len(labels))
        same(after, before - RATE * gradient, wrong, "The weights moved, but not by one step down the nll_loss.")
        _check_returned_loss(returned, loss, loss_and_gradient(after, images, labels)[0], len(labels))
        before, past_gradients = after, past_gradients + gradient


def loss_and_gradient(weight, images, labels):
    """Return the loss of a Watched network with these weights, and its gradient."""
    weight = weight.clone().requires_grad_()
    loss = F.cross_entropy(images.flatten(1) @ weight, labels)
    return loss.item(), torch.autograd.grad(loss, weight)[0]


def _explain_events(model, moved):
    """Raise NotYet if the mode is wrong, or if a missing or misplaced call left the weights unchanged."""
    events = model.events
    if "forward" not in events:
        raise NotYet("You did not call the model: the loss needs model(images).")
    if not moved and "backward" not in events:
        raise NotYet("No gradients were computed: loss.backward() is missing, or its parentheses.")
    if not moved and "step" not in events:
        raise NotYet(
            "Gradients were computed, but the weights did not move: optimizer.step() is missing, or its parentheses."
        )
    if not moved and events.index("step") < events.index("backward"):
        raise NotYet("optimizer.step() came before loss.backward(): there were no gradients to follow yet.")
    if not moved:
        raise NotYet(
            "There was nothing left to follow when optimizer.step() was called: does zero_grad come after backward?"
        )
    if not all(in_train_mode for in_train_mode, recorded in model.calls if recorded):
        raise NotYet("The model came in eval mode and you left it there, with dropout off: call model.train() first.")


def _wrong_moves(weight, gradient, past_gradients, count):
    summed = (
        "Your first step is right, but the second follows the sum of both batches' gradients: zero_grad is missing."
    )
    twice = "The weights moved twice as far as they should: is backward or step called twice?"
    return [
        (weight - RATE * (past_gradients + gradient), summed),
        (weight - 2 * RATE * gradient, twice),
        (weight + RATE * gradient, "The weights moved uphill, so that the loss grows: check the sign of the loss."),
        (weight - RATE * count * gradient, "The loss is the mean over the batch; yours is the sum."),
    ]


def _check_returned_loss(returned, loss, loss_after, count):
    wrong = [
        (loss_after, "You returned the loss after the step; return the one that you called backward on."),
        (count * loss, "You returned the sum of the losses of the batch. Return their mean."),
        (-loss, "The weights moved as they should, but the loss that you returned has the wrong sign."),
    ]
    same(returned, loss, wrong, "The weights moved as they should, but what you returned is not the loss of the batch.")


@exercises.add(
    "Before the model sees the images: which mode, and are gradients needed?",
    "model.eval(), then log_probs = model(images) inside `with torch.inference_mode():`.",
    "(log_probs.argmax(dim=1) == labels).sum().item() is how many are right; divide it by len(labels).",
)
def accuracy_of(model, images, labels):
    model.eval()
    with torch.inference_mode():
        log_probs = model(images)
    correct = (log_probs.argmax(dim=1) == labels).sum().item()
    return correct / len(labels)


@accuracy_of.checker
def check_accuracy_of(ask):
    """Check ten images, where argmax over the wrong dimension raises no error, then 130 images and a single one."""
    images, labels, right = answered(10, wrong=4)
    model = Watched()
    found = ask(model, images, labels)
    if "forward" not in model.events:
        raise NotYet("You did not call the model: its answers are model(images).")
    same(found, 0.6, _wrong_accuracies(model.weight.detach(), images, labels, right))
    if any(in_train_mode for in_train_mode, _ in model.calls):
        raise NotYet("The model came in train mode and you left it there, with dropout on: call model.eval() first.")
    if any(recorded for _, recorded in model.calls):
        raise NotYet("The share is right, but gradients were recorded that nobody needs: use torch.inference_mode().")
    many, many_labels, _ = answered(130, wrong=2)
    reason = "Right for 10 images, but not for 130. If you cut them into batches: a smaller last one counts for less."
    same(ask(Watched(), many, many_labels), 128 / 130, otherwise=reason)
    same(ask(Watched(), images[:1], right[:1]), 1, otherwise="Right for many images, but not for a single one.")


def answered(count, wrong):
    """Return images, labels and predictions of a Watched network, whose last `wrong` predictions are wrong."""
    images = random_numbers(count, 1, 28, 28, seed=95)  # gives each known mistake another accuracy
    answers = (images.flatten(1) @ Watched().weight.detach()).argmax(dim=1)
    labels = answers.clone()
    labels[count - wrong :] = (labels[count - wrong :] + 1) % 10
    return images, labels, answers


def _wrong_accuracies(weight, images, labels, answers):
    log_probs = (images.flatten(1) @ weight).log_softmax(dim=1)  # [10, 10]
    return [
        (
            (log_probs.argmax(dim=0) == labels).double().mean(),
            "Your argmax goes over the images, dim=0; the classes are dim=1.",
        ),
        (
            (log_probs.argmax() == labels).double().mean(),
            "argmax without dim gives one number for all images together: write dim=1.",
        ),
        (
            (log_probs.argmin(dim=1) == labels).double().mean(),
            "You took the least likely class of each image: use argmax, not argmin.",
        ),
        (6, "That is how many of the 10 images are right. Return the share."),
        (0, "0 of 10 would be right, but it is 6: does a // or an int() cut the share off?"),
        (60, "That is the accuracy in per cent. Return the share, between 0 and 1."),
        (0.4, "That is the share of the images that the model gets wrong."),
        (answers == labels, "That says which images are right. Return their share, a single number."),
        (answers, "These are the model's answers. Compare them with the labels, and return the share that is right."),
    ]


@exercises.add(
    "Which of the two lists may you look at while you are still deciding?",
    "Choose the network by its validation accuracy alone. Then, once, look at the test accuracy of that one.",
    "best = np.argmax(validation_accuracies), then return best, test_accuracies[best].",
)
def choose(validation_accuracies, test_accuracies):
    best = int(np.argmax(validation_accuracies))
    return best, test_accuracies[best]


VALIDATION, TEST = [0.961, 0.974, 0.972, 0.940], [0.950, 0.962, 0.971, 0.973]


@choose.checker
def check_choose(ask):
    """Check networks for which validation, test and their mean disagree, then the best network first and last."""
    reason = "Return the index of the network that is best on validation, and its test accuracy."
    same(ask(VALIDATION, TEST), (1, 0.962), _wrong_choices(), reason)
    same(
        ask([0.98, 0.97], [0.94, 0.99]),
        (0, 0.94),
        otherwise="Right for four networks, but not for two, the first of them the best.",
    )
    rising = [0.91, 0.93, 0.95], [0.90, 0.94, 0.93]
    same(ask(*rising), (2, 0.93), otherwise="Right for four networks, but not for three, the last of them the best.")
    same(ask([0.9], [0.8]), (0, 0.8), otherwise="A single network is the one to ship, with its test accuracy.")


def _wrong_choices():
    right, test_decides = "The choice is right, but ", "the test set must have no say in the choice."
    flattered = "you reported its validation accuracy, which flatters the one that was chosen by it: report the test's."
    return [
        ((3, 0.973), "You chose by the test set. Then it is no test any more: part of the best result on it is luck."),
        ((2, 0.971), f"You chose by the mean of both lists: {test_decides}"),
        ((2, 0.9715), f"You chose and reported by the mean of both lists: {test_decides}"),
        ((3, 0.940), "You chose by the test set and reported validation: it is the other way round."),
        ((1, 0.973), right + "0.973 is the test accuracy of another network: report that of the one you chose."),
        ((1, 0.974), right + flattered),
        ((1, 0.968), right + "you reported the mean of its two accuracies: only the test accuracy may be reported."),
        ((1, 0.964), right + "you reported the mean of all test accuracies: you ship one network only."),
        ((0.962, 1), "Index and accuracy have changed places: return the index first."),
        ((2, 0.962), "The accuracy is right, but count from 0: the first network has the index 0."),
        (1, "The choice is right. Return the accuracy that you may report with it: index, accuracy."),
        (0.962, "The accuracy is right. Return the index of the network before it: index, accuracy."),
    ]
