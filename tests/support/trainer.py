"""Run the training command on a few digits, and compare the states of two runs."""

import os
import random
import re
import subprocess
import sys

import numpy as np
import pytest
import torch

from mnist_helpers import data
from mnist_helpers.trainer import cli as train
from mnist_helpers.trainer import output_folder, run_checkpoint
from mnist_helpers.trainer.distributed import process_variables
from mnist_helpers.training import seed_all
from tests.support import small_train


def command(folder, *options, recipe="good", epochs=2, batch_size=100, seed=3):
    given = {"recipe": recipe, "epochs": epochs, "batch-size": batch_size, "seed": seed, "output": folder}
    return [text for name, value in given.items() for text in (f"--{name}", str(value))] + list(options)


def state_of(folder):
    return torch.load(folder / "checkpoint.pt", weights_only=True)


def assert_same(found, expected):
    """Compare everything in two states bit for bit, but for how they were made."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for key in expected.keys() - {"made_with"}:
            assert_same(found[key], expected[key])
    elif isinstance(expected, list | tuple):
        assert len(found) == len(expected)
        for one, other in zip(found, expected):
            assert_same(one, other)
    elif isinstance(expected, torch.Tensor):
        assert torch.equal(found, expected)
    else:
        assert found == expected


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def start_two(folder, *options, restarts=0, **choices):
    """Start the command on two processes; returns torchrun's process."""
    if os.name == "nt":
        pytest.skip("PyTorch for Windows has no libuv, for which torchrun asks.")
    program = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    program.append(f"--max-restarts={restarts}")
    return start([*program, small_train.__file__, *command(folder, *options, **choices)])


def start_two_without_torchrun(folder, *options, **choices):
    """Start the command as two processes; returns both."""
    return start_pair([sys.executable, small_train.__file__, *command(folder, *options, **choices)])


def start_pair(arguments):
    """Start a program as two processes that can meet, with the store that PyTorch for Windows has; returns both."""
    return [start(arguments, USE_LIBUV="0", **own) for own in process_variables(2)]


def start(arguments, **variables):
    """Start a program of the course's with one thread and its outputs caught."""
    environment = os.environ | {"PYTHONPATH": str(data.ROOT.parent), "OMP_NUM_THREADS": "1"} | variables
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(arguments, env=environment, **pipes)


class Killed(BaseException):
    """As a kill: nothing catches it."""


def kill_after(monkeypatch, saves):
    """Stop the command when it has written so many checkpoints; the first one is written before the first step."""
    real, count = run_checkpoint.save_run, []

    def save_run(path, content):
        real(path, content)
        count.append(path)
        if len(count) == saves:
            raise Killed

    monkeypatch.setattr(output_folder, "save_run", save_run)


def scramble():
    seed_all(99)
    torch.rand(5), random.random(), np.random.rand()


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def assert_refused(arguments, folder, capsys, *words):
    before = contents(folder)
    capsys.readouterr()
    try:
        code = train.main(arguments)
    except SystemExit as end:
        code = end.code
    said = capsys.readouterr()
    assert code == 2 and said.out == ""
    assert re.fullmatch(r"[^\n]+\.\n", said.err) and not re.search(r"[.!?] [A-Z]", said.err), said.err
    for word in words:
        assert word in said.err
    assert contents(folder) == before
