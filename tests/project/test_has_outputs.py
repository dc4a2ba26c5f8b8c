"""The hook before a commit lets notebooks pass that were run from top to bottom, and says what others lack."""

import json

import has_outputs
import pytest

from mnist_helpers._support.paths import NOTEBOOKS


def code(source, count):
    return {"cell_type": "code", "source": source, "execution_count": count, "outputs": []}


def test_the_courses_notebooks_pass():
    assert has_outputs.main([str(path) for path in sorted(NOTEBOOKS.glob("*.ipynb"))]) == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"cells": [code(["1"], 1), code(["2"], None)]}, "cells that were not run"),
        ({"cells": [code(["1"], 2), code(["2"], 1)]}, "not run from top to bottom"),
        ({"cells": [code(["1"], 4), code(["2"], 5)]}, "not run from top to bottom"),
        ([], "is no notebook"),
    ],
)
def test_what_is_wrong_is_said(content, said, tmp_path, capsys):
    path = tmp_path / "notebook.ipynb"
    path.write_text(json.dumps(content))
    assert has_outputs.main([str(path)]) == 1
    assert said in capsys.readouterr().out


def test_empty_cells_and_prose_do_not_count(tmp_path):
    path = tmp_path / "notebook.ipynb"
    path.write_text(json.dumps({"cells": [{"cell_type": "markdown", "source": ["x"]}, code([], None), code(["1"], 1)]}))
    assert has_outputs.finding(path) is None
