"""Replace a folder atomically: completely or not at all."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from mnist_helpers import CourseError


@contextlib.contextmanager
def atomic_folder(folder: Path, mark: str) -> Iterator[Path]:
    """Yield an empty folder that replaces `folder` at the end of the block. If the block fails, the old folder stays.

    Raises CourseError first if `folder` holds other files but no file `mark`, which shows that another program made it.
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
    """Rename `new` to `old`. If this fails, restore the old folder."""
    aside = new.with_name("old")
    if old.exists():
        old.rename(aside)
    try:
        new.rename(old)
    except BaseException:  # Ctrl+C as well
        if aside.exists():
            aside.rename(old)
        raise
