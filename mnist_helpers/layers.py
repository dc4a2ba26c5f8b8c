"""Describe a network in an ONNX file as a list of layers with their weights, so that JavaScript can run it.

widgets/web/layers.js does so, in a page or a notebook. Only the operators of the course's networks are known.
"""

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from mnist_helpers import CourseError, data, onnx_file

# The operators that are known, in this order: what prepares the pixels, the layers, and what follows them
STAGES = (
    {"Cast", "Unsqueeze", "Div", "Sub", "Pad", "Slice", "Concat"},
    {"Conv", "MaxPool", "BatchNormalization", "Relu", "Gemm", "Reshape"},
    {"Reshape", "LogSoftmax", "ReduceLogSumExp", "Sub", "Div", "Exp"},
)


@dataclass
class Layers:
    """A network as JavaScript runs it.

    The input is `scale` * pixel + `offset` for pixels in 0..255. The network sees one copy of it for each of `shifts`
    [rows, columns]; beyond the border, a copy is `offset`. Probabilities are averaged over the copies. If `temperature`
    is not 1, the logarithms of the mean are divided by it before another softmax. Each of `layers` has a `kind`, and
    `weights` holds the arrays of all layers, in order: for "conv" and "dense" weights of `shape` and a bias, for
    "scale" a factor and a summand per channel.
    """

    scale: float = 1 / (255 * data.STD)
    offset: float = -data.MEAN / data.STD
    shifts: list[list[int]] = field(default_factory=lambda: [[0, 0]])
    temperature: float = 1.0
    layers: list[dict] = field(default_factory=list)
    weights: list[np.ndarray] = field(default_factory=list)

    def description(self) -> dict:
        """Return everything but the weights, for a JSON file."""
        return {name: value for name, value in vars(self).items() if name != "weights"}

    def binary(self, dtype: str = "<f2") -> bytes:
        """Return all weights in order, as numbers in half precision or as another `dtype`."""
        return b"".join(array.astype(dtype).tobytes() for array in self.weights)


def read_layers(path: Path) -> Layers:
    """Read a network that `export.to_onnx` or `export.to_onnx_from_pixels` wrote.

    Raises CourseError as `onnx_file.read_onnx` does, or if an operator is not known or used in an unknown way.
    """
    reader = _Reader(onnx_file.read_onnx(path).graph)
    try:
        return reader.read()
    except _UnknownError as error:
        raise CourseError(f"{path} cannot run in a browser: {error}; only the course's own layers can.") from None


class _UnknownError(Exception):
    pass


def _expect(condition: bool, what: str) -> None:
    if not condition:
        raise _UnknownError(what)


def attributes(node: onnx.NodeProto) -> dict:
    """Return the attributes of a node by name."""
    return {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}


class _Reader:
    """Follows the nodes of a graph from its input to its output."""

    def __init__(self, graph: onnx.GraphProto):
        self.graph, self.found = graph, Layers()
        self.constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        self.places: dict[str, list[int]] = {}  # where in the input the upper left pixel of a view lies
        if graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.UINT8:
            self.found.scale, self.found.offset = 1.0, 0.0  # the graph normalises the pixels itself

    def read(self) -> Layers:
        stages = list(STAGES)
        for node in self.graph.node:
            while stages and node.op_type not in stages[0]:
                del stages[0]
            reason = "is unknown, or stands after one that only follows the last layer"
            _expect(bool(stages), f"the operator {node.op_type} {reason}")
            if follow := getattr(self, f"on_{node.op_type.lower()}", None):
                follow(node)
        kinds = [layer["kind"] for layer in self.found.layers]
        _expect(bool(kinds) and kinds[-1] == "dense", "its last layer is not a linear one")
        return self.found

    def _value(self, node: onnx.NodeProto, number: int = 1) -> np.ndarray:
        """Return the constant that a node has as input `number`."""
        name = node.input[number]
        _expect(name in self.constants, f"input {number} of a node {node.op_type} is no constant")
        return self.constants[name]

    def _add(self, kind: str, *weights: np.ndarray, **facts) -> None:
        self.found.layers.append({"kind": kind, **facts})
        self.found.weights += weights

    # Around the layers: pixels become numbers, shifted copies of the picture, and a temperature. Other operators there,
    # and Reshape, change nothing that JavaScript must know

    def on_div(self, node) -> None:
        divisor = float(self._value(node))
        if self.found.layers:
            self.found.temperature *= divisor
        else:
            self.found.scale, self.found.offset = self.found.scale / divisor, self.found.offset / divisor

    def on_sub(self, node) -> None:
        if not self.found.layers:  # after the layers, the same number less for each class changes no softmax
            self.found.offset -= float(self._value(node))

    def on_pad(self, node) -> None:
        pads, value = self._value(node).tolist(), float(self._value(node, 2))
        _expect(math.isclose(value, self.found.offset, rel_tol=1e-5), "its border is not as dark as paper")
        self.places[node.output[0]] = [-pads[2], -pads[3]]

    def on_slice(self, node) -> None:
        starts, axes, steps = (self._value(node, number).tolist() for number in (1, 3, 4))
        _expect(steps == [1] and axes in ([2], [3]), "a node Slice leaves out pixels")
        place = list(self.places.get(node.input[0], [0, 0]))
        place[axes[0] - 2] += starts[0]
        self.places[node.output[0]] = place

    def on_concat(self, node) -> None:
        _expect(attributes(node)["axis"] == 0, "a node Concat joins channels")
        self.found.shifts = [self.places.get(name, [0, 0]) for name in node.input]

    # The layers

    def on_conv(self, node) -> None:
        facts, weight = attributes(node), self._value(node)
        plain = facts["group"] == 1 and not any(facts["pads"]) and {*facts["strides"], *facts["dilations"]} == {1}
        _expect(plain and weight.shape[2] == weight.shape[3], "a convolution has padding, a stride or groups")
        bias = self._value(node, 2) if len(node.input) > 2 else np.zeros(len(weight), np.float32)
        self._add("conv", weight, bias, shape=list(weight.shape))

    def on_maxpool(self, node) -> None:
        facts = attributes(node)
        size = facts["kernel_shape"][0]
        plain = not any(facts["pads"]) and {*facts["kernel_shape"], *facts["strides"]} == {size}
        _expect(plain and not facts["ceil_mode"], "the windows of a pooling layer overlap")
        self._add("pool", size=size)

    def on_batchnormalization(self, node) -> None:
        gain, shift, mean, variance = (self._value(node, number).astype(np.float64) for number in range(1, 5))
        factor = gain / np.sqrt(variance + attributes(node)["epsilon"])
        self._add("scale", factor, shift - mean * factor, channels=len(factor))

    def on_relu(self, node) -> None:
        self._add("relu")

    def on_gemm(self, node) -> None:
        facts, weight = attributes(node), self._value(node)
        _expect(facts.get("transB") == 1 and not facts.get("transA"), "the weights of a linear layer are transposed")
        self._add("dense", weight, self._value(node, 2), shape=list(weight.shape))
