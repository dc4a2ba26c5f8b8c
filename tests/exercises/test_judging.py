"""A verdict names the line of the student that failed, and a check leaves the student's objects and settings alone."""

import contextlib
import linecache

import pytest
import torch

from mnist_helpers.exercises import chapter_01, judging
from mnist_helpers.exercises.judging import verdict
from mnist_helpers.network import Net

pytestmark = pytest.mark.usefixtures("in_this_process")


def test_the_clock_starts_after_slow_imports(monkeypatch):
    order = []
    monkeypatch.setattr(judging, "finish_lazy_imports", lambda: order.append("imports"))
    monkeypatch.setattr(judging, "time_limit", lambda seconds: order.append("clock") or contextlib.nullcontext())
    verdict(lambda ask: ask(1), lambda number: number)
    assert order == ["imports", "clock"]


def test_a_function_that_switches_gradients_off_does_not_do_so_for_the_rest_of_the_notebook():
    verdict(lambda ask: ask(False), torch.set_grad_enabled)
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("switched_off", [torch.no_grad, torch.inference_mode])
def test_the_first_check_works_where_the_notebook_has_switched_gradients_off(switched_off):
    judging.finish_lazy_imports.cache_clear()
    with switched_off():
        assert verdict(lambda ask: ask(1), lambda number: number) == (judging.CORRECT, "")


def test_the_students_line_is_named():
    source = "def answer(*_):\n    number = 0\n    return 1 // number\n"
    names = {}
    linecache.cache["<cell>"] = (len(source), None, source.splitlines(True), "<cell>")
    exec(compile(source, "<cell>", "exec"), names)
    state, reason = verdict(lambda ask: ask(1), names["answer"])
    assert reason.endswith("in line 3 of its cell: return 1 // number")


def test_braces_in_the_students_line_are_shown():
    line = "return {d: sum(labels[n] == d for n in range(7)) for d in range(10)}[digit]"
    source = f"def count_class(labels, digit):\n    {line}\n"
    names = {}
    linecache.cache["<cell>"] = (len(source), None, source.splitlines(True), "<cell>")
    exec(compile(source, "<cell>", "exec"), names)
    _, reason = verdict(chapter_01.exercises.count_class.run_checker, names["count_class"])
    assert reason.startswith("For the labels [3, 1, 3, 0] and the digit 9, the answer is 0. Your function stopped with")
    assert reason.endswith(f"in line 2 of its cell: {line}")


def test_a_line_of_the_course_is_not_taken_for_the_students():
    state, reason = verdict(lambda ask: ask(1), lambda number: Net()(torch.zeros(2, 28, 28)))
    assert reason.startswith("your function stopped with CourseError")
    assert "check_batch" not in reason and "raise" not in reason


def test_the_students_objects_are_not_changed():
    def checker(ask):
        ask(numbers)

    numbers = [1, 2, 3]
    verdict(checker, lambda given: given.clear() or 1)
    assert numbers == [1, 2, 3]


def test_an_interrupt_by_the_user_is_not_taken_for_a_wrong_answer():
    def interrupted(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        verdict(lambda ask: ask(), interrupted)
