"""The Python side of the pad with maps: the page gets the student's own network, or a sentence says why not."""

import numpy as np
import pytest
import torch
from torch import nn

from mnist_helpers.network import Net
from mnist_helpers.widgets.live_pad import PICTURE, LivePad
from tests.support.refusal import refused


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(3)
    return Net().train()


@pytest.fixture(scope="module")
def pad(model):
    return LivePad(model)


def test_the_page_gets_the_weights_of_this_network(pad, model):
    ours = torch.cat([parameter.detach().flatten() for parameter in model.parameters()]).numpy()
    assert np.array_equal(np.frombuffer(pad.weights, "<f4"), ours)
    assert [layer["kind"] for layer in pad.description["layers"]].count("conv") == 2


def test_the_network_stays_as_it_is(pad, model):
    assert model.training and not any(parameter.grad is not None for parameter in model.parameters())


def test_it_is_shown_as_a_widget_and_as_a_picture(pad):
    bundle, _ = pad._repr_mimebundle_()
    assert bundle["text/plain"] == "LivePad(Net)"  # the same in every run: nbval compares it
    assert "image/png" in bundle and PICTURE.stat().st_size < 60_000


@pytest.mark.parametrize("given", ["model.pth", None, Net])
def test_something_else_than_a_network_is_refused(given):
    with refused("was given", "pass the trained model: LivePad(model)"):
        LivePad(given)


def test_a_network_that_the_page_cannot_run_is_refused():
    with refused("cannot run in a browser", "Sigmoid"):
        LivePad(nn.Sequential(nn.Flatten(), nn.Sigmoid(), nn.Linear(784, 10)))
