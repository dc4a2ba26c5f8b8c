"""The files of a run: its checkpoints and its network. Nothing in them is executed when they are read."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mnist_helpers import CourseError
from mnist_helpers._support.atomic_files import atomic_write
from mnist_helpers._support.torch_files import is_finite, read_checkpoint, same_structure
from mnist_helpers.augment import ShiftAverage
from mnist_helpers.recipes import Recipe, build
from mnist_helpers.trainer.run_files import previous_checkpoint

KEYS = {"run", "made_with", "step", "model", "average", "optimizer", "schedule", "history", "random_state"}


def save_run(path: Path, content: dict[str, Any]) -> None:
    """Save the whole state of a run; if the file that it replaces is intact, keep that one beside it.

    Raises CourseError, and changes neither file, if it cannot be written.
    """
    try:
        read_checkpoint(path, KEYS, remedy="")
        older = previous_checkpoint(path)
    except CourseError:
        older = None
    with atomic_write(path, older) as file:
        torch.save(content, file)


def load_run(path: Path, print_line: Callable[[str], None]) -> dict[str, Any]:
    """Return the newest intact state of a run: that in `path`, or else the previous one, which is announced.

    Raises CourseError if neither file is there and intact.
    """
    try:
        return read_checkpoint(path, KEYS, remedy="train anew")
    except CourseError as error:
        if not previous_checkpoint(path).exists():
            raise
        content = read_checkpoint(previous_checkpoint(path), KEYS, remedy="train anew")
        print_line(f"{str(error).split(';')[0]}: continuing from the previous one, {previous_checkpoint(path).name}.")
        return content


def with_test_time_averaging(recipe: Recipe, network: nn.Module) -> nn.Module:
    """Return `network`, wrapped in test-time averaging if the recipe asks for it."""
    return ShiftAverage(network) if recipe.tta else network


def save_model(path: Path, recipe: Recipe, network: nn.Module) -> None:
    """Save a trained network, with the recipe from which it can be built again."""
    with atomic_write(path) as file:
        torch.save({"recipe": asdict(recipe), "model": network.state_dict()}, file)


def load_model(path: Path) -> nn.Module:
    """Return the network that `save_model` saved, as `recipes.train` returns it, in eval mode, on the CPU.

    Nothing in the file is executed. Raises CourseError if the file is missing, damaged or something else.
    """
    content = read_checkpoint(Path(path), {"recipe", "model"}, remedy="train anew")
    try:
        recipe = Recipe(**content["recipe"])
        with torch.device("meta"):  # the shapes alone: a recipe of a huge network takes no memory
            expected = build(recipe).state_dict()
        if not same_structure(content["model"], expected) or not is_finite(content["model"]):
            raise ValueError
        network = build(recipe).to(memory_format=torch.channels_last)
        network.load_state_dict(content["model"])
        return with_test_time_averaging(recipe, network).eval()
    except Exception:  # values of another kind or size raise errors of many kinds
        raise CourseError(f"{path} holds no network of this course; train anew.") from None
