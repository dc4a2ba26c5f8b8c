"""Chapter 05 shows a program of one page. It runs by itself, offline, and the report's version beside it compiles."""

import ast
import re
import subprocess
import sys

import pytest

from mnist_helpers._support.paths import DATA, NOTEBOOKS
from tests.support.links import make_link
from tests.support.sources import imported_modules

PROGRAM, REPORT = NOTEBOOKS / "whole_program.py", NOTEBOOKS / "report_program.txt"


def marks(path):
    """The numbers in brackets, (1) to (10), by which the two programs are compared."""
    return {int(number) for number in re.findall(r"\((\d+)\)(?= |$)", _comments(path), re.M)}


def _comments(path):
    return "\n".join(line.partition("#")[2] for line in path.read_text(encoding="utf-8").splitlines())


def test_it_fits_on_one_page_and_needs_torch_alone():
    source = PROGRAM.read_text(encoding="utf-8")
    assert sum(bool(line.strip()) for line in source.splitlines()) < 60
    assert {module.partition(".")[0] for module in imported_modules(source)} == {"pathlib", "torch", "torchvision"}


def test_every_flaw_that_is_marked_is_marked_where_it_is_mended():
    ast.parse(REPORT.read_text(encoding="utf-8"))
    assert marks(PROGRAM) == marks(REPORT) == set(range(1, 11))


@pytest.mark.integration
@pytest.mark.parametrize(
    ("epochs", "least", "most"), [(1, 92.5, 96.2), pytest.param(3, 96.2, 97.8, marks=pytest.mark.slow)]
)
def test_it_runs_where_there_is_no_network_and_learns(epochs, least, most, tmp_path, without_network):
    make_link(tmp_path / "data", DATA)
    source = PROGRAM.read_text(encoding="utf-8")
    assert "EPOCHS, BATCH_SIZE, LEARNING_RATE, MOMENTUM = 3, 64," in source
    (tmp_path / "program.py").write_text(source.replace("= 3, 64,", f"= {epochs}, 64,"), encoding="utf-8")
    command = [*without_network, sys.executable, "program.py"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert run.returncode == 0, run.stderr
    assert least <= float(re.search(r"accuracy ([\d.]+)%", run.stdout)[1]) <= most
    assert (tmp_path / "artifacts" / "whole_program.pt").stat().st_size > 80_000
