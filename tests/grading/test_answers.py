"""Solutions and wrong answers get the same verdict from the grader as in a notebook, for every exercise."""

import importlib
import itertools
import sys

import pytest
import torch

from mnist_helpers.exercises import isolation
from mnist_helpers.exercises.judging import CORRECT, verdict
from tests.exercises.mutants import CHAPTERS, mutants

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(sys.platform not in ("linux", "darwin"), reason="grading needs fork"),
]
NUMBERS = {name: name.removeprefix("chapter_") for name in CHAPTERS}
STEP = 9  # every so many mutants


def exercises_of(name):
    return importlib.import_module(f"mnist_helpers.exercises.{name}").exercises


@pytest.fixture(scope="module")
def court():
    from grading import referee

    threads = torch.get_num_threads()
    with referee.Court(list(NUMBERS.values())) as court:
        yield court
    torch.set_num_threads(threads)


@pytest.mark.parametrize("name", CHAPTERS)
def test_every_solution_is_right(court, name):
    from grading.referee import Answer

    answers = [Answer("ada", NUMBERS[name], one.name, {one.name: one.source()}) for one in exercises_of(name)]
    found = {answer.exercise: (state, reason) for answer, state, reason in court.judge_all(answers, 2)}
    assert found == {one.name: (CORRECT, "") for one in exercises_of(name)}


# Their messages hold numbers that depend on random draws
DRAWN = {"shuffled", "mixed_batches", "power", "repaired_epoch", "train_to_90", "train_to_goal", "build_net"}


@pytest.mark.parametrize("name", CHAPTERS)
def test_wrong_answers_get_the_same_reason_as_in_the_notebook(court, name, monkeypatch):
    from grading.referee import Answer

    monkeypatch.setattr(isolation, "can_fork", lambda: False)
    answers, expected = [], {}
    for exercise in exercises_of(name):
        if exercise.seconds > 10:
            continue
        for number, (source, function) in enumerate(itertools.islice(mutants(exercise), 1, None, STEP)):
            student = f"{exercise.name} {number}"
            answers.append(Answer(student, NUMBERS[name], exercise.name, {exercise.name: source}))
            expected[student] = verdict(exercise.run_checker, function, exercise.seconds)
    for answer, state, reason in court.judge_all(answers, 2):
        known_state, known_reason = expected[answer.student]
        assert state == known_state, (answer, reason, known_reason)
        if answer.exercise not in DRAWN:
            assert reason.split(", in line")[0] == known_reason.split(", in line")[0], answer
