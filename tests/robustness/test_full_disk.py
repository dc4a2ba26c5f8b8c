"""A disk that is full or read-only: one sentence, nothing torn, what was there before still there."""

import json
import shutil
import subprocess
import sys

import pytest

from mnist_helpers._support.paths import COURSE as ROOT
from tests.support.course_copy import compare, fresh_copy

TRAIN = """
from mnist_helpers.trainer.cli import main
from tests.support.small_train import make_small
make_small()
sys.exit(main(["--recipe", "fast", "--output", sys.argv[1] + "/run"]))
"""
LOAD = """
from pathlib import Path
from mnist_helpers.trainer import run_checkpoint
run_checkpoint.load_run(Path(sys.argv[1]) / "run" / "checkpoint.pt", print)
"""
BEFORE_EXPORT = """
from pathlib import Path
Path(sys.argv[1], "digits.onnx").write_bytes(b"as it was")
"""
EXPORT = """
from pathlib import Path
import torch
from mnist_helpers import CourseError, export
from mnist_helpers.network import ConvNet
path = Path(sys.argv[1]) / "digits.onnx"
try:
    export.to_onnx(ConvNet(width=64), torch.zeros(2, 1, 28, 28), path)
except CourseError as error:
    print(error)
print(path.read_bytes() == b"as it was", [file.name for file in path.parent.iterdir()])
"""
BEFORE_RESTORE = """
import zipfile
from pathlib import Path
course = Path(sys.argv[1])
for name in ("notebooks", "tools"):
    (course / name).mkdir()
with zipfile.ZipFile(course / "tools" / "originals.zip", "w", zipfile.ZIP_DEFLATED) as archive:
    archive.writestr("notebooks/02_network.ipynb", b"original")
(course / "notebooks" / "02_network.ipynb").write_bytes(b"mine " * 40_000)
"""
RESTORE = """
from pathlib import Path
from mnist_helpers import CourseError, restore
course = Path(sys.argv[1])
try:
    restore.restore("02", course)
except CourseError as error:
    print(error)
print((course / "notebooks" / "02_network.ipynb").read_bytes() == b"mine " * 40_000, list((course / "work").glob("*")))
"""
BEFORE_SITE = """
from pathlib import Path
site = Path(sys.argv[1]) / "site"
(site / "netron").mkdir(parents=True)
for page in ("netron/index.html", "index.html"):
    (site / page).write_text("as it was")
"""
SITE = """
from pathlib import Path
import build_site
site = Path(sys.argv[1]) / "site"
sys.argv[1:] = ["--output", str(site)]
try:
    build_site.main()
finally:
    print((site / "index.html").read_text(), [path.name for path in site.parent.iterdir()])
"""


NOTEBOOK = """
import json, os
from pathlib import Path
import nbformat
from nbclient import NotebookClient
(course / "artifacts").symlink_to(sys.argv[1])
notebook = nbformat.read(course / "notebooks" / "04_training.ipynb", 4)
del notebook.cells[[cell.id for cell in notebook.cells].index("exercises"):]
os.environ |= {"PYTHONPATH": str(course), "MNIST_COURSE_ARTIFACTS": str(course / "artifacts")}
NotebookClient(notebook, allow_errors=True, resources={"metadata": {"path": course / "notebooks"}}).execute()
errors = {
    cell.id: f"{output.ename}: {output.evalue}"
    for cell in notebook.cells for output in cell.get("outputs", []) if output.output_type == "error"
}
print(json.dumps([errors, sorted(path.name for path in Path(sys.argv[1]).iterdir())]))
"""
READ_ONLY = None  # stands for a change of the disk
FAULTS = [([], "No space left"), pytest.param([READ_ONLY], "Read-only file system", marks=pytest.mark.slow)]


@pytest.fixture
def on_small_disk(tmp_path):
    """Run pieces of Python code one after the other; their argument is a folder that is a disk of 300 kB of its own.

    After READ_ONLY among them nothing can be written to it.
    """
    own = ["unshare", "--map-root-user", "--mount"]
    mount = f"mount -t tmpfs -o size=300k tmpfs {tmp_path}"
    if shutil.which("unshare") is None or subprocess.run([*own, "sh", "-c", mount], capture_output=True).returncode:
        pytest.skip("This system lets no ordinary user mount a small disk, so a full one is not tested.")

    def run(*codes):
        start = f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'tools')!r}]\n"
        commands = []
        for number, code in enumerate(codes):
            if code is READ_ONLY:
                commands.append(f"mount -o remount,ro {tmp_path}")
                continue
            script = tmp_path.parent / f"step{number}.py"
            script.write_text(start + code)
            commands.append(f"{sys.executable} {script} {tmp_path}; echo exit code $?")
        script = "\n".join([f"{mount} || exit 1", *commands])
        return subprocess.run([*own, "sh", "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=300)

    return run


@pytest.mark.parametrize("faults, words", FAULTS)
def test_an_export_leaves_the_file_that_was_there(faults, words, on_small_disk):
    done = on_small_disk(BEFORE_EXPORT, *faults, EXPORT)
    assert "cannot be written" in done.stdout and words in done.stdout
    assert "True ['digits.onnx']" in done.stdout


@pytest.mark.parametrize("faults, words", FAULTS)
def test_a_notebook_that_cannot_be_kept_is_not_replaced_by_its_original(faults, words, on_small_disk):
    done = on_small_disk(BEFORE_RESTORE, *faults, RESTORE)
    assert "cannot be written" in done.stdout and words in done.stdout
    assert "True []" in done.stdout and not done.stderr


@pytest.mark.parametrize("faults, words", FAULTS)
def test_a_site_that_was_there_stays(faults, words, on_small_disk):
    done = on_small_disk(BEFORE_SITE, *faults, SITE)
    assert "as it was ['site']" in done.stdout and "exit code 1" in done.stdout
    why, outcome = done.stderr.splitlines()
    assert why.count(words) == 1 and outcome.startswith("No site was built")


def test_training_on_a_disk_that_is_read_only_is_refused_in_one_sentence(on_small_disk):
    done = on_small_disk(READ_ONLY, TRAIN)
    (sentence,) = done.stderr.splitlines()
    assert "exit code 2" in done.stdout and "cannot be written (Read-only file system)" in sentence


@pytest.mark.slow
@pytest.mark.parametrize(
    "faults, words, cells, kept",
    [
        ([], "No space left", ["run", "save"], ["report_net_epoch1.pt"]),
        ([READ_ONLY], "Read-only file system", ["run", "save"], []),
    ],
)
def test_a_notebook_says_so_where_it_writes_and_goes_on(faults, words, cells, kept, on_small_disk, tmp_path_factory):
    course = fresh_copy(tmp_path_factory.mktemp("course"))
    done = on_small_disk(*faults, f"from pathlib import Path\ncourse = Path({str(course)!r})\n{NOTEBOOK}")
    errors, files = json.loads(done.stdout.splitlines()[0])
    for cell in cells:
        assert errors[cell].startswith("CourseError: ") and words in errors[cell] and errors[cell].count("\n") == 0
    assert files == kept
    (course / "artifacts").unlink()  # room again
    assert not compare(course, "04_training.ipynb")


def test_training_stops_with_one_sentence_and_keeps_the_checkpoint_before(on_small_disk):
    done = on_small_disk(TRAIN, LOAD)
    assert done.stdout.splitlines()[-2:] == ["exit code 2", "exit code 0"], done.stdout + done.stderr
    (sentence,) = done.stderr.splitlines()
    assert "checkpoint.pt cannot be written" in sentence and "No space left" in sentence
