"""The Python side of the moving filter: the numbers that the page gets, and what is refused."""

import base64
import json

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from mnist_helpers import data
from mnist_helpers._support.paths import MODELS
from mnist_helpers.widgets.moving_filter import MovingFilter
from tests.support.refusal import refused

pytestmark = pytest.mark.usefixtures("no_window")
KERNEL = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]])


@pytest.fixture(scope="module")
def digit():
    return data.load("test")[0][0, 0]


def numbers(text):
    return np.frombuffer(base64.b64decode(text), "<f4")


def test_the_page_gets_the_digit_the_filters_and_those_of_the_trained_network(digit):
    state = MovingFilter(digit, {"mine": KERNEL}).state
    assert np.array_equal(numbers(state["image"]).reshape(28, 28), digit)
    mine, *learnt = state["filters"]
    assert (mine["name"], mine["size"], mine["bias"]) == ("mine", 3, 0)
    assert np.array_equal(numbers(mine["weights"]).reshape(3, 3), KERNEL)
    graph = onnx.load(MODELS / "report_net.onnx").graph
    _, *names = next(node for node in graph.node if node.op_type == "Conv").input
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    weights, biases = (tensors[name] for name in names)
    assert np.array_equal([numbers(one["weights"]) for one in learnt], weights.reshape(10, 25))
    assert [one["bias"] for one in learnt] == pytest.approx(biases.tolist())


def test_a_table_of_a_turned_kernel_is_written_row_by_row(digit):
    mine = MovingFilter(digit, {"mine": KERNEL.T}).state["filters"][0]
    assert numbers(mine["weights"]).tolist() == [-1, -2, -1, 0, 0, 0, 1, 2, 1]


def test_it_is_shown_as_a_widget_as_a_picture_and_keeps_its_numbers_for_a_web_page(digit):
    widget = MovingFilter(digit, {"mine": KERNEL})
    bundle, metadata = widget._repr_mimebundle_()
    assert bundle["text/plain"] == "MovingFilter(11 filters)"  # the same in every run: nbval compares it
    assert "image/png" in bundle and json.loads(metadata["widget"]) == widget.state
    assert MovingFilter(digit, {"mine": KERNEL}).still == widget.still


@pytest.mark.parametrize("weights", [torch.ones(2, 3), torch.ones(3), torch.ones(29, 29), torch.ones(0, 0)])
def test_a_filter_that_does_not_fit_is_refused(weights, digit):
    with refused("the filter 'mine' of shape", "a square that fits into it"):
        MovingFilter(digit, {"mine": weights})


@pytest.mark.parametrize("filters", [{}, {"mine": KERNEL}])
def test_a_batch_is_refused(filters, digit):
    with refused("an image of shape [1, 28, 28]", "take for example images[0, 0]"):
        MovingFilter(digit[None], filters)


def test_weights_of_a_network_that_is_being_trained_are_taken(digit):
    layer = torch.nn.Conv2d(1, 2, kernel_size=5)
    mine = MovingFilter(digit, {"mine": layer.weight[1, 0]}).state["filters"][0]
    assert np.array_equal(numbers(mine["weights"]), layer.weight[1, 0].detach().flatten())
