"""The command `python -m mnist_helpers.train`, on a few hundred digits: what the tests of kills run as a program."""

import functools
import os
import sys
from pathlib import Path

from mnist_helpers import data
from mnist_helpers.trainer import cli as train
from mnist_helpers.trainer import session

SIZES = {"train": 700, "test": 300}
HELD_OUT = 200


@functools.cache
def digits():
    """Return the digits of the test set, which is the smaller one."""
    return data.load_raw("test")


def load(split, device="cpu"):
    """The first digits of the test set in place of both sets."""
    images, labels = digits()
    first = len(images) - SIZES["test"] if split == "test" else 0
    chosen = slice(first, first + SIZES[split])
    return data.normalise(images[chosen]).to(device), labels[chosen].clone().to(device)


def make_small(patch=setattr):
    """Let the command see the few digits, and write a checkpoint after each batch."""
    patch(data, "load", load)
    patch(data, "split", functools.partial(data.split, held_out=HELD_OUT))
    patch(session, "CHECKPOINT_INTERVAL", float(os.environ.get("CHECKPOINT_SECONDS", -1)))


if __name__ == "__main__":
    make_small()
    if "PIDS" in os.environ:
        Path(os.environ["PIDS"], os.environ["RANK"]).write_text(str(os.getpid()))
    sys.exit(train.main())
