"""Collect the texts that learners see, for translators: `python tools/collect_texts.py` writes a template of gettext's.

The texts are those of the exercises and widgets, and the alt texts of the figures. In the exercises a text is every
string with a space in it, except docstrings; elsewhere, it is what `say` gets, or `text` in JavaScript.
CONTRIBUTING.md says how to translate.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TypeGuard

import nbformat
from babel.messages.catalog import Catalog
from babel.messages.pofile import write_po
from notebook_cells import alt_text

from mnist_helpers._support.atomic_files import atomic_write
from mnist_helpers._support.paths import COURSE, NOTEBOOKS, PACKAGE
from mnist_helpers._support.translation import DOMAIN, LOCALE
from mnist_helpers.widgets import script

EXERCISES, WIDGETS = PACKAGE / "exercises", PACKAGE / "widgets"
LOOKED_UP = ("say", "NotYet")  # what is given to them is a text, even if it is one word
PLACEHOLDER = re.compile(r"\{[a-z]\w*(?:![rs])?(?::[^{}]*)?\}")  # {name}, {share:.1%}


def is_text(string: str) -> bool:
    """Return whether a string is one for people: words with a space."""
    return " " in string.strip() and re.search("[A-Za-z]{2}", string) is not None


def texts_of_module(source: str, marked: bool = False) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of each string for people in a Python module, or of the `marked` ones alone."""
    tree = ast.parse(source)
    no_texts = {id(part) for node in ast.walk(tree) for part in _passed_over(node)}
    given = {id(string) for node in ast.walk(tree) for string in _strings_looked_up(node)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or not node.value.strip():
            continue
        if id(node) in given or not marked and id(node) not in no_texts and is_text(node.value):
            yield node.lineno, node.value


def _passed_over(node: ast.AST) -> list[ast.AST]:
    """Return the parts of a node that are no texts: docstrings, and the fixed parts of f-strings."""
    if isinstance(node, ast.JoinedStr):
        return [part for part in node.values if isinstance(part, ast.Constant)]
    return [node.value] if isinstance(node, ast.Expr) else []


def looks_up(node: ast.AST) -> TypeGuard[ast.Call]:
    """Return whether a node is a call of `say` or `NotYet`."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in LOOKED_UP


def _strings_looked_up(node: ast.AST) -> Iterator[ast.Constant]:
    """Yield the strings that `say` or `NotYet` gets in this node as they are, also both of an `a if b else c`."""
    for argument in node.args if looks_up(node) else ():
        for part in (argument.body, argument.orelse) if isinstance(argument, ast.IfExp) else (argument,):
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                yield part


def texts_of_notebook(path: Path) -> Iterator[tuple[int, str, str]]:
    """Yield the number of the cell, the alt text of its figure, and the id of the cell."""
    for number, cell in enumerate(nbformat.read(path, as_version=4).cells, 1):
        if alt := alt_text(cell):
            yield number, alt, cell.id


def catalogue() -> Catalog:
    """Return all texts, without translations, each with the places where it stands."""
    catalog = Catalog(project="course", header_comment="# The texts of the course, for translators.", charset="utf-8")
    for path, number, text, comment in found_texts():
        flags = ["python-brace-format"] if PLACEHOLDER.search(text) else []
        place = path.relative_to(COURSE).as_posix(), number
        catalog.add(text, locations=[place], flags=flags, auto_comments=[comment] if comment else [])
    return catalog


def found_texts() -> Iterator[tuple[Path, int, str, str]]:
    """Yield the file, the line or the number of the cell, the text and a comment of each text."""
    for room in (EXERCISES, WIDGETS):
        for path in sorted(room.glob("*.py")):
            for line, text in texts_of_module(path.read_text(encoding="utf-8"), marked=room == WIDGETS):
                yield path, line, text, ""
    for path in sorted(WIDGETS.rglob("*.js")):
        for text in script.texts(path.read_text(encoding="utf-8")):
            yield path, 1, text, ""
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        for number, text, cell in texts_of_notebook(path):
            yield path, number, text, f"alt text of the figure in the cell {cell}"


def main() -> None:
    """Write the catalogue."""
    catalog, path = catalogue(), LOCALE / f"{DOMAIN}.pot"
    path.parent.mkdir(exist_ok=True)
    with atomic_write(path) as file:
        write_po(file, catalog, width=100)
    print(f"written: {path.relative_to(COURSE)}, {len(catalog)} texts")


if __name__ == "__main__":
    main()
