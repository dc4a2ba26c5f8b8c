"""Make a folder whole or not at all."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from mnist_helpers import CourseError


@contextlib.contextmanager
def atomic_folder(folder: Path, mark: str) -> Iterator[Path]:
    """Give an empty folder to fill, which takes the place of `folder` when the block ends; else the old one stays.

    Raises CourseError, before that, for a `folder` that was made by something else: it has no file `mark` in it.
    """
    ours, empty = (folder / mark).exists(), folder.is_dir() and not any(folder.iterdir())
    if folder.exists() and not ours and not empty:
        raise CourseError(f"{folder} would be replaced, but it holds other things (no {mark}); choose another folder.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as aside:
        new = Path(aside, "new")
        new.mkdir()
        yield new
        swap(new, folder)


def swap(new: Path, old: Path) -> None:
    """Let `new` take the place of `old`, which goes only when the new one is there."""
    aside = new.with_name("old")
    if old.exists():
        old.rename(aside)
    try:
        new.rename(old)
    except BaseException:  # Ctrl+C as well
        if aside.exists():
            aside.rename(old)
        raise
