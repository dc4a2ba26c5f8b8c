"""Exercises of 04_training: accuracy, loss curves, a training step, a test, a broken loop, checkpoints, a goal."""

import functools
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import nn

from mnist_helpers import data
from mnist_helpers._support.translation import say
from mnist_helpers.exercises.comparing import same
from mnist_helpers.exercises.core import Chapter
from mnist_helpers.exercises.inputs import random_numbers
from mnist_helpers.exercises.judging import NotYet
from mnist_helpers.network import Net
from mnist_helpers.training import evaluate

exercises = Chapter("chapter_04")


@exercises.add(
    "How many images are right in all batches together? How many images are there?",
    "A batch of 10 images must not count as much as a batch of 64. So add up first, and divide once at the end.",
    "Python's sum(...) adds up the numbers of a list. You need it twice.",
)
def mean_accuracy(correct, sizes):
    # Adding up before dividing gives each image the same weight, whatever the size of its batch.
    return sum(correct) / sum(sizes)


@mean_accuracy.checker
def check_mean_accuracy(ask):
    """Check a smaller last batch, a single batch, many batches, and no correct predictions."""
    correct, sizes = [48, 56, 2], [64, 64, 10]
    shares = [right / size for right, size in zip(correct, sizes)]
    wrong = [
        (np.mean(shares), "You averaged the accuracies of the batches: the last 10 images count as much as 64 others."),
        (106 / 3, "You divided by the number of batches. Divide by the number of images."),
        (100 * 106 / 138, "That is the accuracy in per cent. Return the share, between 0 and 1."),
        (32 / 138, "That is the share of the wrong images."),
        (106, "That is how many images are right. Return their share of all images."),
        (106 / (3 * 64), "You counted the last batch as if it were full: it has 10 images, not 64."),
        (shares, "That is one accuracy for each batch. Return one number for all images together."),
    ]
    same(
        ask(correct, sizes),
        106 / 138,
        wrong,
        given=say("correct = {correct} and sizes = {sizes}", correct=correct, sizes=sizes),
    )
    same(ask([7], [10]), 0.7, given="a single batch, correct = [7] and sizes = [10]")
    many = list(range(40)), [40] * 39 + [39]
    same(ask(*many), 780 / 1599, given="forty batches, correct = [0, 1, ..., 39] and sizes = [40, ..., 40, 39]")
    same(ask([0, 0], [64, 3]), 0, given="correct = [0, 0] and sizes = [64, 3]")


KINDS = "as it should be", "zero_grad forgotten", "learning rate too low", "labels shuffled without images"
SIGNS = {
    "A": "its loss falls at first, then swings back to far above the start",
    "B": "its loss stays where it started",
    "C": "its loss falls fast, then stays low",
    "D": "its loss falls all the time, but slowly",
}


@functools.cache
def training_digits():
    """Return the images and labels of the training set."""
    return data.load("train")


@functools.cache
def four_runs() -> pd.DataFrame:
    """Return the losses of four runs of a linear model, 200 batches each, in the columns A to D."""
    images, labels = (tensor[:12_800] for tensor in training_digits())
    order = torch.randperm(12_800, generator=torch.Generator().manual_seed(1))
    runs = {
        "A": _linear_run(images, labels, forget_zero_grad=True),
        "B": _linear_run(images, labels[order]),
        "C": _linear_run(images, labels),
        "D": _linear_run(images, labels, rate=0.0003),
    }
    return pd.DataFrame(runs)


def _linear_run(images, labels, rate=0.01, forget_zero_grad=False):
    weight, sum_of_gradients = torch.zeros(784, 10, requires_grad=True), 0
    losses = []
    for batch, truth in zip(images.flatten(1).split(64), labels.split(64)):
        loss = F.cross_entropy(batch @ weight, truth)
        (gradient,) = torch.autograd.grad(loss, weight)
        sum_of_gradients = gradient + (sum_of_gradients if forget_zero_grad else 0)
        weight.data -= rate * sum_of_gradients
        losses.append(loss.item())
    return losses


@exercises.add(
    "Begin with the easiest: in which run is nothing learnt at all?",
    "Compare each curve with the failures of this chapter. One fault gives a head start before it does harm.",
    "Two curves only fall. One of them is nearly done after fifty batches, the other has hardly begun.",
)
def diagnose(runs):
    # C falls and stays low, A swings back, D creeps down, B stays at ln 10, the loss of guessing.
    return "CADB"


@diagnose.checker
def check_diagnose(ask):
    """Check the four letters, and describe the first curve that was taken for another one."""
    answer = ask(four_runs())
    letters = list(answer) if isinstance(answer, (str, list, tuple)) else []
    if sorted(map(str, letters)) != list("ABCD"):
        raise NotYet('Return the letters A, B, C and D in the order of the four kinds, in one text such as "ABCD".')
    right = [letter == expected for letter, expected in zip(letters, "CADB")]
    if not all(right):
        letter, kind = letters[right.index(False)], KINDS[right.index(False)]
        raise NotYet(
            '{right} of 4 letters are in their place. Run {letter} is not "{kind}": {sign}.',
            right=sum(right),
            letter=letter,
            kind=kind,
            sign=SIGNS[letter],
        )


class Kept:
    """A base class for objects that `ask` passes without copying, so that the checker can see what happens to them."""

    def __deepcopy__(self, memo):
        return self


class Watched(Kept, nn.Module):
    """A network of one layer with fixed weights that records its calls."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(0.1 * random_numbers(784, 10, seed=3))
        self.weight.register_hook(lambda gradient: self.events.append("backward"))
        self.events, self.calls = [], []  # each call: (whether in train mode, whether gradients were enabled)
        self.batches = []  # the images of each call

    def forward(self, images):
        self.events.append("forward")
        self.calls.append((self.training, torch.is_grad_enabled()))
        self.batches.append(images.detach())
        return F.log_softmax(images.flatten(1) @ self.weight, dim=1)  # [N, 10]


RATE = 0.002  # large enough for a visible step, small enough to keep the loss above 0


class WatchedSGD(Kept, torch.optim.SGD):
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


@exercises.add(
    "Five things, in the order of the loop in this chapter. Before them comes the mode: dropout belongs to training.",
    "The five are: forget the old gradients, compute the loss, compute its gradients, move the weights, return.",
    "The loss is F.nll_loss of what the model says and the labels. Keep it in a name; .item() makes a number of it.",
    stars=2,
)
def train_step(model, optimizer, images, labels):
    model.train()  # a test before this step may have left the model in eval mode
    optimizer.zero_grad()
    loss = F.nll_loss(model(images), labels)
    loss.backward()
    optimizer.step()
    return loss.item()


THREE_BATCHES = [
    (random_numbers(6, 1, 28, 28, seed=1), torch.tensor([5, 0, 4, 1, 9, 2])),
    (random_numbers(4, 1, 28, 28, seed=2), torch.tensor([7, 7, 3, 0])),
    (random_numbers(64, 1, 28, 28, seed=3), torch.arange(64) % 10),  # as large as a batch of the chapter
]


@train_step.checker
def check_train_step(ask):
    """Check three steps, each starting in eval mode, against gradients that torch computes separately."""
    model = Watched()
    optimizer = WatchedSGD(model)
    before, past_gradients = model.weight.detach().clone(), 0
    for images, labels in THREE_BATCHES:
        model.eval().events.clear()
        returned = ask(model, optimizer, images, labels)
        after = model.weight.detach().clone()
        _explain_events(model, moved=not torch.equal(before, after))
        loss, gradient = loss_and_gradient(before, images, labels)
        expected = before - RATE * gradient
        _explain_weights(after, expected, _wrong_moves(before, gradient, past_gradients, len(labels)), images, labels)
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
        called = ", ".join(events[: events.index("step") + 1])
        raise NotYet(
            "The weights did not move. You called {called}: when step came, the gradients were gone.", called=called
        )
    if not all(in_train_mode for in_train_mode, recorded in model.calls if recorded):
        raise NotYet("The model learnt in eval mode, with dropout off: call model.train() first.")


def _wrong_moves(weight, gradient, past_gradients, count):
    summed = "Your first step is right, but the next one follows the gradients of both batches: zero_grad is missing."
    return [
        (weight - RATE * (past_gradients + gradient), summed),
        (weight - 2 * RATE * gradient, "The weights moved twice as far as one step takes them."),
        (weight + RATE * gradient, "The weights moved uphill, so that the loss grows: check the sign of the loss."),
        (weight - RATE * count * gradient, "Take the mean of the loss over the batch: your step is that of the sum."),
    ]


def _explain_weights(found, expected, wrong, images, labels):
    """Raise NotYet, with a reason or the loss that both give, if the weights are not as expected."""
    if _close(found, expected):
        return
    for weights, reason in wrong:
        if _close(found, weights):
            raise NotYet(reason)
    loss, loss_expected = (loss_and_gradient(weight, images, labels)[0] for weight in (found, expected))
    raise NotYet(
        "The weights moved, but not as the gradients of the mean nll_loss move them: afterwards the loss of the "
        "{labels} images should be {loss_expected:.6g}, but it is {loss:.6g}.",
        labels=len(labels),
        loss_expected=loss_expected,
        loss=loss,
    )


def _close(one, other):
    return torch.allclose(one, other, rtol=1e-5, atol=1e-6)


def _check_returned_loss(returned, loss, loss_after, count):
    wrong = [
        (loss_after, "You returned the loss after the step. Return the one that you called backward on."),
        (count * loss, "You returned the sum of the losses of the batch. Return their mean."),
        (-loss, "The weights moved as they should, but the loss that you returned has the wrong sign."),
    ]
    same(returned, loss, wrong, "The weights moved as they should, but what you returned is not the loss of the batch.")


@exercises.add(
    "Before the model sees the images: which mode, and are gradients needed?",
    "model.eval() switches dropout off. Inside `with torch.inference_mode():` nothing is recorded for gradients, and "
    "after it the rest of the notebook can compute gradients again.",
    "Compare the largest log-probability's place, argmax over the classes, with the labels. How many are equal?",
    stars=2,
)
def accuracy_of(model, images, labels):
    model.eval()
    with torch.inference_mode():  # ends with the block, so that later cells can train
        log_probs = model(images)
    correct = (log_probs.argmax(dim=1) == labels).sum().item()
    return correct / len(labels)


@accuracy_of.checker
def check_accuracy_of(ask):
    """Check ten images, where argmax over the wrong dimension raises no error, then 130, 1,030 and a single one."""
    images, labels, right = answered(10, wrong=4)
    model = Watched()
    found = ask(model, images, labels)
    if "forward" not in model.events:
        raise NotYet("You did not call the model: its answers are model(images).")
    wrong = _wrong_accuracies(model.weight.detach(), images, labels, right)
    same(found, 0.6, wrong, given="ten images, six of them read correctly")
    _explain_modes(model)
    for count in (130, 1030):
        many, many_labels, _ = answered(count, wrong=2)
        given = say("{count:,} images, all but the last two read correctly", count=count)
        same(ask(Watched(), many, many_labels), 1 - 2 / count, given=given)
    same(ask(Watched(), images[:1], right[:1]), 1, given="a single image, read correctly")


def _explain_modes(model):
    """Raise NotYet if the model was called in train mode, or if gradients were recorded or are off afterwards."""
    if any(in_train_mode for in_train_mode, _ in model.calls):
        raise NotYet("The model came in train mode and you left it there, with dropout on: call model.eval() first.")
    if not torch.is_grad_enabled() or not model.weight.requires_grad:
        raise NotYet(
            "The share is right, but after your function gradients are still switched off, so nothing could be "
            "trained any more. Switch them off for one block: with torch.inference_mode():"
        )
    if any(recorded for _, recorded in model.calls):
        raise NotYet("The share is right, but gradients were recorded that nobody needs: use torch.inference_mode().")


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
            "Your argmax goes over the images, dim=0. The classes are dim=1.",
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
        (60, "That is the accuracy in per cent. Return the share, between 0 and 1."),
        (0.4, "That is the share of the images that the model gets wrong."),
        (answers == labels, "That says which images are right. Return their share, a single number."),
        (answers, "These are the model's answers. Compare them with the labels, and return the share that is right."),
    ]


@exercises.add(
    "Run the loop in your head for one batch. In which mode is the model? Where are the gradients when step comes?",
    "Which image gets which label? Print the first few of `order`, and follow image and label 0.",
    "Compare it line by line with train_epoch of this chapter: three lines differ in what they do.",
    stars=2,
)
def repaired_epoch(model, optimizer, images, labels, batch_size):
    model.train()  # was eval: dropout was off
    order = torch.randperm(len(images))
    losses = []
    for batch in order.split(batch_size):  # one batch of places for both, so each image keeps its label
        optimizer.zero_grad()  # was after backward: it threw the new gradients away
        loss = F.nll_loss(model(images[batch]), labels[batch])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@repaired_epoch.checker
def check_repaired_epoch(ask):
    """Check mode, batches and order, then the weights against an epoch by hand, then the returned losses."""
    images, labels = random_numbers(50, 1, 28, 28, seed=4), torch.arange(50) % 10
    model = Watched().eval()
    start = model.weight.detach().clone()
    returned = ask(model, WatchedSGD(model), images, labels, 16)
    batches = [places(batch, images) for batch in model.batches]
    _explain_batches(batches)
    _explain_events(model, moved=not torch.equal(start, model.weight))
    expected, losses = epoch_by_hand(start, images, labels, batches)
    wrong = [
        (epoch_by_hand(start, images, labels, batches, batches_of_labels=torch.arange(50).split(16))[0], UNPAIRED),
        (
            epoch_by_hand(start, images, labels, batches, keep=True)[0],
            "Each step follows all gradients so far: clear them for each batch.",
        ),
    ]
    _explain_weights(model.weight.detach(), expected, wrong, images, labels)
    same(returned, losses, otherwise="The weights are right, but not the returned list with the loss of each batch.")


UNPAIRED = "The images are in a new order and the labels are in the old one: no image has its own label any more."


def places(batch, images):
    """Return the index in `images` of each image of a batch."""
    return (batch[:, 0, 0, 0, None] == images[:, 0, 0, 0]).int().argmax(dim=1)


def _explain_batches(batches):
    """Raise NotYet unless 50 images came in batches of 16, each image once, in a new order."""
    sizes, seen = [len(batch) for batch in batches], torch.cat([*batches, torch.tensor([], dtype=torch.long)])
    if sizes != [16, 16, 16, 2]:
        raise NotYet(
            "50 images in batches of 16 make the sizes [16, 16, 16, 2], but the model got {sizes}.", sizes=sizes
        )
    if len(seen.unique()) < 50:
        raise NotYet(
            "In one epoch each of 50 images comes once, but the model saw {different} of them.",
            different=len(seen.unique()),
        )
    if torch.equal(seen, torch.arange(50)):
        raise NotYet("The images came in their old order. An epoch begins with a new random order.")


def epoch_by_hand(weight, images, labels, batches, batches_of_labels=None, keep=False):
    """Return the weights of a Watched network after an epoch, and its losses; `keep` adds up all gradients."""
    losses, past = [], 0
    for batch, label_batch in zip(batches, batches_of_labels or batches):
        loss, gradient = loss_and_gradient(weight, images[batch], labels[label_batch])
        past = gradient + (past if keep else 0)
        weight = weight - RATE * past
        losses.append(loss)
    return weight, losses


@exercises.add(
    "Three things must go into the file. What does the optimizer remember that the model does not know?",
    "model.state_dict() and optimizer.state_dict() give what is to be saved. load_state_dict takes it back.",
    "torch.save takes what is to be saved, then the path: one dict with three entries will do. torch.load gives you "
    "the same dict back.",
    stars=3,
)
def round_trip(path, model, optimizer, counter, new_model, new_optimizer):
    # The optimizer's state holds the velocities: without them the next step would be another one.
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "counter": counter}, path)
    saved = torch.load(path, weights_only=True)
    new_model.load_state_dict(saved["model"])
    new_optimizer.load_state_dict(saved["optimizer"])
    return saved["counter"]


class KeptLinear(Kept, nn.Linear):
    """A linear layer that `ask` passes without copying."""


class KeptSGD(Kept, torch.optim.SGD):
    """An SGD that `ask` passes without copying."""


def linear_and_sgd(seed, steps=0, **options):
    """Return a small linear model and its optimizer, after some steps."""
    model = KeptLinear(4, 3)
    with torch.no_grad():
        model.weight.copy_(random_numbers(3, 4, seed=seed))
        model.bias.zero_()
    optimizer = KeptSGD(model.parameters(), **options)
    for _ in range(steps):
        next_step(model, optimizer)
    return model, optimizer


def next_step(model, optimizer):
    """Take one step on the same inputs as ever, and return the weights after it."""
    optimizer.zero_grad()
    model(random_numbers(8, 4, seed=7)).square().mean().backward()
    optimizer.step()
    return model.weight.detach().clone()


@round_trip.checker
def check_round_trip(ask):
    """Check file, counter and weights, then whether both optimizers take the same next step."""
    model, optimizer = linear_and_sgd(1, steps=3, lr=0.05, momentum=0.9)
    new_model, new_optimizer = linear_and_sgd(2, lr=0.1)
    weight, fresh = model.weight.detach().clone(), new_model.weight.detach().clone()
    velocity = optimizer.state[model.weight]["momentum_buffer"].clone()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "run.pt"
        try:
            counter = ask(path, model, optimizer, 1920, new_model, new_optimizer)
        except NotYet:
            if path.is_file():
                _explain_file(path, weight, velocity)  # says more than torch's error about such a file
            raise
        if not torch.equal(model.weight, weight):
            raise NotYet("Your function changed the weights of model. It should only save them.")
        _explain_file(path, weight, velocity)
    if torch.equal(new_model.weight, fresh):
        raise NotYet("new_model still has its first weights: nothing was loaded into it.")
    if not torch.equal(new_model.weight, weight):
        raise NotYet("new_model has new weights, but not those of model.")
    same(counter, 1920, given="a counter of 1920")
    one, other = next_step(model, optimizer), next_step(new_model, new_optimizer)
    if not torch.allclose(one, other):
        raise NotYet(
            "The weights came back, but the next step differs: the first weight becomes {in_new_model:.4f} in "
            "new_model and {in_model:.4f} in model. new_optimizer does not know what optimizer knows.",
            in_new_model=other[0, 0],
            in_model=one[0, 0],
        )


def _explain_file(path, weight, velocity):
    """Raise NotYet if the file is missing, holds whole objects, or lacks the weights, the velocity or the counter."""
    if not path.is_file():
        raise NotYet("There is no file at `path` after your function has run.")
    try:
        content = torch.load(path, weights_only=True)
    except Exception:  # pickle raises errors of many kinds
        raise NotYet(
            "The file cannot be loaded with weights_only=True. Save state_dict()s and numbers, not whole objects."
        ) from None
    for expected, what in [
        (weight, "the weights of model"),
        (velocity, "what optimizer remembers of past gradients"),
        (torch.tensor(1920), "the counter"),
    ]:
        if not any(torch.equal(tensor.double(), expected.double()) for tensor in tensors_in(content)):
            raise NotYet("The file at `path` does not hold {what}.", what=what)


def tensors_in(content):
    """Return all tensors and numbers in nested dicts, lists and tuples, as tensors."""
    if isinstance(content, (torch.Tensor, int, float)):
        return [torch.as_tensor(content).squeeze()]
    parts = content.values() if isinstance(content, dict) else content if isinstance(content, (list, tuple)) else []
    return [tensor for part in parts for tensor in tensors_in(part)]


GOAL, BUDGET = 0.95, 300


@exercises.add(
    "Begin with the report's recipe, and look at the accuracy that the checker tells you. What would you change first?",
    "300 steps are few. How could each of them move the weights further?",
    "The learning rate decides how far a step goes. Try larger ones, and stop before the loss explodes.",
    stars=3,
    seconds=60,
)
def train_to_goal(model, images, labels):
    # The report's 0.01 gets to about 92 % in 300 steps; a rate five times as large is still safe, and faster.
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.5)
    model.train()
    for batch in torch.randperm(len(images)).split(64):  # 19,200 images make 300 batches
        optimizer.zero_grad()
        F.nll_loss(model(images[batch]), labels[batch]).backward()
        optimizer.step()
    return model


class CountedNet(Kept, Net):
    """The report's network, which counts backward passes."""

    def __init__(self):
        super().__init__()
        self.steps = 0
        self.fc2.bias.register_hook(self.count)

    def count(self, gradient):
        self.steps += 1


@train_to_goal.checker
def check_train_to_goal(ask):
    """Train on 19,200 images with a fixed seed, and measure the accuracy on 2,000 others of the training set."""
    images, labels = training_digits()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = CountedNet()
        start = model.fc2.bias.detach().clone()
        trained = ask(model, images[:19_200], labels[:19_200])
    if trained is not model:
        raise NotYet("Return the model that your function was given, after training it.")
    if model.steps == 0:
        raise NotYet("The model was not trained: no loss.backward() reached its weights.")
    if torch.equal(start, model.fc2.bias):
        raise NotYet("The weights of model did not move: does your optimizer have model.parameters()?")
    if model.steps > BUDGET:
        raise NotYet("Your function took {steps} steps, but the budget is {budget}.", steps=model.steps, budget=BUDGET)
    accuracy = evaluate(model, images[-2000:], labels[-2000:])[1] / 2000
    if accuracy < GOAL:
        raise NotYet(
            "After {steps} steps the model reads {accuracy:.1%} of 2,000 new images. The goal is 95 %.",
            steps=model.steps,
            accuracy=accuracy,
        )
