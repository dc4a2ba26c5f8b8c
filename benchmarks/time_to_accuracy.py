"""Compare the running time of the recipes "fast" and "good" to three epochs of the report's code.

All train on the 60,000 images. The report's code is tested after each epoch, the recipes once at the end. They take
turns in one process, so that other work on the machine slows all of them alike, and each ratio is a ratio of medians.
Takes five minutes.
"""

import statistics
import time

import results_file
from speed import new_model, report_loaders, report_test, train_on

from mnist_helpers import data
from mnist_helpers.recipes import RECIPES, train
from mnist_helpers.training import evaluate

ROUNDS = 5
NAMES = ["fast", "good"]


def timed(function, *arguments):
    """Return how many seconds a call takes."""
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def report_run(loaders):
    """Train the report's network for three epochs, and test it after each, with the report's code."""
    model, optimizer = new_model()
    for _ in range(3):
        train_on(loaders[0], model, optimizer)
        report_test(loaders[1], model)


def recipe_run(name, seed, train_set, test_set, correct):
    """Train and test the recipe, and append the number of correct predictions to `correct`."""
    correct.append(evaluate(train(RECIPES[name], *train_set, seed), *test_set)[1])


def main():
    loaders, sets = report_loaders(), (data.load("train"), data.load("test"))
    seconds = {name: [] for name in ["report", *NAMES]}
    correct = {name: [] for name in NAMES}
    for seed in range(1, ROUNDS + 1):
        seconds["report"].append(timed(report_run, loaders))
        for name in NAMES:
            seconds[name].append(timed(recipe_run, name, seed, *sets, correct[name]))
        last = {name: f"{times[-1]:.1f} s" for name, times in seconds.items()}
        print(f"round {seed} of {ROUNDS}: {last}, right: {[correct[name][-1] for name in NAMES]}", flush=True)
    median = {name: statistics.median(times) for name, times in seconds.items()}
    ratios = {name: round(median[name] / median["report"], 3) for name in NAMES}
    print(f"time of each recipe as a share of the report's three epochs (ratio of medians): {ratios}")
    rounded = {name: [round(value, 2) for value in times] for name, times in seconds.items()}
    results = {"share_of_report": ratios, "seconds": rounded, "test_correct": correct}
    print("written:", results_file.write_results("time_to_accuracy", seeds=list(range(1, ROUNDS + 1)), **results))


if __name__ == "__main__":
    main()
