"""What CI installs has the pinned versions and a digest for each file; Dependabot knows each list of packages."""

import re
import tomllib

import pytest
import yaml
from packaging.utils import canonicalize_name

from mnist_helpers._support.paths import COURSE as ROOT
from tests.support import pins

ENTRY = re.compile(r"^([\w.-]+)==(\S+)(?: ; .*)? \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.MULTILINE)


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def lock_findings(lock, constraints, pyproject):
    """List what a lock lacks: a digest, a package, or the pinned version of one."""
    locked = {canonicalize_name(name): version for name, version, _ in ENTRY.findall(lock)}
    findings = [f"{line} has no digest" for line in re.findall(r"^[\w.-]+==.*(?<!\\)$", lock, re.MULTILINE)]
    for name, pin in pins.pinned(constraints).items():
        if locked.get(canonicalize_name(name)) != pin:
            findings.append(f"{name} is pinned to {pin} and locked to {locked.get(canonicalize_name(name))}")
    project = tomllib.loads(pyproject)["project"]
    for line in sum(project["optional-dependencies"].values(), project["dependencies"]):
        name = canonicalize_name(re.match(r"[\w.-]+", line)[0])
        if name not in locked:
            findings.append(f"{name} is not locked")
    return findings


def test_the_lock_has_every_pinned_package_with_its_digests():
    lock = read("requirements-lock.txt")
    assert len(ENTRY.findall(lock)) == len(re.findall(r"^[\w.-]+==", lock, re.MULTILINE)) > 150
    assert lock_findings(lock, read("constraints.txt"), read("pyproject.toml")) == []


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        ("torch==2.14.1 \\\n", "torch==2.14.0 \\\n", "torch is pinned to 2.14.1 and locked to 2.14.0"),
        ("\ntabulate==", "\nother==", "tabulate is not locked"),
        ("zipp==4.1.2 \\\n", "zipp==4.1.2\n", "zipp==4.1.2 has no digest"),
    ],
)
def test_a_lock_that_is_behind_is_noticed(old, new, finding):
    lock = read("requirements-lock.txt")
    assert old in lock
    assert finding in lock_findings(lock.replace(old, new), read("constraints.txt"), read("pyproject.toml"))


def test_dependabot_looks_after_each_list_of_packages():
    updates = yaml.safe_load(read(".github/dependabot.yml"))["updates"]
    places = {(each["package-ecosystem"], each["directory"]) for each in updates}
    assert places == {("pip", "/"), ("npm", "/docs"), ("github-actions", "/")}
    assert (ROOT / "docs" / "package-lock.json").exists()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("pytest==1.0", "pytest "),
        (f"pytest=={pins.pinned(pins.constraints())['pytest']}  # MIT", ""),
        ("a-package-that-is-not-installed==1.0", ""),
    ],
)
def test_other_versions_than_the_pinned_ones_are_told_in_one_sentence(line, said):
    warning = pins.warning(f"# a comment\n{line}\n")
    assert bool(warning) == bool(said)
    if said:
        assert warning.count("\n") == 0 and "(not 1.0)" in warning and "--nbval-lax" in warning


def test_the_flag_of_the_sentence_is_one_of_make_test():
    recipe = re.search(r"^test:.*\n((?:\t.*\n)+)", read("Makefile"), re.MULTILINE)[1]
    assert "$(NBVAL)" in recipe and re.search(r"^NBVAL \?= --nbval$", read("Makefile"), re.MULTILINE)
