"""Train for one epoch, evaluate, and combine the two. The state of a run is kept in a History."""

import contextlib
import copy
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from mnist_helpers.data import Pair, check_batch, choose_device, load
from mnist_helpers.network import Net

LOG_INTERVAL = 10  # batches between two recorded losses, as in the report


@dataclass
class History:
    """The record of a run: each loss, with the number of training examples seen before it was measured."""

    epochs: int = 0
    train_examples: list[int] = field(default_factory=list)
    train_losses: list[float] = field(default_factory=list)
    test_examples: list[int] = field(default_factory=list)
    test_losses: list[float] = field(default_factory=list)
    test_correct: list[int] = field(default_factory=list)


def seed_all(seed: int) -> None:
    """Set the random seeds of Python, NumPy and torch (all devices), so that a run can be repeated on one machine."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def train_epoch(model, images, labels, optimizer, history, batch_size=64, on_record=None):
    """Train `model` for one epoch on images [N, 1, 28, 28] in random order, and record losses in `history`.

    If `on_record` is given, it is called as `on_record(seen, loss)` for each recorded loss, where `seen` is the number
    of examples of this epoch seen before it.
    """
    model.train()
    order = torch.randperm(len(images)).to(images.device)
    batches = zip(images[order].split(batch_size), labels[order].split(batch_size))
    for step, (batch_images, batch_labels) in enumerate(batches):
        optimizer.zero_grad()
        loss = F.nll_loss(model(batch_images), batch_labels)
        loss.backward()
        optimizer.step()
        if step % LOG_INTERVAL == 0:
            history.train_examples.append(history.epochs * len(images) + step * batch_size)
            history.train_losses.append(loss.item())
            if on_record is not None:
                on_record(step * batch_size, loss.item())
    history.epochs += 1


@torch.inference_mode()
def evaluate(model, images, labels, batch_size=1000):
    """Return the mean loss of `model` on images [N, 1, 28, 28] and the number of correct predictions."""
    model.eval()
    loss = correct = 0
    for batch_images, batch_labels in zip(images.split(batch_size), labels.split(batch_size)):
        log_probs = model(batch_images)
        loss += F.nll_loss(log_probs, batch_labels, reduction="sum").item()
        correct += (log_probs.argmax(dim=1) == batch_labels).sum().item()
    return loss / len(labels), correct


@torch.inference_mode()
def predict(model: nn.Module, images: torch.Tensor, batch_size: int = 1000) -> torch.Tensor:
    """Put `model` into eval mode and return its probabilities [N, 10] for images [N, 1, 28, 28]."""
    check_batch(images)
    model.eval()
    return torch.cat([model(batch) for batch in images.split(batch_size)]).exp()


@contextlib.contextmanager
def undo_on_interrupt(model: nn.Module, optimizer: torch.optim.Optimizer, history: History) -> Iterator[None]:
    """Restore weights, optimizer, history and random state if the block is stopped by KeyboardInterrupt."""
    weights, state, past = copy.deepcopy((model.state_dict(), optimizer.state_dict(), vars(history)))
    random_state = torch.get_rng_state()
    try:
        yield
    except KeyboardInterrupt:
        model.load_state_dict(weights)
        optimizer.load_state_dict(state)
        vars(history).update(past)
        torch.set_rng_state(random_state)
        raise


def fit(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    train_set: Pair,
    test_set: Pair,
    epochs: int,
    history: History,
    batch_size: int = 64,
    log: Callable[[str], None] | None = None,
    on_progress: Callable[[float], None] | None = None,
    after_epoch: Callable[[], None] | None = None,
) -> History:
    """Train until `history` counts `epochs` epochs, test before the first and after each one, and return `history`.

    If training is interrupted, the unfinished epoch is undone, so that the run can be saved and continued. `log` is
    called with the lines of the report's log, at most a dozen training lines per epoch. `on_progress` is called with
    the finished fraction of all epochs, from 0 to 1. `after_epoch` is called after each epoch and its test, for example
    to write a checkpoint.
    """
    log = log or (lambda line: None)
    size = len(train_set[0])
    on_record = _recorder(history, size, batch_size, epochs, log, on_progress)
    if not history.test_losses:
        test(model, *test_set, history, size, log)
    while history.epochs < epochs:
        with undo_on_interrupt(model, optimizer, history):
            train_epoch(model, *train_set, optimizer, history, batch_size, on_record)
            test(model, *test_set, history, size, log)
        if after_epoch is not None:
            after_epoch()
    return history


def _recorder(history: History, size: int, batch_size: int, epochs: int, log, on_progress):
    """Return the `on_record` of `train_epoch` that logs every eighth recorded loss and reports the progress."""

    def on_record(seen: int, loss: float) -> None:
        if (seen // (batch_size * LOG_INTERVAL)) % 8 == 0:
            log(train_line(history.epochs + 1, seen, size, loss))
        if on_progress is not None:
            on_progress((history.epochs + seen / size) / epochs)

    return on_record


def test(model: nn.Module, images, labels, history: History, train_size: int, log: Callable[[str], None]) -> None:
    """Evaluate `model`, add the result to `history` and log it."""
    loss, correct = evaluate(model, images, labels)
    history.test_examples.append(history.epochs * train_size)
    history.test_losses.append(loss)
    history.test_correct.append(correct)
    log(test_line(loss, correct, len(labels)))


def train_line(epoch: int, seen: int, size: int, loss: float) -> str:
    """Return the report's log line for one training loss."""
    return f"Train Epoch: {epoch} [{seen}/{size} ({seen / size:.0%})]\tLoss: {loss:.6f}"


def test_line(loss: float, correct: int, size: int) -> str:
    """Return the report's log line for one test."""
    return f"\nTest set: Avg. loss: {loss:.4f}, Accuracy: {correct}/{size} ({correct / size:.0%})\n"


def train_report_net(
    seed: int = 1, epochs: int = 3, device: str | torch.device = "cpu", **fit_options
) -> tuple[Net, History]:
    """Train the report's network with its recipe: SGD, learning rate 0.01, momentum 0.5, batch size 64.

    Returns the trained network, on `device`, and its history. `fit_options` are passed to `fit`.
    """
    seed_all(seed)
    model = Net().to(choose_device(device)).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.5)
    history = History()
    fit(model, optimizer, load("train", device), load("test", device), epochs, history, **fit_options)
    return model, history
