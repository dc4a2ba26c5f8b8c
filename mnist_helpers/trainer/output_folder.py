"""The output folder of a run: its files, and the lock that keeps other runs out."""

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from torch import nn

from mnist_helpers import CourseError
from mnist_helpers._support.atomic_files import atomic_write
from mnist_helpers.recipes import Recipe
from mnist_helpers.trainer.run_checkpoint import load_run, save_model, save_run
from mnist_helpers.trainer.run_files import RunFiles


class OutputFolder(RunFiles):
    """The folder in which a run keeps checkpoint.pt and, at its end, model.pt and result.json; model.onnx if asked."""

    def load(self, identity: dict[str, Any], print_line: Callable[[str], None]) -> dict[str, Any]:
        """Return the newest intact state; raise CourseError if it belongs to a run with other choices."""
        content = load_run(self.checkpoint, print_line)
        found = content["run"] if isinstance(content["run"], dict) else {}
        for name, expected in identity.items():
            value = found.get(name)
            if type(value) is not type(expected) or value != expected:
                shown = value if isinstance(value, int | float | str | None) else type(value).__name__
                raise CourseError(
                    f"{self.checkpoint} is of a run with {name.replace('_', ' ')} {shown}, but {expected} "
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
