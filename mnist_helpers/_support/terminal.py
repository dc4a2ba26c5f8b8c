"""Helpers of the command-line programs: refusals of one sentence, numbers in options, safe output, a progress bar."""

import argparse
import contextlib
import math
import os
import re
import sys
from collections.abc import Callable, Iterator

PLAIN = {int: re.compile(r"[+-]?[0-9]+"), float: re.compile(r"[+-]?[0-9.]+(e[+-]?[0-9]+)?", re.IGNORECASE)}


class Parser(argparse.ArgumentParser):
    """An argument parser whose error message is one sentence, without the usage."""

    def error(self, message):
        sentence = escape_control_characters(message if message.endswith(".") else f"{message}; see --help.")
        self.exit(2, f"{sentence}\n" if is_main_process() else "")


def number_between(text: str, low: float, high: float, kind: type = float) -> float:
    """Return the number in a text. Unlike int and float, this takes no 1_0 and no digits of other scripts.

    Raises ValueError for other texts, and for a number outside the range.
    """
    value = kind(text) if PLAIN[kind].fullmatch(text) else math.nan
    if not low <= value <= high:
        raise ValueError(f"{text!r} is no number from {low:,} to {high:,}")
    return value


def between(kind: type, low: float, high: float) -> Callable[[str], float]:
    """Return a type for an option of argparse: a number in a range, as `number_between` reads it."""
    name = "an integer" if kind is int else "a number"

    def parse(text: str) -> float:
        try:
            return number_between(text, low, high, kind)
        except ValueError:
            raise argparse.ArgumentTypeError(f"must be {name} from {low:,} to {high:,} (got {text!r}).") from None

    return parse


def escape_unencodable() -> None:
    """Make stdout and stderr escape characters outside their encoding (\\u20ac) instead of raising an error."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # notebook streams lack it, and can show all characters
            stream.reconfigure(errors="backslashreplace")


def silence_stdout() -> None:
    """Discard further output after an error of stdout; otherwise Python prints another error when it exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_result(text: str, what: str) -> None:
    """Print the text, or end the program with exit code 1 and a sentence; without one if the reader left (`| head`)."""
    try:
        print(text, flush=True)
    except OSError as error:
        silence_stdout()
        if not isinstance(error, BrokenPipeError):
            print(f"{what} cannot be printed ({error.strerror or error}); free some disk space.", file=sys.stderr)
        sys.exit(1)


@contextlib.contextmanager
def mute_c_libraries() -> Iterator[None]:
    """Discard what is written to stderr meanwhile, also by C libraries, such as libtiff about a damaged file."""
    try:
        kept = os.dup(2)
    except OSError:  # stderr is closed
        kept = None
    if kept is not None:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        if kept is not None:
            os.dup2(kept, 2)
            os.close(kept)


# Blanks over a progress line, and the cursor back: a console of Windows may show an escape code as it is. The lines are
# the bar below and the trainer's "epoch 3 of 15: 42%"; with numbers up to 999,999, they are shorter than the blanks
WIPE = f"\r{' ' * 40}\r"


def show_progress(done: int, total: int) -> None:
    """If stderr is a terminal and there is more than one thing to do, show a bar there, in place of the last one."""
    if total > 1 and _stderr_is_a_terminal():
        bar = "#" * (20 * done // total)
        print(f"{WIPE}[{bar:20}] {done} of {total}", end="", file=sys.stderr, flush=True)


def remove_progress() -> None:
    """Remove the bar, so that a line can be printed."""
    if _stderr_is_a_terminal():
        print(WIPE, end="", file=sys.stderr, flush=True)


def _stderr_is_a_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()


def is_main_process() -> bool:
    """Return whether this process has rank 0; only that one prints and writes files under torchrun."""
    return os.environ.get("RANK", "0") == "0"


def escape_control_characters(text: str) -> str:
    """Return `text` with line breaks, escape codes and other unprintable characters escaped: \\n, \\x1b."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)
