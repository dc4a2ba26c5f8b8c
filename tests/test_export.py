"""ONNX Runtime against torch, and what is in the exported file."""

import onnx
import pytest
import torch
from torch import nn

from mnist_helpers import export
from mnist_helpers.network import Net
from mnist_helpers.training import seed_all
from tests.refusal import refused


@pytest.fixture(scope="module")
def model():
    seed_all(1)
    return Net()


@pytest.fixture(scope="module")
def exported(model, images, tmp_path_factory):
    """The file of a network that was exported in train mode, where dropout is on."""
    model.train()
    return export.to_onnx(model, images, tmp_path_factory.mktemp("models") / "new" / "net.onnx")


@pytest.mark.parametrize("size", [1, 7, 500])
def test_onnx_runtime_equals_torch(size, exported, model, images):
    with torch.inference_mode():
        expected = model.eval()(images[:size])
    log_probs = export.run_onnx(exported, images[:size])
    assert (log_probs - expected).abs().max() < 1e-5


def test_nodes_are_the_networks_without_dropout(exported):
    expected = "Conv MaxPool Relu Conv MaxPool Relu Reshape Gemm Relu Gemm LogSoftmax"
    assert export.operators(exported) == expected.split()


def test_file_stands_alone_and_tells_nothing_about_the_machine(exported):
    assert list(exported.parent.iterdir()) == [exported]
    content = exported.read_bytes()
    network = onnx.load(exported, load_external_data=False)
    assert sum(len(onnx.numpy_helper.to_array(weights).ravel()) for weights in network.graph.initializer) >= 21_840
    assert not any(weights.external_data for weights in network.graph.initializer)
    assert not any(path in content for path in (b"/home", b"/root", b"/tmp", b"/Users", b".py", b"site-packages"))


@pytest.mark.parametrize("training", [True, False])
def test_second_export_gives_the_same_bytes_and_leaves_the_mode(training, exported, model, images, tmp_path):
    model.train(training)
    again = export.to_onnx(model, images, tmp_path / "again.onnx")
    assert again.read_bytes() == exported.read_bytes()
    assert model.training == training


def test_failed_export_leaves_the_mode_and_the_old_file(images, tmp_path):
    class Broken(nn.Module):
        def forward(self, images):
            raise ValueError("broken on purpose")

    model, path = Broken().train(), tmp_path / "net.onnx"
    path.write_bytes(b"old")
    with pytest.raises(Exception, match="broken on purpose"):
        export.to_onnx(model, images, path)
    assert model.training
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("bad", [torch.zeros(1, 28, 28), torch.zeros(1, 1, 28, 28).double(), [[0.0]]])
def test_batch_of_another_kind_is_refused(bad, exported, model, tmp_path):
    with refused("a batch of images was expected"):
        export.to_onnx(model, bad, tmp_path / "net.onnx")
    with refused("a batch of images was expected"):
        export.run_onnx(exported, bad)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [None, b"", b"no network", bytes(range(256))])
def test_file_that_is_no_network_is_refused(content, images, tmp_path):
    path = tmp_path / "net.onnx"
    if content is not None:
        path.write_bytes(content)
    with refused(str(path), "an ONNX file was expected"):
        export.run_onnx(path, images)


def test_path_that_cannot_be_written_is_refused_and_nothing_is_left(model, images, tmp_path):
    (tmp_path / "file").write_text("no folder")
    with refused("cannot be written"):
        export.to_onnx(model, images, tmp_path / "file" / "net.onnx")
    (tmp_path / "net.onnx").mkdir()
    with refused("cannot be written"):
        export.to_onnx(model, images, tmp_path / "net.onnx")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "net.onnx"]
