"""The command line of the course: train a recipe on one or more processes, stop it at any time, go on from there.

python -m mnist_helpers.train --recipe good --seed 1
torchrun --standalone --nproc-per-node=2 -m mnist_helpers.train --recipe good --seed 1
"""

import argparse
import contextlib
import json
import math
import os
import shlex
import signal
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import torch
import torch.distributed as dist
from filelock import FileLock, Timeout

from mnist_helpers import CourseError, checkpoints, data
from mnist_helpers._support import provenance
from mnist_helpers._support.atomic_files import atomic_write, remove_stale_temporaries
from mnist_helpers._support.terminal import (
    Parser,
    escape_control_characters,
    escape_unencodable,
    is_main_process,
    silence_stdout,
)
from mnist_helpers.recipes import RECIPES, Recipe
from mnist_helpers.trainer.distributed import start
from mnist_helpers.trainer.run import Diverged, Run, describe, save_model

SECONDS = 5  # between checkpoints: one takes some hundredths of a second
BETWEEN_LINES = 0.2  # seconds between two moves of the moving line
HIGHEST_RATE = 10.0
WHERE = ("processes", "threads", "device", "torch", "processor")  # sums are rounded in another order elsewhere
EPILOG = """\
The output folder gets checkpoint.pt (the whole state of the run, every few seconds and after every epoch, and
beside it the one before), and at the end model.pt (the network, for runs.load_model) and result.json. The empty file
lock stays: a second run in the folder is refused while the first one holds it.
Several processes: torchrun --standalone --nproc-per-node=2 -m mnist_helpers.train ..."""


def number(kind: type, low: float, high: float) -> Callable[[str], float]:
    """Return a parser of one number between two others."""
    name = "whole number" if kind is int else "number"

    def parse(text):
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            expected = f"a {name} from {low:,} to {high:,}"
            raise argparse.ArgumentTypeError(f"{text!r} was given, but {expected} was expected; choose one.")
        return value

    return parse


def recipe_name(text: str) -> str:
    """Return the name of a recipe that there is."""
    if text not in RECIPES:
        known = ", ".join(RECIPES)
        raise argparse.ArgumentTypeError(f"{text!r} was given, but one of {known} was expected; choose one.")
    return text


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line; a bad one ends the program with one sentence and exit code 2."""
    parser = Parser(
        prog="python -m mnist_helpers.train",
        description="Train a recipe of chapter 05 on MNIST.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--recipe", type=recipe_name, default="good", metavar="NAME", help=f"{', '.join(RECIPES)} (default: good)")
    add("--epochs", type=number(int, 1, 10_000), metavar="N", help="default: the recipe's")
    add("--batch-size", type=number(int, 1, 60_000), metavar="N", help="images in a step (default: the recipe's)")
    rate = number(float, 1e-9, HIGHEST_RATE)
    add("--learning-rate", type=rate, metavar="X", help="the largest one, where it changes (default: the recipe's)")
    add("--seed", type=number(int, 0, 2**32 - 1), default=1, metavar="N", help="where chance begins (default: 1)")
    add("--device", default="cpu", metavar="NAME", help="cpu, cuda, cuda:0, mps ... (default: cpu)")
    folder = checkpoints.FOLDER / "train"
    add("--output", type=Path, default=folder, metavar="FOLDER", help="default: artifacts/train")
    add("--resume", action="store_true", help="go on from the folder's checkpoint; where none is, begin")
    add("--test", action="store_true", help="train on all 60,000 images; open the test set once, at the end")
    return parser.parse_args(arguments)


def chosen_recipe(options: argparse.Namespace) -> Recipe:
    """Return the recipe with the changes that the command line makes."""
    names = ("epochs", "batch_size", "learning_rate")
    changes = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    return replace(RECIPES[options.recipe], **changes)


class Job:
    """A run with its folder: what is written there, and what is said on the way."""

    def __init__(self, options: argparse.Namespace, command: str):
        self.options, self.command = options, command
        names = ("checkpoint.pt", "model.pt", "result.json")
        self.checkpoint, self.network_file, self.result_file = (options.output / name for name in names)
        self.check_folder()
        self.processes, device = start(options.device)
        train_set, self.held_out = data.load("train", device), None
        if not options.test:
            train_set, self.held_out = data.split(*train_set)
        recipe = chosen_recipe(options)
        self.run = Run(recipe, *train_set, options.seed, self.processes)
        self.identity = describe(recipe, options.recipe, options.seed, train_set[0])
        self.moving = sys.stdout.isatty()
        self.begun = self.shown = self.saved = time.monotonic()

    def say(self, line: str, end: str = "\n") -> None:
        """Print a line, from the first process only, over the moving one."""
        if self.processes.rank == 0:
            line = escape_control_characters(line)
            print(f"\r\x1b[K{line}" if self.moving else line, end=end, flush=True)

    def check_folder(self) -> None:
        """Refuse a folder that cannot be, or in which another run has written, unless that one is to go on."""
        folder = self.options.output
        try:
            begun, ended = self.has_begun(), self.network_file.exists() or self.result_file.exists()
        except OSError as error:  # a name too long, a folder that may not be opened
            raise CourseError(f"{folder} cannot be used ({error.strerror}); choose another --output.") from None
        if begun and not self.options.resume:
            raise CourseError(f"{folder} holds a run already; go on with it by --resume, or choose another --output.")
        if ended and not begun:
            raise CourseError(f"{folder} holds a run's result without its checkpoint; choose another --output.")

    def has_begun(self) -> bool:
        """Tell whether the folder holds a state of a run."""
        return self.checkpoint.exists() or checkpoints.previous_checkpoint(self.checkpoint).exists()

    def resume(self) -> None:
        """Go on from the newest sound checkpoint, or begin, and write where the run stands."""
        if self.processes.rank == 0:
            self.check_folder()  # once more: another run may have come and gone before this one had the folder
            for path in (self.checkpoint, self.network_file, self.result_file):
                remove_stale_temporaries(path)
        if not (self.options.resume and self.has_begun()):
            if self.options.resume:
                self.say(f"There is no checkpoint in {self.options.output}: the run begins.")
            return self.save()
        content = checkpoints.load_run(self.checkpoint, self.say)
        self.check_identity(content["run"])
        self.run.restore(content)
        epoch, batch = divmod(self.run.step, self.run.batches)
        self.say(f"Going on after {epoch} epochs and {batch} of {self.run.batches} batches.")
        self.compare_machines(content["made_with"])

    def check_identity(self, found: dict) -> None:
        """Refuse the checkpoint of a run with other choices."""
        found = found if isinstance(found, dict) else {}
        for name, expected in self.identity.items():
            if found.get(name) != expected:
                raise CourseError(
                    f"{self.checkpoint} is of a run with {name.replace('_', ' ')} {found.get(name)}, but {expected} "
                    "was given; give the same, or choose another --output."
                )

    def compare_machines(self, found: dict) -> None:
        """Say so if the run goes on where it does not give the same numbers bit for bit."""
        expected = self.made_with()
        found = found if isinstance(found, dict) else {}
        names = [name for name in WHERE if found.get(name) != expected[name]]
        if names:
            changes = "; ".join(f"{name} {found.get(name)}, now {expected[name]}" for name in names)
            self.say(f"The checkpoint was written elsewhere ({changes}): the result will not be the same bit for bit.")

    def save(self) -> None:
        """Write the whole state of the run, if it is sound; one process writes for all."""
        if self.processes.rank == 0 and self.run.is_finite():  # if not, the next loss ends the run in all processes
            content = {"run": self.identity, "made_with": self.made_with(), **self.run.state()}
            checkpoints.save_run(self.checkpoint, content)
        self.saved = time.monotonic()

    def made_with(self) -> dict:
        """Return where the files come from."""
        more = {"threads": torch.get_num_threads(), "processes": self.processes.size, "device": self.options.device}
        return {"command": self.command, **provenance.made_with(), **more}

    def train(self, stop: list[int]) -> bool:
        """Train to the end, and return True; or, once `stop` holds a signal, write a checkpoint and return False."""
        for epochs in self.run.train():
            if epochs == int(epochs):
                self.end_epoch(int(epochs))
            else:
                self.show(epochs)
                if time.monotonic() - self.saved > SECONDS:
                    self.save()
            if stop and self.processes.rank == 0 and self.run.step < self.run.steps:
                self.run.check_finite()
                self.save()
                return False
        return True

    def show(self, epochs: float) -> None:
        """Move the moving line, where there is a terminal."""
        if self.moving and time.monotonic() - self.shown > BETWEEN_LINES:
            self.shown = time.monotonic()
            self.say(f"epoch {int(epochs) + 1} of {self.run.recipe.epochs}: {epochs % 1:.0%}", end="")

    def end_epoch(self, epoch: int) -> None:
        """Evaluate on the images that are held out, write the state of the run, and say how it stands."""
        seconds, size = time.monotonic() - self.begun, len(self.run.images)
        history = self.run.history
        losses = [loss for seen, loss in zip(history["examples"], self.run.losses()) if seen >= (epoch - 1) * size]
        line = f"epoch {epoch} of {self.run.recipe.epochs}: loss {statistics.mean(losses):.4f}"
        if self.held_out:
            loss, correct = self.run.evaluate(*self.held_out)
            history["epoch_losses"].append(loss)
            history["epoch_correct"].append(correct)
            line += f", validation {share(correct, len(self.held_out[1]))}"
        self.run.check_finite()
        self.save()
        self.say(f"{line}, {seconds:.1f} s")
        self.begun = time.monotonic()

    def finish(self) -> None:
        """Write the network and the result. The test set, where it is asked for, is opened here and nowhere else."""
        result, history, folder = {"set": "validation"}, self.run.history, self.options.output
        if self.options.test:
            self.held_out, result = data.load("test", self.run.images.device), {"set": "test"}
            loss, correct = self.run.evaluate(*self.held_out)
        else:
            loss, correct = history["epoch_losses"][-1], history["epoch_correct"][-1]
        result |= {"images": len(self.held_out[1]), "correct": correct, "loss": loss}
        content = {"made_with": self.made_with(), "run": self.identity, "result": result, "history": history}
        if self.processes.rank == 0:
            save_model(self.network_file, self.run)
            with atomic_write(self.result_file) as file:
                file.write(json.dumps(content, indent=1, allow_nan=False).encode() + b"\n")
        self.say(f"{result['set']}: {share(correct, result['images'])}; {folder} has model.pt and result.json")


def share(correct: int, images: int) -> str:
    """Return a share of images as text."""
    return f"{correct / images:.2%} ({correct:,} of {images:,})"


@contextlib.contextmanager
def deferred_signals() -> Iterator[list[int]]:
    """Keep the requests to stop (Ctrl+C, SIGTERM) in a list, so that a step is never left half done."""
    kept = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    old = [signal.signal(number, lambda number, frame: kept.append(number)) for number in numbers]
    try:
        yield kept
    finally:
        for number, handler in zip(numbers, old):
            signal.signal(number, handler)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep the output folder from other runs meanwhile; the system itself gives it free when this process dies.

    Raises CourseError where another run has it, or it cannot be written.
    """
    lock = FileLock(folder / "lock")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        raise CourseError(f"another run writes to {folder}; wait until it ends, or choose another --output.") from None
    except OSError as error:
        raise CourseError(f"{folder} cannot be written ({error.strerror}); choose another --output.") from None
    try:
        yield
    finally:
        lock.release()


def command_line(arguments: list[str]) -> str:
    """Return the command that was given."""
    size = os.environ.get("WORLD_SIZE", "1")
    program = f"torchrun --standalone --nproc-per-node={size}" if size != "1" else "python"
    return shlex.join([*program.split(), "-m", "mnist_helpers.train", *arguments])


@contextlib.contextmanager
def translate_out_of_memory() -> Iterator[None]:
    """Raise CourseError where torch says in its own words that there is too little memory."""
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, torch.OutOfMemoryError) or "allocate memory" in str(error):
            what = "a batch of this size needs more memory than there is"
            raise CourseError(f"{what}; choose a smaller --batch-size, and another --output.") from None
        raise


def work(job: Job, stop: list[int], again: str) -> int:
    """Train to the end, or until `stop` holds a signal; returns the exit code."""
    with locked(job.options.output) if job.processes.rank == 0 else contextlib.nullcontext():
        job.resume()
        if not job.train(stop):
            job.say(f"Stopped, and nothing is lost; to go on: {again}")
            return 128 + stop[0]
        job.finish()
        return 0


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options, command = parse(arguments), command_line(arguments)
    again = command if options.resume else f"{command} --resume"
    escape_unencodable()
    try:
        with deferred_signals() as stop, translate_out_of_memory():
            return work(Job(options, command), stop, again)
    except CourseError as error:
        if is_main_process():
            print(escape_control_characters(str(error)), file=sys.stderr)
        return 1 if isinstance(error, Diverged) else 2
    except BrokenPipeError:  # nobody reads the lines, as in `| head`
        silence_stdout()
        return 1
    except RuntimeError as error:
        if not (isinstance(error, dist.DistError) or "gloo" in str(error)):
            raise
        if signal.SIGINT not in stop:
            reason = "Another process of the run has ended, or does not answer, and so this one ends"
            print(f"{reason}; to go on: {escape_control_characters(again)}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
