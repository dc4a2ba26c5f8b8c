"""Where the course's files are: the one place that knows how deep a module lies in the repository."""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]  # mnist_helpers/
COURSE = PACKAGE.parent  # the checkout
DATA = COURSE / "data"  # torchvision's root: the files lie in MNIST/raw below it
MODELS = COURSE / "models"
NOTEBOOKS = COURSE / "notebooks"
RESULTS = COURSE / "benchmarks" / "results"
ARTIFACTS = COURSE / "artifacts"  # what the notebooks write; ignored by git
