"""The command line: its options, its messages, and what it refuses."""

import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch

from mnist_helpers import data
from mnist_helpers._support.terminal import WIPE
from mnist_helpers.predict import Reader
from mnist_helpers.recipes import RECIPES, build
from mnist_helpers.trainer import cli as train
from mnist_helpers.trainer import display
from mnist_helpers.trainer.run import Run
from mnist_helpers.trainer.run_checkpoint import with_test_time_averaging
from mnist_helpers.training import predict
from tests.support import small_train
from tests.support.trainer import assert_refused, command, state_of

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(data.ROOT.parent)}
ENVIRONMENT.pop("PYTHONUNBUFFERED", None)  # with it, Python drops what a full pipe does not take, without an error


@pytest.mark.parametrize("words", ["DefaultCPUAllocator: can't allocate memory: you tried to", "CUDA out of memory"])
def test_too_little_memory_is_told_in_one_sentence(words, tmp_path, monkeypatch, capsys):
    def hungry(run, chosen):
        raise (torch.OutOfMemoryError if "CUDA" in words else RuntimeError)(words)

    monkeypatch.setattr(Run, "train_step", hungry)
    assert train.main(command(tmp_path)) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "smaller --batch-size" in said


@pytest.mark.integration
@pytest.mark.parametrize("recipe", ["good", "best"])
def test_export_writes_a_file_that_predict_takes(recipe, tmp_path, capsys):
    folder = tmp_path / recipe
    assert train.main([*command(folder, recipe=recipe), "--export"]) == 0
    assert "model.onnx" in capsys.readouterr().out
    reader, images = Reader(folder / "model.onnx"), data.load_raw("test")[0][:50]
    content = torch.load(folder / "model.pt", weights_only=True)
    network = build(RECIPES[recipe])
    network.load_state_dict(content["model"])
    expected = predict(with_test_time_averaging(RECIPES[recipe], network), data.normalise(images))
    np.testing.assert_allclose(reader.probabilities(images.numpy()), expected.numpy(), atol=1e-4)
    assert reader.metadata["seed"] == "3" and "validation images read right" in reader.metadata


@pytest.mark.integration
def test_lines_that_nobody_reads_end_the_run_quietly_and_nothing_is_lost(tmp_path):
    program = [sys.executable, small_train.__file__, *command(tmp_path / "piped", epochs=20)]
    job = subprocess.Popen(program, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert job.stdout.readline().startswith("epoch 1 ")
    job.stdout.close()
    assert job.wait(60) == 1 and job.stderr.read() == ""
    assert 5 < state_of(tmp_path / "piped")["step"] < 100


@contextlib.contextmanager
def closed():
    yield "exec >&-; "


@contextlib.contextmanager
def full_device():
    yield "exec >/dev/full; "


@contextlib.contextmanager
def full_pipe():
    """A pipe that nobody reads, and that says so instead of waiting."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, bytes(65536))
    os.set_inheritable(writer, True)
    yield f"exec >&{writer}; "
    os.close(reader)
    os.close(writer)


@pytest.mark.integration
@pytest.mark.skipif(os.name == "nt", reason="these outputs are of Unix")
@pytest.mark.parametrize(
    "output, why, announced",
    [
        (closed, "is closed", True),
        (full_device, "No space left", True),
        (full_pipe, "without blocking", True),
        (full_device, "No space left", False),  # fails in the middle of training
        pytest.param(closed, "is closed", False, marks=pytest.mark.slow),
        pytest.param(full_pipe, "without blocking", False, marks=pytest.mark.slow),
    ],
)
def test_an_output_that_takes_no_line_ends_the_run_in_one_sentence_and_keeps_its_state(
    output, why, announced, tmp_path
):
    program = "import sys\nfrom tests.support import small_train\nsmall_train.make_small()\n"
    program += f"sys.exit(small_train.train.main(say_at_once={announced}))"
    words = shlex.join([sys.executable, "-c", program, *command(tmp_path / "run")])
    with output() as redirect:
        options = {"env": ENVIRONMENT, "stderr": subprocess.PIPE, "text": True, "close_fds": False}
        done = subprocess.run(["bash", "-c", redirect + words], timeout=120, **options)
    assert done.returncode == 1 and done.stderr.count("\n") == 1, done.stderr
    assert why in done.stderr and "saving its state; to continue: python -m mnist_helpers.train" in done.stderr
    assert state_of(tmp_path / "run")["step"] == (0 if announced or output is closed else 5)
    assert train.main(command(tmp_path / "run", "--resume")) == 0


ALONE = """
import sys
from mnist_helpers.trainer import cli
try:
    code = cli.main()
except SystemExit as end:
    code = end.code
print(code, sorted({"torch", "numpy", "torchvision"} & {*sys.modules}))
"""


@pytest.mark.parametrize(
    "options, code", [(["--help"], 0), (["--recipe", "great"], 2), (["--seed", "1.5"], 2), (["--unknown"], 2), ([], 2)]
)
def test_help_and_refusals_that_need_no_torch_come_before_it_is_imported(options, code, tmp_path):
    (tmp_path / "checkpoint.pt").write_bytes(b"of another run")
    words = [sys.executable, "-c", ALONE, *options, "--output", str(tmp_path)]
    done = subprocess.run(words, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == f"{code} []", done.stdout + done.stderr


def test_the_command_says_at_once_what_it_does(tmp_path, capsys):
    assert train.main(command(tmp_path), say_at_once=True) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first == f"A run of the recipe good begins in {tmp_path}; loading PyTorch takes some seconds."


@pytest.mark.integration
@pytest.mark.skipif(os.name == "nt", reason="Windows sends Ctrl+C to all processes of a console")
def test_ctrl_c_gets_no_traceback_while_pytorch_loads(tmp_path):
    words = [sys.executable, "-m", "mnist_helpers.train", *command(tmp_path / "run")]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    job = subprocess.Popen(words, env=ENVIRONMENT, **pipes)
    assert job.stdout.readline().endswith("loading PyTorch takes some seconds.\n")
    job.send_signal(signal.SIGINT)
    _, said = job.communicate(timeout=60)
    assert (job.returncode, said) == (-signal.SIGINT, "")  # which a shell calls 130
    assert list(tmp_path.iterdir()) == []


def test_the_recipes_that_the_command_knows_are_all_that_there_are():
    assert tuple(RECIPES) == train.RECIPE_NAMES


BAD = {
    "recipe": (["--recipe", "great"], ["'great'", "report, fast, fast-gpu, good, best"]),
    "batch size 0": (["--batch-size", "0"], ["--batch-size", "'0'", "1 to 60,000"]),
    "batch size -1": (["--batch-size", "-1"], ["'-1'"]),
    "batch size of words": (["--batch-size", "ten"], ["'ten'"]),
    "batch of one for batch normalisation": (["--batch-size", "499"], ["1 of the 500 images", "batch normalisation"]),
    "epochs 0": (["--epochs", "0"], ["--epochs", "'0'"]),
    "epochs 1.5": (["--epochs", "1.5"], ["'1.5'", "an integer"]),
    "learning rate -0.1": (["--learning-rate", "-0.1"], ["'-0.1'"]),
    "learning rate 0": (["--learning-rate", "0"], ["'0'"]),
    "learning rate nan": (["--learning-rate", "nan"], ["'nan'"]),
    "learning rate inf": (["--learning-rate", "inf"], ["'inf'"]),
    "learning rate 1000": (["--learning-rate", "1000"], ["'1000'"]),
    "seed 1.5": (["--seed", "1.5"], ["'1.5'"]),
    "seed -1": (["--seed", "-1"], ["'-1'"]),
    "seed 1_0": (["--seed", "1_0"], ["'1_0'", "an integer"]),
    "seed in Arabic digits": (["--seed", "\u0661\u0662"], ["an integer"]),
    "seed with a blank": (["--seed", " 1"], ["' 1'"]),
    "learning rate 0.0_1": (["--learning-rate", "0.0_1"], ["'0.0_1'", "a number"]),
    "learning rate of two points": (["--learning-rate", "0.0.1"], ["'0.0.1'"]),
    "seed of 40 digits": (["--seed", "9" * 40], ["an integer"]),
    "device": (["--device", "gpu"], ["'gpu'", "cpu"]),
    "a GPU that is not there": (["--device", "cuda:99"], ["'cuda:99'"]),
    "an option that is none": (["--epoch", "3"], ["--epoch"]),
    "an option without its value": (["--seed"], ["--seed"]),
    "a file as the output": (["--output", "FOLDER/file"], ["file", "cannot be written"]),
    "an output below a file": (["--output", "FOLDER/file/run"], ["cannot be written"]),
    "an output with a run in it": ([], ["holds a run already", "--resume"]),
    "another recipe's checkpoint": (["--resume", "--recipe", "fast"], ["recipe good, but fast was given"]),
    "another seed's checkpoint": (["--resume", "--seed", "4"], ["seed 3, but 4 was given"]),
    "a checkpoint of other epochs": (["--resume", "--epochs", "3"], ["epochs 2, but 3 was given"]),
    "a checkpoint of other images": (["--resume", "--test"], ["training images 500, but 700 was given"]),
}
if os.path.isdir("/proc"):  # of Linux
    BAD["an output that the system refuses"] = (["--output", "/proc/run"], ["/proc/run", "cannot be written"])


@pytest.mark.parametrize("kind", BAD)
def test_bad_input_is_refused_in_one_sentence_and_nothing_is_overwritten(kind, tmp_path, killed_at_step_3, capsys):
    (tmp_path / "file").write_text("mine")
    killed_at_step_3(tmp_path / "run")
    options, words = BAD[kind]
    options = [option.replace("FOLDER", str(tmp_path)) for option in options]
    folder = "run" if not options or "--resume" in options else "new"
    assert_refused(command(tmp_path / folder, *options), tmp_path, capsys, *words)
    assert not (tmp_path / "new").exists()


def test_help_says_what_there_is_and_what_is_chosen(capsys):
    with pytest.raises(SystemExit) as end:
        train.main(["--help"])
    said = capsys.readouterr().out
    assert end.value.code == 0
    options = ["recipe", "epochs", "batch-size", "learning-rate", "seed", "device", "output", "resume", "test"]
    for option in [*options, "no-graph"]:
        assert f"--{option}" in said
    assert "default: good" in said and "default: 1" in said and "default: cpu" in said and "torchrun" in said


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
    monkeypatch.setattr(display, "INTERVAL", 0)
    train.main(command(tmp_path))
    said = capsys.readouterr().out
    assert f"{WIPE}epoch 1 of 2: 20%{WIPE}epoch 1 of 2: 40%" in said
    assert f"{WIPE}epoch 2 of 2: 20%" in said and "epoch 3" not in said and "\x1b" not in said
