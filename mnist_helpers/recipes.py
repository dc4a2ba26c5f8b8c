"""Recipes: all choices of a training run in one object, and `train`, which follows it. Taught in chapters 06 and 07."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from mnist_helpers import CourseError, cuda_graph
from mnist_helpers.augment import ShiftAverage, random_affine, random_shift
from mnist_helpers.data import Pair
from mnist_helpers.network import FIVE_BLOCKS, FOUR_BLOCKS, TWO_BLOCKS, ConvNet, Net
from mnist_helpers.training import seed_all

SHAPES = {"two blocks": TWO_BLOCKS, "four blocks": FOUR_BLOCKS, "five blocks": FIVE_BLOCKS}


@dataclass(frozen=True)
class Recipe:
    """All choices of a training run. The defaults are the report's; `dataclasses.replace` changes single ones."""

    network: str = "report"  # or a key of SHAPES
    width: int = 10  # channels of the first block
    hidden: int = 50  # size of the fully connected layer before the last one, 0 for none
    batch_norm: bool = False
    dropout: float = 0.5
    epochs: int = 3
    batch_size: int = 64
    optimizer: str = "SGD"  # or "AdamW"
    learning_rate: float = 0.01  # the peak learning rate if there is a schedule
    one_cycle: bool = False  # rise to the learning rate over 3/10 of the steps, then fall to zero
    shift: int = 0  # pixels
    degrees: float = 0.0
    scale: float = 0.0  # as a fraction of the size
    label_smoothing: float = 0.0
    ema: float = 0.0  # decay of the moving average of the weights, 0 for none
    tta: bool = False  # test-time augmentation: average over five positions of each digit


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
_LONG: dict[str, Any] = {"network": "five blocks", "width": 24, "epochs": 20, "learning_rate": 0.01, "dropout": 0.1}
RECIPES = {
    "report": Recipe(),
    "fast": _FAST,
    "fast-gpu": replace(_FAST, width=16, batch_size=256),  # more work in fewer steps, which takes a GPU less time
    "good": _GOOD,
    "best": replace(_GOOD, **_LONG, shift=2, degrees=10.0, scale=0.1, ema=0.995, tta=True),
}


def build(recipe: Recipe) -> nn.Module:
    """Build the recipe's network, untrained.

    Raises CourseError if the network is unknown, or if the recipe changes a layer of the report's network.
    """
    _check("network", recipe.network, ["report", *SHAPES])
    if recipe.network != "report":
        return ConvNet(SHAPES[recipe.network], recipe.width, recipe.hidden, recipe.dropout, recipe.batch_norm)
    for field in ("width", "hidden", "dropout", "batch_norm"):
        if getattr(recipe, field) != getattr(Recipe, field):
            given = f"{field} {getattr(recipe, field)} was given, but the report's network has no such option"
            raise CourseError(f"{given}; choose the network 'two blocks', which has the same shape.")
    return Net()


def make_optimizer(recipe: Recipe, model: nn.Module) -> torch.optim.Optimizer:
    """Return the recipe's optimizer for the weights of `model`. Raises CourseError if it is unknown."""
    _check("optimizer", recipe.optimizer, ["SGD", "AdamW"])
    gpu = next(model.parameters()).is_cuda
    options: dict[str, Any] = {"lr": recipe.learning_rate, "fused": gpu or None}  # one kernel for all weights
    if recipe.optimizer == "AdamW":
        return torch.optim.AdamW(model.parameters(), betas=(0.9, 0.99), capturable=gpu, **options)
    return torch.optim.SGD(model.parameters(), momentum=0.5, **options)  # the report's momentum


def _check(field: str, given: str, known: list[str]) -> None:
    if given not in known:
        raise CourseError(f"{field} {given!r} was given, but one of {', '.join(known)} was expected; choose one.")


def make_schedule(recipe: Recipe, optimizer: torch.optim.Optimizer, steps: int) -> LRScheduler:
    """Return the learning rate schedule: one linear rise and fall over all `steps`, or a constant rate."""
    if not recipe.one_cycle:
        return LambdaLR(optimizer, lambda step: 1.0)
    options: dict[str, Any] = {"pct_start": 0.3, "anneal_strategy": "linear", "cycle_momentum": False}
    return OneCycleLR(optimizer, recipe.learning_rate, total_steps=steps, **options)


def augment(recipe: Recipe, images: torch.Tensor) -> torch.Tensor:
    """Return a randomly changed copy of a batch [N, 1, 28, 28], with the recipe's augmentation."""
    if recipe.degrees or recipe.scale:
        images = random_affine(images, recipe.degrees, recipe.scale)
    return random_shift(images, recipe.shift) if recipe.shift else images


def all_batches(recipe: Recipe, images: torch.Tensor, labels: torch.Tensor) -> Iterator[Pair]:
    """Yield the batches of all epochs: in each epoch every image once, with its label, in a new random order."""
    for _ in range(recipe.epochs):
        for chosen in torch.randperm(len(images)).to(images.device).split(recipe.batch_size):
            yield images[chosen], labels[chosen]


def train_batch(
    recipe: Recipe,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    images: torch.Tensor,
    labels: torch.Tensor,
    weight: float = 1.0,
) -> torch.Tensor:
    """Change the weights of `model` once, by a batch of images [N, 1, 28, 28] and labels [N]; return its loss.

    The loss counts `weight` times: several processes that share one batch scale theirs by the size of their part.
    """
    optimizer.zero_grad()
    log_probs = model(images)
    loss = weight * F.cross_entropy(log_probs, labels, label_smoothing=recipe.label_smoothing)
    loss.backward()
    optimizer.step()
    return loss.detach()


def train_step(
    recipe: Recipe,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    average: AveragedModel,
    images: torch.Tensor,
    labels: torch.Tensor,
) -> torch.Tensor:
    """Augment a batch, change the weights of `model` by it and move their average; return the loss."""
    loss = train_batch(recipe, model, optimizer, augment(recipe, images), labels)
    cuda_graph.update_average(average, model)
    return loss


def train(recipe: Recipe, images: torch.Tensor, labels: torch.Tensor, seed: int, on_progress=None) -> nn.Module:
    """Train the recipe's network on images [N, 1, 28, 28] and labels [N] and return it, in train mode.

    If the recipe says so, its weights are averages, and it averages over five places of each digit.
    `on_progress` is called after each step with the fraction of all steps that is done, 0 to 1.
    """
    seed_all(seed, images.device)
    model = build(recipe).to(images.device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack this overload
    optimizer = make_optimizer(recipe, model)
    steps = recipe.epochs * -(-len(images) // recipe.batch_size)
    schedule = make_schedule(recipe, optimizer, steps)
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(recipe.ema), use_buffers=True)
    step: Callable[..., torch.Tensor] = partial(train_step, recipe, model, optimizer, average)
    if images.is_cuda:
        step = cuda_graph.CapturedStep(step, model, optimizer, average, recipe.batch_size)
    model.train()
    for number, batch in enumerate(all_batches(recipe, images, labels), start=1):
        step(*batch)
        schedule.step()
        if on_progress is not None:
            on_progress(number / steps)
    return ShiftAverage(average.module) if recipe.tta else average.module
