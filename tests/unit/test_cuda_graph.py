"""The captured step does what the step does, here with a graph that replays on the processor (support/cpu_graph.py).

What needs a GPU is in test_gpu.py.
"""

from dataclasses import replace
from functools import partial

import nbformat
import pytest
import torch
import torch.nn.functional as F
from torch.optim import SGD, AdamW
from torch.optim.swa_utils import AveragedModel

from mnist_helpers import cuda_graph, recipes
from mnist_helpers._support.paths import NOTEBOOKS
from mnist_helpers.cuda_graph import CapturedStep, captured, update_average
from mnist_helpers.recipes import RECIPES
from mnist_helpers.trainer.run import Run
from tests.support import cpu_graph
from tests.support.refusal import refused
from tests.support.trainer import assert_same


@pytest.fixture(autouse=True)
def on_a_pretended_gpu(monkeypatch):
    cpu_graph.pretend(monkeypatch)


class Uncaptured(CapturedStep):
    """The step itself for every batch, with its learning rate rounded to 32 bits, as a graph reads it."""

    def capture(self, *batch):
        for group in self.optimizer.param_groups:
            group["lr"] = torch.as_tensor(group["lr"], dtype=torch.float32)
        return self.step


@pytest.fixture
def gpu_images(images):
    return images.as_subclass(cpu_graph.OnGPU)


def small(name):
    """Two epochs of five batches of 92 and one of 40; a narrow network, where the recipe may choose."""
    recipe = replace(RECIPES[name], epochs=2, batch_size=92)
    return recipe if name == "report" else replace(recipe, width=4)


def weights(model):
    """All weights and statistics; the counters of batches, which nothing reads, are not averaged in a graph."""
    return {name: value for name, value in model.state_dict().items() if value.is_floating_point()}


@pytest.mark.parametrize("name", RECIPES)
def test_a_captured_step_trains_bit_for_bit_what_the_step_does(name, gpu_images, labels, monkeypatch):
    """Augmentation, dropout, smoothing, schedule, optimizer and average, and a smaller batch at the end of an epoch."""
    with monkeypatch.context() as patch:
        patch.setattr(cuda_graph, "CapturedStep", Uncaptured)
        expected = recipes.train(small(name), gpu_images, labels, seed=3)
    drawn_next, calls, real = torch.rand(1), [], recipes.train_step
    monkeypatch.setattr(recipes, "train_step", lambda *parts: calls.append(len(parts[-1])) or real(*parts))
    found = recipes.train(small(name), gpu_images, labels, seed=3)
    assert_same(weights(found), weights(expected))
    assert torch.equal(torch.rand(1), drawn_next)
    assert calls == [92, *[92] * cuda_graph.WARM_UP, 92, 40, 40]  # the first step, warm-up, capture, smaller batches
    assert cpu_graph.Graph.replays == 9


@pytest.mark.filterwarnings("error")  # optimizers for a capture warn of steps outside one
@pytest.mark.parametrize("name", ["good", "report"])
def test_a_run_stopped_after_any_step_continues_bit_for_bit(name, gpu_images, labels, tmp_path):
    whole, states = Run(small(name), gpu_images, labels, seed=3), []
    for _ in whole.train():
        torch.save(whole.state(), tmp_path / f"{len(states)}.pt")
        states.append(tmp_path / f"{len(states)}.pt")
    expected = torch.load(states[-1], weights_only=True)
    for path in states[:-1:2]:
        resumed = Run(small(name), gpu_images, labels, seed=3)
        resumed.restore(torch.load(path, weights_only=True))
        for _ in resumed.train():
            pass
        torch.save(resumed.state(), tmp_path / "resumed.pt")
        assert_same(torch.load(tmp_path / "resumed.pt", weights_only=True), expected)


def test_a_run_can_return_to_an_earlier_step_after_its_capture(gpu_images, labels, tmp_path):
    """The graph of before changes tensors that the optimizer no longer has."""
    run = Run(small("good"), gpu_images, labels, seed=3)
    steps = run.train()
    for _ in zip(range(3), steps):
        pass
    torch.save(run.state(), tmp_path / "3.pt")
    for _ in steps:
        pass
    torch.save(run.state(), tmp_path / "end.pt")
    run.restore(torch.load(tmp_path / "3.pt", weights_only=True))
    for _ in run.train():
        pass
    assert_same(run.state(), torch.load(tmp_path / "end.pt", weights_only=True))


@pytest.mark.parametrize("name", ["fast", "report"])
def test_a_checkpoint_of_the_processor_continues_on_a_gpu(name, images, gpu_images, labels, monkeypatch):
    """Its optimizer was another one: not fused, and not to be captured."""
    with monkeypatch.context() as patch:
        patch.setattr(torch.optim, "AdamW", AdamW)
        patch.setattr(torch.optim, "SGD", SGD)
        before = Run(small(name), images, labels, seed=3)
        for _ in zip(range(3), before.train()):
            pass
    after = Run(small(name), gpu_images, labels, seed=3)
    expected = {**after.optimizer.param_groups[0], "params": None}
    after.restore(before.state())
    found = {**after.optimizer.param_groups[0], "params": None}
    assert {key: found[key] for key in found if "lr" not in key} == {k: v for k, v in expected.items() if "lr" not in k}
    for _ in after.train():
        pass
    assert after.update.replay is not None and isinstance(after.optimizer.param_groups[0]["lr"], torch.Tensor)


def test_a_run_captures_on_a_gpu_unless_told_otherwise(gpu_images, images, labels):
    captures = [
        isinstance(Run(small("fast"), given, labels, 3, **options).update, CapturedStep)
        for given, options in [(gpu_images, {}), (gpu_images, {"graph": False}), (images, {})]
    ]
    assert captures == [True, False, False]


def test_the_capture_is_handed_buffers_and_leaves_no_trace():
    weight, seen = torch.zeros(3), []

    def step(numbers, factor):
        seen.append(numbers.data_ptr())
        weight.add_(numbers * factor + torch.rand(3))
        return weight.sum()

    torch.manual_seed(1)
    numbers, factor = torch.tensor([1.0, 2.0, 3.0]), torch.tensor(2.0)
    replay = captured(step, [numbers, factor], [weight])
    assert torch.equal(weight, torch.zeros(3)) and len(seen) == cuda_graph.WARM_UP + 1
    assert len(set(seen)) == 1 and seen[0] != numbers.data_ptr()
    torch.manual_seed(1)
    expected = torch.tensor([2.0, 4.0, 6.0]) + torch.rand(3)
    torch.manual_seed(1)
    total = replay(numbers, factor)
    assert torch.equal(weight, expected) and torch.equal(total, expected.sum())
    again = replay(10 * numbers, factor)
    assert again is total and torch.equal(total, weight.sum()) and weight[0] > 22  # the new numbers, the same tensor
    assert len(seen) == cuda_graph.WARM_UP + 1  # no Python runs in a replay


def reading_back(model, optimizer, average, images, labels):
    loss = F.nll_loss(model(images), labels)
    loss.item()
    return loss.detach()


def counting(model, optimizer, average, images, labels):
    average.update_parameters(model)
    return torch.zeros(())


def deciding(model, optimizer, average, images, labels):
    return images.sum() if (images > 0).any() else images.mean()


@pytest.mark.parametrize("step", [reading_back, counting, deciding])
def test_a_step_that_no_graph_can_hold_is_refused_in_one_sentence(step, images, labels):
    recipe = small("fast")
    model = recipes.build(recipe)
    average = AveragedModel(model)
    average.n_averaged += 1
    parts = model, recipes.make_optimizer(recipe, model), average
    wrong = CapturedStep(partial(step, *parts), *parts, batch_size=10)
    with refused("cannot capture", "not permitted", "--no-graph"):
        wrong(images[:10], labels[:10])


def test_the_graph_reads_the_rate_that_the_schedule_writes(images, labels):
    """A number before the capture, and from then on one tensor that the schedule fills."""
    recipe = small("fast")
    model = recipes.build(recipe)
    optimizer = recipes.make_optimizer(recipe, model)
    schedule = recipes.make_schedule(recipe, optimizer, 12)
    average = AveragedModel(model, multi_avg_fn=lambda *_: None)
    step = CapturedStep(
        partial(recipes.train_step, recipe, model, optimizer, average), model, optimizer, average, batch_size=92
    )
    rates = []
    for _ in range(4):
        step(images[:92], labels[:92])
        schedule.step()
        rates.append(optimizer.param_groups[0]["lr"])
    assert isinstance(rates[0], float) and rates[1] is rates[2] is rates[3]
    assert rates[3].dtype == torch.float32 and rates[3] == pytest.approx(schedule.get_last_lr()[0].item())


def test_an_average_outside_a_capture_is_torchs():
    model, other = torch.nn.Linear(2, 1), torch.nn.Linear(2, 1)
    averages = [AveragedModel(model, avg_fn=lambda mean, value, count: mean + value + count) for _ in range(2)]
    for new in (model, other, model):
        update_average(averages[0], new)
        averages[1].update_parameters(new)
    assert_same(averages[0].state_dict(), averages[1].state_dict())


def broken_step(kept):
    """The step of the exercise in chapter 08, with those of its three impossible lines that are to be kept."""
    notebook = nbformat.read(NOTEBOOKS / "08_speed.ipynb", as_version=4)
    (source,) = (cell.source for cell in notebook.cells if cell.id == "capture-broken")
    lines = source.splitlines()
    for number in {4, 6, 11} - kept:
        lines[number] = "    if True:" if number == 6 else ""
    names = {"torch": torch, "F": F}
    exec("\n".join([*lines, "    return labels.sum()"]), names)
    return names["step"]


@pytest.mark.parametrize("kept", [set(), {4}, {6}, {11}])
def test_the_three_lines_of_the_exercise_and_no_other_make_a_capture_impossible(kept, images, labels):
    model = recipes.build(RECIPES["report"])
    optimizer = recipes.make_optimizer(RECIPES["report"], model)
    step = partial(broken_step(kept), model, optimizer, torch.tensor(0.5), [])
    step(images[:20], labels[:20])  # makes the optimizer's state
    if kept:
        with pytest.raises(RuntimeError, match="not permitted"):
            captured(step, [images[:20], labels[:20]], [])
    else:
        captured(step, [images[:20], labels[:20]], [])(images[20:40], labels[20:40])
