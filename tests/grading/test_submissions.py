"""Notebooks of every kind are read without running them, and only imports and definitions are taken."""

import pytest
from grading import submissions
from grading.submissions import definitions_in, found_in

from tests.support.links import make_link
from tests.support.submitted import RIGHT, notebook, put


@pytest.mark.parametrize(
    "source, kept",
    [
        ("import torch\nprint(1)\ndef f():\n    return 1\nf()", "import torch\n\ndef f():\n    return 1"),
        ("import os; os._exit(0)", None),
        ("for e in exercises: e.run_checker = lambda ask: None", ""),
        ("x = 3\ny = x\nz = open('a')\nt = [1, 'a']", "x = 3\n\n\nt = [1, 'a']"),
        ("exercises.one_hot.state = '✓ correct'", ""),
        ("@decorated\ndef f(): return 1", "@decorated\ndef f(): return 1"),
        ("if True:\n    def f(): return 1", ""),
        ("print(1)  # a\x0cb\u2028c\nx = 3", "\nx = 3"),
    ],
)
def test_only_imports_definitions_and_constants_are_taken(source, kept):
    if kept is None:
        assert "_exit" in definitions_in(source)  # one line: it runs in the sandbox with the import, and nowhere else
    else:
        assert definitions_in(source) == kept


def test_students_and_chapters_are_found(tmp_path):
    put(tmp_path, "ada/work/01_data.ipynb", notebook(RIGHT))
    put(tmp_path, "grace_02_network.ipynb", notebook(("exercise-convolve", "def convolve(image, kernel): ...")))
    checked = f"{RIGHT[1]}\n\n\nexercises.count_class.check(count_class)"
    put(tmp_path, "without_ids.ipynb", notebook(("a1", checked)))
    put(tmp_path, "ada/.ipynb_checkpoints/01_data.ipynb", notebook(RIGHT))
    found = {one.student: one for one in found_in(tmp_path)}
    assert {name: one.chapter for name, one in found.items()} == {"ada": "01", "grace": "02", "without_ids": "01"}
    assert found["ada"].cells == found["without_ids"].cells
    assert list(found["ada"].cells) == ["count_class"] and "check" not in found["ada"].cells["count_class"]


@pytest.mark.parametrize(
    "content, part",
    [
        ("", "cannot be read"),
        ("{", "cannot be read"),
        (b"\xff\xfe\x00", "cannot be read"),
        ("[" * 100_000, "cannot be read"),
        ("[]", "it is no notebook"),
        ('{"cells": 3}', "it is no notebook"),
        ('{"cells": [3, {"cell_type": "code"}, {"cell_type": "code", "source": {}}]}', "none of the course's"),
        (notebook(("a", "print(1)")), "none of the course's"),
    ],
)
def test_what_is_no_notebook_of_the_course_gets_a_reason(tmp_path, content, part):
    put(tmp_path, "ada/01_data.ipynb", content)
    [one] = found_in(tmp_path)
    assert part in one.problem


def test_a_link_is_not_followed(tmp_path):
    secret = put(tmp_path, "elsewhere/01_data.ipynb", notebook(RIGHT))
    (tmp_path / "all" / "ada").mkdir(parents=True)
    make_link(tmp_path / "all" / "ada" / "01_data.ipynb", secret)
    [one] = found_in(tmp_path / "all")
    assert "it is a link" in one.problem and not one.cells


def test_a_cell_that_is_no_python_is_told(tmp_path):
    put(tmp_path, "ada/01_data.ipynb", notebook(("exercise-one_hot", "def one_hot(labels:\n  return"), RIGHT))
    [one] = found_in(tmp_path)
    assert list(one.cells) == ["count_class"] and "no valid Python" in one.broken["one_hot"]


def test_an_empty_folder_is_told(tmp_path):
    (tmp_path / "ada").mkdir()
    [one] = found_in(tmp_path)
    assert one.student == "ada" and "no notebook" in one.problem


def test_the_course_s_own_imports_have_no_exercises():
    lines = submissions.course_imports("01")
    assert "import torch" in lines and not any("exercises" in line for line in lines if line.startswith("from"))
