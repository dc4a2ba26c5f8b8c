"""Time functions against each other: in turns, so that a busy machine slows all of them, and as ratios of medians."""

import time
from collections.abc import Callable

import pandas as pd

from mnist_helpers import CourseError


def interleaved(functions: dict[str, Callable[[], object]], rounds: int) -> pd.DataFrame:
    """Return the seconds that each function takes: one row a round, one column a function, in the order given.

    Each is called once before, unmeasured, since a first call does what later ones need not do again. In each round
    another function is the first. Raises CourseError where there is nothing to time.
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
    """Say how many times faster than the column `baseline` each column of `interleaved`'s table is.

    "times faster" is the ratio of medians, "lowest" and "highest" are the ratios of single rounds. Raises CourseError
    for a baseline that was not timed.
    """
    if baseline not in seconds:
        raise CourseError(
            f"baseline {baseline!r} was given, but these were timed: {', '.join(seconds)}; choose one of them."
        )
    by_round = seconds.rdiv(seconds[baseline], axis=0)
    medians = seconds.median()
    columns = {"times faster": medians[baseline] / medians, "lowest": by_round.min(), "highest": by_round.max()}
    return pd.DataFrame(columns)
