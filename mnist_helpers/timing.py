"""Compare the running times of functions: run them in turns and compare their medians.

Other work on the machine then slows all functions alike.
"""

import time
from collections.abc import Callable

import pandas as pd

from mnist_helpers import CourseError


def interleaved(functions: dict[str, Callable[[], object]], rounds: int) -> pd.DataFrame:
    """Return a table of running times in seconds, with one row per round and one column per function.

    Each function is called once before the first round, since a first call often includes setup. Each round starts with
    another function. Raises CourseError if there is no function or no round.
    """
    names = list(functions)
    if not names or rounds < 1:
        raise CourseError(
            f"{len(names)} functions and {rounds} rounds were given, but at least one of each was expected; "
            "give a dict of functions that take no arguments, and the number of rounds."
        )
    for function in functions.values():
        function()
    seconds = pd.DataFrame(0.0, index=range(rounds), columns=names)
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            start = time.perf_counter()
            functions[name]()
            seconds.loc[number, name] = time.perf_counter() - start
    return seconds


def speedups(seconds: pd.DataFrame, baseline: str) -> pd.DataFrame:
    """Return how many times faster than `baseline` each column of the table from `interleaved` is.

    "times faster" is the ratio of the medians; "lowest" and "highest" are the extreme ratios of single rounds. Raises
    CourseError if `baseline` is not a column of the table.
    """
    if baseline not in seconds:
        raise CourseError(
            f"baseline {baseline!r} was given, but these were timed: {', '.join(seconds)}; choose one of them."  # type: ignore[arg-type]
        )
    by_round = seconds.rdiv(seconds[baseline], axis=0)
    medians = seconds.median()
    columns = {"times faster": medians[baseline] / medians, "lowest": by_round.min(), "highest": by_round.max()}
    return pd.DataFrame(columns)
