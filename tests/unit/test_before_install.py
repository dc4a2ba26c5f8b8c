"""Before an installation, one sentence says how much it needs, or what would stop it and the way out."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from mnist_helpers._support.paths import COURSE
from mnist_helpers.doctor import __main__ as command_line
from mnist_helpers.doctor import before_install


@pytest.fixture
def disks(tmp_path, monkeypatch):
    """Let the course and the temporary files lie on disks with so many free GB each; returns the setter."""
    folders = [tmp_path / name for name in ("course", "temporary")]
    monkeypatch.setattr(before_install, "ROOT", folders[0])
    monkeypatch.setattr(before_install, "written", lambda: list(zip(folders, (6.0, 3.0))))
    monkeypatch.setattr(before_install, "FOR_GPU", True)

    def put(numbers, free):
        disk = dict(zip(folders, numbers))
        monkeypatch.setattr(before_install, "disk_of", disk.get)
        monkeypatch.setattr(before_install, "free_gb", lambda folder: free[disk[folder]])
        return before_install.problem()

    return put


@pytest.mark.parametrize(
    "numbers, free, words",
    [
        ([1, 1], {1: 9.1}, None),
        ([1, 1], {1: 8.9}, "needs 9.0 GB on the disk of"),
        ([1, 1], {1: 0.0}, "whl/cpu make lab"),
        ([1, 2], {1: 6.1, 2: 3.1}, None),
        ([1, 2], {1: 6.1, 2: 2.9}, "needs 3.0 GB on the disk of"),
        ([1, 2], {1: 5.9, 2: 99}, "needs 6.0 GB on the disk of"),
    ],
)
def test_a_disk_without_room_is_named_with_the_way_out(numbers, free, words, disks):
    found = disks(numbers, free)
    assert (found is None) == (words is None)
    assert words is None or (words in found and found.endswith(".") and "\n" not in found)


@pytest.mark.parametrize(
    "windows, words, other", [(False, "TMPDIR=$HOME make lab", "set"), (True, r"set TEMP=D:\temp", "make lab")]
)
def test_another_folder_for_temporary_files_is_named_as_the_system_does(windows, words, other, disks, monkeypatch):
    monkeypatch.setattr(before_install, "WINDOWS", windows)
    monkeypatch.setattr(before_install, "LONGEST_INSTALLED", 0)
    found = disks([1, 2], {1: 9.0, 2: 0.5})
    assert words in found and other not in found.partition("GB are free")[2]


def test_what_is_installed_needs_no_room(disks, tmp_path):
    torch = tmp_path / "course" / ".venv" / "lib" / "python3.11" / "site-packages" / "torch" / "version.py"
    torch.parent.mkdir(parents=True)
    torch.touch()
    assert disks([1, 1], {1: 0.1}) is None and "up to date" in before_install.announcement()


def test_a_disk_so_full_that_no_temporary_file_can_be_made(disks, monkeypatch):
    def fail():
        raise FileNotFoundError("No usable temporary directory found")

    disks([1, 1], {1: 0})
    monkeypatch.setattr(before_install, "written", fail)
    assert "No usable temporary directory" in before_install.problem()


def test_a_path_that_windows_cannot_hold(monkeypatch):
    monkeypatch.setattr(before_install, "ROOT", Path("C:/" + "x" * 100))
    assert before_install.problem() is None or "too long" not in before_install.problem()
    monkeypatch.setattr(before_install, "WINDOWS", True)
    assert "too long for Windows" in before_install.problem()


@pytest.mark.parametrize("folder, warned", [("/x/OneDrive - TU/mnist", True), ("/x/mnist", False)])
def test_a_folder_of_a_cloud_is_warned_of(folder, warned, monkeypatch):
    monkeypatch.setattr(before_install, "ROOT", Path(folder))
    said = before_install.announcement()
    assert ("synchronised" in said) == warned and "GB to download" in said


def test_the_command_prints_it_and_tells_by_its_exit_code(monkeypatch, capsys):
    monkeypatch.setattr(before_install, "problem", lambda: "No room.")
    assert command_line.main(["--before-install"]) == 1 and capsys.readouterr().err == "No room.\n"
    monkeypatch.setattr(before_install, "problem", lambda: None)
    assert command_line.main(["--before-install"]) == 0 and before_install.announcement() in capsys.readouterr().out


def test_the_page_of_the_installation_has_the_same_sizes():
    page = (COURSE / "docs" / "install.md").read_text(encoding="utf-8")
    for download, installed in before_install.SIZES_GB.values():
        assert re.search(rf"\| (about )?{download} GB \| (about )?{installed} GB \|", page)


FAKE_PYTHON = """#!/bin/sh
[ -z "$PYTHONHOME$PYTHONPATH" ] || exit 9
case "$*" in
    *"-m venv"*) mkdir -p .venv/bin; cp "$0" .venv/bin/python ;;
    *"-m pip install"*) echo "ERROR: No matching distribution found"; exit 1 ;;
    *--before-install*) echo "Installing" ;;
esac
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no make")
def test_after_pip_failed_make_names_the_way_out_and_begins_anew(tmp_path):
    course = tmp_path / "a path with blänks"
    course.mkdir()
    for name in ("Makefile", "pyproject.toml", "constraints.txt", "tools"):
        (course / name).symlink_to(COURSE / name)
    python = tmp_path / "python3"
    python.write_text(FAKE_PYTHON)
    python.chmod(0o755)
    others = ["env", "PYTHONHOME=/nowhere", "PYTHONPATH=/nowhere"]
    command = [*others, "make", "--no-print-directory", f"PYTHON={python}", ".venv/.installed"]
    done = subprocess.run(command, cwd=course, capture_output=True, text=True)
    announced, error, advice = done.stdout.splitlines()
    assert done.returncode == 2 and announced == "Installing" and error.startswith("ERROR")
    assert "HTTPS_PROXY" in advice and "docs/install.md" in advice and not (course / ".venv/.installed").exists()
