"""The command line `python -m mnist_helpers.train`: its options, signals, error messages and exit codes.

python -m mnist_helpers.train --recipe good --seed 1
torchrun --standalone --nproc-per-node=2 -m mnist_helpers.train --recipe good --seed 1
"""

import argparse
import contextlib
import math
import os
import shlex
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import torch

from mnist_helpers import CourseError
from mnist_helpers._support.paths import ARTIFACTS
from mnist_helpers._support.terminal import (
    Parser,
    escape_control_characters,
    escape_unencodable,
    is_main_process,
    silence_stdout,
)
from mnist_helpers.recipes import RECIPES, Recipe
from mnist_helpers.trainer.distributed import PEER_ERRORS
from mnist_helpers.trainer.run import Diverged
from mnist_helpers.trainer.session import Settings, TrainingSession

HIGHEST_RATE = 10.0
EPILOG = """\
The output folder gets checkpoint.pt (the whole state of the run, every few seconds and after every epoch) and
checkpoint_before.pt (the previous one), and at the end model.pt (the network; trainer.run_checkpoint.load_model loads
it) and result.json. The empty file lock keeps a second run out of the folder.
Several processes: torchrun --standalone --nproc-per-node=2 -m mnist_helpers.train ..."""


def number(kind: type, low: float, high: float) -> Callable[[str], float]:
    """Return a parser of a number in a range."""
    name = "an integer" if kind is int else "a number"

    def parse(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"must be {name} from {low:,} to {high:,} (got {text!r}).")
        return value

    return parse


def recipe_name(text: str) -> str:
    """Return the name of a recipe; raise ArgumentTypeError if there is none of this name."""
    if text not in RECIPES:
        raise argparse.ArgumentTypeError(f"must be one of {', '.join(RECIPES)} (got {text!r}).")
    return text


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Parse the command line; if it is invalid, exit with one sentence and exit code 2."""
    parser = Parser(
        prog="python -m mnist_helpers.train",
        description="Train a recipe of chapter 07 on MNIST.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--recipe", type=recipe_name, default="good", metavar="NAME", help=f"{', '.join(RECIPES)} (default: good)")
    add("--epochs", type=number(int, 1, 10_000), metavar="N", help="default: the recipe's")
    add("--batch-size", type=number(int, 1, 60_000), metavar="N", help="images in a step (default: the recipe's)")
    rate = number(float, 1e-9, HIGHEST_RATE)
    add("--learning-rate", type=rate, metavar="X", help="peak learning rate (default: the recipe's)")
    add("--seed", type=number(int, 0, 2**32 - 1), default=1, metavar="N", help="random seed (default: 1)")
    add("--device", default="cpu", metavar="NAME", help="cpu, cuda, cuda:0, mps ... (default: cpu)")
    add("--no-graph", dest="graph", action="store_false", help="on a GPU: launch the kernels of each step one by one")
    folder = ARTIFACTS / "train"
    add("--output", type=Path, default=folder, metavar="FOLDER", help="default: artifacts/train")
    add("--resume", action="store_true", help="continue from the checkpoint in the folder, if there is one")
    add("--export", action="store_true", help="also write model.onnx, which `python -m mnist_helpers.predict` takes")
    add("--test", action="store_true", help="train on all 60,000 images; open the test set once, at the end")
    return parser.parse_args(arguments)


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


def command_line(arguments: list[str]) -> str:
    """Return the command as the user gave it."""
    size = os.environ.get("WORLD_SIZE", "1")
    program = f"torchrun --standalone --nproc-per-node={size}" if size != "1" else "python"
    return shlex.join([*program.split(), "-m", "mnist_helpers.train", *arguments])


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


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options, command = parse(arguments), command_line(arguments)
    resume_command = command if options.resume else f"{command} --resume"
    escape_unencodable()
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


def report(error: Exception, stop: list[int], resume_command: str) -> int:
    """Print one sentence for an error that is expected, and return the exit code; raise any other error again."""
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
