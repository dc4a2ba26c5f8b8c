"""Prepare a kernel of Google Colab: called by the cell that tools/colab_copies.py adds to the notebooks."""

import importlib
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from mnist_helpers import CourseError
from mnist_helpers._support.paths import COURSE, NOTEBOOKS

NOT_NEEDED = "jupyterlab"  # Colab shows notebooks itself


def is_running() -> bool:
    """Return whether this is a kernel of Colab."""
    return "google.colab" in sys.modules


def prepare() -> None:
    """Install what Colab lacks, and let this kernel and the processes that it starts find the course's files.

    Raises CourseError if a package cannot be installed.
    """
    from google.colab import output

    install(COURSE / "pyproject.toml")
    output.enable_custom_widget_manager()  # for the drawing pad
    os.chdir(NOTEBOOKS)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(COURSE), os.environ.get("PYTHONPATH")]))


def install(project: Path) -> None:
    """Install the dependencies of a pyproject.toml that are not there; those that are there keep their versions.

    Colab needs its own versions of IPython and PyTorch, so an old version is left, too.
    """
    dependencies = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["dependencies"]
    names = {re.split(r"[<>=!~ ;\[]", line)[0]: line for line in dependencies}
    found = {name: installed(name) for name in names if name != NOT_NEEDED}
    lacking = [names[name] for name, number in found.items() if not number]
    if lacking:
        run_pip(lacking, [f"{name}=={number}" for name, number in found.items() if number])
        importlib.invalidate_caches()


def installed(name: str) -> str:
    """Return the version of an installed package, or "" if there is none."""
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def run_pip(lacking: list[str], kept: list[str]) -> None:
    """Install packages with pip, which may not change the versions of others. Raises CourseError if it fails."""
    with tempfile.TemporaryDirectory() as folder:
        constraints = Path(folder, "constraints.txt")
        constraints.write_text("\n".join(kept), encoding="utf-8")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--constraint", str(constraints), *lacking]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason was given"])[-1].rstrip(".")
        raise CourseError(f"pip could not install {', '.join(lacking)} ({reason}); run this cell again.")
