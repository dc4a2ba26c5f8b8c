"""What a kernel of Google Colab lacks is installed, and nothing else; a stand-in for pip notes what it is told."""

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from mnist_helpers._support import colab
from mnist_helpers._support.paths import COURSE, NOTEBOOKS
from tests.support.refusal import refused

PROJECT = """[project]
name = "course"
dependencies = ["torch>=99", "ipython>=99", "course-viewer>=9.0", "course_pad[all]>=0.9,<2", "jupyterlab>=4.4"]
"""


@pytest.fixture
def pip(monkeypatch):
    """A stand-in for pip; `answer` is what it ends with."""
    heard = SimpleNamespace(packages=[], constraints=[], answer=subprocess.CompletedProcess([], 0, "", ""))

    def run(command, **options):
        assert command[:4] == [sys.executable, "-m", "pip", "install"]
        place = command.index("--constraint") + 1
        heard.packages, heard.constraints = command[place + 1 :], Path(command[place]).read_text().split()
        return heard.answer

    monkeypatch.setattr(colab.subprocess, "run", run)
    return heard


@pytest.fixture
def project(tmp_path):
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    return tmp_path / "pyproject.toml"


def test_what_is_lacking_is_installed_and_what_is_there_keeps_its_version_even_an_old_one(project, pip, monkeypatch):
    there = {"torch": "2.11.0+cu128", "ipython": "7.34.0"}
    monkeypatch.setattr(colab, "installed", lambda name: there.get(name, ""))
    colab.install(project)
    assert pip.packages == ["course-viewer>=9.0", "course_pad[all]>=0.9,<2"]
    assert pip.constraints == ["torch==2.11.0+cu128", "ipython==7.34.0"]


def test_where_all_is_there_pip_is_not_asked(pip):
    colab.install(COURSE / "pyproject.toml")
    assert pip.packages == []


def test_a_package_that_cannot_be_installed_gets_one_sentence(project, pip):
    pip.answer = subprocess.CompletedProcess([], 1, "", "Looking\nERROR: No matching distribution.\n")
    with refused("could not install", "course-viewer>=9.0", "No matching distribution", "run this cell again"):
        colab.install(project)


def test_prepare_lets_the_kernel_and_its_processes_find_the_course(pip, monkeypatch, tmp_path):
    asked = []
    output = ModuleType("google.colab.output")
    output.enable_custom_widget_manager = lambda: asked.append("widgets")
    monkeypatch.setitem(sys.modules, "google.colab", SimpleNamespace(output=output))
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    monkeypatch.chdir(tmp_path)
    assert colab.is_running()
    colab.prepare()
    assert Path.cwd() == NOTEBOOKS and asked == ["widgets"]
    assert os.environ["PYTHONPATH"] == f"{COURSE}{os.pathsep}elsewhere"


def test_this_is_no_kernel_of_colab():
    assert not colab.is_running()
