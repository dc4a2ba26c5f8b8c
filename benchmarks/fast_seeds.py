"""Train the short recipes with ten seeds, on 50,000 images: which of them get 99 % of the other 10,000 right each time?

A GPU needs less time for few large steps than for many small ones (chapter 08). The last two rows show why "fast-gpu"
has no larger batches. Takes ten minutes.
"""

import dataclasses

import results_file

from mnist_helpers import data
from mnist_helpers.recipes import RECIPES, train
from mnist_helpers.training import evaluate

SEEDS = list(range(1, 11))
WIDE = RECIPES["fast-gpu"]
COMPARED = {
    "fast": RECIPES["fast"],
    "fast-gpu": WIDE,
    "batches of 512": dataclasses.replace(WIDE, batch_size=512),
    "batches of 512, rate 0.04": dataclasses.replace(WIDE, batch_size=512, learning_rate=0.04),
}


def main():
    train_set, validation_set = data.split(*data.load("train"))
    rows = {}
    for name, recipe in COMPARED.items():
        correct = [evaluate(train(recipe, *train_set, seed), *validation_set)[1] for seed in SEEDS]
        rows[name] = {"recipe": dataclasses.asdict(recipe), "validation_correct": correct}
        print(f"{name}: {sum(right >= 9900 for right in correct)} of 10 seeds reach 99 %: {correct}", flush=True)
    print("written:", results_file.write_results("fast_seeds", seeds=SEEDS, rows=rows))


if __name__ == "__main__":
    main()
