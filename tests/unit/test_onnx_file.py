"""ONNX files that are damaged, foreign or unsafe are refused before they run."""

import os
import random
import shutil
import subprocess
import sys

import numpy as np
import onnx
import pytest

from mnist_helpers import export, onnx_file, predict
from mnist_helpers._support.checksums import write_sha256
from mnist_helpers._support.paths import COURSE as ROOT
from mnist_helpers.predict import MODEL, Reader
from tests.support.links import make_link
from tests.support.refusal import refused


def run(*arguments, **options):
    command = [sys.executable, "-m", "mnist_helpers.predict", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, **options)


def sentence(text):
    """One line that ends like a sentence."""
    return text.endswith(".\n") and text.count("\n") == 1 and "Traceback" not in text


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """A copy of the shipped network with its digest, in the place of the original."""
    for name in (MODEL.name, "SHA256SUMS"):
        shutil.copy(MODEL.with_name(name), tmp_path / name)
    monkeypatch.setattr(predict, "MODEL", tmp_path / MODEL.name)
    return predict.MODEL


def test_every_flipped_bit_of_the_shipped_network_is_noticed(shipped):
    assert Reader(shipped).checked
    content, chance = shipped.read_bytes(), random.Random(1)
    for _ in range(300):
        damaged = bytearray(content)
        damaged[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        shipped.write_bytes(damaged)
        with refused("digits.onnx is damaged", "git checkout models"):
            Reader(shipped)


@pytest.mark.parametrize("sums", [None, "", "half a line", f"{'0' * 64}  digits.onnx", "0" * 64 + "  other.onnx"])
def test_a_shipped_network_without_its_digest_is_refused(sums, shipped):
    path = shipped.with_name("SHA256SUMS")
    path.unlink() if sums is None else path.write_text(sums)
    with refused("digits.onnx", "git checkout models"):
        Reader(shipped)


def test_the_published_digests_are_those_of_the_shipped_files(tmp_path):
    names = ["report_net.onnx", "report_int8.onnx", "digits.onnx"]
    for name in names:
        shutil.copy(MODEL.with_name(name), tmp_path)
    write_sha256(tmp_path, *names)
    assert (tmp_path / "SHA256SUMS").read_text() == MODEL.with_name("SHA256SUMS").read_text()


def changed(path, change):
    """A copy of the shipped network, after `change`."""
    model = onnx.load(MODEL)
    change(model)
    path.write_bytes(model.SerializeToString())


def keep_outside(location):
    """Move the largest weight of a network into another file, which need not be there."""

    def change(model):
        weight = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
        length = len(weight.raw_data)
        weight.ClearField("raw_data")
        weight.data_location = onnx.TensorProto.EXTERNAL
        for key, value in {"location": location, "offset": "0", "length": str(length)}.items():
            weight.external_data.add(key=key, value=value)

    return change


def keep_a_constant_outside(model):
    """The same for a tensor that is no weight but a node's attribute."""
    tensor = onnx.helper.make_tensor("t", onnx.TensorProto.FLOAT, [1], [0.0])
    node = onnx.helper.make_node("Constant", [], ["unused"], value=tensor)
    node.attribute[0].t.data_location = onnx.TensorProto.EXTERNAL
    node.attribute[0].t.external_data.add(key="location", value="../secret")
    model.graph.node.insert(0, node)


def loop_forever(model):
    """Pass the probabilities through a Loop without a last round."""
    value, kind = onnx.helper.make_tensor_value_info, onnx.TensorProto
    output = model.graph.output[0]
    last = next(node for node in model.graph.node if output.name in node.output)
    last.output[:] = ["before"]
    steps = [onnx.helper.make_node("Identity", [name], [f"{name}_next"]) for name in ("go_on", "x")]
    inputs = [value("round", kind.INT64, []), value("go_on", kind.BOOL, []), value("x", kind.FLOAT, None)]
    outputs = [value("go_on_next", kind.BOOL, []), value("x_next", kind.FLOAT, None)]
    body = onnx.helper.make_graph(steps, "body", inputs, outputs)
    true = onnx.helper.make_tensor("true", kind.BOOL, [], [True])
    model.graph.node.append(onnx.helper.make_node("Constant", [], ["true"], value=true))
    model.graph.node.append(onnx.helper.make_node("Loop", ["", "true", "before"], [output.name], body=body))


def loop_in_a_function(model):
    """The same, in a function that the network calls."""
    loop_forever(model)
    *_, true, loop = model.graph.node
    del model.graph.node[-2:]
    opsets = list(model.opset_import)
    function = onnx.helper.make_function("own", "Hidden", ["before"], list(loop.output), [true, loop], opsets)
    model.functions.append(function)
    model.opset_import.add(domain="own", version=1)
    model.graph.node.append(onnx.helper.make_node("Hidden", ["before"], list(loop.output), domain="own"))


def take_a_size_of_batch(model):
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1


def make_too_large(path):
    """A file that takes no room on the disk, and has no content but zeros."""
    with path.open("wb") as file:
        file.truncate(onnx_file.LARGEST + 1)


BAD_MODELS = {
    "missing": (lambda path: None, "cannot be read"),
    "a folder": (lambda path: path.mkdir(), "cannot be read"),
    "empty": (lambda path: path.write_bytes(b""), "was refused"),
    "torn": (lambda path: path.write_bytes(MODEL.read_bytes()[:100_000]), "was refused"),
    "text": (lambda path: path.write_text("seven"), "was refused"),
    "of chapter 02": (lambda path: shutil.copy(ROOT / "models" / "report_net.onnx", path), "other inputs or outputs"),
    "of one batch size": (lambda path: changed(path, take_a_size_of_batch), "other inputs or outputs"),
    "weights outside": (lambda path: changed(path, keep_outside("../secret.bin")), "weights in other files"),
    "weights anywhere": (lambda path: changed(path, keep_outside("/etc/passwd")), "weights in other files"),
    "weights beside it": (lambda path: changed(path, keep_outside("beside.bin")), "weights in other files"),
    "an endless loop": (lambda path: changed(path, loop_forever), "uses the operator 'Loop'"),
    "a loop in a function": (lambda path: changed(path, loop_in_a_function), "uses the operator 'Loop'"),
    "a pipe": (lambda path: os.mkfifo(path), "it is a pipe"),
    "a device": (lambda path: make_link(path, "/dev/zero"), "it is a device"),
    "far too large": (make_too_large, "500,000,001 bytes"),
    "a constant outside": (lambda path: changed(path, keep_a_constant_outside), "weights in other files"),
}


@pytest.mark.parametrize("kind", BAD_MODELS)
def test_bad_model_is_refused_and_not_run(kind, tmp_path):
    if kind in ("a pipe", "a device") and os.name == "nt":
        pytest.skip("Windows has neither among its files.")
    make, words = BAD_MODELS[kind]
    path = tmp_path / "models" / "net.onnx"
    path.parent.mkdir()
    weight = max(onnx.load(MODEL).graph.initializer, key=lambda tensor: len(tensor.raw_data)).raw_data
    for place in (tmp_path / "secret.bin", path.parent / "beside.bin"):
        place.write_bytes(weight)  # what the path leads to is there, and would fit
    make(path)
    with refused(str(path), words):
        Reader(path)


def test_command_refuses_a_bad_model_in_one_sentence(tmp_path):
    (tmp_path / "net.onnx").write_bytes(MODEL.read_bytes()[:1000])
    done = run("--model", tmp_path / "net.onnx", "notebooks/images/drawn_digit.png")
    assert done.returncode == 2 and done.stdout == "" and sentence(done.stderr)


@pytest.mark.parametrize("call", [onnx_file.read_onnx, onnx_file.open_session, export.operators])
def test_every_way_to_open_a_file_refuses_it_in_one_sentence(call, tmp_path):
    (tmp_path / "net.onnx").write_bytes(MODEL.read_bytes()[:5000])
    with refused("net.onnx was refused"):
        call(tmp_path / "net.onnx")


class Recorder:
    """A stand-in for a session: returns its input and notes the sizes of the batches."""

    def __init__(self):
        self.sizes = []

    def run(self, names, inputs):
        assert names == ["answers"]
        self.sizes.append(len(inputs["images"]))
        return [inputs["images"]]


@pytest.mark.parametrize(("count", "sizes"), [(0, [0]), (1, [1]), (1000, [1000]), (2300, [1000, 1000, 300])])
def test_many_images_are_run_in_batches_and_come_back_in_order(count, sizes):
    session, images = Recorder(), np.arange(count)
    found = onnx_file.run_in_batches(session, "images", "answers", images)
    assert np.array_equal(found, images) and session.sizes == sizes
