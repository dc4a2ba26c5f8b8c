"""A run: the training of a recipe that can stop after any batch and go on later, alone or among other processes."""

import math
import random
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from mnist_helpers import CourseError
from mnist_helpers._support.atomic_files import atomic_write
from mnist_helpers.augment import ShiftAverage
from mnist_helpers.checkpoints import read_checkpoint
from mnist_helpers.recipes import Recipe, augment, build, make_optimizer, make_schedule, train_batch
from mnist_helpers.trainer.distributed import Processes
from mnist_helpers.training import LOG_INTERVAL, evaluate, seed_all


class Diverged(CourseError):
    """The loss or a weight is no longer a finite number; no later step can mend that."""


class Run:
    """The training that `recipes.train` does, step by step: the same numbers are drawn, the same weights come out.

    Images [N, 1, 28, 28] and labels [N] are the whole training set, on the device; `processes` says which share of each
    batch is this process's. Raises CourseError for a recipe whose smallest batch is too small.
    """

    def __init__(self, recipe: Recipe, images: torch.Tensor, labels: torch.Tensor, seed: int, processes=None):
        self.recipe, self.images, self.labels, self.seed = recipe, images, labels, seed
        self.processes = processes or Processes()
        self.check_batches()
        seed_all(seed)
        self.model = build(recipe).to(images.device, memory_format=torch.channels_last)
        self.optimizer = make_optimizer(recipe, self.model)
        self.batches = -(-len(images) // recipe.batch_size)  # in an epoch
        self.steps = recipe.epochs * self.batches
        self.schedule = make_schedule(recipe, self.optimizer, self.steps)
        self.average = AveragedModel(self.model, multi_avg_fn=get_ema_multi_avg_fn(recipe.ema), use_buffers=True)
        self.parallel = self.processes.wrap(self.model)
        self.step, self.order, self.order_state = 0, None, None
        self.history = {"examples": [], "losses": [], "epoch_losses": [], "epoch_correct": []}
        self.pending = []  # recorded losses that are still on the device

    def check_batches(self) -> None:
        """Refuse a smallest batch that leaves a process without images, or batch normalisation with one."""
        smallest = len(self.images) % self.recipe.batch_size or min(self.recipe.batch_size, len(self.images))
        needed = max(self.processes.size, 2 if self.recipe.batch_norm else 1)
        if smallest < needed:
            raise CourseError(
                f"the smallest batch has {smallest} of the {len(self.images):,} images (batch size "
                f"{self.recipe.batch_size}), but {needed} or more were expected: one for each process (of "
                f"{self.processes.size}), two for batch normalisation; choose another batch size, or fewer processes."
            )

    def train(self) -> Iterator[float]:
        """Make the steps that are left, and yield the number of epochs that are done, as a fraction, after each."""
        self.parallel.train()
        while self.step < self.steps:
            self.train_step(self.next_batch())
            self.step += 1
            yield self.step / self.batches

    def next_batch(self) -> torch.Tensor:
        """Return the numbers of the images of the next batch; each epoch begins with a new order."""
        number = self.step % self.batches
        if number == 0:
            self.order_state = torch.get_rng_state()
            self.order = torch.randperm(len(self.images)).to(self.images.device)
        return self.order[number * self.recipe.batch_size :][: self.recipe.batch_size]

    def train_step(self, chosen: torch.Tensor) -> None:
        """Change the weights once. Every process augments the whole batch, so that all draw the same numbers."""
        images = self.processes.shard(augment(self.recipe, self.images[chosen]))
        labels = self.processes.shard(self.labels[chosen])
        weight = self.processes.size * len(images) / len(chosen)  # the mean over processes becomes that over the batch
        loss = train_batch(self.recipe, self.parallel, self.optimizer, images, labels, weight)
        self.schedule.step()
        self.average.update_parameters(self.model)
        if self.step % self.batches % LOG_INTERVAL == 0:
            self.record(loss / self.processes.size)

    def record(self, loss: torch.Tensor) -> None:
        """Keep a loss of the whole batch, against the examples that were seen before it."""
        epoch, batch = divmod(self.step, self.batches)
        self.history["examples"].append(epoch * len(self.images) + batch * self.recipe.batch_size)
        self.pending.append(self.processes.all_reduce_sum(loss))
        if loss.device.type == "cpu":  # fetching from a GPU would make each step wait for it
            self.losses()

    def losses(self) -> list[float]:
        """Return all losses that were recorded, fetching those that are still on the device.

        Raises Diverged if one of the new ones is not finite.
        """
        if self.pending:
            fetched, self.pending = torch.stack(self.pending).tolist(), []
            self.check_finite(*fetched)
            self.history["losses"] += fetched
        return self.history["losses"]

    def check_finite(self, *losses: float) -> None:
        """Raise Diverged if a loss, a weight or a statistic is not finite."""
        if all(map(math.isfinite, losses)) and self.is_finite():
            return
        epoch, batch = divmod(self.step, self.batches)
        raise Diverged(
            f"the loss is no longer a finite number after {epoch} epochs and {batch} of {self.batches} batches, most "
            f"likely because the learning rate of {self.recipe.learning_rate} is too large; choose a smaller "
            "--learning-rate, and another --output."
        )

    def is_finite(self) -> bool:
        """Tell whether all weights and statistics, and their averages, are finite."""
        tensors = [*self.model.state_dict().values(), *self.average.state_dict().values()]
        return all(bool(tensor.isfinite().all()) for tensor in tensors)

    def finished(self) -> nn.Module:
        """Return the network as the recipe reads digits with it: weights averaged, several places where it says so."""
        return finish(self.recipe, self.average.module)

    def evaluate(self, images: torch.Tensor, labels: torch.Tensor) -> tuple[float, int]:
        """Return the mean loss of the finished network over images [N, 1, 28, 28], and how many of the N are right.

        Raises Diverged if the loss is not finite.
        """
        share = self.processes.shard(labels)
        loss, correct = evaluate(self.finished(), self.processes.shard(images), share)
        if self.processes.size > 1:
            totals = torch.tensor([loss * len(share), correct], dtype=torch.float64, device=images.device)
            total, correct = self.processes.all_reduce_sum(totals).tolist()
            loss = total / len(labels)
        self.check_finite(loss)
        return loss, round(correct)

    def state(self) -> dict:
        """Return all that is needed to go on: plain values and tensors."""
        self.losses()
        return {
            "step": self.step,
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "history": self.history,
            "order_state": self.order_state,
            "random_state": random_state(self.images.device),
        }

    def restore(self, state: dict) -> None:
        """Go back to where `state` was taken. Raises CourseError if it does not fit this run."""
        try:
            check_state(self, state)
            for name in ("model", "average", "optimizer", "schedule"):
                getattr(self, name).load_state_dict(state[name])
            self.step, self.order_state = state["step"], state["order_state"]
            self.history = {name: list(state["history"][name]) for name in self.history}
            if self.step % self.batches:
                torch.set_rng_state(self.order_state)
                self.order = torch.randperm(len(self.images)).to(self.images.device)
            set_random_state(state["random_state"], self.images.device)
        except Exception:  # values of another kind or size raise errors of many kinds
            raise CourseError("the checkpoint does not fit this run; choose another folder.") from None


def finish(recipe: Recipe, network: nn.Module) -> nn.Module:
    """Return `network` as the recipe reads digits with it."""
    return ShiftAverage(network) if recipe.tta else network


def check_state(run: Run, state: dict) -> None:
    """Raise ValueError for what the parts of a run would take, and a later step stumble over."""
    step, schedule = state["step"], state["schedule"]
    kinds = [{name: type(value) for name, value in part.items()} for part in (schedule, run.schedule.state_dict())]
    if type(step) is not int or not 0 <= step <= run.steps or kinds[0] != kinds[1] or schedule["last_epoch"] != step:
        raise ValueError


def random_state(device: torch.device) -> dict:
    """Return the states of all sources of chance: Python, NumPy, torch on the CPU and on `device`."""
    numpy = np.random.get_state(legacy=False)
    on_device = None if device.type == "cpu" else torch.get_device_module(device).get_rng_state()
    keys = torch.from_numpy(numpy["state"]["key"].astype(np.int64))
    rest = (numpy["state"]["pos"], numpy["has_gauss"], numpy["gauss"])
    return {"python": random.getstate(), "numpy": (keys, *rest), "cpu": torch.get_rng_state(), "device": on_device}


def set_random_state(state: dict, device: torch.device) -> None:
    """Restore what `random_state` returned."""
    random.setstate(state["python"])
    keys, *rest = state["numpy"]
    np.random.set_state(("MT19937", keys.numpy().astype(np.uint32), *rest))
    torch.set_rng_state(state["cpu"])
    if state["device"] is not None and device.type != "cpu":
        torch.get_device_module(device).set_rng_state(state["device"])


def save_model(path: Path, run: Run) -> None:
    """Write the run's network, with its averaged weights, and the recipe that says how it is built and used."""
    with atomic_write(path) as file:
        torch.save({"recipe": asdict(run.recipe), "model": run.average.module.state_dict()}, file)


def load_model(path: Path) -> nn.Module:
    """Return the network that `save_model` wrote, as `recipes.train` returned it, in eval mode, on the CPU.

    Nothing in the file is executed. Raises CourseError for a file that is missing, torn or something else.
    """
    content = read_checkpoint(Path(path), {"recipe", "model"}, remedy="train anew")
    try:
        recipe = Recipe(**content["recipe"])
        network = build(recipe).to(memory_format=torch.channels_last)
        network.load_state_dict(content["model"])
        return finish(recipe, network).eval()
    except Exception:  # values of another kind or size raise errors of many kinds
        raise CourseError(f"{path} holds no network of this course; train anew.") from None


def describe(recipe: Recipe, name: str, seed: int, images: torch.Tensor) -> dict:
    """Return what tells one run from another: the choices that decide its result."""
    return {"recipe": name, **asdict(recipe), "seed": seed, "training images": len(images)}
