"""A check in a copy of the process, or with settings put back: nothing a student's function does outlasts it."""

import builtins
import ctypes
import functools
import os
import random
import signal
import statistics
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from mnist_helpers.exercises import comparing, isolation, judging
from mnist_helpers.exercises.judging import CORRECT, NOT_YET, verdict

forked = pytest.mark.skipif(not isolation.can_fork(), reason="a check runs in the notebook's own process here")


def check(answer, seconds=20.0):
    return verdict(lambda ask: comparing.same(ask(3), 6), answer, seconds)


def deaf(number):
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    while True:
        time.sleep(0.01)


def flood(number):
    for _ in range(1000):
        print("x" * 1_000_000)
    return 6


def memory_hog(number):
    return bytearray(10**11)


def without_stdout(number):
    sys.stdout = None
    os.close(1)
    return 6


def a_process_of_its_own(number):
    if not os.fork():
        time.sleep(60)
    return 6


def with_many_threads(number):
    torch.set_num_threads(8)
    images = torch.randn(64, 1, 28, 28)
    weight = torch.randn(10, 1, 5, 5, requires_grad=True)
    torch.nn.functional.conv2d(images, weight).sum().backward()
    return 6


@forked
@pytest.mark.parametrize(
    "answer, state, part",
    [
        (lambda number: 2 * number, CORRECT, ""),
        (lambda number: number, NOT_YET, "6 was expected"),
        (lambda number: os._exit(0), NOT_YET, "ended Python, as os._exit does"),
        (lambda number: os.kill(os.getpid(), signal.SIGKILL), NOT_YET, "crashed Python with SIGKILL"),
        (lambda number: ctypes.string_at(0), NOT_YET, "crashed Python with SIGSEGV"),
        (lambda number: exit(), NOT_YET, "SystemExit"),
        (lambda number: quit(), NOT_YET, "SystemExit"),
        (lambda number: input(), NOT_YET, "no input during a check"),
        (memory_hog, NOT_YET, "MemoryError"),
        (without_stdout, CORRECT, ""),
        (a_process_of_its_own, CORRECT, ""),
        (with_many_threads, CORRECT, ""),
    ],
)
def test_the_process_survives_and_says_what_happened(answer, state, part):
    found, reason = check(answer)
    assert found == state and part in reason, reason


@forked
def test_a_function_that_ignores_the_alarm_is_ended(monkeypatch):
    monkeypatch.setattr(isolation, "GRACE", 0.1)
    assert "run the cell once more" in check(deaf, seconds=0.2)[1]


@forked
def test_torch_works_in_the_copy_after_it_used_several_threads_here():
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with_many_threads(3)
        state, reason = check(with_many_threads)
        assert state == CORRECT, reason
    finally:
        torch.set_num_threads(threads)


@forked
def test_where_torch_has_no_gradients_in_a_copy_the_check_runs_here():
    own = os.getpid()

    def answer(number):
        if os.getpid() != own:
            raise RuntimeError("Unable to handle autograd's threading. See pytorch/wiki/Autograd-and-Fork")
        return 6

    assert check(answer) == (CORRECT, "")


BEFORE_AN_EXPORT = """
import os, torch
from mnist_helpers.exercises import judging
judging.finish_lazy_imports()
torch.export.export(torch.nn.Linear(2, 2), (torch.ones(1, 2),))
torch.zeros(1, requires_grad=True).backward()
copy = os.fork()
if not copy:
    torch.zeros(1, requires_grad=True).backward()
    os._exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(copy, 0)[1]))
"""


@forked
@pytest.mark.integration
def test_a_copy_has_gradients_where_the_first_came_before_an_export():
    done = subprocess.run([sys.executable, "-c", BEFORE_AN_EXPORT], capture_output=True, text=True)
    assert done.stdout == "7\n", done.stderr


@forked
def test_a_copy_that_cannot_send_its_verdict_ends(monkeypatch):
    monkeypatch.setattr(isolation.json, "dumps", lambda message: 1 / 0)
    assert "ended Python" in check(lambda number: 6)[1]


@forked
def test_an_interrupt_in_the_copy_stops_the_cell():
    def interrupted(number):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check(interrupted)


@pytest.fixture(params=[pytest.param(True, marks=forked), False], ids=["forked", "here"])
def either(request, monkeypatch):
    monkeypatch.setattr(isolation, "can_fork", lambda: request.param)


def test_printed_text_is_shown_and_cut(either, capsys):
    assert check(flood)[0] == CORRECT
    shown = capsys.readouterr().out
    assert isolation.MAX_PRINTED < len(shown) < isolation.MAX_PRINTED + 100 and "the rest is not shown" in shown


def vandal(number):
    torch.set_grad_enabled(False)
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(7)
    np.random.seed(7)
    random.seed(7)
    torch.relu = torch.nn.functional.relu = torch.own_name = lambda x: x
    builtins.len = lambda x: 3
    sys.stdout = sys.stderr = None
    return 2 * number


def settings():
    streams = sys.stdin, sys.stdout, sys.stderr
    numbers = torch.get_rng_state().tolist(), random.getstate(), np.random.get_state()[1].tolist()
    names = len, input, torch.relu, torch.nn.functional.relu, hasattr(torch, "own_name")
    return torch.is_grad_enabled(), torch.get_default_dtype(), torch.get_num_threads(), streams, numbers, names


def test_settings_and_replaced_functions_are_put_back(either):
    before = settings()
    assert check(vandal)[0] == CORRECT
    assert settings() == before


def test_a_message_of_any_length_is_cut(either):
    def talkative(number):
        raise ValueError("x" * 10**7)

    reason = check(talkative)[1]
    assert reason.startswith("your function stopped with ValueError: xxx") and len(reason) <= judging.MAX_REASON + 10


def test_an_error_in_python_s_own_library_is_told_with_the_line_of_the_answer(either):
    reason = check(lambda number: statistics.mean([]))[1]
    assert "in line" in reason and "statistics.mean([])" in reason


def test_data_are_loaded_before_the_clock_starts_and_stay_loaded(either):
    times = []

    @functools.cache
    def digits(count=3):
        times.append(count)
        return count

    names = {"comparing": comparing, "digits": digits}
    exec("def checker(ask):\n    comparing.same(ask(digits()), 6)", names)
    for _ in range(3):
        assert verdict(names["checker"], lambda number: 2 * number)[0] == CORRECT
    assert times == [3]
