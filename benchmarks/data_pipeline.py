"""How many times faster than the report's own DataLoader code is the course's epoch? Same network, same SGD steps.

An epoch is 938 steps of training and one test, without log lines or checkpoints on either side. The two take turns in
one process, so that a busy machine slows both; the ratio is that of their medians. Takes a minute and a half.
"""

import statistics
import time

import provenance
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from mnist_helpers import data, training
from mnist_helpers.network import Net

ROUNDS = 7


def report_loaders():
    """The report's import: a picture is opened, turned into a tensor and normalised each time that it is needed."""
    scale = transforms.Compose([transforms.ToTensor(), transforms.Normalize((data.MEAN,), (data.STD,))])
    train = datasets.MNIST(data.ROOT, train=True, download=True, transform=scale)
    test = datasets.MNIST(data.ROOT, train=False, download=True, transform=scale)
    return DataLoader(train, batch_size=64, shuffle=True), DataLoader(test, batch_size=1000, shuffle=True)


def report_train(model, optimizer, train_loader):
    model.train()
    for images, labels in train_loader:
        optimizer.zero_grad()
        loss = F.nll_loss(model(images), labels)
        loss.backward()
        optimizer.step()


@torch.no_grad()
def report_test(model, test_loader):
    model.eval()
    loss = correct = 0
    for images, labels in test_loader:
        output = model(images)
        loss += F.nll_loss(output, labels, reduction="sum").item()
        correct += (output.argmax(dim=1) == labels).sum().item()
    return loss, correct


def new_model(**options):
    torch.manual_seed(1)
    model = Net().to(**options)
    return model, torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.5)


def timed(function, *arguments):
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def report_epoch(loaders):
    model, optimizer = new_model()
    return timed(report_train, model, optimizer, loaders[0]), timed(report_test, model, loaders[1])


def course_epoch(train_set, test_set):
    model, optimizer = new_model(memory_format=torch.channels_last)
    trained = timed(training.train_epoch, model, *train_set, optimizer, training.History())
    return trained, timed(training.evaluate, model, *test_set)


def main():
    loaders, sets = report_loaders(), (data.load("train"), data.load("test"))
    seconds = {"report": [], "course": []}
    for number in range(ROUNDS):
        seconds["report"].append(report_epoch(loaders))
        seconds["course"].append(course_epoch(*sets))
        last = {name: f"{sum(times[-1]):.2f} s" for name, times in seconds.items()}
        print(f"round {number + 1} of {ROUNDS}: {last}", flush=True)
    median = {
        name: {
            "train": statistics.median(train for train, _ in times),
            "train and test": statistics.median(train + test for train, test in times),
        }
        for name, times in seconds.items()
    }
    ratios = {part: round(median["report"][part] / median["course"][part], 2) for part in ("train", "train and test")}
    for part, ratio in ratios.items():
        print(f"{part}: the course's epoch is {ratio} times faster than the report's (ratio of medians)")
    rounded = {name: [[round(value, 3) for value in times] for times in runs] for name, runs in seconds.items()}
    print("written:", provenance.write("data_pipeline", ratios_of_medians=ratios, seconds_train_test=rounded))


if __name__ == "__main__":
    main()
