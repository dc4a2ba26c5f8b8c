"""Stored outputs are those of the course as it is, whatever the author has set."""

import os
import subprocess
import sys

import nbformat
import pytest
import run_notebooks


@pytest.mark.integration
def test_outputs_are_in_english_whatever_the_authors_language_is(tmp_path):
    cell = nbformat.v4.new_code_cell("import os; print(os.environ['MNIST_COURSE_LANGUAGE'])")
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "one.ipynb")
    # In a process of its own: the browser of other tests leaves an event loop in this one
    command = [sys.executable, run_notebooks.__file__, str(tmp_path / "one.ipynb")]
    subprocess.run(command, check=True, env=os.environ | {"MNIST_COURSE_LANGUAGE": "de"})
    assert nbformat.read(tmp_path / "one.ipynb", as_version=4).cells[0].outputs[0].text == "en\n"
