"""Every test of the trainer uses a few hundred digits."""

import pytest

from mnist_helpers.recipes import RECIPES
from mnist_helpers.trainer import cli as train
from tests.support import small_train
from tests.support.trainer import command, state_of


@pytest.fixture(autouse=True)
def small(monkeypatch):
    small_train.make_small(monkeypatch.setattr)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The final states of runs that nothing disturbed, by recipe: two epochs of five batches."""
    with pytest.MonkeyPatch.context() as patch:
        small_train.make_small(patch.setattr)
        states = {}
        for recipe in RECIPES:
            folder = tmp_path_factory.mktemp(recipe)
            train.main(command(folder, recipe=recipe))
            states[recipe] = state_of(folder)
    return states
