"""What a run prints: a line after each epoch, and in a terminal a line that is updated."""

import contextlib
import sys
import time
from collections.abc import Iterator

from mnist_helpers import CourseError
from mnist_helpers._support.terminal import WIPE, escape_control_characters

INTERVAL = 0.2  # seconds between two updates of the progress line


class OutputLost(CourseError):
    """The lines of the run can no longer be printed."""

    def __init__(self, reason: str):
        super().__init__(f"the lines of the run cannot be printed ({reason}), so it stopped after saving its state")


class Display:
    """The output of a run; only the first of several processes prints."""

    def __init__(self, enabled: bool):
        self.enabled = enabled
        self.interactive = sys.stdout is not None and sys.stdout.isatty()
        self.updated = time.monotonic()

    def print_line(self, line: str, end: str = "\n") -> None:
        """Print a line; in a terminal it replaces the progress line. Raises OutputLost if it cannot be printed."""
        if self.enabled:
            line = escape_control_characters(line)
            with _translate_lost_output():
                print(f"{WIPE}{line}" if self.interactive else line, end=end, flush=True)

    def check(self) -> None:
        """Raise OutputLost if an earlier line could not be printed."""
        if self.enabled:
            with _translate_lost_output():
                sys.stdout.flush()

    def show_progress(self, epochs: float, total: int) -> None:
        """In a terminal, update the progress line."""
        if self.interactive and time.monotonic() - self.updated > INTERVAL:
            self.updated = time.monotonic()
            self.print_line(f"epoch {int(epochs) + 1} of {total}: {epochs % 1:.0%}", end="")


@contextlib.contextmanager
def _translate_lost_output() -> Iterator[None]:
    """Raise OutputLost if standard output is closed, or takes no more; a reader who left (`| head`) is no fault."""
    if sys.stdout is None:
        raise OutputLost("standard output is closed")
    try:
        yield
    except BrokenPipeError:
        raise
    except (OSError, ValueError) as error:
        raise OutputLost(getattr(error, "strerror", None) or str(error)) from None


def accuracy(correct: int, images: int) -> str:
    """Return an accuracy as text."""
    return f"{correct / images:.2%} ({correct:,} of {images:,})"
