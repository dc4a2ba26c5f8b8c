"""Run a checker on a student's function, whatever that does, and return a verdict with a reason."""

import copy
import functools
import inspect
import itertools
import linecache
import sysconfig
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from mnist_helpers._support.paths import PACKAGE
from mnist_helpers._support.translation import say
from mnist_helpers.exercises import isolation
from mnist_helpers.exercises.time_limits import TooSlow, time_limit

STANDARD_LIBRARY = sysconfig.get_path("stdlib")
TIME_LIMIT = 5  # seconds for one check, unless the exercise names another number
TOO_SLOW = (
    "your function did not return within {seconds:g} seconds: is there a loop that never ends? "
    "If your computer is busy, run the cell once more."
)
MAX_REASON = 1000  # characters of a message
MAX_ITEMS = 10_000  # taken from a student's generator, which may be infinite
NOT_ATTEMPTED, NOT_YET, CORRECT = "○ not attempted", "✗ not yet", "✓ correct"


class NotYet(Exception):
    """Raised if the answer is wrong. The message says why: `say` makes it of texts and values."""

    def __init__(self, *texts: str, **values):
        super().__init__(say(*texts, **values))


class NotAttempted(Exception):
    """Raised if the student's function is still the stub, which returns an ellipsis."""


@functools.cache
def finish_lazy_imports() -> None:
    """Make torch import what it imports with the first optimizer, and start what it starts with the first gradient.

    The imports take seconds on a busy machine, and a time limit must not stop them: torch would stay broken until the
    kernel is restarted. A first gradient after an export to ONNX starts threads, and a process with threads cannot be
    forked, see `isolation`; one before the export starts none.
    """
    with torch.inference_mode(False), torch.enable_grad():  # the notebook may have switched gradients off
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
        return NOT_YET, say("the value that your function returned could not be checked:", describe_error(error))
    return CORRECT, ""


def _cut(text: str) -> str:
    """Return the text without its middle if it is longer than MAX_REASON."""
    half = MAX_REASON // 2
    return text if len(text) <= MAX_REASON else f"{text[:half]} [...] {text[-half:]}"


class PassedByReference(torch.Tensor):
    """A tensor that `ask` passes without copying, so that the checker can see in-place changes."""

    def __deepcopy__(self, memo):
        return self


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
        raise NotYet("your function stopped with", describe_error(error)) from None
    if result is ...:
        raise NotAttempted
    if result is None:
        raise NotYet("your function returned None: is there a return at its end?")
    return result


def describe_error(error: BaseException) -> str:
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
