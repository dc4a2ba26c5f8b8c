"""Read files that `torch.save` wrote, without running code from them, and compare them with what is expected."""

import copy
import math
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch

from mnist_helpers import CourseError
from mnist_helpers._support.regular_files import check_file

# Settings of an optimizer that differ from step to step, or from device to device
OWN_SETTINGS = {"lr": 0.0, "foreach": None, "fused": None, "capturable": False}
LARGEST = 1_000_000_000  # bytes; the course's checkpoints have less than 10,000,000


def read_checkpoint(path: Path, keys: set[str], remedy: str) -> dict:
    """Return the dict that `torch.save` wrote to `path`, without executing anything in the file.

    Raises CourseError, with `remedy` as the advice, if the file is missing, damaged, or lacks one of `keys`.
    """
    try:
        check_file(path, LARGEST)
        content = None if (reason := _archive_fault(path)) else torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise CourseError(f"{path} is not there, but a checkpoint was expected; {remedy}.") from None
    except (OSError, MemoryError) as error:  # not the file's fault: the advice is not to delete it
        why = getattr(error, "strerror", None) or "there is too little memory"
        raise CourseError(f"{path} cannot be read ({why}), but a checkpoint was expected; {remedy}.") from None
    except pickle.UnpicklingError:
        reason = "is torn, or holds objects that could run code"
    except Exception:  # a damaged file raises errors of many kinds
        reason = "is torn, or no checkpoint"
    else:
        if isinstance(content, dict) and content.keys() >= keys:
            return content
        reason = reason or "is no checkpoint of this course"
    raise CourseError(f"{path} was given as a checkpoint, but it {reason}; delete it and {remedy}.")


def _archive_fault(path: Path) -> str:
    """Return what is wrong with an archive before it is unpacked, in words; "" if nothing is.

    torch compresses nothing, so parts that claim to be larger than the file could fill the memory. It writes checksums,
    but does not check them.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            declared = sum(part.file_size for part in archive.infolist())
            if declared > os.path.getsize(path):
                return f"would take {declared:,} bytes when unpacked, more than it has itself"
            return "" if archive.testzip() is None else "is torn, or no checkpoint"
    except PermissionError:
        raise
    except Exception:  # a damaged archive raises errors of many kinds
        return "is torn, or no checkpoint"


def same_structure(found: Any, expected: Any) -> bool:
    """Return whether two values differ in numbers alone: types, keys, lengths, shapes and dtypes are the same."""
    if isinstance(expected, torch.Tensor):
        same = isinstance(found, torch.Tensor) and found.layout == expected.layout
        return same and (found.shape, found.dtype) == (expected.shape, expected.dtype)
    if isinstance(expected, dict):
        same = isinstance(found, dict) and found.keys() == expected.keys()
        return same and all(same_structure(found[key], expected[key]) for key in expected)
    if isinstance(expected, list | tuple):
        same = type(found) is type(expected) and len(found) == len(expected)
        return same and all(map(same_structure, found, expected))
    return type(found) is type(expected)


def is_finite(value: Any) -> bool:
    """Return whether all numbers in a value are finite, those in its tensors, lists and dicts among them."""
    if isinstance(value, torch.Tensor):
        return bool(value.isfinite().all())
    if isinstance(value, dict):
        return all(map(is_finite, value.values()))
    if isinstance(value, list | tuple):
        return all(map(is_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


def fits_optimizer(found: Any, optimizer: torch.optim.Optimizer) -> bool:
    """Return whether `optimizer` can continue from the state `found`.

    It then has finite numbers of the right shapes for every parameter, or none at all, before the first step.
    """
    trial = copy.deepcopy(optimizer)
    for group in trial.param_groups:
        group.update(OWN_SETTINGS)  # those for a capture would bring a warning about a step outside one
        for parameter in group["params"]:
            parameter.grad = torch.zeros_like(parameter)
    trial.step()
    expected = trial.state_dict()
    settings = [group | OWN_SETTINGS for group in found["param_groups"]], expected["param_groups"]
    known = same_structure(found["state"], expected["state"]) or found["state"] == {}
    return known and same_structure(*settings) and is_finite(found) and all(map(_has_rate, found["param_groups"]))


def _has_rate(group: dict[str, Any]) -> bool:
    """Return whether the learning rate of a group is a number, or the tensor of one, as on a GPU."""
    rate = group["lr"]
    return type(rate) in (int, float) or (isinstance(rate, torch.Tensor) and rate.shape == ())
