"""A run gives the same numbers as `recipes.train`, and its state holds all that they depend on."""

import json
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
    killed_at_step_3,
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


def test_the_state_holds_every_source_of_chance(tmp_path):
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


@pytest.mark.parametrize(
    "change",
    [
        *({"step": step} for step in ("many", 2.5, -3, 10**6)),
        *({"model": {}}, {"history": 3}, {"random_state": {}}, TOO_LARGE, {"schedule": {"step": 3}}),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(change, tmp_path, monkeypatch, capsys):
    killed_at_step_3(tmp_path, monkeypatch)
    torch.save(state_of(tmp_path) | change, tmp_path / "checkpoint.pt")
    assert_refused(command(tmp_path, "--resume"), tmp_path, capsys, "checkpoint")


@pytest.mark.parametrize("spoil", [flip, lambda path: torch.save({"recipe": {"width": 3}, "model": {}}, path)])
def test_a_network_that_is_damaged_or_none_is_refused(spoil, tmp_path):
    train.main(command(tmp_path, epochs=1))
    spoil(tmp_path / "model.pt")
    with refused("model.pt", "train anew"):
        run_checkpoint.load_model(tmp_path / "model.pt")


def test_more_processes_than_images_in_the_smallest_batch_are_refused():
    images, labels = data.load("train")
    with refused("has 2 of the 302 images", "3 or more", "fewer processes"):
        Run(Recipe(batch_size=100), images[:302], labels[:302], 1, ProcessGroup(0, 3))
