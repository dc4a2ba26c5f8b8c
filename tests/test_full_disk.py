"""A disk that fills up while the course writes: one sentence, nothing torn, what was there before still there."""

import shutil
import subprocess
import sys

import pytest

from tests.notebook_checks import ROOT

TRAIN = """
from mnist_helpers.train import main
sys.exit(main(["--recipe", "fast", "--output", sys.argv[1] + "/run"]))
"""
LOAD = """
from pathlib import Path
from mnist_helpers import checkpoints
checkpoints.load_run(Path(sys.argv[1]) / "run" / "checkpoint.pt", print)
"""
EXPORT = """
from pathlib import Path
import torch
from mnist_helpers import CourseError, export
from mnist_helpers.network import ConvNet
path = Path(sys.argv[1]) / "digits.onnx"
path.write_bytes(b"as it was")
try:
    export.to_onnx(ConvNet(width=64), torch.zeros(2, 1, 28, 28), path)
except CourseError as error:
    print(error)
print(path.read_bytes() == b"as it was", [file.name for file in path.parent.iterdir()])
"""
SITE = """
from pathlib import Path
import build_site
site = Path(sys.argv[1]) / "site"
(site / "netron").mkdir(parents=True)
for page in ("netron/index.html", "index.html"):
    (site / page).write_text("as it was")
sys.argv[1:] = ["--output", str(site)]
try:
    build_site.main()
finally:
    print((site / "index.html").read_text(), [path.name for path in site.parent.iterdir()])
"""


@pytest.fixture
def on_small_disk(tmp_path):
    """Run pieces of Python code one after the other; their argument is a folder that is a disk of 300 kB of its own."""
    own = ["unshare", "--map-root-user", "--mount"]
    mount = f"mount -t tmpfs -o size=300k tmpfs {tmp_path}"
    if shutil.which("unshare") is None or subprocess.run([*own, "sh", "-c", mount], capture_output=True).returncode:
        pytest.skip("This system lets no ordinary user mount a small disk, so a full one is not tested.")

    def run(*codes):
        start = f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'tools')!r}]\n"
        commands = []
        for number, code in enumerate(codes):
            script = tmp_path.parent / f"step{number}.py"
            script.write_text(start + code)
            commands.append(f"{sys.executable} {script} {tmp_path}; echo exit code $?")
        script = "\n".join([f"{mount} || exit 1", *commands])
        return subprocess.run([*own, "sh", "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=300)

    return run


def test_training_stops_with_one_sentence_and_keeps_the_checkpoint_before(on_small_disk):
    done = on_small_disk(TRAIN, LOAD)
    assert done.stdout.splitlines()[-2:] == ["exit code 2", "exit code 0"], done.stdout + done.stderr
    (sentence,) = done.stderr.splitlines()
    assert "checkpoint.pt cannot be written" in sentence and "No space left" in sentence


def test_an_export_leaves_the_file_that_was_there(on_small_disk):
    done = on_small_disk(EXPORT)
    assert "cannot be written" in done.stdout and "No space left" in done.stdout
    assert "True ['digits.onnx']" in done.stdout


def test_a_site_that_was_there_stays(on_small_disk):
    done = on_small_disk(SITE)
    assert "as it was ['site']" in done.stdout and "exit code 1" in done.stdout
    why, outcome = done.stderr.splitlines()
    assert why.count("No space left") == 1 and outcome.startswith("No site was built")
