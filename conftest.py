"""nbval compares every stored output with a fresh one; what may differ, and why, is listed in tests/exemptions.toml."""

import os
import tempfile
from functools import partial

import pytest
from nbval.plugin import IPyNbCell
from xdist.scheduler import LoadFileScheduling

from tests.notebooks import stored_outputs
from tests.support import pins


def pytest_configure(config):
    """Give each process of pytest-xdist one thread, and a folder of its own for what the notebooks write.

    A student's progress file is neither read nor written, and stored outputs are compared in their own language.
    """
    config.progress = tempfile.TemporaryDirectory()
    os.environ["MNIST_COURSE_PROGRESS"] = os.path.join(config.progress.name, "progress.json")
    os.environ["MNIST_COURSE_LANGUAGE"] = "en"
    if hasattr(config, "workerinput"):
        os.environ.setdefault("OMP_NUM_THREADS", "1")  # two pools on the same cores block each other
        config.artifacts = tempfile.TemporaryDirectory()  # removed when the process ends
        os.environ["MNIST_COURSE_ARTIFACTS"] = config.artifacts.name


class Scheduling(LoadFileScheduling):
    """Tests of one file, and all of the site, share what they set up and run in one process.

    Chapters in JupyterLab share nothing. Notebooks and tests/browser take longest: the Makefile lets them begin first.
    """

    def _split_scope(self, nodeid):
        if "/test_jupyterlab.py" in nodeid:
            return nodeid
        return "tests/site" if nodeid.startswith("tests/site/") else super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    return Scheduling(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_report_header(config):
    """Say first if the outputs will be compared with those of other versions."""
    return pins.warning(pins.constraints()) if config.getoption("--nbval") else None


def pytest_collection_modifyitems(items):
    exemptions = stored_outputs.load()
    cells = [item for item in items if isinstance(item, IPyNbCell)]
    for cell in cells:
        cell.compare_outputs = partial(stored_outputs.compare, cell, exemptions, cell.compare_outputs)
    for notebook in {cell.parent for cell in cells}:
        stored_outputs.run_as_jupyterlab_does(notebook)
