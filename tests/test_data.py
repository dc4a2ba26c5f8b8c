"""The dataset against torchvision and its published counts, and damaged files of every kind."""

import gzip
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell
from torchvision import transforms
from torchvision.datasets import MNIST

from mnist_helpers import data
from tests.refusal import refused

COUNTS = {  # digits of each class, from the MNIST pages of its authors and of many papers
    "train": [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
    "test": [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009],
}
DAMAGE = {
    "truncated": lambda content: content[: len(content) // 2],
    "one byte altered": lambda content: content[:999] + bytes([content[999] ^ 1]) + content[1000:],
    "empty": lambda content: b"",
}


@pytest.fixture(scope="module")
def raw_sets():
    return {split: data.load_raw(split) for split in ("train", "test")}


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A copy of the data (links, since no test may write through them), out of reach of any mirror."""
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in data.ARCHIVE_MD5:
        (raw / name).symlink_to(data.ROOT / "MNIST" / "raw" / name)
    monkeypatch.setattr(MNIST, "mirrors", ["http://127.0.0.1:1/"])
    return tmp_path


def contents(root):
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


def replace(path, content):
    path.unlink(missing_ok=True)
    path.write_bytes(content)


@pytest.mark.parametrize("split", ["train", "test"])
def test_raw_tensors_equal_torchvisions(split, root, raw_sets):
    theirs = MNIST(root, train=split == "train", download=True)
    images, labels = raw_sets[split]
    assert torch.equal(images, theirs.data)
    assert torch.equal(labels, theirs.targets)


@pytest.mark.parametrize("split", ["train", "test"])
def test_every_class_is_as_large_as_published(split, raw_sets):
    assert torch.bincount(raw_sets[split][1]).tolist() == COUNTS[split]


def test_mean_and_std_are_those_of_the_training_pixels(raw_sets):
    pixels = raw_sets["train"][0].double() / 255
    assert round(pixels.mean().item(), 4) == data.MEAN == 0.1307
    assert round(pixels.std(correction=0).item(), 4) == data.STD == 0.3081


def test_normalise_equals_torchvisions_transforms(raw_sets):
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
    raw = raw_sets["train"][0][:100]
    ours = data.normalise(raw)
    torch.testing.assert_close(ours, torch.stack([transform(image.numpy()) for image in raw]), rtol=0, atol=1e-6)


def test_load_gives_normalised_images_and_their_labels(test_set, raw_sets):
    images, labels = test_set
    assert torch.equal(images, data.normalise(raw_sets["test"][0]))
    assert torch.equal(labels, raw_sets["test"][1])


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", data.ARCHIVE_MD5)
def test_damaged_archive_is_refused_and_left_alone(name, damage, root):
    archive = root / "MNIST" / "raw" / name
    replace(archive, DAMAGE[damage](archive.read_bytes()))
    before = contents(root)
    with refused(str(archive), "expected md5", "git checkout data"):
        data.load_raw("test", root)
    assert contents(root) == before


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", data.EXTRACTED_MD5)
def test_damaged_extracted_file_is_refused_and_left_alone(name, damage, root):
    extracted = root / "MNIST" / "raw" / name
    extracted.write_bytes(DAMAGE[damage](gzip.decompress(extracted.with_name(name + ".gz").read_bytes())))
    before = contents(root)
    with refused(str(extracted), "expected md5", "delete it"):
        data.load_raw("test", root)
    assert contents(root) == before


def test_folder_in_the_place_of_an_archive_is_refused(root):
    archive = root / "MNIST" / "raw" / "t10k-labels-idx1-ubyte.gz"
    archive.unlink()
    archive.mkdir()
    with refused(str(archive), "cannot be read"):
        data.verify(root)


def test_whole_files_are_accepted(root):
    for name in data.EXTRACTED_MD5:
        archive = root / "MNIST" / "raw" / f"{name}.gz"
        archive.with_suffix("").write_bytes(gzip.decompress(archive.read_bytes()))
    assert data.verify(root) == root / "MNIST" / "raw"


@pytest.mark.parametrize("name", data.ARCHIVE_MD5)
def test_missing_archive_without_network_is_one_sentence(name, root):
    (root / "MNIST" / "raw" / name).unlink()
    before = contents(root)
    with refused(name, "is missing", "git checkout data", data.ARCHIVE_MD5[name]):
        data.load_raw("test", root)
    assert contents(root) == before


@contextmanager
def mirror(content):
    """A server on this machine that gives the same content for every name."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_HEAD = do_GET

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_missing_archive_is_fetched_from_a_mirror_that_answers(root, monkeypatch):
    archive = root / "MNIST" / "raw" / "t10k-labels-idx1-ubyte.gz"
    content = archive.read_bytes()
    archive.unlink()
    with mirror(b"another file") as broken, mirror(content) as sound:
        monkeypatch.setattr(MNIST, "mirrors", ["http://127.0.0.1:1/", broken, sound])
        data.verify(root)
    assert archive.read_bytes() == content


def test_damaged_download_is_refused_and_leaves_no_file(root, monkeypatch):
    name = "t10k-labels-idx1-ubyte.gz"
    (root / "MNIST" / "raw" / name).unlink()
    before = contents(root)
    with mirror(b"the page of some hotel's network") as address, refused(name, "is missing"):
        monkeypatch.setattr(MNIST, "mirrors", [address])
        data.verify(root)
    assert contents(root) == before


@pytest.mark.parametrize("split", ["validation", "Train", None])
def test_unknown_split_is_refused(split):
    with refused(repr(split), "'train' or 'test'"):
        data.load_raw(split)


def test_cpu_is_the_device_by_default():
    assert data.choose_device() == torch.device("cpu")


@pytest.mark.parametrize("name", ["gpu", "tpu:0", "", "meta", None, "cuda:99", "cpu:1"])
def test_unknown_device_is_refused(name):
    with refused(repr(name), "cpu"):
        data.choose_device(name)


@pytest.mark.parametrize("name, known", [("cuda", True), ("cuda:0", True), ("cuda:1", True), ("cuda:2", False)])
def test_a_gpu_is_known_by_its_number(name, known, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    if known:
        assert data.choose_device(name) == torch.device(name)
    else:
        with refused(repr(name), "cpu, cuda:0, cuda:1"):
            data.choose_device(name)


def test_batch_of_the_right_kind_passes():
    data.check_batch(torch.zeros(3, 1, 28, 28))


@pytest.mark.parametrize(
    "batch, words",
    [
        (torch.zeros(3, 28, 28), "float32 of shape [3, 28, 28]"),
        (torch.zeros(1, 28, 28), "[1, 28, 28]"),
        (torch.zeros(3, 3, 28, 28), "[3, 3, 28, 28]"),
        (torch.zeros(3, 1, 32, 32), "[3, 1, 32, 32]"),
        (torch.zeros(3, 784), "[3, 784]"),
        (torch.tensor(0.0), "[]"),
        (torch.zeros(3, 1, 28, 28, dtype=torch.float64), "float64"),
        (torch.zeros(3, 1, 28, 28, dtype=torch.uint8), "uint8"),
        (np.zeros((3, 1, 28, 28), dtype=np.float32), "ndarray"),
        ([[0.0]], "list"),
        (None, "NoneType"),
    ],
)
def test_batch_of_another_kind_is_refused(batch, words):
    with refused(words, "float32 of shape [N, 1, 28, 28]", "data.normalise"):
        data.check_batch(batch)


@pytest.mark.parametrize(
    "images",
    [
        torch.zeros(2, 28, 28),
        torch.zeros(2, 1, 28, 28),
        torch.zeros(2, 1, 28, 28, dtype=torch.uint8),
        torch.zeros(28, 28, dtype=torch.uint8),
        "digits",
    ],
)
def test_what_is_not_as_in_the_files_is_not_normalised(images):
    before = images.clone() if isinstance(images, torch.Tensor) else images
    with refused("uint8 of shape [N, 28, 28]", "data.load_raw"):
        data.normalise(images)
    assert images is before or torch.equal(images, before)


def test_labels_are_the_integers_that_losses_take(raw_sets):
    assert raw_sets["test"][1].dtype == torch.int64


def test_a_refusal_is_shown_in_a_notebook_as_one_sentence(capsys):
    InteractiveShell().run_cell("from mnist_helpers import CourseError\nraise CourseError('One.')")
    assert capsys.readouterr().out.strip() == "CourseError: One."
