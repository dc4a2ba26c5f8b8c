"""The commands that mend what the checks find, as a user types them into this system's shell."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

from mnist_helpers._support.paths import COURSE as ROOT

WINDOWS = os.name == "nt"


def shell(*words: str | Path) -> str:
    """Return the words as one command line, quoted where necessary."""
    texts = [str(word) for word in words]
    return subprocess.list2cmdline(texts) if WINDOWS else shlex.join(texts)


def module(*words: str | Path) -> str:
    """Return the command that runs a module, such as pip, with this Python."""
    return shell(sys.executable, "-m", *words)


CONSTRAINTS = "-c", ROOT / "constraints.txt"
INSTALL_THIS_FOLDER = module("pip", "install", "--no-deps", "-e", ROOT)
CLEAR_PIP_CACHE = module("pip", "cache", "purge")
STOP_JUPYTERLAB = module("jupyter", "lab", "stop")
REINSTALL_JUPYTER = module("pip", "install", "--force-reinstall", *CONSTRAINTS, "jupyter_client", "ipykernel")
REMOVE_KERNEL = module("jupyter", "kernelspec", "remove", "-f", "python3")  # Jupyter then starts its own Python
CREATE_CONDA_ENVIRONMENT = shell("conda", "env", "create", "-f", ROOT / "environment.yml")


def use_python_3_11() -> str:
    """Return the command that installs the course with Python 3.11; on Windows, where there is no make, three."""
    if not WINDOWS:
        return shell("make", "-C", ROOT, "lab", "PYTHON=python3.11")
    create = shell("py", "-3.11", "-m", "venv", ROOT / ".venv")
    activate = shell(ROOT / ".venv" / "Scripts" / "activate")
    return f"{create}; then {activate}; then {shell('pip', 'install', *CONSTRAINTS, '-e', ROOT)}"


def install_course() -> str:
    """Return the command that installs the course, or that activates the environment in which it is installed."""
    activate = ROOT / ".venv" / ("Scripts" if WINDOWS else "bin") / "activate"
    if activate.exists() and Path(sys.prefix).resolve() != activate.parents[1].resolve():
        return shell(activate) if WINDOWS else shell("source", activate)
    if sys.prefix == sys.base_prefix and not WINDOWS and not Path(sys.prefix, "conda-meta").exists():
        return shell("make", "-C", ROOT, "lab")  # pip may not install into the system's Python
    return module("pip", "install", *CONSTRAINTS, "-e", ROOT)


def reinstall(*packages: str) -> str:
    """Return the command that replaces the files of installed packages."""
    return module("pip", "install", "--force-reinstall", "--no-deps", *CONSTRAINTS, *packages)


def restore(path: Path) -> str:
    """Return the command that restores a file of the course."""
    return shell("git", "-C", ROOT, "checkout", "--", path)


def rename(path: Path) -> str:
    """Return the command that moves a file out of the way."""
    return shell("move" if WINDOWS else "mv", path, f"{path}.bak")
