"""Write a file whole or not at all."""

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from mnist_helpers import CourseError


@contextlib.contextmanager
def written_whole(path: Path, older: Path | None = None) -> Iterator[BinaryIO]:
    """Open `path` for writing so that it changes whole or not at all.

    What the block writes goes to a file in a temporary folder beside `path`, is synced, and takes the name in one step:
    a reader finds the old content or the new, never half of one. `older` is the name that the old file gets, where it
    is to be kept. Raises CourseError, leaving `path` as it was, if that fails.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=path.name) as folder:
            temporary = Path(folder, path.name)
            with temporary.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            if older is not None:
                os.replace(path, older)
            os.replace(temporary, path)
    except (OSError, RuntimeError) as error:  # torch.save has an error of its own for a write that came back short
        why = error if isinstance(error, OSError) else "No space left, or another fault of the disk"
        raise CourseError(f"{path} cannot be written ({why}); make room, or choose a folder that is yours.") from None


def sweep(path: Path, age: float = 0) -> None:
    """Remove what `written_whole` left beside `path` when it was killed, if it is at least `age` seconds old."""
    for folder in path.parent.glob(f"{path.name}????????"):
        with contextlib.suppress(OSError):  # another process was faster
            if time.time() - folder.stat().st_mtime >= age:
                shutil.rmtree(folder, ignore_errors=True)
