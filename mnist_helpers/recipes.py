"""A recipe holds every choice of a training; `train` follows it. Chapter 05 finds the ones that are named here."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from mnist_helpers import CourseError
from mnist_helpers.augment import ShiftAverage, random_affine, random_shift
from mnist_helpers.data import Pair
from mnist_helpers.network import FIVE_BLOCKS, FOUR_BLOCKS, TWO_BLOCKS, ConvNet, Net
from mnist_helpers.training import seed_all

SHAPES = {"two blocks": TWO_BLOCKS, "four blocks": FOUR_BLOCKS, "five blocks": FIVE_BLOCKS}


@dataclass(frozen=True)
class Recipe:
    """Every choice of one training. The defaults are the report's; `dataclasses.replace` changes one at a time."""

    network: str = "report"  # or a key of SHAPES
    width: int = 10  # channels of the first block
    hidden: int = 50  # size of the fully connected layer between, 0 for none
    batch_norm: bool = False
    dropout: float = 0.5
    epochs: int = 3
    batch_size: int = 64
    optimizer: str = "SGD"  # or "AdamW"
    learning_rate: float = 0.01  # the largest one, where there is a schedule
    one_cycle: bool = False  # rise to the learning rate over 3/10 of the steps, then fall to zero
    shift: int = 0  # pixels
    degrees: float = 0.0
    scale: float = 0.0  # share of the size
    label_smoothing: float = 0.0
    ema: float = 0.0  # decay of the average of weights, 0 for none
    tta: bool = False  # read each digit at five places


_FAST = Recipe(
    network="four blocks",
    width=8,
    hidden=0,
    batch_norm=True,
    dropout=0.0,
    epochs=1,
    batch_size=128,
    optimizer="AdamW",
    learning_rate=0.03,
    one_cycle=True,
    label_smoothing=0.05,
)
_GOOD = replace(_FAST, width=16, epochs=3, learning_rate=0.02, shift=1, ema=0.99)
_LONG = {"network": "five blocks", "width": 24, "epochs": 20, "learning_rate": 0.01, "dropout": 0.1}
RECIPES = {
    "report": Recipe(),
    "fast": _FAST,
    "good": _GOOD,
    "best": replace(_GOOD, **_LONG, shift=2, degrees=10.0, scale=0.1, ema=0.995, tta=True),
}


def build(recipe: Recipe) -> nn.Module:
    """Make the recipe's network, untrained.

    Raises CourseError for a network that is not known, or a change to the report's, which is as it is.
    """
    _check("network", recipe.network, ["report", *SHAPES])
    if recipe.network != "report":
        return ConvNet(SHAPES[recipe.network], recipe.width, recipe.hidden, recipe.dropout, recipe.batch_norm)
    for field in ("width", "hidden", "dropout", "batch_norm"):
        if getattr(recipe, field) != getattr(Recipe, field):
            given = f"{field} {getattr(recipe, field)} was given for the report's network, but it is as it is"
            raise CourseError(f"{given}; choose the network 'two blocks', which has its shape.")
    return Net()


def make_optimizer(recipe: Recipe, model: nn.Module) -> torch.optim.Optimizer:
    """Make the recipe's optimizer for the weights of `model`. Raises CourseError for one that is not known."""
    _check("optimizer", recipe.optimizer, ["SGD", "AdamW"])
    if recipe.optimizer == "AdamW":
        return torch.optim.AdamW(model.parameters(), lr=recipe.learning_rate, betas=(0.9, 0.99))
    return torch.optim.SGD(model.parameters(), lr=recipe.learning_rate, momentum=0.5)  # the report's momentum


def _check(field: str, given: str, known: list[str]) -> None:
    if given not in known:
        raise CourseError(f"{field} {given!r} was given, but one of {', '.join(known)} was expected; choose one.")


def make_schedule(recipe: Recipe, optimizer: torch.optim.Optimizer, steps: int) -> LRScheduler:
    """Make the learning rate's schedule: one linear rise and fall over all `steps`, or a rate that stays."""
    if not recipe.one_cycle:
        return LambdaLR(optimizer, lambda step: 1.0)
    options = {"pct_start": 0.3, "anneal_strategy": "linear", "cycle_momentum": False}
    return OneCycleLR(optimizer, recipe.learning_rate, total_steps=steps, **options)


def augment(recipe: Recipe, images: torch.Tensor) -> torch.Tensor:
    """Change a batch [N, 1, 28, 28] at random, as much as the recipe says."""
    if recipe.degrees or recipe.scale:
        images = random_affine(images, recipe.degrees, recipe.scale)
    return random_shift(images, recipe.shift) if recipe.shift else images


def all_batches(recipe: Recipe, images: torch.Tensor, labels: torch.Tensor) -> Iterator[Pair]:
    """Yield the batches of all epochs: in each epoch every image once, with its label, in a new random order."""
    for _ in range(recipe.epochs):
        for chosen in torch.randperm(len(images)).to(images.device).split(recipe.batch_size):
            yield images[chosen], labels[chosen]


def train(
    recipe: Recipe,
    images: torch.Tensor,
    labels: torch.Tensor,
    seed: int,
    on_progress: Callable[[float], None] | None = None,
) -> nn.Module:
    """Train the recipe's network on images [N, 1, 28, 28] and labels [N], from the seed on, and return it.

    What comes back reads digits as the recipe says: with averaged weights, and at five places each, where it says so.
    It is in train mode: `evaluate` and `predict` put it into eval mode, and leave it there.
    `on_progress` receives the fraction of the steps that is done, 0 to 1, after each.
    """
    seed_all(seed)
    model = build(recipe).to(images.device, memory_format=torch.channels_last)
    optimizer = make_optimizer(recipe, model)
    steps = recipe.epochs * -(-len(images) // recipe.batch_size)
    schedule = make_schedule(recipe, optimizer, steps)
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(recipe.ema), use_buffers=True)
    model.train()
    for step, (batch_images, batch_labels) in enumerate(all_batches(recipe, images, labels), start=1):
        optimizer.zero_grad()
        log_probs = model(augment(recipe, batch_images))
        loss = F.cross_entropy(log_probs, batch_labels, label_smoothing=recipe.label_smoothing)
        loss.backward()
        optimizer.step()
        schedule.step()
        average.update_parameters(model)
        if on_progress is not None:
            on_progress(step / steps)
    return ShiftAverage(average.module) if recipe.tta else average.module
