"""Timing in turns, with functions and a clock that the tests hold in their hands; no test waits or depends on speed."""

import pandas as pd
import pytest

from mnist_helpers import timing
from tests.support.refusal import refused


class Clock:
    """A clock that moves only when a function says how long it takes."""

    def __init__(self):
        self.now, self.calls = 100.0, []

    def function(self, name, *durations):
        """A function whose n-th call takes the n-th of these durations, in seconds."""
        left = list(durations)

        def call():
            self.calls.append(name)
            self.now += left.pop(0)

        return call


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(timing.time, "perf_counter", lambda: clock.now)
    return clock


def test_each_function_is_timed_once_a_round_after_a_call_that_does_not_count(clock):
    functions = {"slow": clock.function("slow", 50, 2, 4, 6), "fast": clock.function("fast", 70, 1, 0.5, 0.25)}
    seconds = timing.interleaved(functions, rounds=3)
    assert list(seconds.columns) == ["slow", "fast"] and list(seconds.index) == [0, 1, 2]
    assert seconds["slow"].tolist() == [2, 4, 6]
    assert seconds["fast"].tolist() == [1, 0.5, 0.25]


def test_they_take_turns_and_each_is_first_once(clock):
    timing.interleaved({name: clock.function(name, *[1] * 5) for name in "abc"}, rounds=4)
    assert "".join(clock.calls) == "abc" + "abc" + "bca" + "cab" + "abc"


def test_an_error_in_a_function_is_not_swallowed():
    with pytest.raises(ZeroDivisionError):
        timing.interleaved({"broken": lambda: 1 / 0}, rounds=1)


@pytest.mark.parametrize("functions, rounds", [({}, 3), ({"one": int}, 0), ({"one": int}, -2)])
def test_nothing_to_time_is_refused(functions, rounds):
    with refused(f"{len(functions)} functions and {rounds} rounds were given"):
        timing.interleaved(functions, rounds)


def test_speedups_are_ratios_of_medians_with_those_of_single_rounds():
    seconds = pd.DataFrame({"old": [8.0, 10.0, 60.0], "new": [2.0, 4.0, 5.0]})
    table = timing.speedups(seconds, "old")
    assert table.loc["new"].to_dict() == {"times faster": 2.5, "lowest": 2.5, "highest": 12}
    assert set(table.loc["old"]) == {1}


def test_an_unknown_baseline_is_refused():
    with refused("'older'", "old, new"):
        timing.speedups(pd.DataFrame({"old": [1.0], "new": [2.0]}), "older")
