"""No command and no notebook looks up a name, connects to another machine, or leaves files in the home folder.

Each one runs under strace in a network namespace of its own, with an empty HOME: attempts count, not only successes.
"""

import os
import shutil
import subprocess
import sys

import pytest

from mnist_helpers._support.paths import COURSE, NOTEBOOKS
from tests.support.attempts import CI_SERVICES, CUT_OFF, watch

# What may be left in HOME, and why
ALLOWED = {
    ".ipython/": "IPython's profile and history; the Makefile moves it into .venv",
    ".cache/matplotlib/": "the list of fonts; the Makefile moves it into .venv",
    ".config/matplotlib/": "the same, in the place of another version",
    ".local/share/jupyter/": "runtime files and keys of JupyterLab and its kernels",
    ".npm/_logs/": "jupyter-lsp asks npm for the place of language servers",
    ".jupyter/": "settings of JupyterLab, such as the open tabs",
}
PYTHON = [sys.executable]
SMALL_TRAIN = COURSE / "tests" / "support" / "small_train.py"
DIGIT = NOTEBOOKS / "images" / "drawn_digit.png"
SECONDS = 12  # after which ONNX Runtime has sent its telemetry, where it is not switched off
READER = f"""
import time
from mnist_helpers.predict import Reader
reader = Reader()
time.sleep({SECONDS})
"""
NETRON = f"""
import urllib.request
from mnist_helpers.widgets import netron_page
url = netron_page.serve({str(COURSE / "models" / "report_net.onnx")!r})
assert len(urllib.request.urlopen(url).read()) > 1000
"""
EXERCISES = """
from mnist_helpers.exercises.chapter_04 import exercises, mean_accuracy
print(exercises.mean_accuracy.check(lambda correct, sizes: sum(correct) / sum(sizes)))
"""
NOTEBOOK = """
import sys, nbformat, run_notebooks
from pathlib import Path
path = Path(sys.argv[1])
run_notebooks.execute(nbformat.read(path, as_version=4), path)
"""
JUPYTERLAB = """
import json, subprocess, sys, time, urllib.request
port = "18888"
command = [sys.executable, "-m", "jupyterlab", "--allow-root", "--ip=127.0.0.1", "--no-browser", "--port", port]
server = subprocess.Popen([*command, "--IdentityProvider.token=t", "--ServerApp.root_dir=notebooks"])
try:
    for attempt in range(60):
        time.sleep(1)
        try:
            page = urllib.request.urlopen(f"http://127.0.0.1:{port}/lab?token=t").read().decode()
            break
        except OSError:
            continue
    assert "JupyterLab" in page
    for page in ("settings", "extensions", "extensions?refresh=1&query=", "news", "update"):  # as its panels ask
        mark = "&" if "?" in page else "?"
        urllib.request.urlopen(f"http://127.0.0.1:{port}/lab/api/{page}{mark}token=t").read()
    time.sleep(5)
finally:
    server.terminate()
    server.wait()
"""


@pytest.fixture
def watched(tmp_path):
    """Return a function that runs a command under watch; skip, or fail in CI, if this system cannot do that."""
    probe = [*CUT_OFF, "sh", "-c", f"mount --bind /etc/hosts /etc/hosts && strace -f -Y -o {os.devnull} true"]
    if not all(map(shutil.which, ["unshare", "strace"])) or subprocess.run(probe, capture_output=True).returncode:
        reason = "strace, or a network namespace for an ordinary user, is missing: attempts cannot be seen."
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)

    return lambda *command: watch([str(word).replace("FOLDER", str(tmp_path)) for word in command], tmp_path)


def unexpected(files):
    return [file for file in files if not file.startswith(tuple(ALLOWED))]


def assert_quiet(run):
    assert run.returncode == 0, run.output[-3000:]
    assert run.attempts == []
    assert unexpected(run.files) == []


@pytest.mark.parametrize(
    "code, expected",
    [
        ("import socket; socket.socket().connect_ex(('203.0.113.1', 443))", "203.0.113.1, port 443"),
        ("import socket\ntry: socket.getaddrinfo('example.org', 80)\nexcept OSError: pass", "port 53"),
        ("import socket; socket.socket(type=socket.SOCK_DGRAM).connect_ex(('203.0.113.2', 9))", "203.0.113.2, port 9"),
    ],
)
def test_an_attempt_is_seen_although_it_fails(code, expected, watched):
    run = watched(*PYTHON, "-c", code)
    assert run.returncode == 0, run.output
    assert run.attempts and all(attempt.endswith(expected) for attempt in run.attempts)


def test_a_file_that_is_left_at_home_is_seen(watched):
    code = "import pathlib; (pathlib.Path.home() / '.cache').mkdir(); (pathlib.Path.home() / '.cache/id').touch()"
    assert unexpected(watched(*PYTHON, "-c", code).files) == [".cache/id"]


@pytest.mark.slow  # waits; tests/security/test_telemetry.py guards the switch every day
def test_telemetry_that_is_not_switched_off_is_seen(watched, monkeypatch):
    for name in CI_SERVICES:
        monkeypatch.setenv(name, "true")
    code = "import onnxruntime, time; s = onnxruntime.InferenceSession('models/digits.onnx'); "
    run = watched(*PYTHON, "-c", f"{code}time.sleep({SECONDS})")
    assert run.attempts and any("onnxruntime" in file for file in unexpected(run.files))


COMMANDS = {
    "predict": [*PYTHON, "-m", "mnist_helpers.predict", DIGIT],
    "a network that stays loaded": [*PYTHON, "-c", READER],
    "train": [*PYTHON, SMALL_TRAIN, "--recipe", "fast", "--output", "FOLDER/run"],
    "doctor": [*PYTHON, "-m", "mnist_helpers.doctor", "--json"],
    "Netron's page": [*PYTHON, "-c", NETRON],
    "an exercise": [*PYTHON, "-c", EXERCISES],
    "JupyterLab": [*PYTHON, "-c", JUPYTERLAB],
    "the handout": [*PYTHON, "-c", "import copies; from pathlib import Path; copies.handout(Path('FOLDER/handout'))"],
    "the model card": [*PYTHON, "-c", "import model_card; model_card.render()"],
    "the site": [*PYTHON, "tools/build_site.py", "--output", "FOLDER/site"],
}


EVERY_DAY = ["predict", "train", "Netron's page"]  # the others take long, or wait for what comes late


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name not in EVERY_DAY)) for name in COMMANDS]
)
def test_a_command_reaches_no_other_machine(name, watched):
    assert_quiet(watched(*COMMANDS[name]))


@pytest.mark.slow
def test_two_processes_reach_no_other_machine(watched):
    """torchrun looks up "localhost" and the machine's own name; the file of hosts answers, as on other systems."""
    torchrun = [*PYTHON, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    assert_quiet(watched(*torchrun, SMALL_TRAIN, "--recipe", "fast", "--output", "FOLDER/two"))


IMPORTS = ["IPython", "anywidget", "hypothesis", "matplotlib.pyplot", "nbval", "netron", "onnxscript", "pandas"]
IMPORTS += ["playwright.sync_api", "pytest", "sklearn", "sphinx", "torch", "torchvision"]


def test_imports_reach_no_other_machine(watched):
    assert_quiet(watched(*PYTHON, "-c", f"import {', '.join(IMPORTS)}, time; time.sleep(5)"))


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_reaches_no_other_machine(path, watched):
    assert_quiet(watched(*PYTHON, "-c", NOTEBOOK, path))
