"""Stored outputs are those of the course as it is, whatever the author has set."""

import nbformat
import pytest
import run_notebooks


@pytest.mark.integration
def test_outputs_are_in_english_whatever_the_authors_language_is(tmp_path, monkeypatch):
    monkeypatch.setenv("MNIST_COURSE_LANGUAGE", "de")
    cell = nbformat.v4.new_code_cell("import os; print(os.environ['MNIST_COURSE_LANGUAGE'])")
    notebook = nbformat.v4.new_notebook(cells=[cell])
    run_notebooks.execute(notebook, tmp_path / "one.ipynb")
    assert notebook.cells[0].outputs[0].text == "en\n"
