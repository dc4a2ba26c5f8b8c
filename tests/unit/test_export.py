"""ONNX Runtime against torch, and what is in the exported file."""

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from mnist_helpers import data, export, onnx_file
from mnist_helpers._support.paths import COURSE as ROOT
from mnist_helpers.augment import ShiftAverage
from mnist_helpers.export import to_int8
from mnist_helpers.network import Net
from mnist_helpers.onnx_file import InferenceSession
from mnist_helpers.predict import Reader
from mnist_helpers.recipes import RECIPES, build
from mnist_helpers.training import predict, seed_all
from tests.support.refusal import refused


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


@pytest.mark.integration
def test_path_that_cannot_be_written_is_refused_and_nothing_is_left(model, images, tmp_path):
    (tmp_path / "file").write_text("no folder")
    with refused("cannot be written"):
        export.to_onnx(model, images, tmp_path / "file" / "net.onnx")
    (tmp_path / "net.onnx").mkdir()
    with refused("cannot be written"):
        export.to_onnx(model, images, tmp_path / "net.onnx")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "net.onnx"]


@pytest.fixture(scope="module")
def report_net():
    """The report's network with the weights that are committed."""
    stored = onnx_file.read_onnx(ROOT / "models" / "report_net.onnx").graph.initializer
    weights = {w.name: torch.from_numpy(np.frombuffer(w.raw_data, "f4").reshape(w.dims).copy()) for w in stored[:8]}
    model = Net().eval()
    model.load_state_dict(weights)
    return model


def best_untrained():
    """The best network's shape, with statistics of batch normalisation that are not those of the start."""
    seed_all(1)
    model = ShiftAverage(build(RECIPES["best"]))
    with torch.no_grad():
        model.train()(data.normalise(data.load_raw("test")[0][:300]))
    return model.eval()


@pytest.fixture(scope="module")
def pixels_file(report_net, tmp_path_factory):
    return export.to_onnx_from_pixels(report_net, tmp_path_factory.mktemp("pixels") / "net.onnx", {"classes": "0"})


@pytest.mark.integration
def test_parity_from_pixels_on_all_test_images(report_net, pixels_file):
    raw, _ = data.load_raw("test")
    expected = predict(report_net, data.normalise(raw)).numpy()
    reader = Reader(pixels_file)
    found = np.concatenate([reader.probabilities(batch.numpy()) for batch in raw.split(1000)])
    assert np.abs(found - expected).max() < 1e-5
    assert (found.argmax(axis=1) == expected.argmax(axis=1)).all()
    assert reader.metadata == {"classes": "0"}


@pytest.mark.integration
def test_parity_of_the_best_networks_shape_and_of_every_batch_size(tmp_path):
    model, (raw, _) = best_untrained(), data.load_raw("test")
    reader = Reader(export.to_onnx_from_pixels(model, tmp_path / "best.onnx"))
    for size in (1, 2, 77):
        expected = predict(model, data.normalise(raw[:size])).numpy()
        assert np.abs(reader.probabilities(raw[:size].numpy()) - expected).max() < 1e-5


def test_normalisation_in_the_graph_is_that_of_the_course(tmp_path):
    class Nothing(torch.nn.Module):
        """Give back the first ten pixels, as logarithms, so that the preparation comes out as it is."""

        def forward(self, images):
            return images.flatten(1)[:, :10]

    path = export.to_onnx_from_pixels(Nothing(), tmp_path / "net.onnx")
    pixels = np.zeros((26, 28, 28), np.uint8)
    pixels[:, 0, :10].flat[:256] = np.arange(256)  # every grey value
    session = InferenceSession(path, providers=["CPUExecutionProvider"])
    found = np.log(session.run(None, {"images": pixels})[0].astype(np.float64))
    expected = data.normalise(torch.from_numpy(pixels)).flatten(1)[:, :10].numpy()
    assert np.abs(found - expected).max() < 2e-6


@pytest.mark.integration
def test_export_from_pixels_leaves_the_mode_and_tells_no_path(report_net, pixels_file, tmp_path):
    for training in (True, False):
        report_net.train(training)
        again = export.to_onnx_from_pixels(report_net, tmp_path / "net.onnx", {"classes": "0"})
        assert again.read_bytes() == pixels_file.read_bytes()
        assert report_net.training == report_net.conv2_drop.training == training
    assert not any(part in again.read_bytes() for part in (b"/home", b"/root", b"/tmp", b".py", b"site-packages"))
    report_net.eval()


@pytest.mark.integration
@pytest.mark.filterwarnings("ignore:Exporting a model while it is in training mode")
def test_a_file_exported_in_train_mode_gives_random_answers(report_net, images, tmp_path):
    options = {"dynamic_shapes": ({0: "batch"},), "external_data": False, "verbose": False}
    trap = tmp_path / "trap.onnx"
    torch.onnx.export(
        report_net.train(), (images[:2],), trap, input_names=["images"], output_names=["log_probs"], **options
    )
    safe = export.to_onnx(report_net, images, tmp_path / "safe.onnx")
    report_net.eval()
    for path, expected in [(trap, False), (safe, True)]:
        session = onnx_file.open_session(path)
        first, second = (session.run(None, {"images": images.numpy()})[0] for _ in range(2))
        assert np.array_equal(first, second) == expected, path
    assert "Dropout" in export.operators(trap) and "Dropout" not in export.operators(safe)


def test_int8_is_smaller_and_nearly_as_right(pixels_file, tmp_path):
    raw, labels = data.load_raw("train")
    small = to_int8(pixels_file, raw[:256], tmp_path / "int8.onnx")
    assert small.stat().st_size < 0.5 * pixels_file.stat().st_size
    before, after = (Reader(path).probabilities(raw[-2000:].numpy()).argmax(1) for path in (pixels_file, small))
    assert (before != after).mean() < 0.01
    assert not np.array_equal(*(Reader(p).probabilities(raw[:9].numpy()) for p in (pixels_file, small)))
    assert {"QuantizeLinear", "DequantizeLinear"} <= set(export.operators(small))
    assert [path.name for path in tmp_path.iterdir()] == ["int8.onnx"]


def test_int8_that_cannot_be_written_leaves_nothing(pixels_file, tmp_path):
    (tmp_path / "int8.onnx").mkdir()
    with refused("cannot be written"):
        to_int8(pixels_file, data.load_raw("train")[0][:64], tmp_path / "int8.onnx")


def test_a_file_for_pixels_is_not_run_with_normalised_images(pixels_file, images):
    with refused(str(pixels_file), "export.to_onnx"):
        export.run_onnx(pixels_file, images)
