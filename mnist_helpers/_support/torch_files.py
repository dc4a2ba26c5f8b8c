"""Read files that `torch.save` wrote, without running code from them."""

import os
import pickle
import zipfile
from pathlib import Path

import torch

from mnist_helpers import CourseError


def _is_intact(path: Path) -> bool:
    """Return whether the checksums in the file are correct; torch writes them, but does not check them."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except Exception:  # a damaged archive raises errors of many kinds
        return False


def read_checkpoint(path: Path, keys: set[str], remedy: str) -> dict:
    """Return the dict that `torch.save` wrote to `path`, without executing anything in the file.

    Raises CourseError, with `remedy` as the advice, if the file is missing, damaged, or lacks one of `keys`.
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
        if not _is_intact(path):
            reason = "is torn, or no checkpoint"
        elif isinstance(content, dict) and content.keys() >= keys:
            return content
        else:
            reason = "is no checkpoint of this course"
    raise CourseError(f"{path} was given as a checkpoint, but it {reason}; delete it and {remedy}.")
