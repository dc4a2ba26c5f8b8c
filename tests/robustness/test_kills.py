"""Kills: at 30 random moments of a run, half of them inside a checkpoint's writing, and of one of two processes."""

import io
import multiprocessing
import os
import random
import signal
import time

import pytest
import torch

from mnist_helpers._support import torch_files
from mnist_helpers.trainer import cli as train
from tests.support import small_train
from tests.support.trainer import assert_same, command, start_two, state_of


@pytest.fixture(autouse=True)
def small(monkeypatch):
    small_train.make_small(monkeypatch.setattr)


KILLS, WRITES = 30, 18  # a run writes 16 checkpoints, the network and the result
TWENTY = {"recipe": "best", "epochs": 20}
INSIDE = ["before os.fsync", "before os.replace", "after os.replace", "half written", "between the renames"]


def kill_myself():
    os.kill(os.getpid(), signal.SIGKILL)


def patch_kill(where, calls):
    """Kill this process at the so many-th call of something that writes."""
    killing = killer(calls)
    if where == "half written":
        torch.save = killing(torch.save, half=True)
    elif where == "between the renames":
        os.replace = only_when(lambda new: new.name == "checkpoint_before.pt", os.replace, killing(os.replace, True))
    else:
        when, name = where.split(" os.")
        setattr(os, name, killing(getattr(os, name), after=when == "after"))


def killer(calls):
    """Return a function that wraps others; together, their calls are counted, and one of them kills this process."""
    count = []

    def killing(real, after=False, half=False):
        def function(*arguments):
            count.append(1)
            if half and len(count) == calls:
                content = io.BytesIO()
                real(arguments[0], content)
                arguments[1].write(content.getvalue()[: len(content.getvalue()) // 2])
                arguments[1].flush()
            if not after and len(count) == calls:
                kill_myself()
            result = real(*arguments)
            if after and len(count) == calls:
                kill_myself()
            return result

        return function

    return killing


def only_when(condition, real, other):
    return lambda old, new: other(old, new) if condition(new) else real(old, new)


def start(arguments, where=None, calls=0):
    """Start the command in a process of its own; forked, so that torch is not imported anew."""

    def work():
        if where:
            patch_kill(where, calls)
        os._exit(train.main(arguments))

    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    return process


def killed(folder, chance, duration, where):
    """Kill a run in `folder` at a call or at a random moment; return whether it was killed before its end."""
    arguments = command(folder, recipe="best", epochs=3)
    if where:
        process = start(arguments, where, calls=chance.randint(1, WRITES))
    else:
        process = start(arguments)
        time.sleep(chance.uniform(0, duration))
        process.kill()
    process.join(120)
    return process.exitcode == -signal.SIGKILL


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills are of Unix")
def test_thirty_kills_thirty_resumes_with_the_same_bits(tmp_path):
    begun = time.monotonic()
    process = start(command(tmp_path / "whole", recipe="best", epochs=3))
    process.join(120)
    duration, chance = time.monotonic() - begun, random.Random(1)
    expected, steps = state_of(tmp_path / "whole"), []
    for number in range(KILLS):
        folder = tmp_path / str(number)
        where = INSIDE[number // 2 % len(INSIDE)] if number % 2 else None
        attempt = 0
        while not killed(folder / str(attempt), chance, duration, where):
            attempt += 1  # the run had ended before its moment came
        folder = folder / str(attempt)
        for path in folder.glob("*.pt") if folder.exists() else []:
            torch_files.read_checkpoint(path, {"model"}, remedy="")  # whole: the names never hold a torn file
        newest = max([state_of(path.parent)["step"] for path in folder.glob("checkpoint.pt")], default=None)
        steps.append(newest)
        process = start(command(folder, "--resume", recipe="best", epochs=3))
        process.join(120)
        assert process.exitcode == 0, (number, where)
        assert_same(state_of(folder), expected)
        assert sorted(path.name for path in folder.iterdir()) == sorted(os.listdir(tmp_path / "whole"))
    print(f"{KILLS} of {KILLS} resumed with the same bits; steps in the checkpoint when killed: {steps}")
    assert len(set(steps)) > 5


def wait_for_line(job, words):
    for line in job.stdout:
        if words in line:
            return
    raise AssertionError(job.communicate()[1])


@pytest.fixture(scope="module")
def two_undisturbed(tmp_path_factory):
    """The final state of a run on two processes that nothing disturbed."""
    folder = tmp_path_factory.mktemp("two")
    job = start_two(folder, **TWENTY)
    _, errors = job.communicate(timeout=300)
    assert job.returncode == 0, errors
    return state_of(folder)


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_that_dies_ends_the_job_and_a_restart_goes_on(rank, tmp_path, monkeypatch, two_undisturbed):
    monkeypatch.setenv("PIDS", str(tmp_path))
    job = start_two(tmp_path / "run", **TWENTY)
    wait_for_line(job, "epoch 3 ")
    os.kill(int((tmp_path / str(rank)).read_text()), signal.SIGKILL)
    _, errors = job.communicate(timeout=120)  # instead of hanging
    assert job.returncode not in (0, None)
    assert errors.count("Another process of the run has ended ") == 1 and "--resume" in errors
    assert 15 <= state_of(tmp_path / "run")["step"] < 100

    job = start_two(tmp_path / "run", "--resume", **TWENTY)
    said, errors = job.communicate(timeout=300)
    assert job.returncode == 0, errors
    assert "Continuing after" in said
    assert_same(state_of(tmp_path / "run"), two_undisturbed)


@pytest.mark.slow
def test_torchrun_restarts_a_job_by_itself(tmp_path, monkeypatch, two_undisturbed):
    monkeypatch.setenv("PIDS", str(tmp_path))
    job = start_two(tmp_path / "run", "--resume", restarts=1, **TWENTY)
    wait_for_line(job, "epoch 3 ")
    os.kill(int((tmp_path / "1").read_text()), signal.SIGKILL)
    said, errors = job.communicate(timeout=300)
    assert job.returncode == 0 and "Continuing after" in said, errors
    assert_same(state_of(tmp_path / "run"), two_undisturbed)
