"""Train for one epoch, evaluate, and predict. The record of a run is kept in a History."""

import os
import random
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from mnist_helpers.data import check_batch, choose_device, load
from mnist_helpers.network import Net


@dataclass
class History:
    """The record of a run: each loss, with the number of training examples seen before it was measured."""

    epochs: int = 0
    train_examples: list[int] = field(default_factory=list)
    train_losses: list[float] = field(default_factory=list)
    test_examples: list[int] = field(default_factory=list)
    test_losses: list[float] = field(default_factory=list)
    test_correct: list[int] = field(default_factory=list)

    def add_train(self, examples: int, loss: float) -> None:
        """Record the loss of one batch, before which the run had seen `examples` images."""
        self.train_examples.append(examples)
        self.train_losses.append(loss)

    def add_test(self, examples: int, loss: float, correct: int) -> None:
        """Record a test, before which the run had seen `examples` images."""
        self.test_examples.append(examples)
        self.test_losses.append(loss)
        self.test_correct.append(correct)


def seed_all(seed: int, device: torch.device | None = None) -> None:
    """Set the random seeds of Python, NumPy and torch (all devices), so that a run can be repeated on one machine.

    If `device` is an NVIDIA GPU, also choose kernels that give the same bits in every run.
    """
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    if device is not None and device.type == "cuda":
        choose_repeatable_kernels()


def choose_repeatable_kernels() -> None:
    """Let a GPU sum in the same order in every run, from now on; without this, two runs with one seed differ.

    On an H100 it took 3 to 10 % more time. A function of torch that has no such kernel raises RuntimeError.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when cuBLAS is used for the first time
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False


def train_epoch(model, images, labels, optimizer, history, batch_size=64, log_interval=10, on_record=None):
    """Train `model` for one epoch on images [N, 1, 28, 28] in random order.

    Every `log_interval` batches the loss is recorded in `history`. If `on_record` is given, it is then called as
    `on_record(history)`, for example to print a line.
    """
    model.train()
    order = torch.randperm(len(images)).to(images.device)
    batches = zip(images[order].split(batch_size), labels[order].split(batch_size))
    for step, (batch_images, batch_labels) in enumerate(batches):
        optimizer.zero_grad()
        loss = F.nll_loss(model(batch_images), batch_labels)
        loss.backward()
        optimizer.step()
        if step % log_interval == 0:
            history.add_train(history.epochs * len(images) + step * batch_size, loss.item())
            if on_record is not None:
                on_record(history)
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


def train_line(epoch: int, seen: int, size: int, loss: float) -> str:
    """Return the report's log line for one training loss."""
    return f"Train Epoch: {epoch} [{seen}/{size} ({seen / size:.0%})]\tLoss: {loss:.6f}"


def test_line(loss: float, correct: int, size: int) -> str:
    """Return the report's log line for one test."""
    return f"\nTest set: Avg. loss: {loss:.4f}, Accuracy: {correct}/{size} ({correct / size:.0%})\n"


def train_report_net(seed: int = 1, epochs: int = 3, device: str | torch.device = "cpu") -> tuple[Net, History]:
    """Train the report's network as chapter 04 does: SGD, learning rate 0.01, momentum 0.5, batch size 64.

    Returns the trained network, on `device`, and its history, with a test before the first and after each epoch.
    """
    device = choose_device(device)
    train_set, test_set = load("train", device), load("test", device)
    seed_all(seed, device)
    model = Net().to(device).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.5)
    history = History()
    history.add_test(0, *evaluate(model, *test_set))
    for _ in range(epochs):
        train_epoch(model, *train_set, optimizer, history)
        history.add_test(history.epochs * len(train_set[0]), *evaluate(model, *test_set))
    return model, history
