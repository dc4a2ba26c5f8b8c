"""Paths of the course's files. No other module depends on its own place in the repository.

The wheel holds the package alone, which is of no use without the rest of the course: there, importing this module
raises CourseError, and a command ends with that one sentence.
"""

import os
import sys
from pathlib import Path

from mnist_helpers import CourseError

PACKAGE = Path(__file__).resolve().parents[1]  # mnist_helpers/
COURSE = PACKAGE.parent  # the repository
DATA = COURSE / "data"  # the `root` of torchvision's datasets; the files are in MNIST/raw
MODELS = COURSE / "models"
NOTEBOOKS = COURSE / "notebooks"
RESULTS = COURSE / "benchmarks" / "results"
# Output of the notebooks, ignored by git; tests that run side by side choose a folder each
ARTIFACTS = Path(os.environ.get("MNIST_COURSE_ARTIFACTS", COURSE / "artifacts"))

# The student's progress in the exercises; whoever runs the notebooks for the course chooses a file elsewhere
PROGRESS = Path(os.environ.get("MNIST_COURSE_PROGRESS", ARTIFACTS / "progress.json"))


def _print_sentence(kind, error, trace):
    """Print a CourseError without its traceback; used as sys.excepthook."""
    if issubclass(kind, CourseError):
        print(error, file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


if not NOTEBOOKS.exists() and not DATA.exists():
    sys.excepthook = _print_sentence
    raise CourseError(
        f"mnist_helpers is installed in {COURSE} without the course around it (no notebooks/ and no data/ there); "
        "clone the course, and install it from that folder with `pip install -c constraints.txt -e .`."
    )
