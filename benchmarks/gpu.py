"""Measure on an NVIDIA GPU what a captured step gains (chapter 08): seconds, right answers and memory.

Each run trains on 50,000 images and is judged on the other 10,000. `start` are the seconds of its first steps, which
load kernels, compile or capture; `seconds` are those of the training, as if the first steps took as long as the others.
`megabytes` are the most that a run had at once, besides the images. Takes about ten minutes, most of them for the
recipe "best" without a capture. Without a GPU: one sentence, and exit code 1.
"""

import dataclasses
import gc
import subprocess
import sys
import time

import pandas as pd
import results_file
import torch

from mnist_helpers import data
from mnist_helpers.recipes import RECIPES, Recipe
from mnist_helpers.trainer.run import Run

SEEDS = range(1, 11)  # of the runs that are to reach a goal; the others have one
FIRST = 4  # steps until all is compiled and captured
GOALS = {"fast-gpu": 9900, "good": 9950}  # right of 10,000
BATCH_SIZES = [64, 256, 1024, 4096]  # of the report's network, one epoch
WAYS = ["eager", "eager, kernels that need not repeat", "compiled", "captured", "captured, bf16"]


def prepared(recipe: Recipe, seed: int, way: str, train_set) -> Run:
    """Return a run that makes its steps in this way; if compiled, full batches alone, since each size takes seconds."""
    run = Run(recipe, *train_set, seed, graph=way.startswith("captured"))
    repeat = way != "eager, kernels that need not repeat"
    torch.use_deterministic_algorithms(repeat)
    torch.backends.cudnn.deterministic = repeat
    forward = run.model.forward
    if way == "compiled":
        compiled = torch.compile(forward, mode="reduce-overhead")
        run.model.forward = lambda images: (compiled if len(images) == recipe.batch_size else forward)(images)
    if way == "captured, bf16":
        run.model.forward = torch.autocast("cuda", torch.bfloat16)(forward)
    return run


def seconds_of(steps, count: int | None = None) -> float:
    """Return how long so many steps, or all that are left, take the GPU."""
    torch.cuda.synchronize()
    begun = time.perf_counter()
    for number, _ in enumerate(steps, start=1):
        if number == count:
            break
    torch.cuda.synchronize()
    return time.perf_counter() - begun


def measure(recipe: Recipe, seed: int, way: str, train_set, validation_set) -> dict[str, float]:
    """Return the seconds, the right answers on the validation set, and the peak of the GPU's memory, of one run."""
    torch.compiler.reset()
    gc.collect()  # frees what earlier runs compiled and captured
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    run = prepared(recipe, seed, way, train_set)
    steps = run.train()
    start, others = seconds_of(steps, FIRST), seconds_of(steps)
    seconds = others * run.steps / (run.steps - FIRST)
    megabytes = (torch.cuda.max_memory_allocated() - before) / 1e6
    loss, correct = run.evaluate(*validation_set)
    found = {"seconds": round(seconds, 4), "start": round(start, 3), "correct": correct}
    return found | {"loss": round(loss, 5), "megabytes": round(megabytes)}


def by_way(recipe: Recipe, sets) -> dict[str, dict]:
    """Return what each way gives, after a run that is not counted: the first one also loads libraries."""
    measure(dataclasses.replace(recipe, epochs=1), 1, "eager", *sets)
    rows = {}
    for way in WAYS:
        try:
            rows[way] = measure(recipe, 1, way, *sets)
        except Exception as error:  # torch.compile needs a compiler, for one
            print(f"{way} is left out: it does not work on this machine ({type(error).__name__}).")
    return rows


def reached(name: str, recipe: Recipe, sets) -> dict:
    """Return how many seeds reach the recipe's goal, and how long they take."""
    runs = [measure(recipe, seed, "captured", *sets) for seed in SEEDS]
    seeds = sum(run["correct"] >= GOALS[name] for run in runs)
    return {"goal": GOALS[name], "seeds": len(runs), "reached": seeds, "runs": runs}


def import_seconds() -> float:
    """Return how long a new process takes until it can train on the GPU, with its data there."""
    begun = time.perf_counter()
    code = "from mnist_helpers import data, recipes; data.load('train', 'cuda')"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=data.ROOT.parent)
    return round(time.perf_counter() - begun, 2)


def table(runs: dict[str, dict[str, dict]]) -> str:
    """Return a Markdown table of the seconds: a row for each recipe, a column for each way."""
    seconds = {name: {way: run["seconds"] for way, run in ways.items()} for name, ways in runs.items()}
    return pd.DataFrame(seconds).T.to_markdown()


def main():
    if not torch.cuda.is_available():
        sys.exit("benchmarks/gpu.py measures an NVIDIA GPU, but PyTorch finds none; run it on a machine that has one.")
    sets = data.split(*data.load("train", "cuda"))
    recipes = {name: RECIPES[name] for name in ("fast", "fast-gpu", "good", "best")} | {
        f"report, batches of {size}": dataclasses.replace(RECIPES["report"], epochs=1, batch_size=size)
        for size in BATCH_SIZES
    }
    runs = {name: by_way(recipe, sets) for name, recipe in recipes.items()}
    print(table(runs), flush=True)
    goals = {name: reached(name, recipes[name], sets) for name in GOALS}
    for name, found in goals.items():
        slowest = max(run["seconds"] for run in found["runs"])
        print(f"{name}: {found['reached']} of {found['seeds']} seeds reach {found['goal']}, in {slowest:.2f} s at most")
    results = {"gpu": torch.cuda.get_device_name(), "runs": runs, "goals": goals, "import_seconds": import_seconds()}
    print("written:", results_file.write_results("gpu", **results))


if __name__ == "__main__":
    main()
