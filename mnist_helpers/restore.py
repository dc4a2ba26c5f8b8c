"""Bring the original notebook of a chapter back; yours is first kept in work/, under a name with the date and the time.

python -m mnist_helpers.restore 02

The originals are in tools/originals.zip, which a students' copy has, or else in git. Only Python itself is needed.
"""

import io
import re
import subprocess
import sys
import zipfile
import zlib
from datetime import datetime
from pathlib import Path

from mnist_helpers import CourseError
from mnist_helpers._support.atomic_files import atomic_write
from mnist_helpers._support.paths import COURSE
from mnist_helpers._support.terminal import Parser, escape_unencodable

ORIGINALS = Path("tools", "originals.zip")
WORK = "work"
DAMAGED = OSError, ValueError, RuntimeError, EOFError, zipfile.BadZipFile, zlib.error  # what zipfile raises
NOTEBOOK = re.compile(r"notebooks/(\d\d)_\w+\.ipynb")


def originals(course: Path) -> dict[str, tuple[str, bytes]]:
    """Return the name and the content of each original notebook by its chapter: {"02": ("02_network.ipynb", ...)}.

    Raises CourseError if this copy of the course has no originals.
    """
    packed = course / ORIGINALS
    try:
        content = packed.read_bytes() if packed.exists() else committed(course)
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            found = [(NOTEBOOK.fullmatch(name), archive.read(name)) for name in archive.namelist()]
    except DAMAGED as error:
        raise CourseError(
            f"the originals cannot be read ({error}), and nothing was changed; download the course again, and "
            "copy the notebook from there."
        ) from None
    return {match[1]: (Path(match[0]).name, content) for match, content in found if match}


def committed(course: Path) -> bytes:
    """Return a zip of the notebooks as they were last committed. Raises OSError if git does not have them."""
    command = ["git", "-C", str(course), "archive", "--format=zip", "HEAD", "notebooks"]
    try:
        done = subprocess.run(command, capture_output=True)
    except OSError as error:
        raise OSError(f"there is no {ORIGINALS.as_posix()}, and git cannot be started: {error}") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["git failed"]
        raise OSError(f"there is no {ORIGINALS.as_posix()}, and git says: {said[0]}")
    return done.stdout


def restore(chapter: str, course: Path = COURSE) -> str:
    """Bring the original notebook of a chapter back, and return what was done.

    Raises CourseError, and changes no notebook, if there is no such chapter or if something cannot be written.
    """
    known = originals(course)
    if chapter.zfill(2) not in known:
        names = ", ".join(known)
        raise CourseError(f"there is no chapter {chapter!r}, so nothing was changed; choose one of {names}.")
    name, original = known[chapter.zfill(2)]
    before = "handed out" if (course / ORIGINALS).exists() else "last committed"
    path = course / "notebooks" / name
    if not path.exists():
        kept = "It was missing."
    elif path.read_bytes() == original:
        return f"notebooks/{name} is as it was {before}, so nothing was changed."
    else:
        kept = f"Yours is kept as {keep(path, course / WORK).relative_to(course).as_posix()}."
    with atomic_write(path) as file:
        file.write(original)
    reload = "If it is open in JupyterLab, choose File, then Reload Notebook from Disk."
    return f"notebooks/{name} is again as it was {before}. {kept}\n{reload}"


def keep(path: Path, folder: Path) -> Path:
    """Copy a notebook into `folder` under a new name, such as 02_network.2026-11-26_0712.ipynb; return its path."""
    stem = f"{path.stem}.{datetime.now():%Y-%m-%d_%H%M}"
    copy, number = folder / f"{stem}.ipynb", 1
    while copy.exists():
        number += 1
        copy = folder / f"{stem}_{number}.ipynb"
    with atomic_write(copy) as file:
        file.write(path.read_bytes())
    return copy


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = Parser(prog="python -m mnist_helpers.restore", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("chapter", nargs="?", default="", help="its number, such as 02")
    options = parser.parse_args(arguments)
    escape_unencodable()
    try:
        if not options.chapter:
            names = ", ".join(originals(COURSE))
            raise CourseError(f"no chapter was given; choose one of {names}, as in `make restore CHAPTER=02`.")
        print(restore(options.chapter))
    except (CourseError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
