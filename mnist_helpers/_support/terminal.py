"""What the command lines share: they refuse in one sentence, and a name cannot write to the terminal."""

import argparse
import os
import sys


class Parser(argparse.ArgumentParser):
    """A parser that refuses in one sentence."""

    def error(self, message):
        sentence = visible(message if message.endswith(".") else f"{message}; see --help.")
        self.exit(2, f"{sentence}\n" if first_process() else "")


def escape_unprintable() -> None:
    """Let the output write as Python would (\\u20ac) the letters that a terminal cannot show, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a notebook's output has it not, and shows all letters
            stream.reconfigure(errors="backslashreplace")


def silence_stdout() -> None:
    """Go on after a BrokenPipeError, when nobody reads any more: or Python complains once more at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def first_process() -> bool:
    """Tell whether this process speaks and writes for all that torchrun started."""
    return os.environ.get("RANK", "0") == "0"


def visible(text: str) -> str:
    """Write line breaks, escape codes and all else that is no printed character as Python would: \\n, \\x1b."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)
