"""Write a file whole or not at all."""

import contextlib
import glob
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from mnist_helpers import CourseError

MARK = ".mnist-helpers-"  # in the names of temporary folders; no other program uses it


@contextlib.contextmanager
def atomic_write(path: Path, older: Path | None = None) -> Iterator[BinaryIO]:
    """Open `path` for writing so that it changes whole or not at all.

    What the block writes goes to a file in a temporary folder beside `path`, is synced, and takes the name in one step:
    a reader finds the old content or the new, never half of one. `older` is the name that the old file gets, where it
    is to be kept. Raises CourseError, leaving `path` as it was, if that fails.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=_prefix(path)) as folder:
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


def remove_stale_temporaries(path: Path, age: float = 0) -> None:
    """Remove what `atomic_write` left beside `path` when it was killed, if it is at least `age` seconds old.

    Only a folder with this module's mark in its name goes, and only if it is ours and holds nothing but that one file.
    """
    for folder in path.parent.glob(f"{glob.escape(_prefix(path))}????????"):
        with contextlib.suppress(OSError):  # another process was faster, or there is something else in it
            if _is_ours(folder, path) and time.time() - folder.stat().st_mtime >= age:
                (folder / path.name).unlink(missing_ok=True)
                folder.rmdir()


def _prefix(path: Path) -> str:
    """Return how the name of the temporary folder for `path` begins."""
    return f".{path.name}{MARK}"


def _is_ours(folder: Path, path: Path) -> bool:
    """Tell whether `atomic_write` can have made this folder for `path`."""
    if folder.is_symlink() or not folder.is_dir():
        return False
    mine = not hasattr(os, "getuid") or folder.stat().st_uid == os.getuid()
    content = [file for file in folder.iterdir() if file.name != path.name or not file.is_file() or file.is_symlink()]
    return mine and not content
