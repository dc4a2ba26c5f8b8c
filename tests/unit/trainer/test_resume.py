"""A run that was stopped, killed or damaged goes on with the same bits, or says why it cannot."""

import os
import signal

import pytest
import torch

from mnist_helpers import data
from mnist_helpers.trainer import cli as train
from mnist_helpers.trainer import output_folder, run_checkpoint, session
from mnist_helpers.trainer.run import Run
from tests.support.links import make_link
from tests.support.trainer import (
    Killed,
    assert_refused,
    assert_same,
    command,
    flip,
    kill_after,
    scramble,
    state_of,
)


@pytest.mark.integration
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


def test_two_kills_and_a_resume_without_a_batch_between(tmp_path, monkeypatch, undisturbed, capsys):
    for saves, options in ((4, []), (2, ["--resume"]), (1, ["--resume"])):
        with monkeypatch.context() as patch:
            kill_after(patch, saves)
            with pytest.raises(Killed):
                train.main(command(tmp_path, *options, recipe="best"))
    assert state_of(tmp_path)["step"] == 6
    capsys.readouterr()
    train.main(command(tmp_path, "--resume", recipe="best"))
    assert capsys.readouterr().out.startswith("Continuing after 1 epoch and 1 of 5 batches.\n")
    assert_same(state_of(tmp_path), undisturbed["best"])


@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_request_to_stop_is_kept_until_the_step_is_whole(number, code, tmp_path, monkeypatch, undisturbed, capsys):
    real = Run.train_step

    def interrupted(run, chosen):
        if run.step == 6:
            signal.raise_signal(number)
        real(run, chosen)

    monkeypatch.setattr(session, "CHECKPOINT_INTERVAL", 1000)
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
    """Two resumes at the same time; a run that was killed does not block the next one."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        with output_folder.locked(tmp_path):
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


@pytest.mark.parametrize("spoil", [flip, lambda path: path.write_bytes(b"half"), lambda path: path.unlink()])
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before_it(
    spoil, tmp_path, monkeypatch, killed_at_step_3, undisturbed, capsys
):
    killed_at_step_3(tmp_path)
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


def test_two_damaged_checkpoints_are_refused_and_left_alone(tmp_path, killed_at_step_3, capsys):
    killed_at_step_3(tmp_path)
    for path in tmp_path.glob("*.pt"):
        flip(path)
    assert_refused(command(tmp_path, "--resume"), tmp_path, capsys, "torn", "train anew")


def test_a_sound_file_of_something_else_does_not_take_the_place_of_the_one_before(
    tmp_path, monkeypatch, killed_at_step_3
):
    killed_at_step_3(tmp_path)
    torch.save({"something": "else"}, tmp_path / "checkpoint.pt")
    with monkeypatch.context() as patch:
        kill_after(patch, 1)
        with pytest.raises(Killed):
            train.main(command(tmp_path, "--resume"))
    assert torch.load(tmp_path / "checkpoint_before.pt", weights_only=True)["step"] == 2


def test_a_result_without_its_checkpoint_is_not_written_over(tmp_path, capsys):
    (tmp_path / "model.pt").write_text("mine")
    assert_refused(command(tmp_path, "--resume"), tmp_path, capsys, "without its checkpoint", "another --output")


def test_a_run_that_ended_before_the_lock_was_taken_is_kept(tmp_path, monkeypatch, capsys):
    def load(split, device, real=data.load):  # the second run is past its first look at the folder
        monkeypatch.setattr(data, "load", real)
        assert train.main(command(tmp_path)) == 0
        capsys.readouterr()
        return real(split, device)

    monkeypatch.setattr(data, "load", load)
    assert train.main(command(tmp_path)) == 2
    assert "holds a run already" in capsys.readouterr().err
    assert state_of(tmp_path)["step"] == 10


def test_resume_in_an_empty_folder_starts_anew_and_says_so(tmp_path, capsys, undisturbed):
    assert train.main(command(tmp_path / "new", "--resume")) == 0
    assert "no checkpoint" in capsys.readouterr().out.splitlines()[0]
    assert_same(state_of(tmp_path / "new"), undisturbed["good"])


def test_resume_of_a_finished_run_changes_no_bit_and_makes_its_files_again(tmp_path, undisturbed):
    train.main(command(tmp_path))
    (tmp_path / "model.pt").unlink()
    assert train.main(command(tmp_path, "--resume")) == 0
    assert_same(state_of(tmp_path), undisturbed["good"])
    assert run_checkpoint.load_model(tmp_path / "model.pt")


def test_leftovers_of_a_killed_write_are_removed(tmp_path, killed_at_step_3):
    killed_at_step_3(tmp_path)
    for name in ("checkpoint.pt", "model.pt", "result.json"):
        folder = tmp_path / f".{name}.mnist-helpers-abcd1234"
        folder.mkdir()
        (folder / name).write_bytes(b"half")
    train.main(command(tmp_path, "--resume"))
    names = ["checkpoint.pt", "checkpoint_before.pt", "lock", "model.pt", "result.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names


def test_the_users_own_folders_are_never_removed(tmp_path, killed_at_step_3):
    killed_at_step_3(tmp_path)
    marked = ".model.pt.mnist-helpers-"
    for folder in ("model.pt_archive", "checkpoint.ptabcd1234", "result.json20261124", f"{marked}abcd1234/mine"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "model.pt").write_text("mine")
    make_link(tmp_path / f"{marked}linked00", tmp_path / "model.pt_archive")
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


@pytest.mark.integration
@pytest.mark.parametrize("seconds", [-1, 1000])  # between checkpoints: after each batch, or only after an epoch
@pytest.mark.parametrize("step", [2, 6, 9])  # before a recorded loss, and where only the evaluation would tell
@pytest.mark.parametrize("options", [[], ["--test"]])
def test_a_loss_that_becomes_nan_ends_the_run_and_keeps_the_last_sound_state(
    options, step, seconds, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(session, "CHECKPOINT_INTERVAL", seconds)
    with monkeypatch.context() as patch:
        spoil_weights(step, patch)
        assert train.main(command(tmp_path, *options, batch_size=100 if not options else 140)) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "learning rate of 0.02 is too large" in said and said.endswith(".\n")
    assert "1 epochs" not in said
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
            signal.raise_signal(signal.SIGINT)

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
def test_resuming_where_results_may_differ_is_said_in_one_line(change, words, tmp_path, killed_at_step_3, capsys):
    killed_at_step_3(tmp_path)
    state = state_of(tmp_path)
    torch.save(state | {"made_with": state["made_with"] | change}, tmp_path / "checkpoint.pt")
    capsys.readouterr()
    assert train.main(command(tmp_path, "--resume")) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "bit for bit" in line]
    assert len(lines) == bool(change) and (not change or words in lines[0])
