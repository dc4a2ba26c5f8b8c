"""A run gives the same numbers as `recipes.train`, and its state holds all that they depend on."""

import json
import math
import random
from dataclasses import replace

import numpy as np
import pytest
import torch

from mnist_helpers import data, recipes
from mnist_helpers.recipes import RECIPES, Recipe
from mnist_helpers.trainer import cli as train
from mnist_helpers.trainer import random_state, run_checkpoint
from mnist_helpers.trainer.distributed import ProcessGroup
from mnist_helpers.trainer.run import Run
from mnist_helpers.training import evaluate, seed_all
from tests.support import small_train
from tests.support.refusal import refused
from tests.support.trainer import (
    assert_refused,
    assert_same,
    command,
    flip,
    scramble,
    state_of,
)

# the same numbers as the function that chapter 07 teaches


@pytest.mark.parametrize("name", RECIPES)
def test_the_command_trains_bit_for_bit_what_recipes_train_does(name, tmp_path):
    assert train.main(command(tmp_path, recipe=name)) == 0
    train_set, held_out = data.split(*data.load("train"))
    expected = recipes.train(replace(RECIPES[name], epochs=2, batch_size=100), *train_set, seed=3)
    found = run_checkpoint.load_model(tmp_path / "model.pt")
    assert type(found) is type(expected) and not found.training
    assert_same(found.state_dict(), expected.state_dict())
    loss, correct = evaluate(expected, *held_out)
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["result"] == {"set": "validation", "images": 200, "correct": correct, "loss": loss}
    assert result["history"]["epoch_correct"][-1] == correct
    assert result["run"]["seed"] == 3 and result["made_with"]["torch"] and result["made_with"]["threads"] == 1


def test_losses_are_those_of_every_tenth_batch_before_its_step(tmp_path, monkeypatch):
    losses = []
    real = torch.nn.functional.cross_entropy
    monkeypatch.setattr(
        torch.nn.functional, "cross_entropy", lambda *a, **o: losses.append(real(*a, **o)) or losses[-1]
    )
    train.main(command(tmp_path, batch_size=40))  # 13 batches an epoch
    history = state_of(tmp_path)["history"]
    assert history["examples"] == [0, 400, 500, 900]
    assert history["losses"] == [losses[step].item() for step in (0, 10, 13, 23)]


def opened(monkeypatch):
    seen = []
    monkeypatch.setattr(data, "load", lambda split, *rest: seen.append(split) or small_train.load(split, *rest))
    return seen


def test_the_test_set_is_opened_once_at_the_end_and_only_when_asked_for(tmp_path, monkeypatch):
    seen = opened(monkeypatch)
    train.main(command(tmp_path / "without"))
    assert seen == ["train"]
    train.main(command(tmp_path / "with", "--test"))
    assert seen == ["train", "train", "test"]
    result = json.loads((tmp_path / "with/result.json").read_text())
    assert result["run"]["training images"] == 700 and result["history"]["epoch_correct"] == []
    expected = recipes.train(replace(RECIPES["good"], epochs=2, batch_size=100), *data.load("train"), seed=3)
    assert result["result"]["correct"] == evaluate(expected, *data.load("test"))[1]
    assert result["result"]["set"] == "test" and result["result"]["images"] == 300


def test_the_state_holds_every_random_generator(tmp_path):
    device = torch.device("cpu")
    seed_all(5)
    np.random.randn()  # leaves a second number in reserve
    state = random_state.get_random_state(device)
    torch.save(state, tmp_path / "state.pt")
    drawn = [torch.rand(1).item(), random.random(), random.gauss(0, 1), np.random.randn(), np.random.rand()]
    scramble()
    random_state.set_random_state(torch.load(tmp_path / "state.pt", weights_only=True), device)
    assert drawn == [torch.rand(1).item(), random.random(), random.gauss(0, 1), np.random.randn(), np.random.rand()]


class FakeGPU:
    """The random state of one of several GPUs, as torch.cuda keeps them."""

    states = {0: torch.tensor([1, 2]), 1: torch.tensor([3, 4])}

    def get_rng_state(self, device):
        return self.states[device.index].clone()

    def set_rng_state(self, state, device):
        self.states[device.index] = state


def test_the_state_holds_that_of_the_gpu_and_of_no_other(tmp_path, monkeypatch):
    gpu = FakeGPU()
    monkeypatch.setattr(gpu, "states", dict(gpu.states))
    monkeypatch.setattr(torch, "get_device_module", lambda device: gpu)
    device = torch.device("cuda:1")
    torch.save(random_state.get_random_state(device), tmp_path / "state.pt")
    gpu.states = {0: torch.tensor([9, 9]), 1: torch.tensor([9, 9])}
    random_state.set_random_state(torch.load(tmp_path / "state.pt", weights_only=True), device)
    assert gpu.states[1].tolist() == [3, 4] and gpu.states[0].tolist() == [9, 9]


def test_a_state_of_the_processor_alone_leaves_a_gpu_as_it_is(monkeypatch):
    gpu = FakeGPU()
    monkeypatch.setattr(torch, "get_device_module", lambda device: gpu)
    random_state.set_random_state(random_state.get_random_state(torch.device("cpu")), torch.device("cuda:0"))
    assert gpu.states[0].tolist() == [1, 2]


def test_on_the_processor_nothing_is_captured_with_or_without_the_option(tmp_path):
    train.main(command(tmp_path / "with"))
    train.main(command(tmp_path / "without", "--no-graph"))
    assert_same(state_of(tmp_path / "without"), state_of(tmp_path / "with"))
    assert state_of(tmp_path / "with")["made_with"]["device"] == "cpu"


TOO_LARGE = {"random_state": {"python": (3, (2**70,) * 625, None)}}
NAN, INF = math.nan, math.inf
ALTERED = {  # the way to a part of the state, and what is put there
    "nan among the weights": (["model", "blocks.0.0.weight"], lambda part: part.fill_(NAN)),
    "inf among the averages": (["average", "module.blocks.0.0.weight"], lambda part: part.fill_(INF)),
    "weights of another shape": (["model", "blocks.0.0.weight"], lambda part: torch.zeros(3)),
    "weights of another dtype": (["model", "blocks.0.0.weight"], lambda part: part.double()),
    "weights that repeat one number": (["model", "head.1.weight"], lambda part: part[:1, :1].expand(10**6, 10**6)),
    "no phases": (["schedule", "_schedule_phases"], lambda part: []),
    "a phase without its end": (["schedule", "_schedule_phases", 0], lambda part: {}),
    "fewer steps": (["schedule", "total_steps"], lambda part: 3),
    "another last rate": (["schedule", "_last_lr"], lambda part: [0.5]),
    "another count": (["schedule", "_step_count"], lambda part: 1),
    "a rate of nan": (["optimizer", "param_groups", 0, "lr"], lambda part: NAN),
    "a rate in words": (["optimizer", "param_groups", 0, "lr"], lambda part: "high"),
    "many rates": (["optimizer", "param_groups", 0, "lr"], lambda part: torch.full((3,), part)),
    "another eps": (["optimizer", "param_groups", 0, "eps"], lambda part: 1.0),
    "other betas": (["optimizer", "param_groups", 0, "betas"], lambda part: (0.1, 0.1)),
    "no state of the optimizer for a weight": (["optimizer", "state"], lambda part: {1: part[1]}),
    "a moment of another shape": (["optimizer", "state", 0, "exp_avg"], lambda part: torch.zeros(2)),
    "a moment of nan": (["optimizer", "state", 0, "exp_avg_sq"], lambda part: part.fill_(NAN)),
    "no losses": (["history", "losses"], lambda part: []),
    "losses of nan": (["history", "losses"], lambda part: [NAN] * len(part)),
    "losses in words": (["history", "losses"], lambda part: ["low"] * len(part)),
    "other examples": (["history", "examples"], lambda part: [7] * len(part)),
    "a result of no epoch": (["history", "epoch_correct"], lambda part: [7]),
    "a random state of floats": (["random_state", "cpu"], lambda part: part.float()),
    "a position outside": (["random_state", "numpy", 1], lambda part: 10**6),
    "an order of other numbers": (["order_state"], lambda part: torch.zeros(3)),
    "a seed of many numbers": (["run", "seed"], lambda part: torch.ones(2)),
    "a recipe without end": (["run", "width"], lambda part: [[[part] * 1000] * 1000] * 1000),
}


def alter(content, way, change):
    """Return the content with the part at the end of the way changed; tuples stay tuples."""
    if not way:
        return change(content)
    first, *rest = way
    if isinstance(content, dict):
        return {**content, first: alter(content[first], rest, change)}
    return type(content)(alter(part, rest, change) if place == first else part for place, part in enumerate(content))


@pytest.mark.parametrize("kind", ALTERED)
def test_a_whole_checkpoint_with_altered_contents_is_refused(kind, tmp_path, killed_at_step_3, capsys):
    killed_at_step_3(tmp_path)
    torch.save(alter(state_of(tmp_path), *ALTERED[kind]), tmp_path / "checkpoint.pt")
    assert_refused(command(tmp_path, "--resume"), tmp_path, capsys, "checkpoint")


def test_a_checkpoint_that_a_gpu_wrote_goes_on_here(tmp_path, killed_at_step_3):
    """There the learning rate is a tensor, and the optimizer has other settings."""
    killed_at_step_3(tmp_path)
    state = state_of(tmp_path)
    (group,) = state["optimizer"]["param_groups"]
    rate = torch.tensor(group["lr"])
    group |= {"lr": rate, "fused": True, "capturable": True}
    state["schedule"]["_last_lr"] = [rate.clone()]
    state["random_state"]["device"] = torch.zeros(16, dtype=torch.uint8)
    torch.save(state, tmp_path / "checkpoint.pt")
    assert train.main(command(tmp_path, "--resume")) == 0


def test_a_finished_run_without_the_results_of_its_epochs_is_refused(tmp_path, capsys):
    train.main(command(tmp_path))
    state = state_of(tmp_path)
    state["history"] |= {"epoch_losses": [], "epoch_correct": []}
    torch.save(state, tmp_path / "checkpoint.pt")
    assert_refused(command(tmp_path, "--resume"), tmp_path, capsys, "lacks the results of its epochs")


@pytest.mark.parametrize(
    "change",
    [
        *({"step": step} for step in ("many", 2.5, -3, 10**6)),
        *({"model": {}}, {"history": 3}, {"random_state": {}}, TOO_LARGE, {"schedule": {"step": 3}}),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(change, tmp_path, killed_at_step_3, capsys):
    killed_at_step_3(tmp_path)
    torch.save(state_of(tmp_path) | change, tmp_path / "checkpoint.pt")
    assert_refused(command(tmp_path, "--resume"), tmp_path, capsys, "checkpoint")


def with_weights(value):
    """Save a network whose last weights all have this value."""

    def spoil(path):
        content = torch.load(path, weights_only=True)
        content["model"]["head.1.weight"].fill_(value)
        torch.save(content, path)

    return spoil


def of_a_recipe(**changes):
    """Save weights that do not belong to the recipe beside them."""
    return lambda path: torch.save({"recipe": changes, "model": {}}, path)


@pytest.mark.parametrize(
    "spoil", [flip, with_weights(NAN), of_a_recipe(width=3), of_a_recipe(network="two blocks", width=10**7)]
)
def test_a_network_that_is_damaged_or_none_is_refused(spoil, tmp_path):
    train.main(command(tmp_path, epochs=1))
    spoil(tmp_path / "model.pt")
    with refused("model.pt", "train anew"):
        run_checkpoint.load_model(tmp_path / "model.pt")


def test_more_processes_than_images_in_the_smallest_batch_are_refused():
    images, labels = data.load("train")
    with refused("has 2 of the 302 images", "3 or more", "fewer processes"):
        Run(Recipe(batch_size=100), images[:302], labels[:302], 1, ProcessGroup(0, 3))
