"""The whole command: notebooks in, a table, pages and a list of copies out; bad input gets one sentence."""

import csv
import os
import subprocess
import sys
from datetime import datetime

import grade
import pytest
from grading import report
from grading.points import Points
from grading.report import Row

from mnist_helpers import CourseError
from mnist_helpers._support.paths import COURSE
from mnist_helpers.exercises.judging import CORRECT, NOT_YET
from tests.support.submitted import RIGHT, notebook, put

needs_fork = pytest.mark.skipif(sys.platform not in ("linux", "darwin"), reason="grading needs fork")


HOSTILE = ("exercise-one_hot", "import os\n\n\ndef one_hot(labels):\n    '<script>'\n    os._exit(0)")
FORGER = ("forger", "for exercise in exercises: exercise.run_checker = lambda ask: None")


def run(*arguments):
    command = [sys.executable, str(COURSE / "tools" / "grade.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def table(path):
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


@needs_fork
@pytest.mark.integration
def test_a_folder_of_submissions_is_graded_and_stays_as_it_is(tmp_path):
    folder, to = tmp_path / "in", tmp_path / "grades"
    put(folder, "ada/01_data.ipynb", notebook(RIGHT, HOSTILE, FORGER))
    put(folder, "ben/01_data.ipynb", notebook(("exercise-count_class", "def count_class(labels, digit): return ...")))
    put(folder, "cem/01_data.ipynb", "{")
    late = put(folder, "dora/01_data.ipynb", notebook(RIGHT))
    os.utime(late, (2e9, 2e9))
    before = {path: path.read_bytes() for path in folder.rglob("*.ipynb")}
    done = run(folder, "--to", to, "--deadline", "2030-01-01T12:00")
    assert done.returncode == 0, done.stderr
    assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    rows = {(row["student"], row["exercise"]): row for row in table(to / "grades.csv")}
    assert rows["ada", "count_class"]["points"] == "1" and rows["dora", "count_class"]["late"]
    assert rows["ada", "one_hot"]["points"] == "0" and rows["ada", "one_hot"]["look_at"] == "_exit, os"
    assert "ended its process" in rows["ada", "one_hot"]["reason"]
    assert rows["ben", "count_class"]["state"] == "○ not attempted"
    assert rows["ben", "batches"]["reason"] == "there is no answer in the notebook."
    assert "cannot be read" in rows["cem", ""]["reason"]
    assert sorted(path.name for path in (to / "pages").iterdir()) == [
        f"{n}.html" for n in ("ada", "ben", "cem", "dora")
    ]
    page = (to / "pages" / "ada.html").read_text(encoding="utf-8")
    assert "ada: 1 of 15 points" in page and "<script" not in page and "&lt;script&gt;" in page and "Hints" in page


@pytest.mark.parametrize(
    "arguments, part",
    [
        (["missing"], "there is no folder missing"),
        ([".", "--points", "missing.toml"], "the points file missing.toml cannot be used"),
        ([".", "--to", "grades"], "which lies in the folder of the submissions"),
    ],
)
def test_bad_input_gets_one_sentence(arguments, part, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["grade.py", *arguments])
    with pytest.raises(SystemExit, match=part):
        grade.main()
    assert list(tmp_path.iterdir()) == []


def test_points_by_stars_and_by_name(tmp_path):
    path = put(
        tmp_path, "points.toml", "[stars]\n1 = 1\n2 = 3\n3 = 5\n[exercises]\none_hot = 0.5\n[late]\nshare = 0.5\n"
    )
    exercises = grade.submissions.exercises_of("01")
    points = Points(path)
    assert [points.of(exercises.count_class), points.of(exercises.one_hot), points.of(exercises.batches)] == [1, 0.5, 3]
    assert points.late_share == 0.5
    misspelt = "[stars]\n1 = 1\n2 = 2\n3 = 3\n[exercises]\none_hott = 4\n"
    for content in ["", "[stars]\n1 = 1\n", "[stars]\n1 = 'a'\n", "\0", misspelt]:
        with pytest.raises(CourseError, match="points"):
            Points(put(tmp_path, "points.toml", content))


@pytest.mark.parametrize("deadline, kept", [(None, "new.ipynb"), (1e9 + 0.5, "old.ipynb"), (1e9 - 1, "new.ipynb")])
def test_the_newest_of_several_notebooks_that_is_on_time_counts(tmp_path, deadline, kept):
    for number, name in enumerate(["ada/old.ipynb", "ada/new.ipynb"]):
        os.utime(put(tmp_path, name, notebook(RIGHT)), (1e9 + number, 1e9 + number))
    found = grade.submissions.found_in(tmp_path)
    grade.keep_the_newest(found, deadline and datetime.fromtimestamp(deadline))
    assert [one.path.name for one in found if not one.problem] == [kept]
    assert [f"{kept} was graded instead" in one.problem for one in found if one.problem] == [True]


def test_a_table_opened_in_a_spreadsheet_runs_nothing(tmp_path):
    row = Row("=cmd()", "01", "one_hot", 0.0, 1.0, NOT_YET, "@SUM(1)\nnew line")
    report.write_table([row], tmp_path / "grades.csv")
    [found] = table(tmp_path / "grades.csv")
    assert found["student"] == "'=cmd()" and found["reason"] == "'@SUM(1) new line" and found["points"] == "0"


def test_each_student_has_a_page_whatever_the_names_are(tmp_path):
    names = ["ada!", "ada-3", "ada?", "ada"]
    report.write_pages([Row(name, "01", "", 0, 0, NOT_YET, "") for name in names], {}, tmp_path / "pages")
    assert len(list((tmp_path / "pages").iterdir())) == len(names)


def test_what_a_student_wrote_is_text_on_the_page():
    rows = [
        Row("<b>ada</b>", "01", "one_hot", 0.0, 1.0, NOT_YET, "<i>"),
        Row("<b>ada</b>", "01", "", 0, 0, CORRECT, ""),
    ]
    page = report.page("<b>ada</b>", rows, {("<b>ada</b>", "01", "one_hot"): "</pre><script>"})
    assert (
        "<b>" not in page and "<i>" not in page and "<script" not in page and "http" not in page.replace("http-eq", "")
    )
