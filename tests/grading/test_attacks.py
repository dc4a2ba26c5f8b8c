"""No attack in attacks.py gets a point, does harm, or keeps the answers after it from being graded."""

import sys
from hashlib import sha256

import pytest

from mnist_helpers._support.paths import COURSE, PACKAGE
from mnist_helpers.exercises.judging import CORRECT
from tests.grading.attacks import ATTACKS

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(sys.platform not in ("linux", "darwin"), reason="grading needs fork"),
]
SECRET = "hunter2"
RIGHT = "import torch\ndef one_hot(labels): return torch.eye(10)[labels]"


def fingerprint(folder):
    return {path: sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def trial(tmp_path_factory):
    """The verdict of each attack, with right answers between them, and what the folder of submissions holds after."""
    from grading import referee

    folder = tmp_path_factory.mktemp("submissions")
    (folder / "others.ipynb").write_text("{}")
    before = fingerprint(PACKAGE / "exercises")
    answers = []
    for number, (name, source) in enumerate(ATTACKS.items()):
        source = source.replace("COURSE", str(COURSE)).replace("SUBMISSIONS", str(folder))
        answers.append(referee.Answer(name, "01", "one_hot", {"one_hot": source}))
        if number % 10 == 0:
            answers.append(referee.Answer(f"right {number}", "01", "one_hot", {"one_hot": RIGHT}))
    monkey = pytest.MonkeyPatch()
    monkey.setattr(referee, "SLOWER", 0.6)
    monkey.setattr(referee, "GRACE", 20)
    monkey.setenv("INSTRUCTOR_TOKEN", SECRET)
    with monkey.context(), referee.Court(["01"]) as court:
        verdicts = {answer.student: (state, reason) for answer, state, reason in court.judge_all(answers, 2)}
    monkey.undo()
    return verdicts, [path.name for path in folder.iterdir()], before == fingerprint(PACKAGE / "exercises")


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_gets_no_point_and_a_reason(trial, name):
    state, reason = trial[0][name]
    assert state != CORRECT and reason and SECRET not in reason


def test_right_answers_between_them_are_right(trial):
    right = {name: found for name, found in trial[0].items() if name.startswith("right")}
    assert right and all(found == (CORRECT, "") for found in right.values()), right


def test_no_file_was_changed(trial):
    _, submissions, untouched = trial
    assert submissions == ["others.ipynb"] and untouched


def test_there_are_enough_attacks():
    assert len(ATTACKS) >= 30
