"""Fit the temperature of the shipped network on validation images, and see how honest its confidence is.

    python benchmarks/calibration.py    # trains on the other 50,000 images first, half an hour

The weights are kept in artifacts/, so that a second run does not train again. For several thresholds, it also counts
which validation digits are answered and how many of these answers are wrong, and how many pictures that are no digits
(mnist_helpers.outliers) get an answer: made with fonts and sample pictures that were not trained on, and spoiled
validation digits. Writes results/calibration.json.
"""

import sys
from pathlib import Path

import results_file
import torch
import torch.nn.functional as F

from mnist_helpers import data
from mnist_helpers.calibration import Calibrated, fit_temperature
from mnist_helpers.outliers import KINDS, Sources, outliers, rewritten
from mnist_helpers.training import predict

sys.path.append(str(Path(__file__).resolve().parents[1] / "tools"))
from train_model import SEED, best_network, digits_network  # noqa: E402

BINS = 10
THRESHOLDS = 0.5, 0.7, 0.8, 0.9, 0.95, 0.98
WRITTEN, OTHERS = 2000, 400  # digits written with other pens; pictures of each kind that are no digits


def reliability(probabilities: torch.Tensor, labels: torch.Tensor) -> dict[str, list[float]]:
    """Return the mean confidence and the accuracy of groups of answers of equal size, from the least sure on."""
    confidence, said = probabilities.max(dim=1)
    groups = confidence.argsort().split(-(-len(labels) // BINS))
    return {
        "confidence": [round(confidence[group].mean().item(), 4) for group in groups],
        "accuracy": [round((said[group] == labels[group]).double().mean().item(), 4) for group in groups],
    }


def measured(probabilities: torch.Tensor, labels: torch.Tensor) -> dict:
    """Return how honest the probabilities are."""
    return {
        "mean_confidence": round(probabilities.max(dim=1).values.mean().item(), 4),
        "loss": round(F.nll_loss(probabilities.log(), labels).item(), 4),
        **reliability(probabilities, labels),
    }


def known_digits(sources: Sources) -> dict[str, data.Pair]:
    """Return the validation digits, and some of them written with other pens, with their labels."""
    written = rewritten(WRITTEN, SEED + 2, sources)
    pairs = {"digits": (sources.images, sources.labels), "other pens": written}
    return {
        name: (data.normalise(torch.from_numpy(images)), torch.from_numpy(labels))
        for name, (images, labels) in pairs.items()
    }


def other_things(sources: Sources) -> dict[str, torch.Tensor]:
    """Return pictures that are no digits, by kind."""
    found = {kind.__name__: outliers(OTHERS, SEED + 2, sources, {kind: 1}) for kind in KINDS}
    return {name: data.normalise(torch.from_numpy(images)) for name, images in found.items()}


def at_thresholds(model: Calibrated, known: dict[str, data.Pair], others: dict[str, torch.Tensor]) -> dict[str, dict]:
    """Return for each threshold what part of the digits and of the other things is answered, and the wrong answers."""
    answers = {name: (predict(model, images), labels) for name, (images, labels) in known.items()}
    confidence = {name: predict(model, images).max(dim=1).values for name, images in others.items()}
    return {
        str(threshold): {name: answered(*found, threshold) for name, found in answers.items()}
        | {name: share(found >= threshold) for name, found in confidence.items()}
        for threshold in THRESHOLDS
    }


def share(true: torch.Tensor) -> float:
    """Return the share of true values, rounded to four digits."""
    return round(true.double().mean().item(), 4)


def answered(probabilities: torch.Tensor, labels: torch.Tensor, threshold: float) -> dict[str, float]:
    """Return the share of digits whose confidence reaches a threshold, and how many of these answers are wrong."""
    confidence, said = probabilities.max(dim=1)
    sure = confidence >= threshold
    return {"answered": share(sure), "wrong": int((sure & (said != labels)).sum())}


def fitted(model: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor) -> tuple[Calibrated, torch.Tensor]:
    """Return the network with the temperature that fits best to the validation images, and its answers before."""
    probabilities = predict(model, images)
    return Calibrated(model, fit_temperature(probabilities.log(), labels)), probabilities


def main() -> None:
    """Train or load, fit, measure and write the results."""
    raw, digits = (part[-data.VALIDATION :].numpy() for part in data.load_raw("train"))
    sources = Sources(raw, digits, "validation")
    known, others = known_digits(sources), other_things(sources)
    images, labels = known["digits"]
    before, _ = fitted(best_network(held_out=True), images, labels)
    model, probabilities = fitted(digits_network(held_out=True), images, labels)
    results = {
        "seed": SEED,
        "validation_images": len(labels),
        "correct": int((probabilities.argmax(dim=1) == labels).sum()),
        "temperature": model.temperature,
        "before": measured(probabilities, labels),
        "after": measured((probabilities.log() / model.temperature).softmax(dim=1), labels),
        "thresholds": {
            "recipe best": at_thresholds(before, known, others),
            "with outlier exposure": at_thresholds(model, known, others),
        },
    }
    print("written:", results_file.write_results("calibration", **results))


if __name__ == "__main__":
    main()
