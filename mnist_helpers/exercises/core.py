"""The exercises of a chapter as a student sees them: check, hint, solution and progress, each shown as a card."""

import difflib
import html
import inspect
import textwrap
from collections.abc import Callable

from mnist_helpers import CourseError
from mnist_helpers._support.translation import say
from mnist_helpers.exercises import progress_file
from mnist_helpers.exercises.judging import CORRECT, NOT_ATTEMPTED, NOT_YET, TIME_LIMIT, verdict

HARDEST = 3  # stars
COLOURS = {NOT_ATTEMPTED: "#6b6b6b", NOT_YET: "#d55e00", CORRECT: "#0072b2"}


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

    `stars` says how hard it is, from 1 to 3; a check is stopped after `seconds`. Without a `chapter`, the progress file
    does not hear of it.
    """

    def __init__(self, solution: Callable, hints: tuple[str, ...], stars: int, seconds: float, chapter: str = ""):
        self.name, self.run_solution, self.hint_texts = solution.__name__, solution, hints
        self.stars, self.seconds, self.chapter = stars, seconds, chapter
        self.state, self.hints_given = NOT_ATTEMPTED, 0

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
            exercise = Exercise(solution, hints, stars, seconds, self._name)
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
