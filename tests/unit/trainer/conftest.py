"""Every test of the trainer uses a few hundred digits."""

import functools
import shutil

import pytest

from mnist_helpers.recipes import RECIPES
from mnist_helpers.trainer import cli as train
from tests.support import small_train
from tests.support.trainer import Killed, command, kill_after, state_of


@pytest.fixture(autouse=True)
def small(monkeypatch):
    small_train.make_small(monkeypatch.setattr)


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
def killed_run(tmp_path_factory):
    """The folder of a run that was killed at its third step, after its fourth checkpoint."""
    folder = tmp_path_factory.mktemp("killed")
    with pytest.MonkeyPatch.context() as patch:
        small_train.make_small(patch.setattr)
        kill_after(patch, 4)
        with pytest.raises(Killed):
            train.main(command(folder))
    return folder


@pytest.fixture
def killed_at_step_3(killed_run):
    """Return a function that fills a folder with what that run left."""
    return functools.partial(shutil.copytree, killed_run, dirs_exist_ok=True)
