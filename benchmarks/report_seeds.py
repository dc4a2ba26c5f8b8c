"""Run the report's recipe with ten seeds to measure the random variation of its results. Takes two minutes."""

import results_file

from mnist_helpers.training import train_report_net

SEEDS = list(range(1, 11))


def main():
    test_correct, test_losses = [], []
    for seed in SEEDS:
        _, history = train_report_net(seed)
        test_correct.append(history.test_correct[1:])  # after each of the three epochs
        test_losses.append([round(loss, 4) for loss in history.test_losses[1:]])
        print(f"seed {seed}: {test_correct[-1][-1]} of 10000 right, loss {test_losses[-1][-1]}", flush=True)
    print(
        "written:",
        results_file.write_results("report_seeds", seeds=SEEDS, test_correct=test_correct, test_losses=test_losses),
    )


if __name__ == "__main__":
    main()
