"""Code shared by all exercises: call the student's function, compare its result, explain mistakes, show the verdict."""

import copy
import difflib
import functools
import html
import inspect
import itertools
import linecache
import sysconfig
import textwrap
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch

from mnist_helpers import CourseError
from mnist_helpers._support.paths import PACKAGE
from mnist_helpers._support.translation import say
from mnist_helpers.exercises import isolation, progress_file
from mnist_helpers.exercises.time_limits import TooSlow, time_limit

STANDARD_LIBRARY = sysconfig.get_path("stdlib")
TIME_LIMIT = 5  # seconds for one check, unless the exercise names another number
TOO_SLOW = (
    "your function did not return within {seconds:g} seconds: is there a loop that never ends? "
    "If your computer is busy, run the cell once more."
)
MAX_REASON = 1000  # characters of a message
HARDEST = 3  # stars
MAX_ITEMS = 10_000  # taken from a student's generator, which may be infinite
NOT_ATTEMPTED, NOT_YET, CORRECT = "○ not attempted", "✗ not yet", "✓ correct"
COLOURS = {NOT_ATTEMPTED: "#6b6b6b", NOT_YET: "#d55e00", CORRECT: "#0072b2"}


class NotYet(Exception):
    """Raised if the answer is wrong. The message says why: `say` makes it of texts and values."""

    def __init__(self, *texts: str, **values):
        super().__init__(say(*texts, **values))


class NotAttempted(Exception):
    """Raised if the student's function is still the stub, which returns an ellipsis."""


class UnknownName(CourseError, AttributeError):
    """Raised for a slip such as `exercises.one_hot.solve`. An AttributeError, so that hasattr works."""


class Card:
    """The message to a student: a headline, a text and optional code, shown as plain text or HTML."""

    def __init__(self, headline: str, text: str = "", code: str = ""):
        self.headline, self.text, self.code = headline, text, code

    def __repr__(self) -> str:
        words = ": ".join(filter(None, [say(self.headline), say(self.text)]))
        return "\n".join(filter(None, [words, self.code]))

    def _repr_html_(self) -> str:
        colour = COLOURS.get(self.headline, COLOURS[NOT_ATTEMPTED])
        code = f"<pre>{html.escape(self.code)}</pre>" if self.code else ""
        body = f"<b>{html.escape(say(self.headline))}</b> {html.escape(say(self.text))}{code}"
        return f'<div style="border-left: 4px solid {colour}; padding: 0.2em 0.8em">{body}</div>'


class Exercise:
    """An exercise with its solution, which the tests also run, its checker and its hints.

    `stars` says how hard it is, from 1 to 3; a check is stopped after `seconds`.
    """

    def __init__(self, solution: Callable, hints: tuple[str, ...], stars: int = 1, seconds: float = TIME_LIMIT):
        self.name, self.run_solution, self.hint_texts = solution.__name__, solution, hints
        self.stars, self.seconds = stars, seconds
        self.state, self.hints_given, self.chapter = NOT_ATTEMPTED, 0, ""

    def checker(self, function: Callable) -> Callable:
        """Register `function(ask)` as the checker, which raises NotYet with a reason if the answer is wrong."""
        self.run_checker = function
        return function

    def check(self, *answers) -> Card:
        """Check the student's function and return the verdict. Raises CourseError unless one answer is given."""
        if len(answers) != 1:
            raise CourseError(
                say(
                    "{count} answers were given, but check takes one; pass your function, as in "
                    "exercises.{name}.check({name}).",
                    count=len(answers),
                    name=self.name,
                )
            )
        self.state, reason = verdict(self.run_checker, answers[0], self.seconds)
        return Card(self.state, say(reason, self._save()))

    def _save(self) -> str:
        """Write the state to the progress file, and return a sentence if that fails."""
        if self.state == NOT_ATTEMPTED or not self.chapter:
            return ""
        try:
            progress_file.record(self.chapter, self.name, self.state == CORRECT, self.hints_given)
        except CourseError as error:
            return say("(Your progress was not saved: {error})", error=error)
        return ""

    def hint(self) -> Card:
        """Return the next hint, or the last hint again if there are no more."""
        self.hints_given = min(self.hints_given + 1, len(self.hint_texts))
        headline = say("hint {number} of {count}", number=self.hints_given, count=len(self.hint_texts))
        return Card(headline, self.hint_texts[self.hints_given - 1])

    hints = hint  # an easy slip

    def solution(self) -> Card:
        """Return one correct solution."""
        return Card("one solution", code=self.source())

    def source(self) -> str:
        """Return the source code of the solution, without its decorator."""
        source = textwrap.dedent(inspect.getsource(self.run_solution))
        return source[source.index("\ndef ") + 1 :].rstrip()

    def difficulty(self) -> str:
        """Return the stars as text, for example ★★☆."""
        return "★" * self.stars + "☆" * (HARDEST - self.stars)

    def __getattr__(self, name: str):
        if name.startswith("_") or name == "run_checker":
            raise AttributeError(name)
        raise UnknownName(
            say(
                "an exercise has no {name}; use exercises.{exercise}.check({exercise}), .hint() or .solution().",
                name=name,
                exercise=self.name,
            )
        )


class Chapter:
    """The exercises of one notebook, accessed by name. `name` is the chapter's name in the progress file."""

    def __init__(self, name: str):
        self._name = name
        self._exercises: dict[str, Exercise] = {}

    def add(self, *hints: str, stars: int = 1, seconds: float = TIME_LIMIT) -> Callable[[Callable], Exercise]:
        """Return a decorator that adds an exercise with the decorated function as its solution.

        The exercise has the name of the function. The hints go from vague to clear.
        """

        def decorate(solution: Callable) -> Exercise:
            exercise = Exercise(solution, hints, stars, seconds)
            exercise.chapter = self._name
            return self._exercises.setdefault(exercise.name, exercise)

        return decorate

    def __getattr__(self, name: str) -> Exercise:
        if name.startswith("_"):
            raise AttributeError(name)
        if name not in self._exercises:
            near = difflib.get_close_matches(name, self._exercises, n=1, cutoff=0.4)
            advice = "did you mean {names}?" if near else "there are {names}."
            names = ", ".join(near or self._exercises)
            raise CourseError(say("this chapter has no exercise {name};", advice, name=name, names=names))
        return self._exercises[name]

    def __iter__(self):
        return iter(self._exercises.values())

    def __dir__(self):
        return [*self._exercises, "progress"]

    def progress(self) -> Card:
        """Return how far the student is, in this session and in earlier ones."""
        saved = progress_file.read().get(self._name, {})
        states = {exercise: _best(exercise.state, saved.get(exercise.name)) for exercise in self}
        done = sum(state == CORRECT for state in states.values())
        width = 1 + max(len(say(state)) for state in COLOURS)
        lines = [f"{say(state):<{width}}{exercise.difficulty()}  {exercise.name}" for exercise, state in states.items()]
        return Card(say("{done} of {count} correct", done=done, count=len(lines)), code="\n".join(lines))


def _best(state: str, saved: dict | None) -> str:
    """Return the better of the state in this session and the saved one."""
    if saved is None or state == CORRECT:
        return state
    return CORRECT if saved["correct"] else NOT_YET


@functools.cache
def finish_lazy_imports() -> None:
    """Make torch import what it imports with the first optimizer, and start what it starts with the first gradient.

    The imports take seconds on a busy machine, and a time limit must not stop them: torch would stay broken until the
    kernel is restarted. A first gradient after an export to ONNX starts threads, and a process with threads cannot be
    forked, see `isolation`; one before the export starts none.
    """
    weight = torch.nn.Parameter(torch.zeros(1))
    weight.sum().backward()
    torch.optim.SGD([weight], 0.1)


def fill_caches(checker: Callable) -> None:
    """Call the cached functions without arguments that the checker names, which load data.

    This is done before the clock starts, and in the notebook's own process, so that the next check finds them.
    """
    for name in checker.__code__.co_names:
        function = checker.__globals__.get(name)
        if function is not None and hasattr(function, "cache_info") and not _needs_arguments(function):
            function()


def _needs_arguments(function: Callable) -> bool:
    parameters = inspect.signature(function).parameters.values()
    return any(parameter.default is parameter.empty for parameter in parameters)


def verdict(checker: Callable, answer, seconds: float = TIME_LIMIT) -> tuple[str, str]:
    """Run `checker` on the student's answer, whatever it does, and return the state and the reason.

    The check is stopped after `seconds`. It has no effect on the notebook's own process, see `isolation`.
    """
    if answer is ...:
        return NOT_ATTEMPTED, "replace the three dots with your answer."
    if not callable(answer):
        given = type(answer).__name__
        reason = "a function was expected, but {given} was given: pass the function itself, without parentheses."
        return NOT_YET, say(reason, given=given)
    finish_lazy_imports()
    fill_caches(checker)
    slow = NOT_YET, say(TOO_SLOW, seconds=seconds)
    state, reason = isolation.run(lambda: judge(checker, answer, seconds), seconds, slow, lambda why: (NOT_YET, why))
    return state, _cut(reason)


def judge(checker: Callable, answer: Callable, seconds: float = TIME_LIMIT) -> tuple[str, str]:
    """Do the same as `verdict` with a function as the answer, in this process and without putting anything back."""
    try:
        with torch.enable_grad(), time_limit(seconds):
            checker(lambda *arguments: _ask(answer, arguments))
    except NotAttempted:
        return NOT_ATTEMPTED, "replace the three dots with your answer."
    except NotYet as error:
        return NOT_YET, str(error)
    except TooSlow:
        return NOT_YET, say(TOO_SLOW, seconds=seconds)
    except (Exception, SystemExit) as error:  # raised by the returned object when the checker uses it
        return NOT_YET, say("the value that your function returned could not be checked:", _describe(error))
    return CORRECT, ""


def _cut(text: str) -> str:
    """Return the text without its middle if it is longer than MAX_REASON."""
    half = MAX_REASON // 2
    return text if len(text) <= MAX_REASON else f"{text[:half]} [...] {text[-half:]}"


def _ask(function: Callable, arguments: tuple):
    """Call the student's function with copies of the arguments and return its result.

    Raises NotYet if the function fails or returns None, and NotAttempted if it is still the stub.
    """
    try:
        result = function(*copy.deepcopy(arguments))
        if isinstance(result, Iterator):  # a generator's code runs here, where its errors are caught
            result = list(itertools.islice(result, MAX_ITEMS))
    except (NotYet, NotAttempted):
        raise
    except (Exception, SystemExit) as error:
        raise NotYet("your function stopped with", _describe(error)) from None
    if result is ...:
        raise NotAttempted
    if result is None:
        raise NotYet("your function returned None: is there a return at its end?")
    return result


def _describe(error: BaseException) -> str:
    """Return the type and message of the error, and the last line of the student's code in its traceback."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__)[1:] if _is_student_code(frame.filename)]
    what = ": ".join([type(error).__name__, *(_cut(line) for line in _message(error).splitlines()[:1])])
    if not frames:
        return f"{what}."
    number = frames[-1].lineno or 0
    line = linecache.getline(frames[-1].filename, number).strip()
    return say("{what}, in line {number} of its cell", what=what, number=number) + (f": {line}" if line else ".")


def _message(error: BaseException) -> str:
    """Return the message of the error, or an empty string if its `__str__` fails."""
    try:
        return str(error)
    except Exception:
        return ""


def _is_student_code(filename: str) -> bool:
    """Return whether the file belongs neither to Python, nor to an installed package, nor to the course."""
    if "site-packages" in filename or filename.startswith("<frozen "):
        return False
    return not any(Path(filename).is_relative_to(folder) for folder in (STANDARD_LIBRARY, PACKAGE))


def same(got, expected, wrong: dict | list | tuple = (), otherwise: str = "", given: str = "") -> None:
    """Raise NotYet unless `got` has the same shape as `expected` and, up to rounding, the same values.

    Both may be numbers, lists, NumPy arrays or tensors of any dtype. `wrong` maps the results of known mistakes to
    explanations, as a dict or, if the results are arrays, as a list of pairs. Any other result gets `otherwise`, the
    expected and the found values and, if `given` describes the input in words, that.
    """
    found, right = array(got), array(expected)
    if _equal(found, right):
        return
    for value, reason in wrong.items() if isinstance(wrong, dict) else wrong:
        if _equal(found, array(value)):
            raise NotYet(reason)
    if found.shape != right.shape:
        what = "your answer has {found}, but {right} was expected."
        if not found.ndim:
            what = "your answer is {found}, but {right} was expected."
        what = say(what, found=_form(found), right=_form(right))
    else:
        what = _difference(found, right)
    raise NotYet(otherwise, say("For {given}, {what}", given=given, what=what) if given else what)


def _form(values: np.ndarray) -> str:
    return say("the shape {shape}", shape=list(values.shape)) if values.ndim else "a single number"


def _difference(found: np.ndarray, right: np.ndarray) -> str:
    """Return a sentence with the expected and the found values, or with the first of them that differ."""
    if right.size <= 10:
        text = "{right} was expected, but your function returned {found}."
        return say(text, right=_short(right), found=_short(found))
    where = tuple(int(index) for index in np.argwhere(~np.isclose(found, right, rtol=1e-4, atol=1e-5))[0])
    place = f"[{', '.join(map(str, where))}]"
    text = "{right:.4g} was expected at index {place}, but your function returned {found:.4g} there."
    return say(text, right=right[where], place=place, found=found[where])


class PassedByReference(torch.Tensor):
    """A tensor that `ask` passes without copying, so that the checker can see in-place changes."""

    def __deepcopy__(self, memo):
        return self


def random_numbers(*shape: int, seed: int) -> torch.Tensor:
    """Return reproducible random numbers from a normal distribution, leaving the global random state unchanged."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def array(value) -> np.ndarray:
    """Convert a returned value to a float64 array. Raises NotYet if it is not numeric."""
    try:
        if isinstance(value, torch.Tensor):
            value = value.detach().cpu().double().numpy()
        if isinstance(value, (list, tuple)):
            value = [array(item) for item in value]
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise NotYet("your function returned {kind}, but numbers were expected.", kind=type(value).__name__) from None


def _equal(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape and np.allclose(one, other, rtol=1e-4, atol=1e-5)


def _short(values: np.ndarray) -> str:
    if values.ndim == 0:
        return f"{values:.6g}"
    if np.isfinite(values).all() and np.array_equal(values, values.round()) and np.abs(values).max(initial=0) < 1e9:
        return str(values.astype(int).tolist())  # 60000, not 6.e+04
    return np.array2string(values, precision=4, separator=", ").replace("\n", "")  # in one line
