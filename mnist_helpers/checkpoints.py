"""Write the state of a run whole or not at all, read it without running code, go on from it."""

import copy
import os
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import torch
from torch import nn

from mnist_helpers import CourseError
from mnist_helpers._support.atomic_files import atomic_write
from mnist_helpers._support.paths import ARTIFACTS
from mnist_helpers.training import History

FOLDER = ARTIFACTS
KEYS = {"network", "model", "optimizer_kind", "optimizer", "history", "random_state"}
RUN_KEYS = {"run", "made_with", "step", "model", "average", "optimizer", "schedule", "history", "random_state"}
REPORT_NET = FOLDER / "report_net.pt"  # written by chapter 03, read by chapter 04
REMEDY = "run chapter 03 again"


def save(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, history: History) -> None:
    """Write all that is needed to go on: weights, optimizer state, history, and the random state of torch on the CPU.

    Raises CourseError, leaving `path` as it was, if it cannot be written.
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
    """Put the checkpoint's weights into `model` (and its state into `optimizer`) and return its history.

    With an optimizer, torch's random state is restored too, so that training goes on as if it had not stopped.
    Nothing in the file is executed (`weights_only`). Raises CourseError, leaving everything as it was, for a file that
    is missing, torn, not a checkpoint of the course, or of another network.
    """
    content = read_checkpoint(Path(path), KEYS, REMEDY)
    try:
        history = History(**content["history"])
        found = {name: (tensor.shape, str(tensor.dtype)) for name, tensor in content["model"].items()}
    except (TypeError, AttributeError):
        raise CourseError(f"{path} is no checkpoint of this course; delete it and {REMEDY}.") from None
    expected = {name: (tensor.shape, str(tensor.dtype)) for name, tensor in model.state_dict().items()}
    if found != expected:
        name, _ = min({*found.items()} ^ {*expected.items()}, key=str)
        raise CourseError(
            f"{path} holds the weights of another network ({content['network']}, where {name} differs), but those of "
            f"{type(model).__name__} were expected; load it into the network that it was saved from, or train anew."
        )
    if optimizer is not None:
        _check_state(path, content, optimizer)
        optimizer.load_state_dict(content["optimizer"])
        torch.set_rng_state(content["random_state"])
    model.load_state_dict(content["model"])
    return history


def _check_state(path: Path, content: dict, optimizer: torch.optim.Optimizer) -> None:
    """Refuse a state that `optimizer` or torch's generator would not take, before either is changed."""
    kind = type(optimizer).__name__
    try:
        if content["optimizer_kind"] != kind:
            raise ValueError
        copy.deepcopy(optimizer).load_state_dict(content["optimizer"])
        torch.Generator().set_state(content["random_state"])
    except Exception:  # values of another kind or size raise errors of many kinds
        raise CourseError(
            f"{path} holds the state of another optimizer ({content['optimizer_kind']}), but that of {kind} with the "
            "same parameters was expected; make the optimizer that it was saved from, or train anew."
        ) from None


def save_run(path: Path, content: dict) -> None:
    """Write the whole state of a run, and keep the one that was there, if it is a sound one, beside it.

    Raises CourseError, leaving both as they were, if it cannot be written.
    """
    try:
        read_checkpoint(path, RUN_KEYS, remedy="")
        older = previous_checkpoint(path)
    except CourseError:
        older = None
    with atomic_write(path, older) as file:
        torch.save(content, file)


def load_run(path: Path, say: Callable[[str], None]) -> dict:
    """Read the newest sound state of a run: `path`, or the one before it, and then `say` which and why.

    Nothing in the files is executed. Raises CourseError where neither is there, or neither is sound.
    """
    try:
        return read_checkpoint(path, RUN_KEYS, remedy="train anew")
    except CourseError as error:
        if not previous_checkpoint(path).exists():
            raise
        content = read_checkpoint(previous_checkpoint(path), RUN_KEYS, remedy="train anew")
        say(f"{str(error).split(';')[0]}: going on from the one before it, {previous_checkpoint(path).name}.")
        return content


def previous_checkpoint(path: Path) -> Path:
    """Return where `save_run` keeps the state that it replaces."""
    return path.with_stem(f"{path.stem}_before")


def _sound(path: Path) -> bool:
    """Tell whether the file's check sums are right: torch writes them, and does not look at them."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except Exception:  # a damaged archive raises errors of many kinds
        return False


def read_checkpoint(path: Path, keys: set[str], remedy: str) -> dict:
    """Read a file that `torch.save` wrote, without executing anything in it; it must have these keys.

    Raises CourseError, which says to do what `remedy` says, for a file that is missing, torn or something else.
    """
    if not os.path.isfile(path):  # Path.is_file would raise where a name is too long
        raise CourseError(f"{path} is not there, but a checkpoint was expected; {remedy}.")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        reason = "is torn, or holds objects that could run code"
    except Exception:  # a damaged file raises errors of many kinds
        reason = "is torn, or no checkpoint"
    else:
        if not _sound(path):
            reason = "is torn, or no checkpoint"
        elif isinstance(content, dict) and content.keys() >= keys:
            return content
        else:
            reason = "is no checkpoint of this course"
    raise CourseError(f"{path} was given as a checkpoint, but it {reason}; delete it and {remedy}.")
