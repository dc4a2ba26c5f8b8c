"""The check in a notebook's kernel, after torch used several threads: the kernel and its names survive all."""

import nbformat
import pytest
from nbclient import NotebookClient

from mnist_helpers.exercises import isolation

FIRST = """
import ctypes, os, sys, torch
from mnist_helpers.exercises.chapter_01 import exercises
torch.set_num_threads(2)
weight = torch.randn(32, 1, 5, 5, requires_grad=True)
for _ in range(3):
    torch.nn.functional.conv2d(torch.randn(64, 1, 28, 28), weight).square().sum().backward()
"""
CHECKS = {
    "os._exit(0)": "ended Python",
    "os.kill(os.getpid(), 9)": "crashed Python with SIGKILL",
    "ctypes.string_at(0)": "crashed Python with SIGSEGV",
    "exit()": "SystemExit",
    "quit()": "SystemExit",
    "input()": "no input during a check",
    "print('seen by the student') or 3": "was expected",
    "sys.stdout.close() or 3": "was expected",
    "display('shown') or 3": "was expected",
    "(torch.randn(64, 1, 28, 28).unfold(2, 5, 1).sum() * weight.sum()).backward() or 3": "was expected",
}


@pytest.mark.integration
@pytest.mark.skipif(not isolation.can_fork(), reason="a check runs in the notebook's own process here")
def test_the_kernel_survives_what_a_function_does(tmp_path):
    cells = [
        FIRST,
        *(f"exercises.count_class.check(lambda *_: {code})" for code in CHECKS),
        "print('alive', weight.shape)",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    for cell, part in zip(notebook.cells[1:], CHECKS.values()):
        assert part in str(cell.outputs), cell
    assert "seen by the student" in str(notebook.cells[7].outputs)
    assert "alive torch.Size([32, 1, 5, 5])" in str(notebook.cells[-1].outputs)
