"""Save the state of a training run to a file, and load it to continue. Taught in chapter 04."""

from dataclasses import asdict
from pathlib import Path

import torch
from torch import nn

from mnist_helpers import CourseError
from mnist_helpers._support.atomic_files import atomic_write
from mnist_helpers._support.paths import ARTIFACTS
from mnist_helpers._support.torch_files import fits_optimizer, is_finite, read_checkpoint, same_structure
from mnist_helpers.training import History

FOLDER = ARTIFACTS
KEYS = {"network", "model", "optimizer_kind", "optimizer", "history", "random_state"}
REPORT_NET = FOLDER / "report_net.pt"  # written by chapter 04, read by chapter 05
REMEDY = "run chapter 04 again"


def save(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, history: History) -> None:
    """Save what is needed to continue: weights, optimizer state, history, and torch's random state on the CPU.

    Raises CourseError, and does not change `path`, if it cannot be written.
    """
    content = {
        "network": type(model).__name__,
        "model": model.state_dict(),
        "optimizer_kind": type(optimizer).__name__,
        "optimizer": optimizer.state_dict(),
        "history": asdict(history),
        "random_state": torch.get_rng_state(),
    }
    with atomic_write(Path(path)) as file:
        torch.save(content, file)


def load(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer | None = None) -> History:
    """Load a checkpoint's weights into `model`, and its state into `optimizer`; return its history.

    With an optimizer, torch's random state is restored too, so that training continues as if it had not stopped.
    Nothing in the file is executed (`weights_only`). Raises CourseError, and changes nothing, if the file is missing,
    damaged, not a checkpoint of the course, or one of another network.
    """
    content = read_checkpoint(Path(path), KEYS, REMEDY)
    history = _check_weights(path, content, model)
    if optimizer is not None:
        _check_state(path, content, optimizer)
        optimizer.load_state_dict(content["optimizer"])
        torch.set_rng_state(content["random_state"])
    model.load_state_dict(content["model"])
    return history


def _check_weights(path: Path, content: dict, model: nn.Module) -> History:
    """Return the history in a checkpoint; raise CourseError if its weights are not those of a network like `model`."""
    try:
        history = History(**content["history"])
        _check_history(history)
        found = {name: (tensor.shape, str(tensor.dtype)) for name, tensor in content["model"].items()}
    except (TypeError, AttributeError, ValueError):
        raise CourseError(f"{path} is no checkpoint of this course; delete it and {REMEDY}.") from None
    expected = {name: (tensor.shape, str(tensor.dtype)) for name, tensor in model.state_dict().items()}
    if found != expected:
        name, _ = min({*found.items()} ^ {*expected.items()}, key=str)
        raise CourseError(
            f"{path} holds the weights of another network ({content['network']}, where {name} differs), but those of "
            f"{type(model).__name__} were expected; load it into the network that it was saved from, or train anew."
        )
    if not is_finite(content["model"]):
        raise CourseError(f"{path} holds weights that are not finite numbers (nan or inf); delete it and {REMEDY}.")
    return history


def _check_history(history: History) -> None:
    """Raise ValueError unless a history has numbers of the right kind, finite and as many as it says."""
    expected = History(
        epochs=0,
        train_examples=[0] * len(history.train_losses),
        train_losses=[0.0] * len(history.train_losses),
        test_examples=[0] * len(history.test_losses),
        test_losses=[0.0] * len(history.test_losses),
        test_correct=[0] * len(history.test_losses),
    )
    if not same_structure(asdict(history), asdict(expected)) or not is_finite(asdict(history)):
        raise ValueError


def _check_state(path: Path, content: dict, optimizer: torch.optim.Optimizer) -> None:
    """Raise CourseError if `optimizer` or torch's generator cannot load the state; neither is changed."""
    kind = type(optimizer).__name__
    try:
        if content["optimizer_kind"] != kind or not fits_optimizer(content["optimizer"], optimizer):
            raise ValueError
        torch.Generator().set_state(content["random_state"])
    except Exception:  # values of another kind or size raise errors of many kinds
        raise CourseError(
            f"{path} holds the state of another optimizer ({content['optimizer_kind']}), but that of {kind} with the "
            "same parameters was expected; make the optimizer that it was saved from, or train anew."
        ) from None
