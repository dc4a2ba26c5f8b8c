"""A file is written whole or not at all, and only leftovers of this program are removed."""

import os

import pytest

from mnist_helpers._support.atomic_files import atomic_write, remove_stale_temporaries
from tests.support.refusal import refused

NAME = "model.pt"
LEFTOVER = f".{NAME}.mnist-helpers-abcd1234"


@pytest.fixture
def path(tmp_path):
    """A file with content, alone in its folder."""
    (tmp_path / NAME).write_bytes(b"old")
    return tmp_path / NAME


def names(path):
    return sorted(file.name for file in path.parent.iterdir())


def test_the_new_content_takes_the_place_of_the_old(path):
    with atomic_write(path) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new" and names(path) == [NAME]


def test_the_old_file_is_kept_under_another_name_if_asked_for(path):
    with atomic_write(path, path.with_name("before.pt")) as file:
        file.write(b"new")
    assert path.with_name("before.pt").read_bytes() == b"old" and path.read_bytes() == b"new"


def test_an_error_while_writing_leaves_the_old_content(path):
    with pytest.raises(KeyError), atomic_write(path) as file:
        file.write(b"ne")
        raise KeyError
    assert path.read_bytes() == b"old" and names(path) == [NAME]


def test_a_missing_folder_is_made(tmp_path):
    with atomic_write(tmp_path / "a" / "b" / NAME) as file:
        file.write(b"new")
    assert (tmp_path / "a" / "b" / NAME).read_bytes() == b"new"


def test_a_folder_that_cannot_be_used_is_refused(path):
    with refused("cannot be written"), atomic_write(path / "below a file") as file:
        file.write(b"new")


def leftover(path, content=NAME):
    """Make what a killed write leaves, and return it."""
    folder = path.with_name(LEFTOVER)
    folder.mkdir()
    (folder / content).write_bytes(b"half")
    return folder


def test_a_leftover_is_removed_once_it_is_old_enough(path):
    folder = leftover(path)
    remove_stale_temporaries(path, age=3600)
    assert folder.exists()
    os.utime(folder, (0, 0))
    remove_stale_temporaries(path, age=3600)
    assert names(path) == [NAME]


def test_a_folder_with_other_content_is_not_removed(path):
    leftover(path, content="mine.txt")
    remove_stale_temporaries(path)
    assert names(path) == [LEFTOVER, NAME]


@pytest.mark.parametrize("name", ["model.pt_archive", "model.ptabcd1234", ".other.pt.mnist-helpers-abcd1234"])
def test_a_folder_without_the_mark_of_this_file_is_not_removed(name, path):
    path.with_name(name).mkdir()
    remove_stale_temporaries(path)
    assert path.with_name(name).exists()


def test_a_name_with_wildcards_matches_itself_only(tmp_path):
    other = tmp_path / ".a.mnist-helpers-abcd1234"
    other.mkdir()
    remove_stale_temporaries(tmp_path / "[a-z]")
    assert other.exists()
