"""A hint leads to the answer and is none: no piece of code in it, returned as it stands, passes the check."""

import ast
import contextlib
import importlib
import inspect
import io
import warnings

import pytest

from mnist_helpers.exercises.judging import CORRECT, verdict
from tests.exercises.mutants import CHAPTERS

pytestmark = pytest.mark.usefixtures("in_this_process")
LONGEST = 25  # words of a piece of code
CODE = (ast.Call, ast.BinOp, ast.Subscript, ast.Compare, ast.Attribute)


def pieces(hint):
    """Return every run of words in the hint that is a Python expression with an operation."""
    words = hint.replace("`", "").split(" ")
    runs = {
        " ".join(words[start:end]).strip().rstrip(".,:;?!")
        for start in range(len(words))
        for end in range(start + 1, min(len(words), start + LONGEST) + 1)
    }
    return [run for run in sorted(runs) if is_code(run)]


def is_code(text):
    with warnings.catch_warnings(), contextlib.suppress(SyntaxError, ValueError):
        warnings.simplefilter("ignore")
        return any(isinstance(node, CODE) for node in ast.walk(ast.parse(text, mode="eval")))
    return False


def passing(exercise, hint):
    """Return the pieces of the hint that pass the exercise's check."""
    found, arguments = [], ", ".join(inspect.signature(exercise.run_solution).parameters)
    for piece in pieces(hint):
        names = dict(exercise.run_solution.__globals__)
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            exec(f"def answer({arguments}): return {piece}", names)
            if verdict(exercise.run_checker, names["answer"], exercise.seconds)[0] == CORRECT:
                found.append(piece)
    return found


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_no_hint_holds_an_answer(chapter):
    for exercise in importlib.import_module(f"mnist_helpers.exercises.{chapter}").exercises:
        for hint in exercise.hint_texts:
            assert passing(exercise, hint) == [], exercise.name


def test_a_hint_that_hands_over_the_answer_is_found():
    exercise = importlib.import_module("mnist_helpers.exercises.chapter_01").exercises.one_hot
    assert passing(exercise, "Pick rows at once: `torch.eye(10)[labels]`.") == ["torch.eye(10)[labels]"]
