"""A chapter comes back as it was, and no notebook of the student's is lost, whatever goes wrong on the way."""

import re
import subprocess
import sys
import zipfile

import pytest

from mnist_helpers import restore
from mnist_helpers._support.paths import COURSE
from tests.support.refusal import refused

ORIGINAL, MINE = b'{"cells": ["original"]}', b'{"cells": ["mine"]}'
NAMES = "01_data.ipynb", "02_network.ipynb"


def git(folder, *words):
    identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", folder, *identity, *words], check=True, capture_output=True)


def write(course, name=NAMES[1], content=MINE):
    (course / "notebooks").mkdir(parents=True, exist_ok=True)
    (course / "notebooks" / name).write_bytes(content)
    return course / "notebooks" / name


def with_zip(folder):
    (folder / "tools").mkdir()
    with zipfile.ZipFile(folder / restore.ORIGINALS, "w") as archive:
        for name in NAMES:
            archive.writestr(f"notebooks/{name}", ORIGINAL)
    return folder


def with_git(folder):
    """A repository with the course in a folder of it."""
    for name in NAMES:
        write(folder / "course", name, ORIGINAL)
    git(folder, "init")
    git(folder, "add", ".")
    git(folder, "commit", "-m", "first")
    return folder / "course"


@pytest.fixture(params=[with_zip, with_git])
def course(request, tmp_path):
    """A copy of the course whose chapter 02 the student has changed."""
    found = request.param(tmp_path)
    write(found)
    return found


def kept(course):
    return sorted(path.read_bytes() for path in (course / "work").glob("*"))


def test_the_original_comes_back_and_the_students_notebook_is_kept(course):
    said = restore.restore("02", course)
    assert (course / "notebooks" / NAMES[1]).read_bytes() == ORIGINAL
    (copy,) = (course / "work").iterdir()
    assert copy.read_bytes() == MINE and f"work/{copy.name}" in said and "Reload Notebook from Disk" in said
    assert copy.name.startswith("02_network.20") and copy.suffix == ".ipynb"


def test_repeated_use_loses_nothing_even_within_a_minute(course):
    versions = [MINE, MINE + b"2", MINE + b"3"]
    for content in versions:
        path = write(course, content=content)
        restore.restore("2", course)
        restore.restore("2", course)  # nothing to do: no further copy
    assert kept(course) == versions and path.read_bytes() == ORIGINAL


def test_an_original_is_left_alone(course):
    path = write(course, content=ORIGINAL)
    before = path.stat()
    assert re.search("as it was (handed out|last committed), so nothing was changed", restore.restore("02", course))
    assert path.stat() == before and not (course / "work").exists()


def test_a_missing_notebook_comes_back(course):
    path = course / "notebooks" / NAMES[1]
    path.unlink()
    assert "missing" in restore.restore("02", course)
    assert path.read_bytes() == ORIGINAL and not (course / "work").exists()


@pytest.mark.parametrize("chapter", ["03", "99", "", "../01", "data"])
def test_an_unknown_chapter_is_refused_with_those_that_there_are(course, chapter):
    with refused("there is no chapter", "01, 02", "nothing was changed"):
        restore.restore(chapter, course)
    assert (course / "notebooks" / NAMES[1]).read_bytes() == MINE


def test_without_originals_nothing_is_changed(tmp_path):
    path = write(tmp_path)
    with refused(
        "originals cannot be read", "originals.zip", "git says", "nothing was changed", "download the course again"
    ):
        restore.restore("02", tmp_path)
    assert path.read_bytes() == MINE


def test_without_git_nothing_is_changed(tmp_path, monkeypatch):
    path = write(tmp_path)
    monkeypatch.setenv("PATH", "")
    with refused("git cannot be started", "nothing was changed"):
        restore.restore("02", tmp_path)
    assert path.read_bytes() == MINE


@pytest.mark.parametrize("damage", [lambda content: b"", lambda content: content[:-30], lambda content: content[60:]])
def test_damaged_originals_are_refused(damage, tmp_path):
    course = with_zip(tmp_path)
    path = write(course)
    archive = course / restore.ORIGINALS
    archive.write_bytes(damage(archive.read_bytes()))
    with refused("originals cannot be read", "nothing was changed"):
        restore.restore("02", course)
    assert path.read_bytes() == MINE


def test_what_cannot_be_kept_is_not_replaced(course):
    (course / "work").write_text("a file in the place of the folder")
    with refused("cannot be written"):
        restore.restore("02", course)
    assert (course / "notebooks" / NAMES[1]).read_bytes() == MINE


def test_the_command_says_in_one_line_what_it_needs():
    command = [sys.executable, "-m", "mnist_helpers.restore"]
    for words in ([], ["99"], ["01", "02"]):
        done = subprocess.run([*command, *words], cwd=COURSE, capture_output=True, text=True)
        assert done.returncode and done.stdout == "" and len(done.stderr.splitlines()) == 1, done.stderr
