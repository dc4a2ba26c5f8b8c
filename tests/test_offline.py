"""The course where there is no network but the machine's own: a notebook, the exercises, Netron's page.

The site's build has its own test in test_site.py; the fixture that cuts the network is in conftest.py.
"""

import subprocess
import sys

import pytest

from tests.notebook_checks import ROOT

NOTEBOOK = """
import nbformat, run_notebooks
from pathlib import Path
path = Path({root!r}) / "notebooks" / "02_network.ipynb"
run_notebooks.execute(nbformat.read(path, as_version=4), path)
print("notebook done")
"""
EXERCISES = """
from mnist_helpers.exercises.chapter_03 import exercises, mean_accuracy
print(exercises.mean_accuracy.check(lambda correct, sizes: sum(correct) / sum(sizes)))
"""
NETRON = """
import urllib.request
from mnist_helpers.widgets import netron_page
url = netron_page.serve({root!r} + "/models/report_net.onnx")
print(len(urllib.request.urlopen(url).read()) > 1000)
"""
LOOPBACK = """
import fcntl, socket, struct
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
    fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh", b"lo", 1))  # SIOCSIFFLAGS: the interface lo is up
"""
CASES = {"notebook": (NOTEBOOK, "notebook done"), "exercises": (EXERCISES, "correct"), "netron": (NETRON, "True")}


def run(without_network, code):
    """Run Python code with the machine's own address, 127.0.0.1, and no other."""
    start = f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'tools')!r}]\n{LOOPBACK}"
    command = [*without_network, sys.executable, "-c", start + code.format(root=str(ROOT))]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def test_the_network_is_cut(without_network):
    done = run(without_network, "import socket; socket.create_connection(('1.1.1.1', 53), 3)")
    assert "unreachable" in done.stderr


@pytest.mark.parametrize("case", CASES)
def test_it_runs_without_a_network(without_network, case):
    code, expected = CASES[case]
    done = run(without_network, code)
    assert done.returncode == 0, done.stderr[-2000:]
    assert expected in done.stdout
