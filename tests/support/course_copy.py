"""A copy of the course as a new clone has it, whose notebooks are run and compared there."""

import os
import shutil
import subprocess
import sys

from mnist_helpers._support.paths import COURSE as ROOT

LONGEST = 900  # seconds for notebooks that hang, not for slow machines


def fresh_copy(folder):
    """Copy the files that git knows, as they are now: what a new clone holds."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in names.split("\0")[:-1]:
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


def environment(course):
    """The course in `course` is the one that is imported; one thread a process, since many share the machine."""
    return os.environ | {
        "PYTHONPATH": str(course),
        "MNIST_COURSE_ARTIFACTS": str(course / "artifacts"),
        "OMP_NUM_THREADS": "1",
    }


def compare(course, *names):
    """Run notebooks of a copy in this order and compare all outputs with the stored ones; returns what was wrong."""
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "--nbval-cell-timeout=600", "-q"]
    command += ["-p", "no:cacheprovider", *(f"notebooks/{name}" for name in names)]
    done = subprocess.run(command, cwd=course, env=environment(course), capture_output=True, text=True, timeout=LONGEST)
    return done.stdout[-3000:] + done.stderr[-1000:] if done.returncode else ""
