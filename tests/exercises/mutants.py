"""Small changes to a solution: an operator, a constant, a comparison, a keyword, a statement, the order of arguments.

`python -m tests.exercises.mutants` prints how many are caught by the checkers, and those that are not.
"""

import ast
import contextlib
import copy
import importlib
import io
import time
from pathlib import Path

import numpy as np

from mnist_helpers.exercises import comparing, judging
from mnist_helpers.exercises.judging import CORRECT, verdict

CHAPTERS = sorted(path.stem for path in Path(__file__).parent.glob("chapter_*.py"))
OPERATORS = {
    ast.Add: [ast.Sub],
    ast.Sub: [ast.Add],
    ast.Mult: [ast.Add, ast.Div],
    ast.Div: [ast.Mult, ast.FloorDiv],
    ast.FloorDiv: [ast.Mult],
    ast.Mod: [ast.Mult],
    ast.Eq: [ast.NotEq],
    ast.NotEq: [ast.Eq],
    ast.Lt: [ast.LtE, ast.Gt],
    ast.Gt: [ast.GtE, ast.Lt],
    ast.LtE: [ast.Lt],
    ast.GtE: [ast.Gt],
    ast.Not: [ast.UAdd],
}


def replacements(node):
    """Yield changed copies of one node of the syntax tree."""
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        yield from (ast.Constant(value) for value in {node.value + 1, node.value - 1, 0} - {node.value})
    for field in ("op", "ops"):
        old = getattr(node, field, None)
        operator = old[0] if isinstance(old, list) and old else old
        for new in OPERATORS.get(type(operator), []):
            changed = copy.copy(node)
            setattr(changed, field, [new()] if isinstance(old, list) else new())
            yield changed
    if isinstance(node, ast.Call) and node.keywords:
        yield ast.Call(node.func, node.args, node.keywords[1:])
    if isinstance(node, ast.Call) and len(node.args) >= 2:
        yield ast.Call(node.func, [node.args[1], node.args[0], *node.args[2:]], node.keywords)
    if isinstance(node, (ast.Expr, ast.AugAssign)):
        yield ast.Pass()


class Replace(ast.NodeTransformer):
    def __init__(self, target, replacement):
        self.target, self.replacement = target, replacement

    def visit(self, node):
        return self.replacement if node is self.target else super().generic_visit(node)


def mutants(exercise):
    """Yield (source, function) of each change that still compiles."""
    source = exercise.source()
    nodes = list(ast.walk(ast.parse(source)))
    places = [(index, number) for index, node in enumerate(nodes) for number, _ in enumerate(replacements(node))]
    for index, number in places:
        tree = ast.parse(source)  # a tree of its own for each change
        node = list(ast.walk(tree))[index]
        changed = ast.fix_missing_locations(Replace(node, list(replacements(node))[number]).visit(tree))
        names = dict(exercise.run_solution.__globals__)
        with contextlib.suppress(SyntaxError, ValueError):
            exec(compile(changed, "<mutant>", "exec"), names)
            yield ast.unparse(changed), names[exercise.name]


def behaviour(probe, function, seconds):
    """What the function gives on the probe's inputs, as arrays, or the kind of its error."""
    try:
        with judging.time_limit(seconds):
            return [comparing.array(value) for value in probe(function)]
    except (Exception, judging.TooSlow) as error:
        return type(error)


def differs(one, other):
    if isinstance(one, type) or isinstance(other, type):
        return one != other
    if len(one) != len(other) or any(a.shape != b.shape for a, b in zip(one, other)):
        return True
    return not all(np.allclose(a, b, rtol=1e-4, atol=1e-5, equal_nan=True) for a, b in zip(one, other))


def examine(chapter):
    """Return [(exercise, source, caught)] for every mutant of the chapter that behaves otherwise than the solution."""
    results = []
    for exercise in chapter.exercises:
        probe = chapter.PROBES[exercise.name]
        start = time.perf_counter()
        right = behaviour(probe, exercise.run_solution, 60)
        limit = 1 + 10 * (time.perf_counter() - start)  # for changes that never end, also on a busy machine
        assert not isinstance(right, type), f"the solution of {exercise.name} fails on its probe: {right}"
        for source, function in mutants(exercise):
            with contextlib.redirect_stdout(io.StringIO()):
                if differs(behaviour(probe, function, limit), right):
                    caught = verdict(exercise.run_checker, function)[0] != CORRECT
                    results.append((exercise.name, source, caught))
    return results


def main():
    for name in CHAPTERS:
        results = examine(importlib.import_module(f"tests.exercises.{name}"))
        caught = sum(found for *_, found in results)
        print(f"{name}: {caught} of {len(results)} mutants caught ({caught / len(results):.1%})")
        for exercise, source, found in results:
            if not found:
                print(f"\nnot caught, {exercise}:\n{source}")


if __name__ == "__main__":
    main()
