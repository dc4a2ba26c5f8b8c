"""What a run prints: a line after each epoch, and in a terminal a line that is updated."""

import sys
import time

from mnist_helpers._support.terminal import escape_control_characters

INTERVAL = 0.2  # seconds between two updates of the progress line


class Display:
    """The output of a run; only the first of several processes prints."""

    def __init__(self, enabled: bool):
        self.enabled = enabled
        self.interactive = sys.stdout.isatty()
        self.updated = time.monotonic()

    def print_line(self, line: str, end: str = "\n") -> None:
        """Print a line; in a terminal it replaces the progress line."""
        if self.enabled:
            line = escape_control_characters(line)
            print(f"\r\x1b[K{line}" if self.interactive else line, end=end, flush=True)

    def show_progress(self, epochs: float, total: int) -> None:
        """In a terminal, update the progress line."""
        if self.interactive and time.monotonic() - self.updated > INTERVAL:
            self.updated = time.monotonic()
            self.print_line(f"epoch {int(epochs) + 1} of {total}: {epochs % 1:.0%}", end="")


def accuracy(correct: int, images: int) -> str:
    """Return an accuracy as text."""
    return f"{correct / images:.2%} ({correct:,} of {images:,})"
