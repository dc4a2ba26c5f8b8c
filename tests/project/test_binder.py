"""Binder installs what environment.yml lists, with one version of Python, and starts the course."""

import os
import subprocess

import pytest
import yaml

from mnist_helpers._support.paths import COURSE as ROOT


def dependencies(text):
    """Return what an environment of conda lists, without Python, and its line for Python."""
    entries = yaml.safe_load(text)["dependencies"]
    pythons = [
        entry for entry in entries if isinstance(entry, str) and entry.startswith("python") and entry[6] in "=<>"
    ]
    return [entry for entry in entries if entry not in pythons], pythons


def findings(environment, binders):
    """List where Binder's environment differs from that for students."""
    (wanted, _), (listed, pythons) = map(dependencies, (environment, binders))
    found = [] if listed == wanted else ["other packages"]
    found += (
        [] if yaml.safe_load(binders)["channels"] == yaml.safe_load(environment)["channels"] else ["other channels"]
    )
    # Binder's program reads a version of Python after = and nothing else
    return found + ([] if pythons in (["python=3.11"], ["python=3.12"], ["python=3.13"]) else ["no version of Python"])


def texts():
    return [(ROOT / name).read_text(encoding="utf-8") for name in ("environment.yml", "binder/environment.yml")]


def test_binder_installs_the_same_packages():
    assert findings(*texts()) == []


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        ("pandas>=2.2", "pandas>=2.0", "other packages"),
        ("  - netron>=9.0\n", "\n", "other packages"),
        ("conda-forge", "defaults", "other channels"),
        ("python=3.12", "python>=3.11", "no version of Python"),
    ],
)
def test_a_difference_is_noticed(old, new, finding):
    environment, binders = texts()
    assert old in binders
    assert finding in findings(environment, binders.replace(old, new, 1))


@pytest.mark.parametrize("name", ["postBuild", "start"])
def test_scripts_are_executable_and_their_syntax_is_right(name):
    script = ROOT / "binder" / name
    mode = subprocess.run(
        ["git", "ls-files", "-s", script], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert mode.startswith("100755")
    subprocess.run(["bash", "-n", script], check=True)


def test_start_runs_what_it_is_given_with_few_threads():
    command = ["bash", ROOT / "binder" / "start", "sh", "-c", 'echo "$OMP_NUM_THREADS $1"', "-", "two words"]
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "2 two words\n"
