"""The notebooks in a fresh copy, in reverse order, twice at once, on a busy machine, and with a stopped cell."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import nbformat
import pytest
import torch
from nbclient import NotebookClient
from torch import nn

from tests.notebooks.notebook_checks import FOLDER
from tests.support.course_copy import compare, fresh_copy

NAMES = sorted(path.name for path in FOLDER.glob("*.ipynb"))
WRITERS = ["02_network.ipynb", "04_training.ipynb", "09_deployment.ipynb"]  # of files that a notebook uses later


@contextlib.contextmanager
def busy(number):
    """Keep the machine busy with so many processes."""
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(number)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


@pytest.mark.slow
def test_all_in_reverse_order_in_one_fresh_copy_while_two_processes_load_the_machine(tmp_path):
    course = fresh_copy(tmp_path)
    with busy(2):
        assert not compare(course, *reversed(NAMES))
    assert (course / "artifacts" / "report_net.pt").exists(), "the notebooks ran another copy's helpers"


@pytest.mark.slow
def test_each_alone_in_a_fresh_copy(tmp_path):
    courses = [fresh_copy(tmp_path / name) for name in NAMES]
    with ThreadPoolExecutor(2) as two:
        wrong = dict(zip(NAMES, two.map(compare, courses, NAMES)))
    assert not any(wrong.values()), wrong


@pytest.mark.slow
@pytest.mark.parametrize("name", ["04_training.ipynb", "09_deployment.ipynb"])
def test_two_of_one_at_once_in_one_fresh_copy(name, tmp_path):
    course = fresh_copy(tmp_path)
    with ThreadPoolExecutor(2) as two:
        wrong = list(two.map(compare, [course] * 2, [name] * 2))
    assert wrong == ["", ""]


def torn(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def of_an_older_version(path):
    """What another version of the course might have written under this name: weights alone, of another network."""
    torch.save(nn.Linear(784, 10).state_dict(), path)


def read_only(path):
    torn(path)
    path.chmod(0o444)


@pytest.fixture(scope="module")
def used_course(tmp_path_factory):
    """A copy in which the notebooks that write files have been run."""
    course = fresh_copy(tmp_path_factory.mktemp("used"))
    assert not compare(course, *WRITERS)
    return course


@pytest.mark.slow
@pytest.mark.parametrize("damage", [torn, of_an_older_version, read_only])
def test_all_that_use_files_run_whatever_lies_in_their_place(damage, used_course):
    paths = [path for path in (used_course / "artifacts").iterdir() if path.is_file()]
    assert {"untrained_net.onnx", "report_net.pt", "report_digits.onnx"} <= {path.name for path in paths}
    for path in paths:
        damage(path)
    assert not compare(used_course, "05_predictions.ipynb", *WRITERS)


def stop_at(client, cell, fraction):
    """Press stop when the cell's progress bar has come so far."""
    if os.name == "nt":
        pytest.skip("Windows sends Ctrl+C to all processes of a console.")
    while not any(float(value) >= fraction for value in re.findall(r'progress value="([\d.]+)"', str(cell.outputs))):
        time.sleep(0.05)
    os.kill(client.km.provisioner.pid, signal.SIGINT)


def outputs_when_stopped(course, name, cell_id, fraction, monkeypatch):
    """Run a notebook whose cell is stopped on the way, but not the exercises; returns the outputs by cell."""
    monkeypatch.setenv("PYTHONPATH", str(course))
    monkeypatch.setenv("MNIST_COURSE_ARTIFACTS", str(course / "artifacts"))
    notebook = nbformat.read(course / "notebooks" / name, 4)
    client = NotebookClient(notebook, allow_errors=True, resources={"metadata": {"path": course / "notebooks"}})
    found = {}
    with client.setup_kernel():
        for number, cell in enumerate(notebook.cells):
            if cell.id == "exercises-import":
                break
            if cell.id == cell_id:
                cell.outputs = []
                threading.Thread(target=stop_at, args=(client, cell, fraction), daemon=True).start()
            client.execute_cell(cell, number)
            found[cell.id] = cell.get("outputs", [])
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, cell_id, fraction, later, epochs",
    [
        ("04_training.ipynb", "run", 0.1, ["resume", "resume-compare"], 0),  # these need the state after two epochs
        ("04_training.ipynb", "run", 0.7, [], 2),
        ("07_improving.ipynb", "live", 0.3, [], None),
    ],
)
def test_after_a_stopped_training_cell_the_next_ones_work(
    name, cell_id, fraction, later, epochs, tmp_path, monkeypatch
):
    outputs = outputs_when_stopped(fresh_copy(tmp_path), name, cell_id, fraction, monkeypatch)
    errors = {id: output.traceback for id, all in outputs.items() for output in all if output.output_type == "error"}
    sentence = errors.pop(cell_id)
    assert len(sentence) == 1 and re.match(r"CourseError: stopped at \d+% of the training; run the cell", sentence[0])
    assert list(errors) == later
    assert not later or len(errors["resume"]) == 1 and "is not there" in errors["resume"][0]
    if epochs is not None:
        assert any("image/png" in output.get("data", {}) for output in outputs["curve"])
        history = torch.load(tmp_path / "artifacts" / "report_net.pt", weights_only=True)["history"]
        assert [history["epochs"], len(history["test_losses"])] == [
            epochs,
            epochs + 1,
        ]  # so chapter 05 does not take it
        assert 94 * epochs <= len(history["train_losses"]) < 94 * (epochs + 1)  # the epoch that was stopped
