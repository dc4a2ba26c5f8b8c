"""Stored results say with which versions, on which processor and when they were made."""

import copy
import platform
from importlib.metadata import version

import nbformat

from mnist_helpers._support import provenance
from mnist_helpers._support.paths import NOTEBOOKS


def test_versions_are_those_that_are_installed():
    made_with = provenance.made_with()
    assert made_with["python"] == platform.python_version() and made_with["processor"]
    assert {name: made_with[name] for name in provenance.PACKAGES} == {n: version(n) for n in provenance.PACKAGES}


def test_the_fingerprint_changes_with_the_outputs_and_with_nothing_else():
    notebook = nbformat.read(NOTEBOOKS / "02_network.ipynb", as_version=4)
    changed = copy.deepcopy(notebook)
    changed.cells[0].source += " Another word."
    assert provenance.fingerprint(changed) == provenance.fingerprint(notebook)
    next(cell for cell in changed.cells if cell.get("outputs")).outputs.clear()
    assert provenance.fingerprint(changed) != provenance.fingerprint(notebook)
