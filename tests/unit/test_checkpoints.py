"""A run that was interrupted ends like one that was not; what is no checkpoint is refused without harm."""

import math
import os
import pickle
import zipfile
from dataclasses import asdict

import pytest
import torch
from torch import nn

from mnist_helpers import checkpoints
from mnist_helpers.network import Net
from mnist_helpers.training import History, seed_all, train_epoch
from tests.support.refusal import refused
from tests.support.untrusted import RunsCode


def start(seed=1):
    seed_all(seed)
    model = Net()
    return model, torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.5), History()


def train(model, optimizer, history, images, labels, epochs):
    for _ in range(epochs):
        train_epoch(model, images[:300], labels[:300], optimizer, history)


def same(model, state):
    return all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items())


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "net.pt"
    checkpoints.save(path, *start())
    return path


def test_resumed_run_equals_one_that_was_not_interrupted(tmp_path, images, labels):
    model, optimizer, history = start()
    train(model, optimizer, history, images, labels, 3)

    first, first_optimizer, first_history = start()
    train(first, first_optimizer, first_history, images, labels, 2)
    checkpoints.save(tmp_path / "net.pt", first, first_optimizer, first_history)

    resumed, resumed_optimizer, _ = start(seed=99)
    resumed_history = checkpoints.load(tmp_path / "net.pt", resumed, resumed_optimizer)
    assert resumed_history == first_history
    train(resumed, resumed_optimizer, resumed_history, images, labels, 1)
    assert same(resumed, model.state_dict())
    assert resumed_history == history


def test_loading_weights_alone_leaves_the_random_state_alone(saved):
    model = Net()
    before = torch.get_rng_state()
    checkpoints.load(saved, model)
    assert torch.equal(torch.get_rng_state(), before)
    assert same(model, start()[0].state_dict())


def truncated(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def a_zip_with_a_text(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "no checkpoint")


def of_another_network(path):
    model = nn.Linear(2, 2)
    checkpoints.save(path, model, torch.optim.SGD(model.parameters(), lr=0.1), History())


def of_a_wider_network(path):
    model = Net()
    model.fc1, model.fc2 = nn.Linear(320, 60), nn.Linear(60, 10)
    checkpoints.save(path, model, torch.optim.SGD(model.parameters(), lr=0.1), History())


def pickled_code(path):
    path.write_bytes(pickle.dumps(RunsCode(path.parent / "done"), protocol=2))  # the protocol of torch


def with_other_content(**changes):
    """Spoil one entry of a sound checkpoint."""

    def spoil(path):
        torch.save(torch.load(path, weights_only=True) | changes, path)

    return spoil


def of_adam(path):
    model = Net()
    checkpoints.save(path, model, torch.optim.Adam(model.parameters()), History())


def whole_numbers(path):
    with_other_content(model={name: tensor.int() for name, tensor in Net().state_dict().items()})(path)


def with_weights(value):
    return lambda path: with_other_content(
        model={name: torch.full_like(tensor, value) for name, tensor in Net().state_dict().items()}
    )(path)


def with_history(**changes):
    return with_other_content(history=asdict(History(**changes)))


def with_momentum(buffer):
    """Put a momentum in the place of that of the first weights."""

    def spoil(path):
        model, optimizer, history = start()
        model(torch.zeros(1, 1, 28, 28)).sum().backward()
        optimizer.step()
        optimizer.state[model.conv1.weight]["momentum_buffer"] = buffer
        checkpoints.save(path, model, optimizer, history)

    return spoil


def bomb(path):
    """Add a part that is small only as long as it is packed."""
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("net/data/99", bytes(300_000_000))


def flipped(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1  # amid the numbers of fc1.weight
    path.write_bytes(content)


BAD = {
    "missing": (lambda path: path.unlink(), "is not there"),
    "a folder": (lambda path: (path.unlink(), path.mkdir()), "it is a folder"),
    "truncated": (truncated, "is torn"),
    "empty": (lambda path: path.write_bytes(b""), "is torn"),
    "random bytes": (lambda path: path.write_bytes(bytes(range(256)) * 40), "is torn"),
    "text": (lambda path: path.write_text("no checkpoint"), "is torn"),
    "a zip": (a_zip_with_a_text, "no checkpoint"),
    "another network": (of_another_network, "another network"),
    "a wider network": (of_a_wider_network, "another network"),
    "bare weights": (lambda path: torch.save(Net().state_dict(), path), "no checkpoint of this course"),
    "an unknown history": (with_other_content(history={"foo": 1}), "no checkpoint of this course"),
    "weights that are none": (with_other_content(model=3), "no checkpoint of this course"),
    "weights with numbers for names": (with_other_content(model={1: torch.zeros(3)}), "another network (Net, where"),
    "another optimizer's state": (with_other_content(optimizer={"state": {}, "param_groups": []}), "another optimizer"),
    "an Adam's state": (of_adam, "another optimizer (Adam)"),
    "a bad random state": (with_other_content(random_state=torch.zeros(3)), "another optimizer"),
    "weights of whole numbers": (whole_numbers, "another network"),
    "weights that are not finite": (with_weights(float("nan")), "nan or inf"),
    "a loss that is not finite": (with_history(train_examples=[0], train_losses=[math.nan]), "no checkpoint"),
    "losses in words": (with_history(train_examples=[0], train_losses=["low"]), "no checkpoint of this course"),
    "a loss without its place": (with_history(train_losses=[0.5]), "no checkpoint of this course"),
    "epochs in words": (with_history(epochs="three"), "no checkpoint of this course"),
    "a momentum of another shape": (with_momentum(torch.zeros(3)), "another optimizer"),
    "a momentum that is not finite": (with_momentum(torch.full((10, 1, 5, 5), math.inf)), "another optimizer"),
    "a bomb": (bomb, "would take 300,"),
    "a pipe": (lambda path: (path.unlink(), os.mkfifo(path)), "it is a pipe"),
    "a flipped bit in the weights": (flipped, "is torn"),
    "a list": (lambda path: torch.save([1, 2], path), "no checkpoint of this course"),
    "code, saved by torch": (lambda path: torch.save(RunsCode(path.parent / "done"), path), "could run code"),
    "code, pickled": (pickled_code, "is torn, or no checkpoint"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_checkpoint_is_refused_and_changes_nothing(kind, saved):
    if kind == "a pipe" and os.name == "nt":
        pytest.skip("Windows has no pipes among its files.")
    spoil, words = BAD[kind]
    spoil(saved)
    model, optimizer, _ = start(seed=2)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    content = saved.read_bytes() if saved.is_file() else None
    random_state = torch.get_rng_state()
    with refused(str(saved), words):
        checkpoints.load(saved, model, optimizer)
    assert same(model, before) and not optimizer.state
    assert torch.equal(torch.get_rng_state(), random_state)
    assert (saved.read_bytes() if saved.is_file() else None) == content
    assert not (saved.parent / "done").exists()


def break_save(monkeypatch, error):
    def write_half(content, file):
        file.write(b"half")
        raise error

    monkeypatch.setattr(torch, "save", write_half)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("unexpected pos 64 vs 0")])
def test_failed_write_keeps_the_old_file_and_leaves_no_other(error, saved, monkeypatch):
    before = saved.read_bytes()
    break_save(monkeypatch, error)
    with refused(str(saved), "cannot be written", "No space left"):
        checkpoints.save(saved, *start(seed=2))
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


def test_interrupted_write_keeps_the_old_file_and_leaves_no_other(saved, monkeypatch):
    before = saved.read_bytes()
    break_save(monkeypatch, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        checkpoints.save(saved, *start(seed=2))
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


def test_path_that_cannot_be_written_is_refused_and_nothing_is_left(saved):
    folder = saved.parent / "folder"
    folder.mkdir()
    for path in (saved / "below-a-file.pt", folder):
        with refused(str(path), "cannot be written"):
            checkpoints.save(path, *start())
    assert sorted(saved.parent.iterdir()) == [folder, saved] and not list(folder.iterdir())
