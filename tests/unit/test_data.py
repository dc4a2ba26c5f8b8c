"""The dataset against torchvision and its published counts, and damaged files of every kind."""

import gzip
import multiprocessing
import os
import random
import shutil
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import BaseRequestHandler, ThreadingTCPServer

import numpy as np
import pytest
import torch
import torchvision
from IPython.core.interactiveshell import InteractiveShell
from torchvision import transforms
from torchvision.datasets import MNIST

from mnist_helpers import CourseError, data
from tests.support.links import make_link
from tests.support.refusal import refused

COUNTS = {  # digits of each class, from the MNIST pages of its authors and of many papers
    "train": [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
    "test": [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009],
}


MUTATIONS = 200


PAGE = b"<!DOCTYPE html><title>403 Forbidden</title><h1>Forbidden</h1>"


@pytest.fixture(scope="module")
def raw_sets():
    return {split: data.load_raw(split) for split in ("train", "test")}


@pytest.fixture(scope="module")
def sound_files(tmp_path_factory):
    """The extracted files, made here once with gzip alone."""
    folder = tmp_path_factory.mktemp("sound")
    for name in data.EXTRACTED_MD5:
        (folder / name).write_bytes(gzip.decompress((data.ROOT / "MNIST" / "raw" / f"{name}.gz").read_bytes()))
    return folder


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A copy of the data without extracted files, out of reach of any mirror."""
    monkeypatch.setattr(MNIST, "mirrors", ["http://127.0.0.1:1/"])
    return fresh(tmp_path)


def fresh(root, extracted=None):
    """Lay out a data folder in `root` (links, since no test may write through them); `extracted` is linked too."""
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for path in [*(data.ROOT / "MNIST" / "raw").glob("*.gz"), *(extracted.iterdir() if extracted else [])]:
        make_link(raw / path.name, path)
    return root


def contents(root):
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


def replace(path, content):
    path.unlink(missing_ok=True)
    path.write_bytes(content)


def flip_a_byte(path, chance):
    content = bytearray(path.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    replace(path, content)


def truncate(path, chance):
    content = path.read_bytes()
    replace(path, content[: chance.randrange(1, len(content))])


def empty(path, chance):
    replace(path, b"")


def swap(path, chance):
    """Exchange the file with its namesake of the other set."""
    ours, theirs = sorted(["train", "t10k"], key=lambda prefix: not path.name.startswith(prefix))
    other = path.with_name(path.name.replace(ours, theirs))
    content = path.read_bytes()
    replace(path, other.read_bytes())
    replace(other, content)


def put_an_error_page(path, chance):
    replace(path, PAGE)


def put_a_folder(path, chance):
    path.unlink()
    path.mkdir()


def link_to_nowhere(path, chance):
    path.unlink()
    make_link(path, path.with_name("nowhere"))


def put_a_pipe(path, chance):
    path.unlink()
    os.mkfifo(path)


def link_to_a_device(path, chance):
    path.unlink()
    make_link(path, "/dev/zero")


def link_to_itself(path, chance):
    path.unlink()
    make_link(path, path)


DAMAGE = [flip_a_byte, truncate, empty, swap, put_an_error_page, put_a_folder, link_to_nowhere]
UNIX_DAMAGE = {put_a_pipe: "it is a pipe", link_to_a_device: "it is a device", link_to_itself: "symbolic links"}


def assert_true(root, expected):
    """Both sets are the true ones, read with torchvision or with the helpers, and nothing else lies in the folder."""
    for split, (images, labels) in expected.items():
        theirs = MNIST(root, train=split == "train", download=True)
        assert torch.equal(theirs.data, images) and torch.equal(theirs.targets, labels)
        ours = data.load_raw(split, root)
        assert torch.equal(ours[0], images) and torch.equal(ours[1], labels)
    assert {path.name for path in (root / "MNIST" / "raw").iterdir()} == {*data.ARCHIVE_MD5, *data.EXTRACTED_MD5}


def load_both(root):
    for split in data.PREFIX:
        data.load_raw(split, root)


def outcomes_of_loading(root, expected):
    """Load both sets: each is the true one, or refused in one sentence; returns which were loaded."""
    loaded = set()
    for split, (images, labels) in expected.items():
        ours = None
        with suppress(CourseError):
            ours = data.load_raw(split, root)
        if ours is None:
            with refused("restore it with `git checkout data`"):
                data.load_raw(split, root)
        else:
            assert torch.equal(ours[0], images) and torch.equal(ours[1], labels)
            loaded.add(split)
    return loaded


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
def test_damaged_archive_is_refused_and_left_alone(damage, root):
    archive = root / "MNIST" / "raw" / "t10k-labels-idx1-ubyte.gz"
    damage(archive, random.Random(1))
    before = contents(root)
    with refused("git checkout data"):
        data.verify(root)
    with refused(archive.name, "git checkout data"):
        data.load_raw("test", root)
    assert contents(root).items() >= before.items()


@pytest.mark.parametrize("damage", DAMAGE)
def test_sound_extracted_files_are_read_beside_a_damaged_archive(damage, tmp_path, root, sound_files, raw_sets):
    root = fresh(tmp_path / "extracted", sound_files)
    damage(root / "MNIST" / "raw" / "t10k-images-idx3-ubyte.gz", random.Random(2))
    before = contents(root)
    assert outcomes_of_loading(root, raw_sets) == {"train", "test"}
    with refused("git checkout data"):
        data.verify(root)
    assert contents(root) == before


@pytest.mark.parametrize("name", data.ARCHIVE_MD5)
def test_every_archive_is_looked_at(name, root):
    archive = root / "MNIST" / "raw" / name
    flip_a_byte(archive, random.Random(3))
    with refused(str(archive), "expected md5", "git checkout data"):
        data.verify(root)
    assert not list(archive.parent.glob("*ubyte")), "nothing was extracted beside a damaged archive"


@pytest.mark.parametrize("damage", [kind for kind in DAMAGE if kind is not put_a_folder])
@pytest.mark.parametrize("mend", [data.verify, pytest.param(load_both, marks=pytest.mark.integration)])
def test_damaged_extracted_file_is_extracted_anew(mend, damage, tmp_path, root, sound_files, raw_sets):
    root = fresh(tmp_path / "extracted", sound_files)
    damage(root / "MNIST" / "raw" / "t10k-labels-idx1-ubyte", random.Random(4))
    mend(root)
    assert_true(root, raw_sets)


@pytest.mark.parametrize("use", [data.verify, load_both])
def test_leftovers_of_a_killed_extraction_are_removed_and_one_under_way_is_kept(use, root, raw_sets):
    name = ".t10k-labels-idx1-ubyte.mnist-helpers-"
    left, under_way = (root / "MNIST/raw" / f"{name}{end}" for end in ("abcd1234", "efgh5678"))
    for folder in (left, under_way):
        folder.mkdir()
        (folder / "t10k-labels-idx1-ubyte").write_bytes(b"half")
    os.utime(left, (0, 0))
    use(root)
    assert under_way.exists() and not left.exists()
    shutil.rmtree(under_way)
    assert_true(root, raw_sets)


@pytest.mark.parametrize("name", data.EXTRACTED_MD5)
def test_every_extracted_file_is_looked_at(name, tmp_path, root, sound_files, raw_sets):
    root = fresh(tmp_path / "extracted", sound_files)
    flip_a_byte(root / "MNIST" / "raw" / name, random.Random(5))
    data.verify(root)
    assert_true(root, raw_sets)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pipes and devices among its files")
@pytest.mark.parametrize("damage", UNIX_DAMAGE)
def test_what_is_no_file_is_not_read(damage, tmp_path, root, sound_files, raw_sets):
    extracted = fresh(tmp_path / "extracted", sound_files)
    damage(extracted / "MNIST" / "raw" / "t10k-labels-idx1-ubyte", None)
    data.verify(extracted)
    assert_true(extracted, raw_sets)
    archive = root / "MNIST" / "raw" / "t10k-labels-idx1-ubyte.gz"
    damage(archive, None)
    with refused(str(archive), "cannot be read", UNIX_DAMAGE[damage], "git checkout data"):
        data.verify(root)
    with refused(str(archive), UNIX_DAMAGE[damage]):
        data.load_raw("test", root)


def test_folder_in_the_place_of_an_extracted_file_is_refused_and_read_around(tmp_path, root, sound_files, raw_sets):
    root = fresh(tmp_path / "extracted", sound_files)
    path = root / "MNIST" / "raw" / "train-labels-idx1-ubyte"
    put_a_folder(path, None)
    with refused(str(path), "is a folder", "remove it"):
        data.verify(root)
    assert outcomes_of_loading(root, raw_sets) == {"train", "test"}
    assert path.is_dir()


@pytest.mark.parametrize("module, call", [(tempfile, "TemporaryDirectory"), (os, "fsync"), (os, "replace")])
def test_a_folder_that_cannot_be_written_is_read_all_the_same(module, call, root, raw_sets, monkeypatch):
    monkeypatch.setattr(module, call, fail(OSError(28, "No space left on device")))
    before = contents(root)
    assert outcomes_of_loading(root, raw_sets) == {"train", "test"}
    with refused("train-images-idx3-ubyte cannot be written", "No space left"):
        data.verify(root)
    assert contents(root) == before


def fail(error):
    def raise_it(*args, **kwargs):
        raise error

    return raise_it


def test_a_file_that_another_process_wrote_first_is_taken(root, raw_sets, monkeypatch):
    """As on Windows, where no file is replaced that another process reads."""
    real = os.replace

    def too_late(source, target):
        real(source, target)
        raise PermissionError(13, "Access is denied")

    monkeypatch.setattr(os, "replace", too_late)
    data.verify(root)
    monkeypatch.undo()
    assert_true(root, raw_sets)


def read_with_torchvision(root, expected):
    data.verify(root)
    for split, (images, labels) in expected.items():
        theirs = MNIST(root, train=split == "train", download=True)
        assert torch.equal(theirs.data, images) and torch.equal(theirs.targets, labels)


def read_with_helpers(root, expected):
    assert outcomes_of_loading(root, expected) == {*expected}
    assert torch.equal(data.load("test", root=root)[0], data.normalise(expected["test"][0]))


def start_at_once(root, expected, readers, delays):
    """Let each reader work in a process of its own, its delay in seconds after one moment; return the exit codes."""
    fork = multiprocessing.get_context("fork")
    barrier = fork.Barrier(len(readers))

    def work(reader, delay):
        barrier.wait(60)
        time.sleep(delay)
        reader(root, expected)

    processes = [fork.Process(target=work, args=pair) for pair in zip(readers, delays)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    return [process.exitcode for process in processes]


@pytest.mark.integration
@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="Windows has no forks, and macOS breaks torch in one")
@pytest.mark.parametrize("rounds", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_four_processes_start_at_once_on_a_fresh_copy(rounds, tmp_path, root, raw_sets):
    chance = random.Random(7)
    for number in range(rounds):
        copy = fresh(tmp_path / str(number))
        readers = [read_with_torchvision, read_with_helpers] * 2
        delays = [chance.uniform(0, 0.3) * (number > 0) for _ in readers]  # the first round: all at once
        assert start_at_once(copy, raw_sets, readers, delays) == [0, 0, 0, 0]
        assert_true(copy, raw_sets)


@pytest.mark.slow
def test_two_hundred_mutations(tmp_path, root, sound_files, raw_sets):
    chance, seen = random.Random(6), Counter()
    for number in range(MUTATIONS):
        extracted = chance.random() < 0.8
        copy = fresh(tmp_path / str(number), sound_files if extracted else None)
        name = chance.choice(sorted({*data.ARCHIVE_MD5, *(data.EXTRACTED_MD5 if extracted else ())}))
        damage = DAMAGE[number % len(DAMAGE)]
        damage(copy / "MNIST" / "raw" / name, chance)
        of = "archive" if name in data.ARCHIVE_MD5 else "extracted file"
        loaded = outcomes_of_loading(copy, raw_sets)
        if of == "extracted file" or extracted:
            assert loaded == {"train", "test"}, (damage, name)
        if of == "archive" or damage is put_a_folder:
            with refused(str(copy)):
                data.verify(copy)
            seen[of, "refused by verify", f"loaded: {len(loaded)} of 2"] += 1
        else:
            data.verify(copy)
            assert_true(copy, raw_sets)
            seen[of, "repaired"] += 1
        shutil.rmtree(copy)
    print(f"{MUTATIONS} mutations: {dict(seen)}")
    assert len(seen) == 5, seen


def test_folder_in_the_place_of_an_archive_is_refused(root):
    archive = root / "MNIST" / "raw" / "t10k-labels-idx1-ubyte.gz"
    archive.unlink()
    archive.mkdir()
    with refused(str(archive), "cannot be read"):
        data.verify(root)


def test_whole_files_are_accepted_and_left_alone(tmp_path, root, sound_files):
    root = fresh(tmp_path / "extracted", sound_files)
    assert data.verify(root) == root / "MNIST" / "raw"
    assert all(path.is_symlink() for path in (root / "MNIST" / "raw").iterdir())


def test_missing_extracted_files_are_put_there_before_torchvision_looks(root, raw_sets, monkeypatch):
    data.verify(root)
    monkeypatch.setattr(torchvision.datasets.mnist, "download_and_extract_archive", fail(AssertionError("in place")))
    theirs = MNIST(root, train=False, download=True)
    assert torch.equal(theirs.data, raw_sets["test"][0])


@pytest.mark.parametrize("name", data.ARCHIVE_MD5)
def test_missing_archive_without_network_is_one_sentence(name, root):
    (root / "MNIST" / "raw" / name).unlink()
    before = contents(root)
    with refused(name, "is missing", "git checkout data", data.ARCHIVE_MD5[name]):
        data.verify(root)
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


@contextmanager
def rude_mirror(answer):
    """A server that gives these bytes for an answer, or, where there are none, is silent until the other hangs up."""

    class Handler(BaseRequestHandler):
        def handle(self):
            self.request.recv(4096)
            self.request.sendall(answer)
            if not answer:
                self.request.recv(1)

    with ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


RUDE = {
    "no http": b"SSH-2.0-something\r\n",
    "silence": b"",
    "half": b"HTTP/1.1 200 OK\r\nContent-Length: 4542\r\n\r\nhalf",
}


@pytest.mark.parametrize("answer", RUDE)
def test_mirrors_that_speak_nonsense_or_not_at_all_are_given_up(answer, root, monkeypatch):
    name = "t10k-labels-idx1-ubyte.gz"
    (root / "MNIST" / "raw" / name).unlink()
    monkeypatch.setattr(data, "DOWNLOAD_TIMEOUT", 0.2)
    before = contents(root)
    with rude_mirror(RUDE[answer]) as address, refused(name, "is missing", "git checkout data"):
        monkeypatch.setattr(MNIST, "mirrors", [address])
        data.verify(root)
    assert contents(root) == before
    assert socket.getdefaulttimeout() is None


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


@pytest.mark.parametrize(
    "name, local_rank, found",
    [
        ("cuda", None, "cuda:0"),
        ("cuda", "1", "cuda:1"),
        ("cuda", "2", None),
        ("cuda:0", "1", "cuda:0"),
        ("cuda:1", None, "cuda:1"),
        ("cuda:2", None, None),
        ("mps", None, "mps:0"),
        ("cpu", "1", "cpu"),
    ],
)
def test_a_name_becomes_a_device_with_its_number(name, local_rank, found, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    if local_rank is not None:
        monkeypatch.setenv("LOCAL_RANK", local_rank)
    if found:
        assert data.choose_device(name) == data.choose_device(torch.device(name)) == torch.device(found)
    else:
        with refused(repr(name), "cpu, cuda:0, cuda:1, mps"):
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


# data.split


def test_split_holds_out_the_end(images, labels):
    (train_images, train_labels), (held_images, held_labels) = data.split(images, labels, 100)
    assert torch.equal(train_images, images[:400]) and torch.equal(train_labels, labels[:400])
    assert torch.equal(held_images, images[400:]) and torch.equal(held_labels, labels[400:])


@pytest.mark.parametrize("held_out", [0, 500, 10_000])
def test_split_that_leaves_nothing_is_refused(images, labels, held_out):
    with refused("500 images", "data.load"):
        data.split(images, labels, held_out)


def test_split_of_unequal_lengths_is_refused(images, labels):
    with refused("499 labels", "data.load"):
        data.split(images, labels[1:], 100)
