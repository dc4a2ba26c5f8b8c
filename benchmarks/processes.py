"""Compare a training step of two processes with one thread each to one process with one or two threads.

All use the recipe "good" and the same global batch size. Two processes are measured with batch normalisation over the
global batch, as in the course, and over the batch of each process, which is PyTorch's default. The four variants take
turns in one job of two processes, and the second process waits while the first works alone. Each ratio is a ratio of
medians. Takes two minutes.
"""

import dataclasses
import itertools
import json
import os
import statistics
import subprocess
import sys
import time

import pandas as pd
import results_file
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from mnist_helpers import data
from mnist_helpers.recipes import RECIPES
from mnist_helpers.trainer.distributed import ProcessGroup, process_variables, start
from mnist_helpers.trainer.run import Run

BATCHES = {64: 120, 128: 80, 512: 24}  # global batch size: steps per measurement
ROUNDS = 7
GLOBAL, LOCAL = "two processes", "two processes, each its own statistics"
NAMES = {"one thread": 1, "two threads": 2, GLOBAL: 1, LOCAL: 1}  # variant: threads of each process


class LocalStatistics(ProcessGroup):
    """Processes that average their gradients, but keep their own statistics of batch normalisation."""

    def distribute(self, model):
        return DistributedDataParallel(model)


def seconds_a_step(run: Run, threads: int, steps: int) -> float:
    """Return the mean time of the next `steps` steps of a run, in seconds."""
    torch.set_num_threads(threads)
    begun = time.perf_counter()
    for _ in itertools.islice(run.train(), steps):
        pass
    return (time.perf_counter() - begun) / steps


def measure(processes: ProcessGroup, train_set, batch_size: int) -> dict[str, list[float]]:
    """Return the seconds per step of each variant. The first round is a warm-up and is not counted."""
    recipe = dataclasses.replace(RECIPES["good"], batch_size=batch_size, epochs=1000)
    groups = {name: ProcessGroup() for name in NAMES}
    groups |= {GLOBAL: processes, LOCAL: LocalStatistics(processes.rank, processes.size)}
    runs = {name: Run(recipe, *train_set, 1, group) for name, group in groups.items()}
    seconds = {name: [] for name in NAMES}
    for _ in range(1 + ROUNDS):
        for name, threads in NAMES.items():
            dist.barrier()
            if processes.rank == 0 or groups[name].size > 1:
                seconds[name].append(seconds_a_step(runs[name], threads, BATCHES[batch_size]))
    return {name: times[1:] for name, times in seconds.items()}


def worker():
    """Measure all variants in one of the two processes; the first one prints the seconds as JSON."""
    processes, _ = start("cpu")
    train_set, _ = data.split(*data.load("train"))
    table = {batch: measure(processes, train_set, batch) for batch in BATCHES}
    if processes.rank == 0:
        print(json.dumps(table))
    dist.destroy_process_group()


def summary(seconds: dict[str, list[float]]) -> dict[str, float]:
    """Return the milliseconds per step on one thread, and the speed-up of the other variants (median and range)."""
    alone = seconds["one thread"]
    result = {"one thread, ms": round(1000 * statistics.median(alone), 2)}
    for name in list(NAMES)[1:]:
        ratios = sorted(one / other for one, other in zip(alone, seconds[name]))
        result[name] = round(statistics.median(alone) / statistics.median(seconds[name]), 2)
        result[f"{name}, lowest and highest round"] = [round(ratios[0], 2), round(ratios[-1], 2)]
    return result


def table(results: dict[str, dict[str, float]]) -> str:
    """Return a Markdown table with a row per batch size: milliseconds on one thread, and the speed-ups."""
    columns = ["one thread, ms", *list(NAMES)[1:]]
    return pd.DataFrame(results).T[columns].rename_axis("images in a step").to_markdown()


def wait_for_both(*processes: subprocess.Popen) -> None:
    """Wait until all processes have ended; end the others if one fails, since they would wait for it."""
    try:
        while None in (codes := [process.poll() for process in processes]) and not any(codes):
            time.sleep(0.1)
    finally:
        for process in processes:
            process.kill()
            process.wait()


def main():
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    first, second = (
        subprocess.Popen([sys.executable, __file__], env=environment | own, stdout=subprocess.PIPE, text=True)
        for own in process_variables(2)
    )
    wait_for_both(first, second)
    if first.returncode or second.returncode:
        sys.exit("One of the two processes failed, as it says above; nothing was written.")
    results = {batch: summary(seconds) for batch, seconds in json.loads(first.stdout.read()).items()}
    print(table(results))
    print("written:", results_file.write_results("processes", recipe="good", rounds=ROUNDS, times_faster=results))


if __name__ == "__main__":
    worker() if "RANK" in os.environ else main()
