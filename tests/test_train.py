"""The command against `recipes.train`, undisturbed, stopped after any batch, and on two processes."""

import copy
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from mnist_helpers import checkpoints, data, recipes
from mnist_helpers.recipes import RECIPES, Recipe
from mnist_helpers.trainer import run as runs
from mnist_helpers.trainer import session as train
from mnist_helpers.trainer.distributed import BatchNorm, Dropout, Processes, replace_layers, start
from mnist_helpers.trainer.run import Run
from mnist_helpers.training import evaluate, seed_all
from tests import small_train
from tests.refusal import refused


@pytest.fixture(autouse=True)
def small(monkeypatch):
    small_train.make_small(monkeypatch.setattr)


def command(folder, *options, recipe="good", epochs=2, batch_size=100, seed=3):
    given = {"recipe": recipe, "epochs": epochs, "batch-size": batch_size, "seed": seed, "output": folder}
    return [text for name, value in given.items() for text in (f"--{name}", str(value))] + list(options)


def state_of(folder):
    return torch.load(folder / "checkpoint.pt", weights_only=True)


def assert_same(found, expected):
    """Compare everything in two states bit for bit, but for how they were made."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for key in expected.keys() - {"made_with"}:
            assert_same(found[key], expected[key])
    elif isinstance(expected, list | tuple):
        assert len(found) == len(expected)
        for one, other in zip(found, expected):
            assert_same(one, other)
    elif isinstance(expected, torch.Tensor):
        assert torch.equal(found, expected)
    else:
        assert found == expected


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# the same numbers as the function that chapter 05 teaches


@pytest.mark.parametrize("name", RECIPES)
def test_the_command_trains_bit_for_bit_what_recipes_train_does(name, tmp_path):
    assert train.main(command(tmp_path, recipe=name)) == 0
    train_set, held_out = data.split(*data.load("train"))
    expected = recipes.train(replace(RECIPES[name], epochs=2, batch_size=100), *train_set, seed=3)
    found = runs.load_model(tmp_path / "model.pt")
    assert type(found) is type(expected) and not found.training
    assert_same(found.state_dict(), expected.state_dict())
    loss, correct = evaluate(expected, *held_out)
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["result"] == {"set": "validation", "images": 200, "correct": correct, "loss": loss}
    assert result["history"]["epoch_correct"][-1] == correct
    assert result["run"]["seed"] == 3 and result["made_with"]["torch"] and result["made_with"]["threads"] == 1


def test_losses_are_those_of_every_tenth_batch_before_its_step(tmp_path, monkeypatch):
    losses = []
    real = torch.nn.functional.cross_entropy
    monkeypatch.setattr(
        torch.nn.functional, "cross_entropy", lambda *a, **o: losses.append(real(*a, **o)) or losses[-1]
    )
    train.main(command(tmp_path, batch_size=40))  # 13 batches an epoch
    history = state_of(tmp_path)["history"]
    assert history["examples"] == [0, 400, 500, 900]
    assert history["losses"] == [losses[step].item() for step in (0, 10, 13, 23)]


def opened(monkeypatch):
    seen = []
    monkeypatch.setattr(data, "load", lambda split, *rest: seen.append(split) or small_train.load(split, *rest))
    return seen


def test_the_test_set_is_opened_once_at_the_end_and_only_when_asked_for(tmp_path, monkeypatch):
    seen = opened(monkeypatch)
    train.main(command(tmp_path / "without"))
    assert seen == ["train"]
    train.main(command(tmp_path / "with", "--test"))
    assert seen == ["train", "train", "test"]
    result = json.loads((tmp_path / "with/result.json").read_text())
    assert result["run"]["training images"] == 700 and result["history"]["epoch_correct"] == []
    expected = recipes.train(replace(RECIPES["good"], epochs=2, batch_size=100), *data.load("train"), seed=3)
    assert result["result"]["correct"] == evaluate(expected, *data.load("test"))[1]
    assert result["result"]["set"] == "test" and result["result"]["images"] == 300


# stopped and gone on


class Killed(BaseException):
    """As a kill: nothing catches it."""


def kill_after(monkeypatch, saves):
    """Stop the command when it has written so many checkpoints; the first one is written before the first step."""
    real, count = checkpoints.save_run, []

    def save_run(path, content):
        real(path, content)
        count.append(path)
        if len(count) == saves:
            raise Killed

    monkeypatch.setattr(checkpoints, "save_run", save_run)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The final states of runs that nothing disturbed, by recipe: two epochs of five batches."""
    with pytest.MonkeyPatch.context() as patch:
        small_train.make_small(patch.setattr)
        states = {}
        for recipe in RECIPES:
            folder = tmp_path_factory.mktemp(recipe)
            train.main(command(folder, recipe=recipe))
            states[recipe] = state_of(folder)
    return states


def scramble():
    seed_all(99)
    torch.rand(5), random.random(), np.random.rand()


@pytest.mark.parametrize(
    "recipe, saves", [("best", 1), ("best", 3), ("report", 5), ("good", 6), ("best", 8), ("best", 11)]
)
def test_a_run_that_was_killed_and_resumed_ends_with_the_same_bits(recipe, saves, tmp_path, monkeypatch, undisturbed):
    with monkeypatch.context() as patch:
        kill_after(patch, saves)
        with pytest.raises(Killed):
            train.main(command(tmp_path, recipe=recipe))
    assert state_of(tmp_path)["step"] == saves - 1
    scramble()
    assert train.main(command(tmp_path, "--resume", recipe=recipe)) == 0
    assert_same(state_of(tmp_path), undisturbed[recipe])


def test_two_kills_and_a_resume_without_a_batch_between(tmp_path, monkeypatch, undisturbed):
    for saves, options in ((4, []), (2, ["--resume"]), (1, ["--resume"])):
        with monkeypatch.context() as patch:
            kill_after(patch, saves)
            with pytest.raises(Killed):
                train.main(command(tmp_path, *options, recipe="best"))
    assert state_of(tmp_path)["step"] == 6
    train.main(command(tmp_path, "--resume", recipe="best"))
    assert_same(state_of(tmp_path), undisturbed["best"])


def test_the_state_holds_every_source_of_chance(tmp_path):
    device = torch.device("cpu")
    seed_all(5)
    np.random.randn()  # leaves a second number in reserve
    state = runs.random_state(device)
    torch.save(state, tmp_path / "state.pt")
    drawn = [torch.rand(1).item(), random.random(), random.gauss(0, 1), np.random.randn(), np.random.rand()]
    scramble()
    runs.set_random_state(torch.load(tmp_path / "state.pt", weights_only=True), device)
    assert drawn == [torch.rand(1).item(), random.random(), random.gauss(0, 1), np.random.randn(), np.random.rand()]


@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_request_to_stop_is_kept_until_the_step_is_whole(number, code, tmp_path, monkeypatch, undisturbed, capsys):
    real = Run.train_step

    def interrupted(run, chosen):
        if run.step == 6:
            os.kill(os.getpid(), number)
        real(run, chosen)

    monkeypatch.setattr(train, "SECONDS", 1000)
    handler = signal.getsignal(number)
    with monkeypatch.context() as patch:
        patch.setattr(Run, "train_step", interrupted)
        assert train.main(command(tmp_path)) == code
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("Stopped") and last.endswith(f"--output {tmp_path} --resume")
    assert state_of(tmp_path)["step"] == 7
    assert train.main(command(tmp_path, "--resume")) == 0
    assert_same(state_of(tmp_path), undisturbed["good"])
    assert signal.getsignal(number) == handler


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks are of Unix")
def test_a_second_run_in_one_folder_is_refused_and_the_first_goes_on(tmp_path, undisturbed, capsys):
    """Two resumes at the same time; a run that was killed keeps nobody out."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        with train.locked(tmp_path):
            os.write(writer, b"mine")
            signal.pause()
    try:
        os.read(reader, 4)
        assert_refused(command(tmp_path, "--resume"), tmp_path, capsys, str(tmp_path), "another run writes")
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert train.main(command(tmp_path, "--resume")) == 0
    assert_same(state_of(tmp_path), undisturbed["good"])


def killed_at_step_3(folder, monkeypatch):
    with monkeypatch.context() as patch:
        kill_after(patch, 4)
        with pytest.raises(Killed):
            train.main(command(folder))


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("spoil", [flip, lambda path: path.write_bytes(b"half"), lambda path: path.unlink()])
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before_it(spoil, tmp_path, monkeypatch, undisturbed, capsys):
    killed_at_step_3(tmp_path, monkeypatch)
    newest = tmp_path / "checkpoint.pt"
    spoil(newest)
    capsys.readouterr()
    with monkeypatch.context() as patch:
        kill_after(patch, 1)
        with pytest.raises(Killed):
            train.main(command(tmp_path, "--resume"))
    said = capsys.readouterr().out
    assert "checkpoint_before.pt" in said and "after 0 epochs and 2 of 5 batches" in said
    kept = torch.load(tmp_path / "checkpoint_before.pt", weights_only=True)
    assert kept["step"] == 2  # the damaged one has not taken its place
    assert train.main(command(tmp_path, "--resume")) == 0
    assert_same(state_of(tmp_path), undisturbed["good"])


def test_two_damaged_checkpoints_are_refused_and_left_alone(tmp_path, monkeypatch, capsys):
    killed_at_step_3(tmp_path, monkeypatch)
    for path in tmp_path.glob("*.pt"):
        flip(path)
    assert_refused(command(tmp_path, "--resume"), tmp_path, capsys, "torn", "train anew")


def test_a_sound_file_of_something_else_does_not_take_the_place_of_the_one_before(tmp_path, monkeypatch):
    killed_at_step_3(tmp_path, monkeypatch)
    torch.save({"something": "else"}, tmp_path / "checkpoint.pt")
    with monkeypatch.context() as patch:
        kill_after(patch, 1)
        with pytest.raises(Killed):
            train.main(command(tmp_path, "--resume"))
    assert torch.load(tmp_path / "checkpoint_before.pt", weights_only=True)["step"] == 2


def test_a_result_without_its_checkpoint_is_not_written_over(tmp_path, capsys):
    (tmp_path / "model.pt").write_text("mine")
    assert_refused(command(tmp_path, "--resume"), tmp_path, capsys, "without its checkpoint", "another --output")


def test_a_run_that_came_and_went_before_the_lock_is_kept(tmp_path, monkeypatch, capsys):
    def load(split, device, real=data.load):  # the second run is past its first look at the folder
        monkeypatch.setattr(data, "load", real)
        assert train.main(command(tmp_path)) == 0
        capsys.readouterr()
        return real(split, device)

    monkeypatch.setattr(data, "load", load)
    assert train.main(command(tmp_path)) == 2
    assert "holds a run already" in capsys.readouterr().err
    assert state_of(tmp_path)["step"] == 10


@pytest.mark.parametrize("words", ["DefaultCPUAllocator: can't allocate memory: you tried to", "CUDA out of memory"])
def test_too_little_memory_is_told_in_one_sentence(words, tmp_path, monkeypatch, capsys):
    def hungry(run, chosen):
        raise (torch.OutOfMemoryError if "CUDA" in words else RuntimeError)(words)

    monkeypatch.setattr(Run, "train_step", hungry)
    assert train.main(command(tmp_path)) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "smaller --batch-size" in said


def test_lines_that_nobody_reads_end_the_run_quietly_and_nothing_is_lost(tmp_path):
    program = [sys.executable, small_train.__file__, *command(tmp_path / "piped", epochs=20)]
    environment = {**os.environ, "PYTHONPATH": str(data.ROOT.parent)}
    job = subprocess.Popen(program, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert job.stdout.readline().startswith("epoch 1 ")
    job.stdout.close()
    assert job.wait(60) == 1 and job.stderr.read() == ""
    assert 5 < state_of(tmp_path / "piped")["step"] < 100


def test_resume_where_nothing_is_begins_and_says_so(tmp_path, capsys, undisturbed):
    assert train.main(command(tmp_path / "new", "--resume")) == 0
    assert "no checkpoint" in capsys.readouterr().out.splitlines()[0]
    assert_same(state_of(tmp_path / "new"), undisturbed["good"])


def test_resume_of_a_finished_run_changes_no_bit_and_makes_its_files_again(tmp_path, undisturbed):
    train.main(command(tmp_path))
    (tmp_path / "model.pt").unlink()
    assert train.main(command(tmp_path, "--resume")) == 0
    assert_same(state_of(tmp_path), undisturbed["good"])
    assert runs.load_model(tmp_path / "model.pt")


def test_what_a_killed_write_left_is_swept(tmp_path, monkeypatch):
    killed_at_step_3(tmp_path, monkeypatch)
    for name in ("checkpoint.pt", "model.pt", "result.json"):
        folder = tmp_path / f".{name}.mnist-helpers-abcd1234"
        folder.mkdir()
        (folder / name).write_bytes(b"half")
    train.main(command(tmp_path, "--resume"))
    names = ["checkpoint.pt", "checkpoint_before.pt", "lock", "model.pt", "result.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names


def test_the_users_own_folders_are_never_swept(tmp_path, monkeypatch):
    killed_at_step_3(tmp_path, monkeypatch)
    marked = ".model.pt.mnist-helpers-"
    for folder in ("model.pt_archive", "checkpoint.ptabcd1234", "result.json20261124", f"{marked}abcd1234/mine"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "model.pt").write_text("mine")
    (tmp_path / f"{marked}linked00").symlink_to(tmp_path / "model.pt_archive")
    before = {path for path in tmp_path.rglob("*") if "mine" in path.name or path.parent != tmp_path}
    train.main(command(tmp_path, "--resume"))
    assert len(before) >= 5 and all(path.exists() for path in before)
    assert (tmp_path / "model.pt_archive" / "model.pt").read_text() == "mine"


# a learning rate that is too large


def spoil_weights(step, patch):
    """Let the weights become NaN in this step, as a learning rate that is too large does."""
    real = Run.train_step

    def spoiling(run, chosen):
        real(run, chosen)
        if run.step == step:
            next(run.model.parameters()).data.fill_(float("nan"))

    patch.setattr(Run, "train_step", spoiling)


@pytest.mark.parametrize("seconds", [-1, 1000])  # between checkpoints: after each batch, or only after an epoch
@pytest.mark.parametrize("step", [2, 6, 9])  # before a recorded loss, and where only the evaluation would tell
@pytest.mark.parametrize("options", [[], ["--test"]])
def test_a_loss_that_becomes_nan_ends_the_run_and_keeps_the_last_sound_state(
    options, step, seconds, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(train, "SECONDS", seconds)
    with monkeypatch.context() as patch:
        spoil_weights(step, patch)
        assert train.main(command(tmp_path, *options, batch_size=100 if not options else 140)) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "learning rate of 0.02 is too large" in said and said.endswith(".\n")
    assert not (tmp_path / "result.json").exists() and not (tmp_path / "model.pt").exists()
    kept = state_of(tmp_path)
    assert kept["step"] == (step if seconds < 0 else step // 5 * 5)
    assert all(tensor.isfinite().all() for tensor in [*kept["model"].values(), *kept["average"].values()])
    assert train.main(command(tmp_path, "--resume", *options, batch_size=100 if not options else 140)) == 0


def test_a_stop_after_nan_does_not_say_that_nothing_is_lost(tmp_path, monkeypatch, capsys):
    def interrupted(run, chosen, real=Run.train_step):
        real(run, chosen)
        if run.step == 2:
            next(run.model.parameters()).data.fill_(float("nan"))
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Run, "train_step", interrupted)
    assert train.main(command(tmp_path)) == 1
    said = capsys.readouterr()
    assert "Stopped" not in said.out and "too large" in said.err


# another machine


@pytest.mark.parametrize(
    "change, words",
    [
        ({}, None),
        ({"threads": 3}, "threads 3, now 1"),
        ({"processes": 2}, "processes 2, now 1"),
        ({"torch": "2.9.0"}, "torch 2.9.0, now "),
    ],
)
def test_going_on_where_the_bits_differ_is_said_in_one_line(change, words, tmp_path, monkeypatch, capsys):
    killed_at_step_3(tmp_path, monkeypatch)
    state = state_of(tmp_path)
    torch.save(state | {"made_with": state["made_with"] | change}, tmp_path / "checkpoint.pt")
    capsys.readouterr()
    assert train.main(command(tmp_path, "--resume")) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "bit for bit" in line]
    assert len(lines) == bool(change) and (not change or words in lines[0])


# bad input


def assert_refused(arguments, folder, capsys, *words):
    before = contents(folder)
    capsys.readouterr()
    try:
        code = train.main(arguments)
    except SystemExit as end:
        code = end.code
    said = capsys.readouterr()
    assert code == 2 and said.out == ""
    assert re.fullmatch(r"[^\n]+\.\n", said.err) and not re.search(r"[.!?] [A-Z]", said.err), said.err
    for word in words:
        assert word in said.err
    assert contents(folder) == before


BAD = {
    "recipe": (["--recipe", "great"], ["'great'", "report, fast, good, best"]),
    "batch size 0": (["--batch-size", "0"], ["--batch-size", "'0'", "1 to 60,000"]),
    "batch size -1": (["--batch-size", "-1"], ["'-1'"]),
    "batch size of words": (["--batch-size", "ten"], ["'ten'"]),
    "batch of one for batch normalisation": (["--batch-size", "499"], ["1 of the 500 images", "batch normalisation"]),
    "epochs 0": (["--epochs", "0"], ["--epochs", "'0'"]),
    "epochs 1.5": (["--epochs", "1.5"], ["'1.5'", "whole number"]),
    "learning rate -0.1": (["--learning-rate", "-0.1"], ["'-0.1'"]),
    "learning rate 0": (["--learning-rate", "0"], ["'0'"]),
    "learning rate nan": (["--learning-rate", "nan"], ["'nan'"]),
    "learning rate inf": (["--learning-rate", "inf"], ["'inf'"]),
    "learning rate 1000": (["--learning-rate", "1000"], ["'1000'"]),
    "seed 1.5": (["--seed", "1.5"], ["'1.5'"]),
    "seed -1": (["--seed", "-1"], ["'-1'"]),
    "seed of 40 digits": (["--seed", "9" * 40], ["whole number"]),
    "device": (["--device", "gpu"], ["'gpu'", "cpu"]),
    "a GPU that is not there": (["--device", "cuda:99"], ["'cuda:99'"]),
    "an option that is none": (["--epoch", "3"], ["--epoch"]),
    "an option without its value": (["--seed"], ["--seed"]),
    "a file as the output": (["--output", "FOLDER/file"], ["file", "cannot be written"]),
    "an output below a file": (["--output", "FOLDER/file/run"], ["cannot be written"]),
    "an output that the system refuses": (["--output", "/proc/run"], ["/proc/run", "cannot be written"]),
    "an output with a run in it": ([], ["holds a run already", "--resume"]),
    "another recipe's checkpoint": (["--resume", "--recipe", "fast"], ["recipe good, but fast was given"]),
    "another seed's checkpoint": (["--resume", "--seed", "4"], ["seed 3, but 4 was given"]),
    "a checkpoint of other epochs": (["--resume", "--epochs", "3"], ["epochs 2, but 3 was given"]),
    "a checkpoint of other images": (["--resume", "--test"], ["training images 500, but 700 was given"]),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_input_is_refused_in_one_sentence_and_nothing_is_overwritten(kind, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("mine")
    killed_at_step_3(tmp_path / "run", monkeypatch)
    options, words = BAD[kind]
    options = [option.replace("FOLDER", str(tmp_path)) for option in options]
    folder = "run" if not options or "--resume" in options else "new"
    assert_refused(command(tmp_path / folder, *options), tmp_path, capsys, *words)
    assert not (tmp_path / "new").exists()


TOO_LARGE = {"random_state": {"python": (3, (2**70,) * 625, None)}}


@pytest.mark.parametrize(
    "change",
    [
        *({"step": step} for step in ("many", 2.5, -3, 10**6)),
        *({"model": {}}, {"history": 3}, {"random_state": {}}, TOO_LARGE, {"schedule": {"step": 3}}),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(change, tmp_path, monkeypatch, capsys):
    killed_at_step_3(tmp_path, monkeypatch)
    torch.save(state_of(tmp_path) | change, tmp_path / "checkpoint.pt")
    assert_refused(command(tmp_path, "--resume"), tmp_path, capsys, "checkpoint")


@pytest.mark.parametrize("spoil", [flip, lambda path: torch.save({"recipe": {"width": 3}, "model": {}}, path)])
def test_a_network_that_is_damaged_or_none_is_refused(spoil, tmp_path):
    train.main(command(tmp_path, epochs=1))
    spoil(tmp_path / "model.pt")
    with refused("model.pt", "train anew"):
        runs.load_model(tmp_path / "model.pt")


def test_more_processes_than_images_in_the_smallest_batch_are_refused():
    images, labels = data.load("train")
    with refused("has 2 of the 302 images", "3 or more", "fewer processes"):
        Run(Recipe(batch_size=100), images[:302], labels[:302], 1, Processes(0, 3))


def test_help_says_what_there_is_and_what_is_chosen(capsys):
    with pytest.raises(SystemExit) as end:
        train.main(["--help"])
    said = capsys.readouterr().out
    assert end.value.code == 0
    for option in ["recipe", "epochs", "batch-size", "learning-rate", "seed", "device", "output", "resume", "test"]:
        assert f"--{option}" in said
    assert "default: good" in said and "default: 1" in said and "default: cpu" in said and "torchrun" in said


# several processes: their part of a step, in one


class Thread(Processes):
    """A process that is a thread: sums are formed through a list that all see."""

    table, barrier = {}, None

    def all_reduce_sum(self, values):
        Thread.table[self.rank] = values.clone()
        Thread.barrier.wait(60)
        values.copy_(sum(Thread.table[rank] for rank in range(self.size)))
        Thread.barrier.wait(60)
        return values


def together(size, work):
    """Let `work` be done by so many threads at once; returns their results in order."""
    Thread.barrier = threading.Barrier(size)
    results = [None] * size

    def one(rank):
        results[rank] = work(Thread(rank, size))

    threads = [threading.Thread(target=one, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


@pytest.mark.parametrize("size", [1, 2, 3])
def test_batch_normalisation_of_shares_is_that_of_the_whole_batch(size):
    seed_all(1)
    layer = nn.BatchNorm2d(4).double()
    nn.init.normal_(layer.weight), nn.init.normal_(layer.bias)
    x, target = torch.randn(2, 11, 4, 5, 3, dtype=torch.float64) * 3 + 10  # 11 images: uneven shares
    parts = [copy.deepcopy(layer) for _ in range(size)]
    x.requires_grad_()
    expected = layer(x)
    expected.backward(target)

    def work(processes):
        mine = processes.shard(x.detach()).requires_grad_()
        part = BatchNorm(parts[processes.rank], processes)
        y = part(mine)
        y.backward(processes.shard(target))
        return y.detach(), mine.grad, part

    outputs, gradients, layers = zip(*together(size, work))
    close = partial(torch.testing.assert_close, rtol=1e-10, atol=1e-12)
    close(torch.cat(outputs), expected.detach())
    close(torch.cat(gradients), x.grad)
    for name, parameter in layer.named_parameters():
        close(sum(getattr(part, name).grad for part in layers), parameter.grad)
    for part in layers:
        close(part.state_dict(), layer.state_dict())
        torch.testing.assert_close(part.eval()(x), layer.eval()(x))


@pytest.mark.parametrize("layer", [nn.Dropout(0.3), nn.Dropout2d(0.5)])
def test_dropout_of_shares_is_that_of_the_whole_batch(layer):
    x = torch.rand(11, 4, 5, 3)
    seed_all(1)
    expected, drawn_next = layer(x), torch.rand(1)
    parts = []
    for rank in range(3):
        seed_all(1)
        processes = Processes(rank, 3)
        part = Dropout(layer, processes)
        parts.append(part(processes.shard(x)))
        assert torch.equal(torch.rand(1), drawn_next)  # the draws that follow are the same too
        assert torch.equal(part.eval()(x), x)
    assert torch.equal(torch.cat(parts), expected)


def test_shares_are_the_batch_in_order_and_differ_by_one_at_most():
    for size in (1, 2, 3, 7):
        for batch in range(size, 20):
            shares = [Processes(rank, size).shard(torch.arange(batch)) for rank in range(size)]
            assert torch.equal(torch.cat(shares), torch.arange(batch))
            assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_layers_of_a_whole_batch_are_replaced_and_keep_their_weights():
    model = recipes.build(replace(RECIPES["best"], dropout=0.2))
    weights, before = list(model.parameters()), model.state_dict()
    replace_layers(model, Processes())
    kinds = [type(layer) for layer in model.modules()]
    assert kinds.count(BatchNorm) == 5 and kinds.count(Dropout) == 1
    assert nn.BatchNorm2d not in kinds and nn.Dropout not in kinds
    assert all(one is other for one, other in zip(model.parameters(), weights))
    assert_same(model.state_dict(), dict(before))


@pytest.mark.parametrize("name, local_rank, expected", [("cuda", None, 0), ("cuda", "1", 1), ("cuda:1", "0", 1)])
def test_a_gpu_is_set_by_its_index(name, local_rank, expected, monkeypatch):
    """torch.cuda.set_device refuses "cuda" alone: its own check of the argument runs here, without a GPU."""
    set_to = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: set_to.append(torch.cuda._get_device_index(device)))
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    if local_rank is not None:
        monkeypatch.setenv("LOCAL_RANK", local_rank)
    assert start(name)[1] == torch.device("cuda", expected)
    assert set_to == [expected]


# several processes, as torchrun starts them


def start_two(folder, *options, restarts=0, **choices):
    """Start the command on two processes; returns torchrun's process."""
    program = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    program.append(f"--max-restarts={restarts}")
    arguments = [*program, small_train.__file__, *command(folder, *options, **choices)]
    environment = {**os.environ, "PYTHONPATH": str(data.ROOT.parent), "OMP_NUM_THREADS": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(arguments, env=environment, **pipes)


def test_two_processes_do_what_one_does(tmp_path):
    """Uneven shares, augmentation, dropout and batch normalisation. Gentle steps, which amplify rounding little."""
    choices = {"recipe": "best", "batch_size": 33, "epochs": 1}  # 15 batches of 33 and one of 5
    job = start_two(tmp_path / "two", "--learning-rate", "1e-5", **choices)
    train.main(command(tmp_path / "one", "--learning-rate", "1e-5", **choices))
    said, errors = job.communicate(timeout=300)
    assert job.returncode == 0, errors
    assert said.count("epoch 1 of 1") == 1 and "Warning" not in errors
    one, two = state_of(tmp_path / "one"), state_of(tmp_path / "two")
    for part in ("model", "average"):
        torch.testing.assert_close(two[part], one[part], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(two["history"]["losses"], one["history"]["losses"], rtol=1e-5, atol=0)
    assert two["history"]["examples"] == one["history"]["examples"]
    assert_same(two["random_state"], one["random_state"])  # as many numbers were drawn
    result = json.loads((tmp_path / "two/result.json").read_text())
    assert result["made_with"]["processes"] == 2 and "--nproc-per-node=2" in result["made_with"]["command"]


def test_the_end_of_another_process_is_told_in_one_sentence(tmp_path, monkeypatch, capsys):
    def broken(run, chosen):
        raise RuntimeError("[../third_party/gloo/gloo/transport/tcp/pair.cc:553] Connection closed by peer")

    monkeypatch.setattr(Run, "train_step", broken)
    assert train.main(command(tmp_path)) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "Another process" in said and said.endswith("--resume\n")


def test_an_error_of_another_kind_is_not_hidden(tmp_path, monkeypatch):
    def broken(run, chosen):
        raise RuntimeError("a mistake in the code")

    monkeypatch.setattr(Run, "train_step", broken)
    with pytest.raises(RuntimeError, match="a mistake"):
        train.main(command(tmp_path))


# what is said


def test_one_line_an_epoch_where_there_is_no_terminal(tmp_path, capsys):
    train.main(command(tmp_path))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    for number, line in enumerate(lines[:2], start=1):
        pattern = rf"epoch {number} of 2: loss \d\.\d{{4}}, validation [\d.]+% \(\d+ of 200\), \d+\.\d s"
        assert re.fullmatch(pattern, line), line
    assert re.match(r"validation: [\d.]+% \(\d+ of 200\); ", lines[2])


def test_a_moving_line_in_a_terminal(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(train, "BETWEEN_LINES", 0)
    train.main(command(tmp_path))
    said = capsys.readouterr().out
    assert "\r\x1b[Kepoch 1 of 2: 20%\r\x1b[Kepoch 1 of 2: 40%" in said
    assert "\r\x1b[Kepoch 2 of 2: 20%" in said and "epoch 3" not in said
