"""Where the course's files are: the one place that knows how deep a module lies in the repository.

The wheel has the package alone, so that it is of no use outside a copy of the course: importing this raises CourseError
there, and a command ends with that one sentence.
"""

import sys
from pathlib import Path

from mnist_helpers import CourseError

PACKAGE = Path(__file__).resolve().parents[1]  # mnist_helpers/
COURSE = PACKAGE.parent  # the checkout
DATA = COURSE / "data"  # torchvision's root: the files lie in MNIST/raw below it
MODELS = COURSE / "models"
NOTEBOOKS = COURSE / "notebooks"
RESULTS = COURSE / "benchmarks" / "results"
ARTIFACTS = COURSE / "artifacts"  # what the notebooks write; ignored by git


def _say_the_sentence_alone(kind, error, trace):
    """Stand in for sys.excepthook: a command that cannot even be imported ends without a traceback."""
    if issubclass(kind, CourseError):
        print(error, file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


if not NOTEBOOKS.exists() and not DATA.exists():  # where one of them is left, what is missing is named when it is used
    sys.excepthook = _say_the_sentence_alone
    raise CourseError(
        f"mnist_helpers is installed in {COURSE} without the course around it (no notebooks/ and no data/ there); "
        "clone the course, and install it from that folder with `pip install -c constraints.txt -e .`."
    )
