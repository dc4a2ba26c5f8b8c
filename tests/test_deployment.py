"""What chapter 07 teaches holds: preparation inside the graph, parity, the trap of train mode, 8 bits, the card."""

import json

import model_card
import numpy as np
import pytest
import torch
import train_model
from torchvision.transforms.functional import InterpolationMode, affine

from mnist_helpers import data, export, onnx_file
from mnist_helpers.augment import ShiftAverage
from mnist_helpers.export import to_int8
from mnist_helpers.network import Net
from mnist_helpers.onnx_file import InferenceSession
from mnist_helpers.predict import Reader
from mnist_helpers.recipes import RECIPES, build
from mnist_helpers.training import predict, seed_all
from tests.notebook_checks import ROOT
from tests.refusal import refused


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


def test_parity_from_pixels_on_all_test_images(report_net, pixels_file):
    raw, _ = data.load_raw("test")
    expected = predict(report_net, data.normalise(raw)).numpy()
    reader = Reader(pixels_file)
    found = np.concatenate([reader.probabilities(batch.numpy()) for batch in raw.split(1000)])
    assert np.abs(found - expected).max() < 1e-5
    assert (found.argmax(axis=1) == expected.argmax(axis=1)).all()
    assert reader.metadata == {"classes": "0"}


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


def test_export_from_pixels_leaves_the_mode_and_tells_no_path(report_net, pixels_file, tmp_path):
    for training in (True, False):
        report_net.train(training)
        again = export.to_onnx_from_pixels(report_net, tmp_path / "net.onnx", {"classes": "0"})
        assert again.read_bytes() == pixels_file.read_bytes()
        assert report_net.training == report_net.conv2_drop.training == training
    assert not any(part in again.read_bytes() for part in (b"/home", b"/root", b"/tmp", b".py", b"site-packages"))
    report_net.eval()


@pytest.mark.filterwarnings("ignore:Exporting a model while it is in training mode")
def test_a_file_exported_in_train_mode_throws_dice(report_net, images, tmp_path):
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


def test_results_are_those_of_the_shipped_file():
    results = json.loads((ROOT / "benchmarks" / "results" / "deployment.json").read_text())
    said = Reader().metadata
    assert results["parity"]["best"]["test_correct"] == int(said["test images read right"].split()[0])
    assert all(row["changed_predictions"] == 0 for row in results["parity"].values())
    assert results["operators"]["best"] == export.operators(train_model.DIGITS)


def test_card_is_written_from_the_results():
    assert model_card.CARD.read_text(encoding="utf-8") == model_card.render()
    best, card = model_card.results("best"), model_card.results("deployment")["card"]
    assert sum(card["correct_by_class"]) == best["test_correct"][Reader().metadata["seed"]]
    assert sum(card["images_by_class"]) - sum(card["correct_by_class"]) == len(card["mistakes"])


def test_card_says_what_becomes_of_changed_digits():
    raw, labels = data.load_raw("test")
    stored = model_card.results("deployment")["card"]["correct_when_changed"]
    turned = affine(raw, 45, [0, 0], 1.0, 0.0, interpolation=InterpolationMode.BILINEAR)
    for name, images in {"inverted": 255 - raw, "turned by 45 degrees": turned}.items():
        answers = np.concatenate([Reader().probabilities(batch.numpy()).argmax(1) for batch in images.split(1000)])
        assert abs((answers == labels.numpy()).sum() - stored[name]) <= 5  # the last digits of floats


def test_weights_of_another_network_are_refused(tmp_path, monkeypatch):
    torch.save(Net().state_dict(), tmp_path / "best_seed_1.pt")
    monkeypatch.setattr(train_model, "WEIGHTS", tmp_path / "best_seed_1.pt")
    monkeypatch.setattr(train_model, "ROOT", tmp_path)
    with pytest.raises(SystemExit, match="delete it to train the network anew"):
        train_model.best_network()
