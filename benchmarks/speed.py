"""Measure the effect of each change to the report's code, and the peak speed of the processor (chapter 08).

All variants train the same network with SGD on the same number of images: 200 steps with a batch size of 64. They take
turns in one process, so that other work on the machine slows all of them alike, and each ratio is a ratio of medians.
Then whole epochs with tests compare the report's code to the course's. Takes two minutes.
"""

import timeit
from functools import partial

import pandas as pd
import results_file
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, Subset, TensorDataset
from torchvision import datasets, transforms

from mnist_helpers import data, timing
from mnist_helpers.network import Net, layer_table
from mnist_helpers.training import History, evaluate, train_epoch

STEPS, ROUNDS, EPOCHS = 200, 5, 3
AFTER = {  # variant: the variant from which it differs in one change
    "report": None,
    "2 workers": "report",
    "TensorDataset": "report",
    "one tensor": "report",
    "channels_last": "one tensor",
    "fused optimizer": "channels_last",
    "bf16": "channels_last",
    "batches of 256": "channels_last",
    "one thread": "channels_last",
    "torch.compile": "channels_last",
}


def report_dataset(train):
    """Return the report's dataset, which converts and normalises an image each time it is used."""
    scale = transforms.Compose([transforms.ToTensor(), transforms.Normalize((data.MEAN,), (data.STD,))])
    data.verify()
    return datasets.MNIST(data.ROOT, train=train, download=True, transform=scale)


def report_loaders():
    """Return the report's loaders: of the training set in batches of 64, and of the test set in batches of 1,000."""
    return (
        DataLoader(report_dataset(train=True), batch_size=64, shuffle=True),
        DataLoader(report_dataset(train=False), batch_size=1000, shuffle=True),
    )


class Shuffled:
    """Batches of a tensor, in a new random order in each iteration."""

    def __init__(self, images, labels, batch_size=64):
        self.images, self.labels, self.batch_size = images, labels, batch_size

    def __iter__(self):
        order = torch.randperm(len(self.images), device=self.images.device)
        return zip(self.images[order].split(self.batch_size), self.labels[order].split(self.batch_size))


def train_on(batches, model, optimizer):
    """Train a network on all batches once, as the report does."""
    model.train()
    for images, labels in batches:
        optimizer.zero_grad()
        loss = F.nll_loss(model(images), labels)
        loss.backward()
        optimizer.step()


@torch.no_grad()
def report_test(batches, model):
    """Return the summed loss over all batches, and the number of correct predictions, as the report computes them."""
    model.eval()
    loss = correct = 0
    for images, labels in batches:
        output = model(images)
        loss += F.nll_loss(output, labels, reduction="sum").item()
        correct += (output.argmax(dim=1) == labels).sum().item()
    return loss, correct


def new_model(memory_format=torch.contiguous_format, device="cpu", **options):
    """Return the report's network with its first weights, and its optimizer; `options` are further ones of SGD."""
    torch.manual_seed(1)
    model = Net().to(device, memory_format=memory_format)  # type: ignore[call-overload]  # torch's stubs lack this overload
    return model, torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.5, **options)


def trainer(batches, **options):
    """Return a function without arguments that trains a new network on these batches."""
    return partial(train_on, batches, *new_model(**options))


def in_bf16(batches, **options):
    """Do as `trainer` does, with the forward pass in bf16."""
    model, optimizer = new_model(**options)
    model.forward = torch.autocast("cpu", torch.bfloat16)(model.forward)
    return partial(train_on, batches, model, optimizer)


def compiled(batches, **options):
    """Do as `trainer` does, with a network compiled by torch.compile."""
    model, optimizer = new_model(**options)
    return partial(train_on, batches, torch.compile(model), optimizer)


def on_one_thread(function):
    """Call `function` while torch uses one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        function()
    finally:
        torch.set_num_threads(threads)


def variants(images, labels):
    """Return the functions to time, by name. Variants that this machine does not support are skipped with a message."""
    functions = supported_everywhere(images, labels) | machine_dependent(Shuffled(images, labels))
    return {name: functions[name] for name in AFTER if name in functions}


def supported_everywhere(images, labels):
    """Return the variants that run on every machine."""
    part = Subset(report_dataset(train=True), range(len(images)))
    loader = partial(DataLoader, batch_size=64, shuffle=True)
    last = {"memory_format": torch.channels_last}
    batches = Shuffled(images, labels)
    return {
        "report": trainer(loader(part)),
        "2 workers": trainer(loader(part, num_workers=2)),
        "TensorDataset": trainer(loader(TensorDataset(images, labels))),
        "one tensor": trainer(batches),
        "channels_last": trainer(batches, **last),
        "fused optimizer": trainer(batches, **last, fused=True),
        "batches of 256": trainer(Shuffled(images, labels, batch_size=256), **last),
        "one thread": partial(on_one_thread, trainer(batches, **last)),
    }


def machine_dependent(batches):
    """Return the variants bf16 and torch.compile if this machine supports them."""
    functions = {}
    last = {"memory_format": torch.channels_last}
    if torch.cpu.get_capabilities().get("avx512_bf16"):
        functions["bf16"] = in_bf16(batches, **last)
    else:
        print("bf16 is skipped: this processor has no instructions for it.")
    try:
        functions["torch.compile"] = compiled(batches, **last)
        functions["torch.compile"]()
    except Exception as error:  # e.g. no C++ compiler, no Python.h, an unsupported system
        print(f"torch.compile is skipped: it does not work on this machine ({type(error).__name__}).")
        functions.pop("torch.compile", None)
    return functions


def epochs(loaders, train_set, test_set):
    """Return the functions that train and test for one epoch, with the report's code and with the course's."""
    report, report_optimizer = new_model()
    course, course_optimizer = new_model(memory_format=torch.channels_last)
    return {
        "report, training": partial(train_on, loaders[0], report, report_optimizer),
        "report, test": partial(report_test, loaders[1], report),
        "course, training": partial(train_epoch, course, *train_set, course_optimizer, History()),
        "course, test": partial(evaluate, course, *test_set),
    }


def best_seconds(function, repeats=10):
    """Return the shortest of several running times, since a peak must not depend on other work on the machine."""
    function()
    return min(timeit.repeat(function, number=1, repeat=repeats))


def peaks(size=2048, copied=256_000_000):
    """Measure the GFLOP/s of a matrix product in each dtype, and the GB/s of a copy in memory."""
    found = {}
    for dtype in (torch.float32, torch.bfloat16):
        one, other = torch.randn(2, size, size).to(dtype)
        found[str(dtype).removeprefix("torch.")] = 2 * size**3 / best_seconds(partial(torch.matmul, one, other)) / 1e9
    source, target = torch.zeros(2, copied // 4)
    found["memory"] = 2 * copied / best_seconds(partial(target.copy_, source)) / 1e9
    return found


def flop_per_image():
    """Return the operations per image: forward, gradients of weights, and gradients of inputs except the images."""
    table = layer_table(Net(), torch.zeros(1, 1, 28, 28))["multiply-adds"]
    return 2 * int(3 * table.sum() - table["conv1"])


def table(seconds):
    """Return a Markdown table of how many times faster than the report's code each variant is."""
    faster = timing.speedups(seconds, "report").round(2)
    faster.insert(0, "changes", pd.Series(AFTER).fillna(""))
    return faster.to_markdown()


def whole_epochs(seconds):
    """Return how many times faster the course's code is in training, in the test, and in both together."""
    rows = {}
    for part in ("training", "test"):
        rows[part] = seconds[[f"report, {part}", f"course, {part}"]].set_axis(["report", "course"], axis=1)
    rows["training and test"] = rows["training"] + rows["test"]
    faster = {part: timing.speedups(pair, "report").loc["course"] for part, pair in rows.items()}
    return pd.DataFrame(faster).T.round(2)


def main():
    train_set, test_set = data.load("train"), data.load("test")
    images, labels = (part[: STEPS * 64] for part in train_set)
    machine = peaks()
    seconds = timing.interleaved(variants(images, labels), ROUNDS)
    print(table(seconds), flush=True)
    whole = timing.interleaved(epochs(report_loaders(), train_set, test_set), EPOCHS)
    print("", whole_epochs(whole).to_markdown(), sep="\n")
    print("\nmeasured peaks:", ", ".join(f"{name} {value:.0f}" for name, value in machine.items()), "(GFLOP/s, GB/s)")
    results = {
        "images": len(images),
        "after": AFTER,
        "flop_per_image": flop_per_image(),
        "peaks": {name: round(value, 1) for name, value in machine.items()},
        "seconds": seconds.round(4).to_dict("list"),
        "epoch_times_faster": whole_epochs(whole).to_dict("index"),
        "epoch_seconds": whole.round(3).to_dict("list"),
    }
    print("written:", results_file.write_results("speed", **results))


if __name__ == "__main__":
    main()
