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
    assert sum(card["correct_by_class"]) == best["test_correct"][Reader().metadata["seed"]]
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
    monkeypatch.setattr(train_model, "WEIGHTS", tmp_path / "best_seed_1.pt")
    monkeypatch.setattr(train_model, "ROOT", tmp_path)
    with pytest.raises(SystemExit, match="delete it to train the network anew"):
        train_model.best_network()
