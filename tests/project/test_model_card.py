"""The model card and the shipped network agree with the stored results."""

import json

import model_card
import numpy as np
import pytest
import torch
import train_model
from torchvision.transforms.functional import InterpolationMode, affine

from mnist_helpers import data, export
from mnist_helpers._support.paths import COURSE as ROOT
from mnist_helpers.network import Net
from mnist_helpers.predict import Reader


def test_results_are_those_of_the_shipped_file():
    results = json.loads((ROOT / "benchmarks" / "results" / "deployment.json").read_text())
    said = Reader().metadata
    assert results["parity"]["best"]["test_correct"] == int(said["test images read right"].split()[0])
    assert all(row["changed_predictions"] == 0 for row in results["parity"].values())
    assert results["operators"]["best"] == export.operators(train_model.DIGITS)


def test_card_is_written_from_the_results():
    assert model_card.CARD.read_text(encoding="utf-8") == model_card.render()
    best, card = model_card.results("best"), model_card.results("deployment")["card"]
    assert f"{sum(card['correct_by_class'])} of {best['test_images']}" == Reader().metadata["test images read right"]
    assert sum(card["images_by_class"]) - sum(card["correct_by_class"]) == len(card["mistakes"])


def test_card_says_what_becomes_of_changed_digits():
    raw, labels = data.load_raw("test")
    stored = model_card.results("deployment")["card"]["correct_when_changed"]
    turned = affine(raw, 45, [0, 0], 1.0, 0.0, interpolation=InterpolationMode.BILINEAR)
    reader = Reader(threads=1)
    for name, images in {"inverted": 255 - raw, "turned by 45 degrees": turned}.items():
        answers = np.concatenate([reader.probabilities(batch.numpy()).argmax(1) for batch in images.split(1000)])
        assert abs((answers == labels.numpy()).sum() - stored[name]) <= 5  # the last digits of floats


def test_weights_of_another_network_are_refused(tmp_path, monkeypatch):
    torch.save(Net().state_dict(), tmp_path / "best_seed_1.pt")
    monkeypatch.setattr(train_model, "ARTIFACTS", tmp_path)
    with pytest.raises(SystemExit, match="delete it to train the network anew"):
        train_model.best_network()


def test_shipped_weights_lie_between_those_of_the_recipe_and_those_after_the_exposure():
    before, model = Net().state_dict(), Net()
    after = {name: value.clone() for name, value in model.state_dict().items()}
    mixed = train_model.mixed(before, model).state_dict()
    for name, value in mixed.items():
        torch.testing.assert_close(value, 0.3 * before[name] + 0.7 * after[name])


def test_what_is_no_digit_is_expected_to_be_any_digit(monkeypatch):
    for name, count in {"DIGITS_SEEN": 20, "REWRITTEN": 6, "OUTLIERS": 10}.items():
        monkeypatch.setattr(train_model, name, count)
    images, labels = data.load("train")
    inputs, targets = train_model.exposure(images[:100], labels[:100])
    assert inputs.shape[1:] == (1, 28, 28) and len(inputs) == len(targets) == 20 + 6 + 10
    torch.testing.assert_close(targets.sum(dim=1), torch.ones(36))
    assert (targets[:26].max(dim=1).values == 1).all() and (targets[26:] == 0.1).all()
    known = {image.numpy().tobytes(): label for image, label in zip(images[:100], labels[:100])}
    assert all(known[image.numpy().tobytes()] == target.argmax() for image, target in zip(inputs[:20], targets))
