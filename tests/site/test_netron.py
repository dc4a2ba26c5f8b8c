"""The file that the site's Netron shows in chapter 09 is the one that the chapter's cells write."""

import collections
import os
import subprocess
import sys

import nbformat
import numpy as np
import onnx
import pytest

from mnist_helpers import export
from mnist_helpers._support.paths import COURSE, MODELS

CELLS = ["imports", "weights", "from-pixels", "export", "int8"]  # those that make the file
SHIPPED = MODELS / "report_int8.onnx"


@pytest.fixture(scope="module")
def cells():
    notebook = nbformat.read(COURSE / "notebooks" / "09_deployment.ipynb", as_version=4)
    return {cell.id: cell for cell in notebook.cells}


@pytest.fixture(scope="module")
def made(cells, tmp_path_factory):
    """A folder with what the chapter's cells write."""
    folder = tmp_path_factory.mktemp("artifacts")
    code = "\n".join(cells[name].source for name in CELLS)
    environment = os.environ | {"MNIST_COURSE_ARTIFACTS": str(folder), "MPLBACKEND": "agg"}
    subprocess.run([sys.executable, "-c", code], cwd=COURSE / "notebooks", env=environment, check=True)
    return folder


def numbers(path):
    """Return the weights, scales and zero points of an ONNX file by name."""
    return {found.name: onnx.numpy_helper.to_array(found) for found in onnx.load(path).graph.initializer}


@pytest.mark.integration  # runs the chapter's cells
def test_the_file_is_the_one_that_the_chapter_writes(made):
    fresh = made / SHIPPED.name
    assert export.operators(fresh) == export.operators(SHIPPED)
    expected, shipped = numbers(fresh), numbers(SHIPPED)
    assert list(shipped) == list(expected)
    for name, values in expected.items():
        tolerance = 1 if values.dtype.kind in "iu" else 0  # whole numbers: processors round differently
        found, wanted = shipped[name].astype(float), values.astype(float)
        np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=tolerance, err_msg=name)


@pytest.mark.integration
def test_its_size_is_the_one_that_the_chapter_has_stored(made, cells):
    share = SHIPPED.stat().st_size / (made / "report_digits.onnx").stat().st_size
    assert cells["int8"].outputs[0].text.startswith(f"{share:.0%} of the size\n")


def test_its_name_and_operators_are_those_in_the_chapter(cells):
    assert f'"{SHIPPED.name}"' in cells["int8"].source and cells["netron-live"].source == "netron_page.show(small)"
    kinds = collections.Counter(export.operators(SHIPPED))
    before = [output.data["text/plain"] for output in cells["export"].outputs][0].strip("'").split()
    kept = [kind for kind in before if kind != "Relu"]  # the limits of 8 bits cut off what is negative
    assert kinds == collections.Counter(kept) + collections.Counter(QuantizeLinear=8, DequantizeLinear=16)
