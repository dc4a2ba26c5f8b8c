"""Several notebooks that write their progress at once lose nothing, and none waits for ever."""

import os
import subprocess
import sys

import pytest
from filelock import FileLock

from mnist_helpers._support.paths import COURSE
from mnist_helpers.exercises import progress_file

WRITER = """import sys
from mnist_helpers.exercises import progress_file
for number in range(25):
    progress_file.record(sys.argv[1], f"exercise_{number}", True, 0)
"""


@pytest.fixture
def progress(tmp_path, monkeypatch):
    path = tmp_path / "artifacts" / "progress.json"
    monkeypatch.setattr(progress_file, "PROGRESS", path)
    return path


def test_notebooks_that_write_at_once_lose_nothing(progress):
    environment = os.environ | {"MNIST_COURSE_PROGRESS": str(progress), "PYTHONPATH": str(COURSE)}
    chapters = ["chapter_01", "chapter_02", "chapter_03"]
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, chapter], env=environment) for chapter in chapters]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert {chapter: len(entries) for chapter, entries in progress_file.read().items()} == dict.fromkeys(chapters, 25)


def test_a_notebook_that_holds_the_lock_for_ever_stops_no_other(progress, monkeypatch):
    monkeypatch.setattr(progress_file, "PATIENCE", 0.05)
    progress.parent.mkdir()
    with FileLock(progress.with_suffix(".lock")):
        progress_file.record("chapter_01", "one_hot", True, 0)
    assert progress_file.read()["chapter_01"]["one_hot"]["correct"]


@pytest.mark.parametrize("error", [OSError("no locks on this disk"), NotImplementedError("no flock")])
def test_a_disk_without_locks_keeps_the_progress_all_the_same(progress, monkeypatch, error):
    def refused(_):
        raise error

    monkeypatch.setattr(FileLock, "_acquire", refused)
    progress_file.record("chapter_01", "one_hot", True, 0)
    assert progress_file.read()["chapter_01"]["one_hot"]["correct"]


def test_a_lock_file_that_a_killed_notebook_left_is_no_obstacle(progress):
    progress.parent.mkdir()
    progress.with_suffix(".lock").touch()
    progress_file.record("chapter_01", "one_hot", True, 0)
    assert progress_file.read()["chapter_01"]["one_hot"]["correct"]
