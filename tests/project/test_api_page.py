"""The page of the helpers lists every module that a learner reads, and shows docstrings as they were meant."""

import importlib.util
import re

import pytest

from mnist_helpers._support.paths import COURSE, PACKAGE

COMMANDS = {"train", "restore"}  # nothing to import: what a command starts with

spec = importlib.util.spec_from_file_location("api_docstrings", COURSE / "docs" / "extensions" / "api_docstrings.py")
api_docstrings = importlib.util.module_from_spec(spec)
spec.loader.exec_module(api_docstrings)


def test_every_module_is_on_the_page_once():
    listed = re.findall(r"automodule:: mnist_helpers\.(\w+)", (COURSE / "docs" / "api.md").read_text(encoding="utf-8"))
    assert sorted(listed) == sorted({path.stem for path in PACKAGE.glob("*.py")} - COMMANDS - {"__init__"})


@pytest.mark.parametrize(
    ("plain", "rest"),
    [
        ("Return `a * b`.", "Return ``a * b``."),
        ("with *args and a name_", r"with \*args and a name\_"),
        ("a `x_` and y_", r"a ``x_`` and y\_"),
        ("Run it:\n\n    make lab  # *\n\nThen", "Run it:\n\n::\n\n    make lab  # *\n\nThen"),
        ("Run it:\n    make lab\nThen", "Run it:\n\n::\n\n    make lab\n\nThen"),
        ("One.\n\nTwo.", "One.\n\nTwo."),
    ],
)
def test_plain_text_becomes_restructured(plain, rest):
    assert "\n".join(api_docstrings.as_rest(plain.split("\n"))) == rest
