"""Train the recipe "best" on all 60,000 images with five seeds, and test each network once.

After each run, the results file is updated and the network is saved to artifacts/best_seed_N.pt. If the command is
stopped, the next call continues from there. To start again, delete the results file. Takes up to an hour.
"""

import dataclasses
import statistics

import results_file
import torch

from mnist_helpers import data
from mnist_helpers._support.atomic_files import atomic_write
from mnist_helpers._support.paths import ARTIFACTS
from mnist_helpers.recipes import RECIPES, train
from mnist_helpers.training import evaluate

SEEDS = [1, 2, 3, 4, 5]


def stored_results(recipe: dict) -> dict[str, int]:
    """Return the results for this recipe in the results file, by seed."""
    stored = results_file.read_results("best")
    return stored["test_correct"] if stored.get("recipe") == recipe else {}


def print_epoch(fraction):
    """Print a line after each epoch."""
    epochs = round(fraction * RECIPES["best"].epochs, 4)
    if epochs == int(epochs):
        print(f"epoch {epochs:.0f} of {RECIPES['best'].epochs}", flush=True)


def main():
    train_set, test_set = data.load("train"), data.load("test")
    recipe = dataclasses.asdict(RECIPES["best"])
    test_correct = stored_results(recipe)
    for seed in SEEDS:
        if str(seed) not in test_correct:
            model = train(RECIPES["best"], *train_set, seed, print_epoch)
            with atomic_write(ARTIFACTS / f"best_seed_{seed}.pt") as file:
                torch.save(model.state_dict(), file)
            _, test_correct[str(seed)] = evaluate(model, *test_set)
            results_file.write_results("best", recipe=recipe, test_images=len(test_set[1]), test_correct=test_correct)
        print(f"seed {seed}: {test_correct[str(seed)]} of 10000 right", flush=True)
    percent = [correct / 100 for correct in test_correct.values()]
    print(f"mean {statistics.mean(percent):.3f} %, standard deviation {statistics.stdev(percent):.3f}")


if __name__ == "__main__":
    main()
