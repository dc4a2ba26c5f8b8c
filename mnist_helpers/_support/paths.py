"""Paths of the course's files. No other module depends on its own place in the repository."""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]  # mnist_helpers/
COURSE = PACKAGE.parent  # the repository
DATA = COURSE / "data"  # the `root` of torchvision's datasets; the files are in MNIST/raw
MODELS = COURSE / "models"
NOTEBOOKS = COURSE / "notebooks"
RESULTS = COURSE / "benchmarks" / "results"
ARTIFACTS = COURSE / "artifacts"  # output of the notebooks; ignored by git
