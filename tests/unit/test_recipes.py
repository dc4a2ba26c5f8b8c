"""Recipes: each choice has the effect that its formula says, and `train` follows all of them."""

import dataclasses

import pytest
import torch
import torch.nn.functional as F

from mnist_helpers.augment import ShiftAverage, random_shift
from mnist_helpers.network import Net
from mnist_helpers.recipes import RECIPES, Recipe, all_batches, build, make_optimizer, make_schedule, train
from mnist_helpers.training import History, evaluate, seed_all, train_epoch
from tests.support.refusal import refused

PLAIN = Recipe(network="two blocks", width=2, hidden=0, dropout=0.0)  # small, and no chance in its steps


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def assert_trained(model, expected):
    torch.testing.assert_close([p.detach() for p in model.parameters()], expected)


@pytest.fixture
def one_batch(images, labels):
    """A recipe in which an epoch is one step, and the 64 digits for it."""
    return dataclasses.replace(PLAIN, batch_size=64, epochs=1), images[:64], labels[:64]


def test_training_sees_augmented_images(one_batch):
    recipe, images, labels = one_batch
    recipe = dataclasses.replace(recipe, shift=1)
    seed_all(1)
    model, order = build(recipe), torch.randperm(64)
    F.nll_loss(model(random_shift(images[order], 1)), labels[order]).backward()
    expected = [p.detach() - 0.01 * p.grad for p in model.parameters()]
    assert_trained(train(recipe, images, labels, seed=1), expected)


# recipes


def test_the_report_recipe_does_what_the_report_loop_does(images, labels):
    seed_all(3)
    model = Net().to(memory_format=torch.channels_last)
    optimizer, history = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.5), History()
    for _ in range(3):
        train_epoch(model, images, labels, optimizer, history)
    torch.testing.assert_close(weights(train(RECIPES["report"], images, labels, seed=3)), weights(model))


def test_the_average_of_weights_is_the_formula(one_batch):
    recipe, *digits = one_batch
    after = [weights(train(dataclasses.replace(recipe, epochs=steps), *digits, seed=1)) for steps in (1, 2, 3)]
    expected = 0.9 * (0.9 * after[0] + 0.1 * after[1]) + 0.1 * after[2]
    averaged = train(dataclasses.replace(recipe, epochs=3, ema=0.9), *digits, seed=1)
    torch.testing.assert_close(weights(averaged), expected)


def test_test_time_averaging_wraps_the_same_network(one_batch):
    recipe, *digits = one_batch
    wrapped = train(dataclasses.replace(recipe, tta=True), *digits, seed=1)
    assert isinstance(wrapped, ShiftAverage)
    assert torch.equal(weights(wrapped), weights(train(recipe, *digits, seed=1)))


def test_adamw_has_the_betas_and_the_rate_of_the_recipe():
    group = make_optimizer(Recipe(optimizer="AdamW", learning_rate=0.03), Net()).param_groups[0]
    assert (group["betas"], group["lr"]) == ((0.9, 0.99), 0.03)


def test_label_smoothing_is_the_formula(one_batch):
    recipe, images, labels = one_batch
    seed_all(1)
    model = build(recipe)
    targets = 0.8 * F.one_hot(labels, 10) + 0.2 / 10
    (-(targets * model(images)).sum(dim=1).mean()).backward()
    expected = [p.detach() - 0.01 * p.grad for p in model.parameters()]  # the first step has no momentum yet
    assert_trained(train(dataclasses.replace(recipe, label_smoothing=0.2), images, labels, seed=1), expected)


def test_one_cycle_rises_and_falls_in_a_line():
    recipe = Recipe(one_cycle=True, learning_rate=0.5)
    optimizer = make_optimizer(recipe, Net())
    schedule, rates = make_schedule(recipe, optimizer, 101), []
    for _ in range(101):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step() if len(rates) < 101 else None
    top = rates.index(max(rates))
    slopes = torch.tensor(rates).diff()
    assert top in (29, 30) and max(rates) == pytest.approx(0.5, rel=0.03) and rates[-1] < 1e-5
    torch.testing.assert_close(slopes[top + 1 :], torch.full([100 - top - 1], slopes[-1].item()), atol=1e-5, rtol=0)
    assert rates[0] == pytest.approx(0.5 / 25)


def test_training_follows_the_schedule(one_batch):
    recipe, images, labels = one_batch
    recipe = dataclasses.replace(recipe, one_cycle=True, epochs=6)
    seed_all(1)
    model, velocity = build(recipe), 0
    schedule = make_schedule(recipe, make_optimizer(recipe, model), 6)
    for _ in range(6):
        gradients = torch.autograd.grad(F.nll_loss(model(images), labels), list(model.parameters()))
        velocity = 0.5 * velocity + torch.cat([gradient.flatten() for gradient in gradients])
        moved = weights(model) - schedule.get_last_lr()[0] * velocity
        torch.nn.utils.vector_to_parameters(moved, model.parameters())
        schedule.optimizer.step()  # moves nothing, since there are no gradients in it
        schedule.step()
    torch.testing.assert_close(weights(train(recipe, images, labels, seed=1)), moved)


def test_without_a_schedule_the_rate_stays():
    optimizer = make_optimizer(Recipe(), Net())
    schedule = make_schedule(Recipe(), optimizer, 10)
    optimizer.step()
    schedule.step()
    assert optimizer.param_groups[0]["lr"] == 0.01


def test_every_epoch_holds_every_pair_once_in_a_new_order(images, labels):
    seen = list(all_batches(Recipe(epochs=2, batch_size=200), images, labels))
    assert [len(batch) for batch, _ in seen] == [200, 200, 100] * 2
    known = {image.numpy().tobytes(): label for image, label in zip(images, labels.tolist())}
    orders = []
    for epoch in (seen[:3], seen[3:]):
        pairs = [(image.numpy().tobytes(), label.item()) for batch in epoch for image, label in zip(*batch)]
        assert len(pairs) == 500 and dict(pairs) == known
        orders.append(pairs)
    assert orders[0] != orders[1]


def test_progress_runs_to_one(images, labels):
    fractions = []
    train(dataclasses.replace(PLAIN, epochs=1, batch_size=125), images, labels, 1, fractions.append)
    assert fractions == [0.25, 0.5, 0.75, 1.0]


def test_the_same_seed_gives_the_same_network_and_another_seed_another(images, labels):
    recipe = dataclasses.replace(RECIPES["good"], epochs=1)
    first, again, other = (weights(train(recipe, images, labels, seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)


@pytest.mark.integration
@pytest.mark.parametrize("name", RECIPES)
def test_a_named_recipe_learns(name, images, labels):
    recipe = dataclasses.replace(RECIPES[name], epochs=12, batch_size=25)
    _, correct = evaluate(train(recipe, images, labels, seed=1), images, labels)
    assert correct > {"report": 350, "best": 460}.get(name, 490)  # a short run, for what these two are


@pytest.mark.parametrize("change", [{"network": "six blocks"}, {"optimizer": "Adamw"}])
def test_an_unknown_choice_is_refused(images, labels, change):
    with refused(*change.values(), "choose one"):
        train(Recipe(**change), images, labels, seed=1)


@pytest.mark.parametrize("change", [{"width": 16}, {"hidden": 0}, {"dropout": 0.0}, {"batch_norm": True}])
def test_the_report_network_is_not_changed_in_silence(change):
    with refused(next(iter(change)), "two blocks"):
        build(Recipe(**change))
