"""Write files atomically: completely or not at all."""

import contextlib
import glob
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from mnist_helpers import CourseError

MARK = ".mnist-helpers-"  # part of the name of every temporary folder, to recognise our own


@contextlib.contextmanager
def atomic_write(path: Path, older: Path | None = None) -> Iterator[BinaryIO]:
    """Open `path` for writing so that it is replaced atomically at the end of the block.

    The block writes to a file in a temporary folder beside `path`, which is synced to disk and then renamed to `path`,
    so that readers see either the old or the new content. If `older` is given, the old file is kept under that name.
    Raises CourseError, and leaves `path` unchanged, if the file cannot be written.
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
    except (OSError, RuntimeError) as error:  # torch.save raises RuntimeError for an incomplete write
        why = error if isinstance(error, OSError) else "No space left on the disk, or another disk error"
        raise CourseError(
            f"{path} cannot be written ({why}); free some disk space, or choose a folder that you can write to."
        ) from None


def remove_stale_temporaries(path: Path, age: float = 0) -> None:
    """Remove temporary folders that a killed `atomic_write` left beside `path`, if at least `age` seconds old.

    A folder is removed only if its name has this module's mark, it belongs to this user, and it holds no other file.
    """
    for folder in path.parent.glob(f"{glob.escape(_prefix(path))}????????"):
        with contextlib.suppress(OSError):  # another process removed it first, or it is not empty
            if _is_ours(folder, path) and time.time() - folder.stat().st_mtime >= age:
                (folder / path.name).unlink(missing_ok=True)
                folder.rmdir()


def _prefix(path: Path) -> str:
    """Return the prefix of the names of the temporary folders for `path`."""
    return f".{path.name}{MARK}"


def _is_ours(folder: Path, path: Path) -> bool:
    """Return whether `atomic_write` may have created this folder for `path`."""
    if folder.is_symlink() or not folder.is_dir():
        return False
    owned = not hasattr(os, "getuid") or folder.stat().st_uid == os.getuid()
    others = [file for file in folder.iterdir() if file.name != path.name or not file.is_file() or file.is_symlink()]
    return owned and not others
