"""What visitors of the site may take along: a zip of the course, and one of each chapter.

They hold what `make handout` gives to students: no outputs, no solutions, no page for instructors. The digits, 12 MB,
are in the zip of the course alone; a chapter from a smaller zip downloads them when it needs them.
"""

import shutil
import tempfile
from pathlib import Path

import copies
from replacing import replace_in

COURSE = "course"  # course.zip; those of chapters have the names of their notebooks
START = "\n## Start\n"  # in the students' README: what comes before it says what this copy is
WITHOUT_DIGITS = """
This copy has one chapter, and not the digits: the chapter downloads them when it needs them (12 MB, from the mirrors
that PyTorch uses), so be online when you run it for the first time. Or copy the folder `data/MNIST` from the zip of the
whole course.
"""


def write(root: Path, target: Path) -> None:
    """Write course.zip and a zip of each chapter of the course at `root` to the new folder `target`."""
    target.mkdir()
    with tempfile.TemporaryDirectory() as scratch:
        course = Path(scratch, COURSE)
        course.mkdir()
        copies.fill_handout(root, course)
        copies.pack(course, target)
        for notebook in copies.notebooks(course):
            copies.pack(chapter_of(course, notebook.stem), target)


def chapter_of(course: Path, name: str) -> Path:
    """Write what one chapter needs, but for the digits, to a folder beside the students' copy; return the folder."""
    folder = course.with_name(name)
    shutil.copytree(course, folder, ignore=shutil.ignore_patterns("MNIST"))
    copies.leave_out_others(folder, (name[:2],))
    copies.pack_originals(folder)
    replace_in(folder / "README.md", START, f"{WITHOUT_DIGITS}{START}")
    return folder
