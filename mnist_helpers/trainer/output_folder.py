"""The output folder of a run: its files, and the lock that keeps other runs out."""

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from torch import nn

from mnist_helpers import CourseError
from mnist_helpers._support.atomic_files import atomic_write, remove_stale_temporaries
from mnist_helpers.recipes import Recipe
from mnist_helpers.trainer.run_checkpoint import load_run, previous_checkpoint, save_model, save_run


class OutputFolder:
    """The folder in which a run keeps checkpoint.pt and, at its end, model.pt and result.json; model.onnx if asked."""

    def __init__(self, path: Path, resume: bool):
        self.path, self.resume = path, resume
        names = ("checkpoint.pt", "model.pt", "result.json", "model.onnx")
        self.checkpoint, self.model, self.result, self.onnx = (path / name for name in names)

    def check(self) -> None:
        """Raise CourseError if the folder cannot be used, or holds a run that is not to be resumed."""
        try:
            begun, ended = self.has_checkpoint(), self.model.exists() or self.result.exists()
        except OSError as error:  # a name too long, a folder without permission
            raise CourseError(f"{self.path} cannot be used ({error.strerror}); choose another --output.") from None
        if begun and not self.resume:
            raise CourseError(
                f"{self.path} holds a run already; add --resume to continue it, or choose another --output."
            )
        if ended and not begun:
            raise CourseError(f"{self.path} holds a result without its checkpoint; choose another --output.")

    def has_checkpoint(self) -> bool:
        """Return whether the folder holds the state of a run."""
        return self.checkpoint.exists() or previous_checkpoint(self.checkpoint).exists()

    def remove_stale_temporaries(self) -> None:
        """Remove the temporary files that a killed run has left."""
        for path in (self.checkpoint, self.model, self.result, self.onnx):
            remove_stale_temporaries(path)

    def load(self, identity: dict[str, Any], print_line: Callable[[str], None]) -> dict[str, Any]:
        """Return the newest intact state; raise CourseError if it belongs to a run with other choices."""
        content = load_run(self.checkpoint, print_line)
        found = content["run"] if isinstance(content["run"], dict) else {}
        for name, expected in identity.items():
            if found.get(name) != expected:
                raise CourseError(
                    f"{self.checkpoint} is of a run with {name.replace('_', ' ')} {found.get(name)}, but {expected} "
                    "was given; give the same, or choose another --output."
                )
        return content

    def save(self, content: dict[str, Any]) -> None:
        """Save the whole state of the run."""
        save_run(self.checkpoint, content)

    def save_result(self, recipe: Recipe, network: nn.Module, content: dict[str, Any]) -> None:
        """Save the trained network and the result of the run."""
        save_model(self.model, recipe, network)
        with atomic_write(self.result) as file:
            file.write(json.dumps(content, indent=1, allow_nan=False).encode() + b"\n")


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other runs out of the folder; if this process dies, the system releases the lock.

    Raises CourseError if another run holds the lock, or if the folder cannot be written.
    """
    lock = FileLock(folder / "lock")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        raise CourseError(f"another run writes to {folder}; wait until it ends, or choose another --output.") from None
    except OSError as error:
        raise CourseError(f"{folder} cannot be written ({error.strerror}); choose another --output.") from None
    try:
        yield
    finally:
        lock.release()
