"""A network's description for JavaScript: layers and weights as in the graph; what is unknown is refused."""

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from torch import nn

from mnist_helpers import export, layers
from mnist_helpers._support.paths import MODELS
from mnist_helpers.network import Net
from tests.support.refusal import refused


def kinds(found):
    return [layer["kind"] for layer in found.layers]


@pytest.fixture(scope="module")
def report():
    return layers.read_layers(MODELS / "report_net.onnx")


def test_the_reports_network_has_its_layers_and_21840_weights(report):
    convolution = ["conv", "pool", "relu"]
    assert kinds(report) == [*convolution, *convolution, "dense", "relu", "dense"]
    assert [layer.get("shape") for layer in report.layers][::3] == [[10, 1, 5, 5], [20, 10, 5, 5], [50, 320]]
    assert sum(array.size for array in report.weights) == 21_840
    assert len(report.binary()) == 2 * 21_840
    assert report.shifts == [[0, 0]] and report.temperature == 1


def test_pixels_are_normalised_as_the_network_expects_it(report):
    assert 255 * report.scale + report.offset == pytest.approx((1 - 0.1307) / 0.3081)
    packed = layers.read_layers(MODELS / "digits.onnx")
    assert packed.scale == pytest.approx(report.scale) and packed.offset == pytest.approx(report.offset)


def test_the_packed_network_sees_five_copies_and_is_made_less_sure():
    found = layers.read_layers(MODELS / "digits.onnx")
    assert sorted(found.shifts) == [[-1, 0], [0, -1], [0, 0], [0, 1], [1, 0]]
    assert found.temperature != 1 and kinds(found)[-1] == "dense"


def test_a_network_just_trained_can_be_described(tmp_path):
    model = Net()
    path = export.to_onnx(model, torch.zeros(2, 1, 28, 28), tmp_path / "mine.onnx")
    found = layers.read_layers(path)
    assert np.array_equal(found.weights[0], model.conv1.weight.detach().numpy())
    stored = np.frombuffer(found.binary("<f4"), "<f4")
    assert np.array_equal(stored[-10:], model.fc2.bias.detach().numpy())


@pytest.mark.integration
@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (nn.Conv2d(1, 2, 3, padding=1), "padding"),
        (nn.Conv2d(1, 2, 3, stride=2), "stride"),
        (nn.MaxPool2d(3, 2), "overlap"),
        (nn.Sigmoid(), "operator Sigmoid"),
        (nn.ReLU(), "last layer"),
    ],
)
def test_what_a_page_cannot_run_is_refused(layer, words, tmp_path):
    path = export.to_onnx(layer, torch.zeros(2, 1, 28, 28), tmp_path / "other.onnx")
    with refused("other.onnx cannot run in a browser", words):
        layers.read_layers(path)


class Strange(nn.Module):
    """A network with `between` after its convolution."""

    def __init__(self, between):
        super().__init__()
        self.conv, self.between, self.fc = nn.Conv2d(1, 2, 3), between, nn.LazyLinear(10)

    def forward(self, images):
        return self.fc(self.between(self.conv(images)).flatten(1)).log_softmax(dim=1)


@pytest.mark.integration
@pytest.mark.parametrize(
    ("between", "operator"),
    [
        (lambda x: x + x.relu(), "operator Add"),  # two ways through the network, which a list of layers cannot have
        (lambda x: x / 2, "operator Gemm is unknown, or stands after one that only follows the last layer"),
        (lambda x: x[:, :, 1:], "operator Slice"),
        (lambda x: x.exp(), "operator Gemm"),
    ],
    ids=["sum", "quotient", "part", "power"],
)
def test_what_stands_between_layers_is_not_taken_for_what_stands_around_them(between, operator, tmp_path):
    images = torch.zeros(2, 1, 28, 28)
    model = Strange(between)
    model(images)
    with refused("strange.onnx cannot run in a browser", operator):
        layers.read_layers(export.to_onnx(model, images, tmp_path / "strange.onnx"))


def test_a_border_that_is_not_paper_is_refused(tmp_path):
    model = onnx.load(MODELS / "digits.onnx")
    (pad,) = [node for node in model.graph.node if node.op_type == "Pad"]
    (value,) = [tensor for tensor in model.graph.initializer if tensor.name == pad.input[2]]
    value.CopyFrom(numpy_helper.from_array(np.array(1, np.float32), value.name))
    onnx.save(model, tmp_path / "other.onnx")
    with refused("border is not as dark as paper"):
        layers.read_layers(tmp_path / "other.onnx")
