"""Measure changes of the recipe with five seeds each, on the validation set, and five networks as an ensemble.

Each network is trained on 50,000 images and evaluated on the other 10,000. Only the last row uses the test set: an
ensemble of five networks trained on all 60,000 images, tested once.

The results file is updated after each row. If the command is stopped, the next call continues from there: it trains
only the rows that the file lacks, or has from another recipe, other seeds or another version of torch. To start again,
delete the file. Takes an hour and a half.
"""

import dataclasses
import json

import results_file
import torch

from mnist_helpers import data
from mnist_helpers.recipes import RECIPES, Recipe, train
from mnist_helpers.training import evaluate, predict

SEEDS = [1, 2, 3, 4, 5]
STEPS = [  # name, the recipe to compare with, and the change
    ("report", None, {}),
    ("AdamW", "report", {"optimizer": "AdamW", "learning_rate": 0.002}),
    ("one cycle", "AdamW", {"one_cycle": True, "learning_rate": 0.01}),
    ("no dropout", "one cycle", {"network": "two blocks", "dropout": 0.0}),  # the report's network without dropout
    ("batch norm", "no dropout", {"batch_norm": True}),
    ("four blocks", "batch norm", {"network": "four blocks", "hidden": 0}),
    ("width 16", "four blocks", {"width": 16}),
    ("width 24", "width 16", {"width": 24}),
    ("dropout 0.2", "width 16", {"dropout": 0.2}),
    ("shift", "width 16", {"shift": 1}),
    ("rotation and scale", "width 16", {"degrees": 10.0, "scale": 0.1}),
    ("label smoothing", "width 16", {"label_smoothing": 0.05}),
    ("average of weights", "width 16", {"ema": 0.99}),
    ("test-time averaging", "width 16", {"tta": True}),
    ("batch 128", "width 16", {"batch_size": 128, "learning_rate": 0.02}),
    ("fast", None, {}),
    ("good", None, {}),
]
SGD = [  # the report's recipe with larger learning rates: around the best constant one, and around the best peak
    ("SGD 0.05", "report", {"learning_rate": 0.05}),
    ("SGD 0.1", "report", {"learning_rate": 0.1}),
    ("SGD 0.2", "report", {"learning_rate": 0.2}),
    ("SGD 0.1, one cycle", "report", {"learning_rate": 0.1, "one_cycle": True}),
    ("SGD 0.2, one cycle", "report", {"learning_rate": 0.2, "one_cycle": True}),
    ("SGD 0.4, one cycle", "report", {"learning_rate": 0.4, "one_cycle": True}),
]
LEAVE_ONE_OUT = [  # the recipe "good" without one of its parts, or without two that do the same
    ("without label smoothing", "good", {"label_smoothing": 0.0}),
    ("without shift", "good", {"shift": 0}),
    ("without average of weights", "good", {"ema": 0.0}),
    ("batch 64", "good", {"batch_size": 64}),  # twice as many steps, with the same learning rate
    ("width 10", "good", {"width": 10}),
    ("without one cycle", "good", {"one_cycle": False, "learning_rate": 0.004}),  # a fifth, as in the step "one cycle"
    ("without batch norm", "good", {"batch_norm": False, "learning_rate": 0.01}),  # with a bias; at 0.02 it is worse
    ("without one cycle and average", "good", {"one_cycle": False, "learning_rate": 0.004, "ema": 0.0}),
    ("without label smoothing and shift", "good", {"label_smoothing": 0.0, "shift": 0}),
]
ENSEMBLE = ["validation", "test"]  # the sets to judge it on


def derive(changes: list[tuple]) -> dict[str, dict]:
    """Return a row for each change, with its whole recipe. A row without a parent is the recipe of its name."""
    recipes: dict[str, Recipe] = dict(RECIPES)
    rows = {}
    for name, parent, change in changes:
        recipes[name] = dataclasses.replace(recipes[parent or name], **change)
        rows[name] = {"after": parent, "change": change, "recipe": dataclasses.asdict(recipes[name])}
    return rows


def plan() -> dict[str, dict[str, dict]]:
    """Return the sections of the results file, with all their rows, before any training."""
    good = dataclasses.asdict(RECIPES["good"])
    ensemble = {judge: {"recipe": good} for judge in ENSEMBLE}
    return {"steps": derive(STEPS), "sgd": derive(SGD), "leave_one_out": derive(LEAVE_ONE_OUT), "ensemble": ensemble}


def add_stored_results(sections: dict[str, dict[str, dict]], stored: dict) -> None:
    """Add to each row the results that the file has for its name, if they are of the same recipe and made alike.

    Made alike means: with the same seeds, the same validation set, and the version of torch that is installed.
    """
    if stored.get("seeds") != SEEDS or stored["validation_images"] != data.VALIDATION:
        return
    torch_version = results_file.made_with()["torch"]
    for section, rows in sections.items():
        for name, row in rows.items():
            found = stored.get(section, {}).get(name, {})
            if found.get("recipe") == row["recipe"] and stored["runs"][found["run"]]["torch"] == torch_version:
                rows[name] = row | {key: value for key, value in found.items() if key not in row}


def missing(sections: dict[str, dict[str, dict]]) -> list[tuple[str, str]]:
    """Return section and name of each row without results, in the order of the plan."""
    return [(section, name) for section, rows in sections.items() for name, row in rows.items() if "run" not in row]


def measure(recipe: Recipe) -> dict:
    """Train the recipe with each seed on 50,000 images, and return the numbers of correct predictions."""
    train_set, validation_set = data.split(*data.load("train"))
    correct = {str(seed): evaluate(train(recipe, *train_set, seed), *validation_set)[1] for seed in SEEDS}
    return {"validation_correct": correct}


def measure_ensemble(recipe: Recipe, judge: str) -> dict:
    """Train a network with each seed, and return the correct predictions of each one and of all of them together.

    Together they predict the class with the largest mean probability. `judge` is one of ENSEMBLE.
    """
    train_set, (images, labels) = data.split(*data.load("train"))
    if judge == "test":
        train_set, (images, labels) = data.load("train"), data.load("test")
    probabilities = torch.stack([predict(train(recipe, *train_set, seed), images) for seed in SEEDS])  # [5, N, 10]
    correct = [(each.argmax(dim=1) == labels).sum().item() for each in [*probabilities, probabilities.mean(dim=0)]]
    results = {"each_correct": dict(zip(map(str, SEEDS), correct)), "together_correct": correct[-1]}
    return {"training_images": len(train_set[1]), **results}


def write(sections: dict[str, dict[str, dict]], runs: list[dict]) -> None:
    """Write the rows that have results. `runs` is how they were made; each row has the index of its run."""
    done = {section: {name: row for name, row in rows.items() if "run" in row} for section, rows in sections.items()}
    results_file.write_results("recipes", seeds=SEEDS, validation_images=data.VALIDATION, runs=runs, **done)


def main():
    sections, stored = plan(), results_file.read_results("recipes")
    add_stored_results(sections, stored)
    runs, this_run = stored.get("runs", []), results_file.made_with()
    runs += [this_run] * (this_run not in runs)
    for section, name in missing(sections):
        row = sections[section][name]
        recipe = Recipe(**row["recipe"])
        results = measure_ensemble(recipe, name) if section == "ensemble" else measure(recipe)
        row |= {**results, "run": runs.index(this_run)}
        write(sections, runs)
        print(f"{section}, {name}: {json.dumps(results)}", flush=True)


if __name__ == "__main__":
    main()
