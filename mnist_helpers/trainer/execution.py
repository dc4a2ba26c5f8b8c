"""Run the training command with its options: its signals, error messages and exit codes. Imports torch."""

import argparse
import contextlib
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace

import torch

from mnist_helpers import CourseError
from mnist_helpers._support.terminal import escape_control_characters, is_main_process, silence_stdout
from mnist_helpers.recipes import RECIPES, Recipe
from mnist_helpers.trainer.display import OutputLost
from mnist_helpers.trainer.distributed import PEER_ERRORS
from mnist_helpers.trainer.run import Diverged
from mnist_helpers.trainer.session import Settings, TrainingSession


def execute(options: argparse.Namespace, command: str) -> int:
    """Train as the options say; return the exit code."""
    resume_command = command if options.resume else f"{command} --resume"
    stop: list[int] = []
    try:
        with deferred_signals() as stop, translate_out_of_memory():
            session = TrainingSession(settings(options, command))
            if session.execute(stop):
                return 0
            session.display.print_line(f"Stopped, and nothing is lost; to continue: {resume_command}")
            return 128 + stop[0]
    except Exception as error:
        return report(error, stop, resume_command)


def chosen_recipe(options: argparse.Namespace) -> Recipe:
    """Return the recipe with the changes that the options make."""
    names = ("epochs", "batch_size", "learning_rate")
    changes = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    return replace(RECIPES[options.recipe], **changes)


@contextlib.contextmanager
def deferred_signals() -> Iterator[list[int]]:
    """Collect Ctrl+C and SIGTERM in a list, so that a step is always completed before the run stops."""
    received: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    handlers = [signal.signal(number, lambda number, frame: received.append(number)) for number in numbers]
    try:
        yield received
    finally:
        for number, handler in zip(numbers, handlers):
            signal.signal(number, handler)


@contextlib.contextmanager
def translate_out_of_memory() -> Iterator[None]:
    """Raise CourseError instead of torch's error for too little memory."""
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, torch.OutOfMemoryError) or "allocate memory" in str(error):
            what = "a batch of this size needs more memory than there is"
            raise CourseError(f"{what}; choose a smaller --batch-size, and another --output.") from None
        raise


def settings(options: argparse.Namespace, command: str) -> Settings:
    """Return the settings of the session that the options choose."""
    names = ("seed", "device", "graph", "output", "resume", "test", "export")
    chosen = {name: getattr(options, name) for name in names}
    return Settings(chosen_recipe(options), options.recipe, command=command, **chosen)


def report(error: Exception, stop: list[int], resume_command: str) -> int:
    """Print one sentence for an error that is expected, and return the exit code; raise any other error again."""
    if isinstance(error, OutputLost):
        if sys.stdout is not None:
            silence_stdout()
        print(f"{error}; to continue: {escape_control_characters(resume_command)}", file=sys.stderr)
        return 1
    if isinstance(error, CourseError):
        if is_main_process():
            print(escape_control_characters(str(error)), file=sys.stderr)
        return 1 if isinstance(error, Diverged) else 2
    if isinstance(error, BrokenPipeError):  # nobody reads the lines, as in `| head`
        silence_stdout()
        return 1
    if isinstance(error, PEER_ERRORS):
        if signal.SIGINT not in stop:
            reason = "Another process of the run has ended or does not answer, so this one ends as well"
            print(f"{reason}; to continue: {escape_control_characters(resume_command)}", file=sys.stderr)
        return 1
    raise error
