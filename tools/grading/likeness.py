"""Answers that are nearly the same, and answers that reach for what no exercise needs. Both are for a human eye."""

import ast
import difflib
import itertools
from collections.abc import Iterable
from dataclasses import dataclass

LEAST_NODES = 40  # of a syntax tree: short right answers are alike by nature
ALIKE = 0.95
MODULES = {
    *("sys", "gc", "inspect", "ctypes", "builtins", "importlib", "os", "subprocess", "socket", "signal", "traceback"),
    *("multiprocessing", "pickle", "shutil", "linecache", "faulthandler", "mnist_helpers", "grading"),
}
NAMES = {
    *("eval", "exec", "compile", "globals", "locals", "vars", "open", "__import__", "exit"),
    *("getattr", "setattr", "delattr"),
}
ATTRIBUTES = {
    *("run_checker", "run_solution", "_getframe", "_exit", "__globals__", "__subclasses__", "__code__", "_peer"),
    *("from_file", "fromfile", "memmap"),  # native code that reads files
}
ALLOWED_DUNDERS = {"__init__", "__len__", "__getitem__", "__iter__", "__next__", "__call__", "__name__"}
CONVOLUTIONS = {"conv2d", "Conv2d", "convolution", "correlate", "correlate2d", "convolve2d", "unfold", "Unfold"}
FROM_SCRATCH = {"convolve", "conv_layer"}  # exercises whose answers must not call one of these


@dataclass
class Pair:
    """Two answers that are nearly the same."""

    exercise: str
    one: str
    other: str
    likeness: float


def flags(exercise: str, source: str) -> list[str]:
    """Return the modules, names and attributes in the answer that somebody should look at."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        found.update(_suspects(node))
        name = getattr(node, "attr", getattr(node, "id", ""))
        if exercise in FROM_SCRATCH and name in CONVOLUTIONS:
            found.add(name)
    return sorted(found)


def _suspects(node: ast.AST) -> Iterable[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if alias.name.split(".")[0] in MODULES)
    elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in MODULES:
        yield node.module or ""
    elif isinstance(node, ast.Name) and node.id in NAMES | MODULES | {"exercises"}:
        yield node.id
    elif isinstance(node, ast.Attribute) and (node.attr in ATTRIBUTES or _is_dunder(node.attr)):
        yield node.attr


def _is_dunder(name: str) -> bool:
    return name.startswith("__") and name.endswith("__") and name not in ALLOWED_DUNDERS


def shape(source: str) -> list[str]:
    """Return the syntax tree as a list of words, in which names, comments and docstrings play no part."""
    words: list[str] = []
    for node in ast.walk(_without_docstrings(ast.parse(source))):
        if isinstance(node, ast.Constant):
            words.append(repr(node.value)[:40])
        elif isinstance(node, ast.Attribute):
            words.append(f".{node.attr}")
        elif not isinstance(node, (ast.Load, ast.Store, ast.Import, ast.ImportFrom, ast.alias)):
            words.append(type(node).__name__)
    return words


def _without_docstrings(tree: ast.AST) -> ast.AST:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and len(body) > 1 and isinstance(body[0], ast.Expr):
            node.body = body[1:] if isinstance(body[0].value, ast.Constant) else body  # type: ignore[attr-defined]
    return tree


def near_identical(answers: dict[str, dict[str, str]], solutions: dict[str, str]) -> list[Pair]:
    """Return pairs of students whose answers are alike, the most alike first.

    `answers` is {exercise: {student: source}}. Answers that are short, or like the course's own in `solutions`, are
    left out: right ones are alike by nature.
    """
    found = []
    for exercise, sources in answers.items():
        own = shape(solutions[exercise])
        shapes = {student: shape(source) for student, source in sorted(sources.items())}
        telling = {s: words for s, words in shapes.items() if len(words) >= LEAST_NODES and not _likeness(words, own)}
        for (one, words), (other, others) in itertools.combinations(telling.items(), 2):
            if likeness := _likeness(words, others):
                found.append(Pair(exercise, one, other, likeness))
    return sorted(found, key=lambda pair: (-pair.likeness, pair.exercise, pair.one, pair.other))


def _likeness(one: list[str], other: list[str]) -> float:
    """Return how alike two shapes are, or 0 if less than ALIKE."""
    if one == other:
        return 1.0
    matcher = difflib.SequenceMatcher(None, one, other, autojunk=False)
    if matcher.real_quick_ratio() < ALIKE or matcher.quick_ratio() < ALIKE:
        return 0.0
    ratio = matcher.ratio()
    return ratio if ratio >= ALIKE else 0.0
