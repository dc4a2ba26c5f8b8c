"""What all exercises share: asking the student's function, comparing, explaining, and showing the verdict."""

import _thread
import contextlib
import copy
import difflib
import html
import inspect
import itertools
import linecache
import signal
import textwrap
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch

from mnist_helpers import CourseError
from mnist_helpers._support.paths import PACKAGE

SECONDS = 5  # after which a check is stopped
LONGEST = 10_000  # items taken from a student's generator, which may have no end
NOT_ATTEMPTED, NOT_YET, CORRECT = "○ not attempted", "✗ not yet", "✓ correct"
COLOURS = {NOT_ATTEMPTED: "#6b6b6b", NOT_YET: "#d55e00", CORRECT: "#0072b2"}


class NotYet(Exception):
    """The answer is wrong; the message says why."""


class NotAttempted(Exception):
    """The student's function is still the stub: it returns the ellipsis."""


class TooSlow(BaseException):
    """The time is up; not an Exception, so that a student's `except Exception` does not catch it."""


class Card:
    """What a student sees: a headline, a text and perhaps code, in plain text and in HTML alike."""

    def __init__(self, headline: str, text: str = "", code: str = ""):
        self.headline, self.text, self.code = headline, text, code

    def __repr__(self) -> str:
        return "\n".join(filter(None, [": ".join(filter(None, [self.headline, self.text])), self.code]))

    def _repr_html_(self) -> str:
        colour = COLOURS.get(self.headline, COLOURS[NOT_ATTEMPTED])
        code = f"<pre>{html.escape(self.code)}</pre>" if self.code else ""
        body = f"<b>{html.escape(self.headline)}</b> {html.escape(self.text)}{code}"
        return f'<div style="border-left: 4px solid {colour}; padding: 0.2em 0.8em">{body}</div>'


class Exercise:
    """One exercise: its solution, which is also what the tests run, its checker and its hints."""

    def __init__(self, solution: Callable, hints: tuple[str, ...]):
        self.name, self.run_solution, self.hints = solution.__name__, solution, hints
        self.state, self.hints_given = NOT_ATTEMPTED, 0

    def checker(self, function: Callable) -> Callable:
        """Take `function(ask)` as the checker: it raises NotYet with the reason, or returns if the answer is right."""
        self.run_checker = function
        return function

    def check(self, *answers) -> Card:
        """Judge the student's function by what it does; raises CourseError unless exactly one answer is given."""
        if len(answers) != 1:
            raise CourseError(
                f"check was given {len(answers)} answers, but takes one: your function, as in "
                f"exercises.{self.name}.check({self.name})."
            )
        self.state, reason = verdict(self.run_checker, answers[0])
        return Card(self.state, reason)

    def hint(self) -> Card:
        """Show the next hint; the last one again when there is no other."""
        self.hints_given = min(self.hints_given + 1, len(self.hints))
        return Card(f"hint {self.hints_given} of {len(self.hints)}", self.hints[self.hints_given - 1])

    def solution(self) -> Card:
        """Show one right answer."""
        return Card("one solution", code=self.source())

    def source(self) -> str:
        """Return the solution's code, as a student would write it."""
        source = textwrap.dedent(inspect.getsource(self.run_solution))
        return source[source.index("\ndef ") + 1 :].rstrip()


class Chapter:
    """The exercises of one notebook, by name."""

    def __init__(self):
        self._exercises: dict[str, Exercise] = {}

    def add(self, *hints: str) -> Callable[[Callable], Exercise]:
        """Make the decorated function the solution of an exercise of the same name, with hints from vague to clear."""

        def decorate(solution: Callable) -> Exercise:
            return self._exercises.setdefault(solution.__name__, Exercise(solution, hints))

        return decorate

    def __getattr__(self, name: str) -> Exercise:
        if name.startswith("_"):
            raise AttributeError(name)
        if name not in self._exercises:
            near = difflib.get_close_matches(name, self._exercises, n=1, cutoff=0.4)
            advice = f"did you mean {near[0]}?" if near else f"there are {', '.join(self._exercises)}."
            raise CourseError(f"{name} is no exercise of this chapter; {advice}")
        return self._exercises[name]

    def __iter__(self):
        return iter(self._exercises.values())

    def __dir__(self):
        return [*self._exercises, "progress"]

    def progress(self) -> Card:
        """Show the state of every exercise in this kernel."""
        done = sum(exercise.state == CORRECT for exercise in self)
        lines = [f"{exercise.state:<16}{exercise.name}" for exercise in self]
        return Card(f"{done} of {len(lines)} correct", code="\n".join(lines))


def verdict(checker: Callable, answer) -> tuple[str, str]:
    """Run `checker` on the student's answer, whatever that does; returns the state and its reason."""
    if answer is ...:
        return NOT_ATTEMPTED, "replace the three dots by your answer."
    if not callable(answer):
        given = type(answer).__name__
        return (
            NOT_YET,
            f"a function was expected, but {given} was given: pass the function itself, without parentheses.",
        )
    try:
        with time_limit():
            checker(lambda *arguments: _ask(answer, arguments))
    except NotAttempted:
        return NOT_ATTEMPTED, "replace the three dots by your answer."
    except NotYet as error:
        return NOT_YET, str(error)
    except TooSlow:
        return NOT_YET, f"your function did not return within {SECONDS} seconds: is there a loop that never ends?"
    except (Exception, SystemExit) as error:  # what came back raises it when the checker looks at it
        return NOT_YET, f"what your function returned could not be judged: {_describe(error)}"
    return CORRECT, ""


def _ask(function: Callable, arguments: tuple):
    """Call the student's function with copies of the arguments; raises NotYet or NotAttempted if that gives nothing."""
    try:
        result = function(*copy.deepcopy(arguments))
        if isinstance(result, Iterator):  # a generator's code runs here, where its errors are caught
            result = list(itertools.islice(result, LONGEST))
    except (Exception, SystemExit) as error:
        raise NotYet(f"your function stopped with {_describe(error)}") from None
    if result is ...:
        raise NotAttempted
    if result is None:
        raise NotYet("your function returned None: is there a return at its end?")
    return result


def _describe(error: BaseException) -> str:
    """Name the error, and the last line of the student's own code that led to it."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__)[1:] if _may_be_students(frame.filename)]
    what = ": ".join([type(error).__name__, *_message(error).splitlines()[:1]])
    if not frames:
        return f"{what}."
    line = linecache.getline(frames[-1].filename, frames[-1].lineno).strip()
    return f"{what}, in line {frames[-1].lineno} of its cell" + (f": {line}" if line else ".")


def _message(error: BaseException) -> str:
    """What the error says of itself, if its own code lets it."""
    try:
        return str(error)
    except Exception:
        return ""


def _may_be_students(filename: str) -> bool:
    """Whether code in this file can be a student's: neither an installed package's nor the course's own."""
    return "site-packages" not in filename and not Path(filename).is_relative_to(PACKAGE)


@contextlib.contextmanager
def time_limit(seconds: float = SECONDS):
    """Raise TooSlow in the block when it takes longer than `seconds`."""
    if hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread():

        def stop(*_):
            raise TooSlow

        before = signal.signal(signal.SIGALRM, stop)
        signal.setitimer(signal.ITIMER_REAL, seconds, 0.5)  # again every half second, if the first is swallowed
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        return
    fired = threading.Event()  # Windows has no such timer: interrupt as Ctrl+C does
    timer = threading.Timer(seconds, lambda: (fired.set(), _thread.interrupt_main()))
    timer.start()
    try:
        yield
    except KeyboardInterrupt:
        if not fired.is_set():
            raise
        raise TooSlow from None
    finally:
        timer.cancel()


def same(got, expected, wrong: dict | list = (), otherwise: str = "") -> None:
    """Raise NotYet unless `got` has the shape and, within rounding, the numbers of `expected`.

    Numbers, lists, NumPy arrays and tensors of any dtype are welcome. `wrong` pairs answers that a known mistake gives
    with their explanation: a dict, or a list of pairs where the answer is an array. `otherwise` explains the others.
    """
    found, right = array(got), array(expected)
    if _equal(found, right):
        return
    for value, reason in wrong.items() if isinstance(wrong, dict) else wrong:
        if _equal(found, array(value)):
            raise NotYet(reason)
    if found.shape != right.shape:
        raise NotYet(
            f"your answer has the shape {list(found.shape)}, but {list(right.shape)} was expected. {otherwise}"
        )
    shown = f": {_short(found)} where {_short(right)} was expected" if found.size <= 10 else ""
    raise NotYet(otherwise or f"the shape is right, but not the numbers{shown}.")


class PassedByReference(torch.Tensor):
    """A tensor that `ask` hands over itself, not a copy, so that the checker sees what was done to it."""

    def __deepcopy__(self, memo):
        return self


def random_numbers(*shape: int, seed: int) -> torch.Tensor:
    """Normal random numbers of this shape that are the same each time, without touching the student's random state."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def array(value) -> np.ndarray:
    """Turn what a student may return into an array of float64; raises NotYet when it holds no numbers."""
    try:
        if isinstance(value, torch.Tensor):
            value = value.detach().cpu().double().numpy()
        if isinstance(value, (list, tuple)):
            value = [array(item) for item in value]
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise NotYet(f"your function returned {type(value).__name__}, but numbers were expected.") from None


def _equal(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape and np.allclose(one, other, rtol=1e-4, atol=1e-5)


def _short(values: np.ndarray) -> str:
    return np.array2string(values, precision=4, separator=", ").replace("\n", "")  # in one line
