"""The pictures that are stored as files are those of the current network and of the stored notebook."""

import re

import onnx
import pytest
import readme_picture
import torch

from mnist_helpers import export
from mnist_helpers._support.paths import COURSE as ROOT
from mnist_helpers.network import Net

DRAWING = ROOT / "notebooks" / "images" / "report_net.svg"


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    path = export.to_onnx(Net(), torch.zeros(2, 1, 28, 28), tmp_path_factory.mktemp("onnx") / "report_net.onnx")
    return onnx.load(path).graph


def drawn_nodes(svg):
    """Names and kinds of the boxes that Netron has drawn, from the first to the last."""
    boxes = re.split(r'<g id="node-name-', svg)[1:]
    return [(box.split('"')[0], re.search(r"<text[^>]*>(\w+)</text>", box)[1]) for box in boxes]


def drawn_shapes(svg):
    """Shapes of the weights, as in W⟨10×1×5×5⟩."""
    return [tuple(map(int, shape.split("×"))) for shape in re.findall(r"⟨([\d×]+)⟩", svg)]


def test_netrons_drawing_shows_the_nodes_of_the_network(graph):
    drawn = drawn_nodes(DRAWING.read_text(encoding="utf-8"))
    assert drawn == [(node.name, node.op_type) for node in graph.node]


def test_netrons_drawing_shows_the_shapes_of_the_weights(graph):
    weights = {weight.name: tuple(weight.dims) for weight in graph.initializer}
    used = [weights[name] for node in graph.node for name in node.input if name in weights]
    assert drawn_shapes(DRAWING.read_text(encoding="utf-8")) == used


def test_the_readmes_picture_is_the_map_that_chapter_01_has_stored():
    assert readme_picture.PICTURE.read_bytes() == readme_picture.stored_map()
