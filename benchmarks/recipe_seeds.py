"""Measure one change of the recipe at a time, with five seeds each, on the validation set.

Each network is trained on 50,000 images and evaluated on the other 10,000. The results file is updated after each run.
If the command is stopped, the next call continues from there, without repeating the recipes that did not change. To
start again, delete the file. Takes three quarters of an hour.
"""

import dataclasses

import results_file

from mnist_helpers import data
from mnist_helpers.recipes import RECIPES, Recipe, train
from mnist_helpers.training import evaluate

SEEDS = [1, 2, 3, 4, 5]
STEPS = [  # name, the step to compare with, and the change
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
]


def ladder() -> dict[str, dict]:
    """Return the recipe of each step, derived from its parent step, and the final recipes of chapter 06."""
    recipes, steps = {}, {}
    for name, parent, change in STEPS:
        recipes[name] = dataclasses.replace(recipes[parent] if parent else Recipe(), **change)
        steps[name] = {"after": parent, "change": change, "recipe": dataclasses.asdict(recipes[name])}
    for name in ("fast", "good"):
        steps[name] = {"after": None, "change": {}, "recipe": dataclasses.asdict(RECIPES[name])}
    return steps


def add_stored_results(steps: dict[str, dict]) -> dict[str, dict]:
    """Add to each step the results for the same recipe in the results file, by seed."""
    stored = results_file.read_results("recipes").get("steps", {})
    for name, step in steps.items():
        same = name in stored and stored[name]["recipe"] == step["recipe"]
        step["validation_correct"] = stored[name]["validation_correct"] if same else {}
    return steps


def main():
    train_set, validation_set = data.split(*data.load("train"))
    steps = add_stored_results(ladder())
    for seed, name in [(seed, name) for seed in SEEDS for name in steps]:
        results = steps[name]["validation_correct"]
        if str(seed) not in results:
            model = train(Recipe(**steps[name]["recipe"]), *train_set, seed)
            _, results[str(seed)] = evaluate(model, *validation_set)
            results_file.write_results("recipes", seeds=SEEDS, validation_images=len(validation_set[1]), steps=steps)
            print(f"seed {seed}, {name}: {results[str(seed)]} right", flush=True)


if __name__ == "__main__":
    main()
