"""Fit the temperature of the recipe "best" on the validation images, and see how honest its confidence is.

    python benchmarks/calibration.py    # trains on the other 50,000 images first, a quarter of an hour

The weights are kept in artifacts/, so that a second run does not train again. Writes results/calibration.json.
"""

import results_file
import torch
import torch.nn.functional as F

from mnist_helpers import data
from mnist_helpers._support.paths import ARTIFACTS
from mnist_helpers.augment import ShiftAverage
from mnist_helpers.calibration import fit_temperature
from mnist_helpers.recipes import RECIPES, build, train
from mnist_helpers.training import predict

SEED = 1
WEIGHTS = ARTIFACTS / f"best_without_validation_seed_{SEED}.pt"
BINS = 10


def network(images: torch.Tensor, labels: torch.Tensor) -> torch.nn.Module:
    """Return the network of the recipe "best", trained on these images, or loaded from artifacts/."""
    if WEIGHTS.is_file():
        model = ShiftAverage(build(RECIPES["best"]))
        model.load_state_dict(torch.load(WEIGHTS, weights_only=True))
        return model
    model = train(RECIPES["best"], images, labels, SEED)
    WEIGHTS.parent.mkdir(exist_ok=True)
    torch.save(model.state_dict(), WEIGHTS)
    return model


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


def main() -> None:
    """Train or load, fit, measure and write the results."""
    train_set, (images, labels) = data.split(*data.load("train"))
    probabilities = predict(network(*train_set), images)
    temperature = fit_temperature(probabilities.log(), labels)
    results = {
        "seed": SEED,
        "validation_images": len(labels),
        "correct": int((probabilities.argmax(dim=1) == labels).sum()),
        "temperature": temperature,
        "before": measured(probabilities, labels),
        "after": measured((probabilities.log() / temperature).softmax(dim=1), labels),
    }
    print("written:", results_file.write_results("calibration", **results))


if __name__ == "__main__":
    main()
