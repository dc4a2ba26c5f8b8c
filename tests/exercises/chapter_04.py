"""04_training: the misconceptions that the checkers know, right answers in other styles, and probes for the mutants."""

import copy
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
import torch.nn.functional as F

from mnist_helpers import network
from mnist_helpers.exercises.chapter_04 import (
    THREE_BATCHES,
    Watched,
    WatchedSGD,
    answered,
    exercises,  # noqa: F401
    linear_and_sgd,
    next_step,
    random_numbers,
)


def step_with(*calls, in_train_mode=True, result=lambda loss: loss.item(), loss_of=F.nll_loss):
    """A training step that makes these calls, in this order."""

    def train_step(model, optimizer, images, labels):
        model.train(model.training or in_train_mode)
        loss = None
        for call in calls:
            if call == "loss":
                loss = loss_of(model(images), labels)
            elif call == "backward":
                loss.backward()
            else:
                getattr(optimizer, call)()
        return result(loss)

    return train_step


def loss_after_the_step(model, optimizer, images, labels):
    step_with("zero_grad", "loss", "backward", "step")(model, optimizer, images, labels)
    with torch.no_grad():
        return F.nll_loss(model(images), labels).item()


def log_probs_of(model, images):
    with torch.inference_mode():
        return model.eval()(images)


def mean_of_batches(model, images, labels):
    batches = zip(images.split(64), labels.split(64))
    return np.mean([(log_probs_of(model, x).argmax(dim=1) == y).float().mean().item() for x, y in batches])


def eval_forgotten(model, images, labels):
    with torch.inference_mode():
        return (model(images).argmax(dim=1) == labels).float().mean().item()


def mean_of_thousands(model, images, labels):
    batches = zip(images.split(1000), labels.split(1000))
    return np.mean([(log_probs_of(model, x).argmax(dim=1) == y).float().mean().item() for x, y in batches])


def gradients_left_off(model, images, labels):
    torch.set_grad_enabled(False)
    return (model.eval()(images).argmax(dim=1) == labels).float().mean()


def only_32(model, optimizer, images, labels):
    return step_with("zero_grad", "loss", "backward", "step")(model, optimizer, images[:32], labels[:32])


def epoch_with(*calls, train=True, same_order=True, shuffled=True, keep_last=True, result=list, each=1):
    """An epoch with these calls for each batch; the defaults are right."""

    def repaired_epoch(model, optimizer, images, labels, batch_size):
        model.train(train)
        order = torch.randperm(len(images)) if shuffled else torch.arange(len(images))
        losses = []
        batches = zip(images[order].split(batch_size), (labels[order] if same_order else labels).split(batch_size))
        for x, y in list(batches)[: None if keep_last else -1]:
            for _ in range(each):
                losses.append(step_with(*calls, in_train_mode=train)(model, optimizer, x, y))
        return result(losses)

    return repaired_epoch


GOOD_STEP = "zero_grad", "loss", "backward", "step"


def saved(*names, load=("model", "optimizer"), whole=False, counter=None):
    """A round trip that saves these of model and optimizer, and loads what was saved."""

    def round_trip(path, model, optimizer, count, new_model, new_optimizer):
        old, new = {"model": model, "optimizer": optimizer}, {"model": new_model, "optimizer": new_optimizer}
        content = {name: old[name] if whole else old[name].state_dict() for name in names} | {"count": count}
        torch.save(content, path)
        content = content if whole else torch.load(path, weights_only=True)  # a whole object would need code to load
        for name in set(names) & set(load):
            new[name].load_state_dict(content[name].state_dict() if whole else content[name])
        return content["count"] if counter is None else counter

    return round_trip


def the_wrong_way_round(path, model, optimizer, counter, new_model, new_optimizer):
    saved("model", "optimizer")(path, new_model, new_optimizer, counter, model, optimizer)
    torch.save(copy.copy(linear_and_sgd(1, steps=3, lr=0.05, momentum=0.9)[0].state_dict()), path)
    return counter


def counter_left_out(path, model, optimizer, counter, new_model, new_optimizer):
    return saved("model", "optimizer")(path, model, optimizer, counter + 1, new_model, new_optimizer) - 1


def without_a_file(path, model, optimizer, counter, new_model, new_optimizer):
    new_model.load_state_dict(model.state_dict())
    new_optimizer.load_state_dict(optimizer.state_dict())
    return counter


def two_dicts_in_a_list(path, model, optimizer, counter, new_model, new_optimizer):
    torch.save([model.state_dict(), optimizer.state_dict(), counter], path)
    weights, state, found = torch.load(path, weights_only=True)
    new_model.load_state_dict(weights)
    new_optimizer.load_state_dict(state)
    return found


def opened_by_hand(path, model, optimizer, counter, new_model, new_optimizer):
    content = {
        "weights": dict(model.named_parameters()),
        "state": optimizer.state_dict(),
        "seen": torch.tensor(counter),
    }
    with open(path, "wb") as file:
        torch.save(content, file)
    with open(path, "rb") as file:
        content = torch.load(file, weights_only=True)
    with torch.no_grad():
        for name, parameter in new_model.named_parameters():
            parameter.copy_(content["weights"][name])
    new_optimizer.load_state_dict(content["state"])
    return content["seen"]


def trained_with(rate=0.05, momentum=0.5, steps=300, result=lambda model: model, optimizer=None):
    """A training of so many steps of 64 images."""

    def train_to_goal(model, images, labels):
        made = optimizer(model.parameters()) if optimizer else torch.optim.SGD(model.parameters(), rate, momentum)
        model.train()
        for _ in range(steps):
            batch = torch.randint(len(images), (64,))
            made.zero_grad()
            F.nll_loss(model(images[batch]), labels[batch]).backward()
            made.step()
        return result(model)

    return train_to_goal


def adam(parameters):
    return torch.optim.Adam(parameters, 0.003)


# exercise: {misconception: what a student who holds it writes}
WRONG = {
    "mean_accuracy": {
        "mean of the batches' accuracies": lambda correct, sizes: np.mean(np.array(correct) / np.array(sizes)),
        "divided by the number of batches": lambda correct, sizes: sum(correct) / len(sizes),
        "per cent": lambda correct, sizes: 100 * sum(correct) / sum(sizes),
        "only the last batch": lambda correct, sizes: correct[-1] / sizes[-1],
        "only the first batch": lambda correct, sizes: correct[0] / sizes[0],
        "last batch taken for full": lambda correct, sizes: sum(correct) / (len(sizes) * sizes[0]),
        "one accuracy a batch": lambda correct, sizes: [c / s for c, s in zip(correct, sizes)],
        "count": lambda correct, sizes: sum(correct),
        "share of the wrong ones": lambda correct, sizes: 1 - sum(correct) / sum(sizes),
    },
    "diagnose": {
        "zero_grad and the low rate exchanged": lambda runs: "CDAB",
        "the slow curve for a right one": lambda runs: "DACB",
        "the flat curve for a rate that is too low": lambda runs: "CABD",
        "the flat curve for zero_grad": lambda runs: "CBDA",
        "all wrong": lambda runs: "ABCD",
        "three letters": lambda runs: "CAD",
    },
    "train_step": {
        "zero_grad forgotten": step_with("loss", "backward", "step"),
        "step forgotten": step_with("zero_grad", "loss", "backward"),
        "backward forgotten": step_with("zero_grad", "loss", "step"),
        "left in eval mode": step_with("zero_grad", "loss", "backward", "step", in_train_mode=False),
        "step before backward": step_with("zero_grad", "loss", "step", "backward"),
        "zero_grad after backward": step_with("loss", "backward", "zero_grad", "step"),
        "loss after the step": loss_after_the_step,
        "sum in place of mean": step_with(
            "zero_grad", "loss", "backward", "step", loss_of=lambda p, y: F.nll_loss(p, y, reduction="sum")
        ),
        "sign of the loss": step_with("zero_grad", "loss", "backward", "step", loss_of=lambda p, y: -F.nll_loss(p, y)),
        "two steps": step_with("zero_grad", "loss", "backward", "step", "step"),
        "model not called": lambda model, optimizer, images, labels: 0.0,
        "log-probabilities returned": step_with(
            "zero_grad", "loss", "backward", "step", result=lambda loss: [loss.item()] * 10
        ),
        "32 of the images": only_32,
        "sum returned": lambda model, optimizer, images, labels: (
            len(labels) * step_with("zero_grad", "loss", "backward", "step")(model, optimizer, images, labels)
        ),
    },
    "accuracy_of": {
        "eval forgotten": eval_forgotten,
        "argmax over the images": lambda model, images, labels: (
            (log_probs_of(model, images).argmax(dim=0) == labels).float().mean()
        ),
        "argmax over everything": lambda model, images, labels: (
            (log_probs_of(model, images).argmax() == labels).float().mean()
        ),
        "count in place of share": lambda model, images, labels: (
            log_probs_of(model, images).argmax(dim=1) == labels
        ).sum(),
        "per cent": lambda model, images, labels: (
            100 * (log_probs_of(model, images).argmax(dim=1) == labels).float().mean()
        ),
        "share of the wrong ones": lambda model, images, labels: (
            (log_probs_of(model, images).argmax(dim=1) != labels).float().mean()
        ),
        "whole-number division": lambda model, images, labels: (
            (log_probs_of(model, images).argmax(dim=1) == labels).sum() // len(labels)
        ),
        "least likely class": lambda model, images, labels: (
            (log_probs_of(model, images).argmin(dim=1) == labels).float().mean()
        ),
        "one answer an image": lambda model, images, labels: log_probs_of(model, images).argmax(dim=1) == labels,
        "not compared": lambda model, images, labels: log_probs_of(model, images).argmax(dim=1),
        "gradients recorded": lambda model, images, labels: (
            (model.eval()(images).argmax(dim=1) == labels).float().mean()
        ),
        "mean of unequal batches": mean_of_batches,
        "mean of batches of 1000": mean_of_thousands,
        "gradients left switched off": gradients_left_off,
        "model not called": lambda model, images, labels: 0.6,
    },
    "repaired_epoch": {
        "nothing repaired": epoch_with("loss", "backward", "zero_grad", "step", train=False, same_order=False),
        "eval left": epoch_with(*GOOD_STEP, train=False),
        "labels in their old order": epoch_with(*GOOD_STEP, same_order=False),
        "zero_grad forgotten": epoch_with("loss", "backward", "step"),
        "not shuffled": epoch_with(*GOOD_STEP, shuffled=False),
        "last batch dropped": epoch_with(*GOOD_STEP, keep_last=False),
        "each batch twice": epoch_with(*GOOD_STEP, each=2),
        "mean loss returned": epoch_with(*GOOD_STEP, result=np.mean),
    },
    "round_trip": {
        "optimizer forgotten": saved("model"),
        "model forgotten": saved("optimizer"),
        "optimizer saved, but not loaded": saved("model", "optimizer", load=["model"]),
        "nothing loaded": saved("model", "optimizer", load=()),
        "whole objects": saved("model", "optimizer", whole=True),
        "counter not saved": counter_left_out,
        "counter begins anew": saved("model", "optimizer", counter=0),
        "the wrong way round": the_wrong_way_round,
        "no file": without_a_file,
    },
    "train_to_goal": {
        "the report's rate": trained_with(0.01),
        "rate too high": trained_with(1.0),
        "over the budget": trained_with(steps=400),
        "not trained": trained_with(steps=0),
        "the optimizer of another model": trained_with(
            optimizer=lambda _: torch.optim.SGD(network.Net().parameters(), 0.05)
        ),
        "the loss returned": trained_with(steps=1, result=lambda model: 0.1),
    },
}


def counted(correct, sizes):
    right = total = 0
    for correct_in_batch, size in zip(correct, sizes):
        right += correct_in_batch
        total += size
    return torch.tensor(right / total)


def averaged_by_hand(model, optimizer, images, labels):
    model.train()
    log_probs = model(images)
    loss = -sum(log_probs[n, label] for n, label in enumerate(labels)) / len(labels)
    model.zero_grad(set_to_none=False)
    loss.backward()
    optimizer.step()
    return loss.detach().numpy()


def eval_loss_printed(model, optimizer, images, labels):
    loss = step_with("zero_grad", "loss", "backward", "step")(model, optimizer, images, labels)
    print(F.nll_loss(log_probs_of(model, images), labels))
    return loss


def gradients_set_by_hand(model, optimizer, images, labels):
    model.train()
    loss = F.nll_loss(model(images), labels)
    parameters = list(model.parameters())
    for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters)):
        parameter.grad = gradient
    optimizer.step()
    return loss.item()


def looped_accuracy(model, images, labels):
    model.eval()
    correct = 0
    with torch.no_grad():
        for image, label in zip(images, labels):
            correct += int(model(image[None])[0].argmax() == label)
    return correct / len(images)


def numpy_accuracy(model, images, labels):
    return np.mean(log_probs_of(model, images).numpy().argmax(axis=1) == labels.numpy())


def batched_accuracy(model, images, labels):
    batches = zip(images.split(64), labels.split(64))
    return sum((log_probs_of(model, x).argmax(dim=1) == y).sum() for x, y in batches) / len(labels)


RIGHT = {
    "mean_accuracy": [counted, lambda correct, sizes: np.average(np.divide(correct, sizes), weights=sizes)],
    "diagnose": [lambda runs: ["C", "A", "D", "B"], lambda runs: tuple("CADB")],
    "train_step": [
        averaged_by_hand,
        eval_loss_printed,
        gradients_set_by_hand,
        step_with("loss", "zero_grad", "backward", "step"),
        step_with("loss", "backward", "step", "zero_grad"),
        step_with("zero_grad", "loss", "backward", "step", loss_of=F.cross_entropy, result=lambda loss: loss),
    ],
    "accuracy_of": [looped_accuracy, numpy_accuracy, batched_accuracy],
    "repaired_epoch": [
        epoch_with(*GOOD_STEP),
        epoch_with("loss", "backward", "step", "zero_grad", result=lambda losses: torch.tensor(losses)),
    ],
    "round_trip": [saved("model", "optimizer"), two_dicts_in_a_list, opened_by_hand],
    "train_to_goal": [trained_with(), trained_with(0.1), trained_with(optimizer=adam, steps=250)],
}


def probe_train_step(function):
    model = Watched().eval()
    optimizer = WatchedSGD(model)
    values = []
    for batch in THREE_BATCHES:
        values += [function(model, optimizer, *batch), model.weight.detach().clone(), model.eval().calls[-1][0]]
    return values


def probe_accuracy_of(function):
    values = []
    for count, wrong in [(10, 4), (130, 2), (7, 0), (1, 1)]:
        model = Watched()
        values += [function(model, *answered(count, wrong)[:2]), *[value for call in model.calls for value in call]]
    return values


def probe_repaired_epoch(function):
    images, labels = random_numbers(20, 1, 28, 28, seed=4), torch.arange(20) % 10
    model = Watched().eval()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        losses = function(model, WatchedSGD(model), images, labels, 8)
    return [*losses, model.weight.detach().clone(), *[value for call in model.calls for value in call]]


def probe_round_trip(function):
    model, optimizer = linear_and_sgd(1, steps=3, lr=0.05, momentum=0.9)
    new_model, new_optimizer = linear_and_sgd(2, lr=0.1)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "run.pt"
        counter = function(path, model, optimizer, 1920, new_model, new_optimizer)
        return [counter, path.stat().st_size > 1000, *[next_step(new_model, new_optimizer) for _ in range(2)]]


def probe_train_to_goal(function):
    """Tell whether a small model learns within the budget of steps, as the checker does with a larger one."""
    model, images = Watched(), random_numbers(19_200, 1, 28, 28, seed=5)
    labels = (images.flatten(1) @ random_numbers(784, 10, seed=6)).argmax(dim=1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        trained = function(model, images, labels)
    correct = (log_probs_of(model, images).argmax(dim=1) == labels).float().mean()
    return [trained is model, 0 < model.events.count("backward") <= 300, correct > 0.5]


# exercise: what a function gives on many inputs; two functions with equal results behave alike
PROBES = {
    "mean_accuracy": lambda function: [
        function(correct, sizes) for correct, sizes in [([48, 56, 2], [64, 64, 10]), ([7], [10]), ([0, 0], [64, 3])]
    ],
    "diagnose": lambda function: [ord(letter) for letter in function(None)],
    "train_step": probe_train_step,
    "accuracy_of": probe_accuracy_of,
    "repaired_epoch": probe_repaired_epoch,
    "round_trip": probe_round_trip,
    "train_to_goal": probe_train_to_goal,
}
