"""The command line `python -m mnist_helpers.train`: its options. What needs no torch is answered before it is imported.

python -m mnist_helpers.train --recipe good --seed 1
torchrun --standalone --nproc-per-node=2 -m mnist_helpers.train --recipe good --seed 1
"""

import argparse
import contextlib
import os
import shlex
import sys
from pathlib import Path

from mnist_helpers import CourseError
from mnist_helpers._support.paths import ARTIFACTS
from mnist_helpers._support.terminal import (
    Parser,
    between,
    escape_control_characters,
    escape_unencodable,
    is_main_process,
)
from mnist_helpers.trainer.display import Display
from mnist_helpers.trainer.run_files import RunFiles

RECIPE_NAMES = "report", "fast", "fast-gpu", "good", "best"  # the keys of recipes.RECIPES, which needs torch
HIGHEST_RATE = 10.0
EPILOG = """\
The output folder gets checkpoint.pt (the whole state of the run, every few seconds and after every epoch) and
checkpoint_before.pt (the previous one), and at the end model.pt (the network; trainer.run_checkpoint.load_model loads
it) and result.json. The empty file lock keeps a second run out of the folder.
Several processes: torchrun --standalone --nproc-per-node=2 -m mnist_helpers.train ..."""


def recipe_name(text: str) -> str:
    """Return the name of a recipe; raise ArgumentTypeError if there is none of this name."""
    if text not in RECIPE_NAMES:
        raise argparse.ArgumentTypeError(f"must be one of {', '.join(RECIPE_NAMES)} (got {text!r}).")
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
    add("--recipe", type=recipe_name, default="good", metavar="NAME", help=f"{', '.join(RECIPE_NAMES)} (default: good)")
    add("--epochs", type=between(int, 1, 10_000), metavar="N", help="default: the recipe's")
    add("--batch-size", type=between(int, 1, 60_000), metavar="N", help="images in a step (default: the recipe's)")
    rate = between(float, 1e-9, HIGHEST_RATE)
    add("--learning-rate", type=rate, metavar="X", help="peak learning rate (default: the recipe's)")
    add("--seed", type=between(int, 0, 2**32 - 1), default=1, metavar="N", help="random seed (default: 1)")
    add("--device", default="cpu", metavar="NAME", help="cpu, cuda, cuda:0, mps ... (default: cpu)")
    add("--no-graph", dest="graph", action="store_false", help="on a GPU: launch the kernels of each step one by one")
    folder = ARTIFACTS / "train"
    add("--output", type=Path, default=folder, metavar="FOLDER", help="default: artifacts/train")
    add("--resume", action="store_true", help="continue from the checkpoint in the folder, if there is one")
    add("--export", action="store_true", help="also write model.onnx, which `python -m mnist_helpers.predict` takes")
    add("--test", action="store_true", help="train on all 60,000 images; open the test set once, at the end")
    return parser.parse_args(arguments)


def command_line(arguments: list[str]) -> str:
    """Return the command as the user gave it."""
    by_torchrun = "TORCHELASTIC_RUN_ID" in os.environ
    program = f"torchrun --standalone --nproc-per-node={os.environ['WORLD_SIZE']}" if by_torchrun else "python"
    return shlex.join([*program.split(), "-m", "mnist_helpers.train", *arguments])


def announce(options: argparse.Namespace) -> None:
    """Say what is done now. If nobody can read it, the run says so once it has saved its first state."""
    begins = "goes on" if options.resume else "begins"
    with contextlib.suppress(OSError, ValueError, CourseError):
        line = f"A run of the recipe {options.recipe} {begins} in {options.output}; loading PyTorch takes some seconds."
        Display(is_main_process()).print_line(line)


def main(arguments: list[str] | None = None, say_at_once: bool = False) -> int:
    """Run the command; return its exit code. If `say_at_once`, begin with a line that says what it does."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = parse(arguments)
    escape_unencodable()
    try:
        RunFiles(options.output, options.resume).check()
    except CourseError as error:
        if is_main_process():
            print(escape_control_characters(str(error)), file=sys.stderr)
        return 2
    if say_at_once:
        announce(options)
    from mnist_helpers.trainer import execution  # only now, since it imports torch, which takes seconds

    return execution.execute(options, command_line(arguments))
