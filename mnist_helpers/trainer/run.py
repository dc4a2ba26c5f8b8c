"""A run: the training of a recipe, which can stop after any batch and continue later, on one or several processes."""

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from mnist_helpers import CourseError
from mnist_helpers.cuda_graph import CapturedStep, update_average
from mnist_helpers.recipes import Recipe, augment, build, make_optimizer, make_schedule, train_batch
from mnist_helpers.trainer import run_state
from mnist_helpers.trainer.distributed import ProcessGroup
from mnist_helpers.trainer.random_state import get_random_state, set_random_state
from mnist_helpers.trainer.run_checkpoint import with_test_time_averaging
from mnist_helpers.training import evaluate, seed_all

LOG_INTERVAL = 10  # batches between two recorded losses, as in the report


class Diverged(CourseError):
    """The loss or a weight is no longer a finite number; no later step can mend that."""


class Run:
    """The training of `recipes.train`, step by step, with the same random numbers and the same weights.

    Images [N, 1, 28, 28] and labels [N] are the whole training set, on the device; `group` says which part of each
    batch this process takes. If `graph` is true, a process that is alone with its NVIDIA GPU captures the step. Raises
    CourseError if the recipe's smallest batch is too small.
    """

    def __init__(
        self,
        recipe: Recipe,
        images: torch.Tensor,
        labels: torch.Tensor,
        seed: int,
        group: ProcessGroup | None = None,
        graph: bool = True,
    ):
        self.recipe, self.images, self.labels, self.seed = recipe, images, labels, seed
        self.group = group or ProcessGroup()
        self.check_batches()
        seed_all(seed, images.device)
        self.model = build(recipe).to(images.device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack this overload
        self.optimizer = make_optimizer(recipe, self.model)
        self.batches = -(-len(images) // recipe.batch_size)  # in an epoch
        self.steps = recipe.epochs * self.batches
        self.schedule = make_schedule(recipe, self.optimizer, self.steps)
        self.average = AveragedModel(self.model, multi_avg_fn=get_ema_multi_avg_fn(recipe.ema), use_buffers=True)
        self.parallel = self.group.distribute(self.model)
        self.step, self.update = 0, self.choose_update(graph)
        self.order, self.order_state = torch.empty(0), torch.empty(0)  # drawn when an epoch begins
        self.history: dict[str, list] = {"examples": [], "losses": [], "epoch_losses": [], "epoch_correct": []}
        self.pending: list[torch.Tensor] = []  # recorded losses that are still on the device

    def check_batches(self) -> None:
        """Raise CourseError if the smallest batch leaves a process without images, or batch normalisation with one."""
        smallest = len(self.images) % self.recipe.batch_size or min(self.recipe.batch_size, len(self.images))
        needed = max(self.group.size, 2 if self.recipe.batch_norm else 1)
        if smallest < needed:
            raise CourseError(
                f"the smallest batch has {smallest} of the {len(self.images):,} images (batch size "
                f"{self.recipe.batch_size}), but {needed} or more were expected: one for each process (of "
                f"{self.group.size}), two for batch normalisation; choose another batch size, or fewer processes."
            )

    def train(self) -> Iterator[float]:
        """Make the remaining steps; after each, yield the number of epochs done, with its fraction."""
        self.parallel.train()
        while self.step < self.steps:
            with self.group.translate_lost_peer():
                self.train_step(self.next_batch())
            self.step += 1
            yield self.step / self.batches

    def next_batch(self) -> torch.Tensor:
        """Return the indices of the images in the next batch; each epoch begins with a new order."""
        number = self.step % self.batches
        if number == 0:
            self.order_state = torch.get_rng_state()
            self.order = torch.randperm(len(self.images)).to(self.images.device)
        return self.order[number * self.recipe.batch_size :][: self.recipe.batch_size]

    def train_step(self, chosen: torch.Tensor) -> None:
        """Update the weights once by the images `chosen` [N]; record each tenth loss."""
        loss = self.update(self.images[chosen], self.labels[chosen])
        self.schedule.step()
        if self.step % self.batches % LOG_INTERVAL == 0:
            self.record(loss / self.group.size)

    def choose_update(self, graph: bool) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
        """Return `update_weights`; captured, if the process is alone with its NVIDIA GPU and `graph` is true."""
        if not (graph and self.images.is_cuda and self.group.size == 1):
            return self.update_weights
        return CapturedStep(self.update_weights, self.model, self.optimizer, self.average, self.recipe.batch_size)

    def update_weights(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Update weights and averages by a whole batch. Each process augments all of it, to draw the same numbers."""
        share = self.group.shard(augment(self.recipe, images))
        weight = self.group.size * len(share) / len(images)  # the mean over processes becomes that over the batch
        loss = train_batch(self.recipe, self.parallel, self.optimizer, share, self.group.shard(labels), weight)
        update_average(self.average, self.model)
        return loss

    def record(self, loss: torch.Tensor) -> None:
        """Record the loss of a batch, and the number of examples seen before it."""
        epoch, batch = divmod(self.step, self.batches)
        self.history["examples"].append(epoch * len(self.images) + batch * self.recipe.batch_size)
        self.pending.append(self.group.all_reduce_sum(loss))
        if loss.device.type == "cpu":  # fetching from a GPU would make each step wait for it
            self.losses()

    def losses(self) -> list[float]:
        """Return all recorded losses; fetch those that are still on the device.

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
        raise Diverged(
            f"the loss is no longer a finite number after {self.progress()}, most "
            f"likely because the learning rate of {self.recipe.learning_rate} is too large; choose a smaller "
            "--learning-rate, and another --output."
        )

    def progress(self) -> str:
        """Return how far the run is, in words: "1 epoch and 5 of 10 batches"."""
        epoch, batch = divmod(self.step, self.batches)
        return f"{epoch} {'epoch' if epoch == 1 else 'epochs'} and {batch} of {self.batches} batches"

    def is_finite(self) -> bool:
        """Return whether all weights and statistics, and their averages, are finite."""
        tensors = [*self.model.state_dict().values(), *self.average.state_dict().values()]
        return all(bool(tensor.isfinite().all()) for tensor in tensors)

    def finished(self) -> nn.Module:
        """Return the network with averaged weights, and with test-time averaging if the recipe asks for it."""
        return with_test_time_averaging(self.recipe, self.average.module)

    def evaluate(self, images: torch.Tensor, labels: torch.Tensor) -> tuple[float, int]:
        """Return the mean loss of the finished network over images [N, 1, 28, 28], and the number of correct answers.

        Raises Diverged if the loss is not finite.
        """
        share = self.group.shard(labels)
        loss, correct = evaluate(self.finished(), self.group.shard(images), share)
        if self.group.size > 1:
            totals = torch.tensor([loss * len(share), correct], dtype=torch.float64, device=images.device)
            total, correct = self.group.all_reduce_sum(totals).tolist()
            loss = total / len(labels)
        self.check_finite(loss)
        return loss, round(correct)

    def state(self) -> dict[str, Any]:
        """Return all that is needed to continue, as plain values and tensors."""
        self.losses()
        return {
            "step": self.step,
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "history": self.history,
            "order_state": self.order_state,
            "random_state": get_random_state(self.images.device),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Return to the step at which `state` was taken. Raises CourseError if it does not fit this run."""
        try:
            self.check_state(state)
            state = state | {"optimizer": run_state.with_own_settings(state["optimizer"], self.optimizer)}
            for name in ("model", "average", "optimizer", "schedule"):
                getattr(self, name).load_state_dict(state[name])
            if isinstance(self.update, CapturedStep):
                self.update.replay = None  # it changes the tensors that the optimizer had before
            self.step, self.order_state = state["step"], state["order_state"]
            self.history = {name: list(state["history"][name]) for name in self.history}
            if self.step % self.batches:
                torch.set_rng_state(self.order_state)
                self.order = torch.randperm(len(self.images)).to(self.images.device)
            set_random_state(state["random_state"], self.images.device)
        except Exception:  # values of another kind or size raise errors of many kinds
            raise CourseError("the checkpoint does not fit this run; choose another folder.") from None

    def check_state(self, state: dict[str, Any]) -> None:
        """Raise ValueError for a state that would load and fail later, or train on without a word."""
        step, expected = state["step"], self.state()
        if type(step) is not int or not 0 <= step <= self.steps:
            raise ValueError
        recorded = (divmod(each, self.batches) for each in range(step) if each % self.batches % LOG_INTERVAL == 0)
        examples = [epoch * len(self.images) + batch * self.recipe.batch_size for epoch, batch in recorded]
        if not (
            run_state.networks_fit(state, expected)
            and run_state.optimizer_fits(state, expected, self.optimizer)
            and run_state.schedule_fits(state, expected)
            and run_state.history_fits(state["history"], examples, step // self.batches)
            and run_state.random_state_fits(state, expected)
        ):
            raise ValueError


def describe(recipe: Recipe, name: str, seed: int, images: torch.Tensor) -> dict[str, Any]:
    """Return the choices that decide the result of a run."""
    return {"recipe": name, **asdict(recipe), "seed": seed, "training images": len(images)}
