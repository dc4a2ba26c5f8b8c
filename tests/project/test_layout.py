"""The tests mirror the package, and no test file leans on another one."""

import re

import pytest

from mnist_helpers._support.paths import COURSE, PACKAGE
from tests.support.sources import imported_modules

TESTS = COURSE / "tests"
# Modules that are tested under another name, and why
TESTED_ELSEWHERE = {
    "paths": "constants only; every other test uses them",
    "train": "the entry of the command: unit/trainer/test_cli.py starts it",
    "torch_files": "test_checkpoints.py and trainer/test_resume.py",
}


def leans_on_a_test_file(source):
    return any(re.match(r"tests\..*\btest_\w+$", module) for module in imported_modules(source))


@pytest.mark.parametrize(
    "source, found",
    [
        ("from tests.unit.test_data import root", True),
        ("from tests.browser import test_pages", True),
        ("import tests.unit.test_data", True),
        ("from tests.support.refusal import refused", False),
    ],
)
def test_the_import_of_a_test_file_is_found(source, found):
    assert leans_on_a_test_file(source) == found


def test_no_test_file_imports_another():
    paths = [path for path in TESTS.rglob("*.py") if leans_on_a_test_file(path.read_text(encoding="utf-8"))]
    assert paths == []


@pytest.mark.parametrize("room", [".", "_support", "widgets"])
def test_every_module_has_a_test_file_of_its_name(room):
    modules = {path.stem for path in (PACKAGE / room).glob("*.py")} - {"__init__", *TESTED_ELSEWHERE}
    assert modules and not modules - {path.stem.removeprefix("test_") for path in (TESTS / "unit").glob("test_*.py")}
