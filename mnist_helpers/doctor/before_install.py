"""What an installation needs, checked before it begins: `python -m mnist_helpers.doctor --before-install`."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

from mnist_helpers._support.paths import COURSE as ROOT

WINDOWS = os.name == "nt"
# On Linux, pip's PyTorch has libraries for GPUs, unless this variable names PyTorch's own packages without them
WITHOUT_GPU = "PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu"
FOR_GPU = sys.platform == "linux" and "whl/cpu" not in os.environ.get("PIP_EXTRA_INDEX_URL", "")
# What pip downloads, and what it then takes; measured with the pinned versions on Linux, and for Windows, rounded up
SIZES_GB = {"with libraries": (3.3, 6.5), "without": (0.5, 1.6)}
DOWNLOAD_GB, INSTALLED_GB = SIZES_GB["with libraries" if FOR_GPU else "without"]
SYNCHRONISED = "onedrive", "dropbox", "google drive", "icloud"
LONGEST_ON_WINDOWS = 259  # characters of a path, unless a setting of Windows allows more
LONGEST_INSTALLED = 170  # of them in the course's folder, for a file that pip writes into .venv


def announcement() -> str:
    """Say how much is downloaded and written, and warn of a folder that a cloud synchronises."""
    if installed():
        return "Bringing .venv up to date"
    line = f"Installing into .venv: {DOWNLOAD_GB} GB to download, {INSTALLED_GB} GB on the disk; some minutes, once"
    if any(name in str(ROOT).lower() for name in SYNCHRONISED):
        line += f"\n{ROOT} is synchronised with a cloud: if the installation fails, move the course to another folder"
    return line


def installed() -> bool:
    """Return whether .venv has PyTorch, by far the largest package."""
    folders = [*(ROOT / ".venv").glob("lib/python*"), ROOT / ".venv" / "Lib"]  # of Unix, and of Windows
    return any((folder / "site-packages" / "torch" / "version.py").exists() for folder in folders)


def problem() -> str | None:
    """Return a sentence about what would stop the installation, with the way out, or None."""
    if WINDOWS and len(str(ROOT)) + LONGEST_INSTALLED > LONGEST_ON_WINDOWS:
        return f"The path {ROOT} is too long for Windows; move the course to a shorter one, such as C:\\mnist."
    try:
        return None if installed() else shortage()
    except OSError as error:  # such as that no folder for temporary files can be written to
        return f"The installation cannot begin ({error}); make room on the disk."


def shortage() -> str | None:
    """Return a sentence about a disk without room for what pip writes there, or None."""
    for folder, size in needed_gb():
        free = free_gb(folder)
        if free < size:
            way_out = "make room there"
            if folder != ROOT:
                way_out += f", or {name_other_folder()}"
            elif FOR_GPU:
                way_out += f", or install PyTorch without GPU libraries: {WITHOUT_GPU} make lab"
            return (
                f"The installation needs {size:.1f} GB on the disk of {folder}, but {free:.1f} GB are free; {way_out}."
            )
    return None


def name_other_folder() -> str:
    """Return how to name another folder for temporary files."""
    on_windows = r"make a folder on another disk, and name it before you install: set TEMP=D:\temp"
    return on_windows if WINDOWS else "name another folder: TMPDIR=$HOME make lab"


def needed_gb() -> list[tuple[Path, float]]:
    """Return a folder on each disk that pip writes to, and the GB that it needs there; it can do without its cache."""
    needed: dict[int, tuple[Path, float]] = {}
    for folder, size in written():
        first, other = needed.get(disk_of(folder), (folder, 0.0))
        needed[disk_of(folder)] = first, other + size
    return list(needed.values())


def written() -> list[tuple[Path, float]]:
    """Return the folders that pip writes to, for the packages and for a while for what it downloads, and the GB."""
    return [(ROOT, INSTALLED_GB), (Path(tempfile.gettempdir()), DOWNLOAD_GB)]


def disk_of(folder: Path) -> int:
    """Return the number of the disk that a folder is on."""
    return os.stat(folder).st_dev


def free_gb(folder: Path) -> float:
    """Return the free GB on the disk of a folder."""
    return shutil.disk_usage(folder).free / 1e9
