"""The MNIST files: find them, verify them, and hold them as tensors."""

import contextlib
import gzip
import os
import socket
import tempfile
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path

import torch
from torchvision.datasets import MNIST
from torchvision.datasets.utils import download_url

from mnist_helpers import CourseError
from mnist_helpers._support import paths
from mnist_helpers._support.atomic_files import atomic_write, remove_stale_temporaries
from mnist_helpers._support.checksums import ARCHIVE_MD5, EXTRACTED_MD5, md5

ROOT = paths.DATA
MEAN, STD = 0.1307, 0.3081  # of the training pixels in 0..1, computed in chapter 01
IMAGES, LABELS = "images-idx3-ubyte", "labels-idx1-ubyte"
VALIDATION = 10_000  # images at the end of the training set that are held out for decisions
Pair = tuple[torch.Tensor, torch.Tensor]  # images [N, 1, 28, 28] and labels [N]
PREFIX = {"train": "train", "test": "t10k"}
ABANDONED = 3600  # seconds after which no other process still extracts
SILENCE = 20  # seconds without a word after which a mirror is given up


def verify(root: Path = ROOT) -> Path:
    """Check every MNIST file by its md5, and put right what can be: afterwards torchvision finds all that it reads.

    `root` is the folder that torchvision is given: the files lie in `root/MNIST/raw`. Returns that raw folder.
    An archive that is missing is fetched, and an extracted file that is missing or damaged is extracted anew, whole or
    not at all. Raises CourseError, and changes no file, when an archive is damaged or cannot be fetched, or when a
    file cannot be written.
    """
    raw = Path(root) / "MNIST" / "raw"
    archives = {name: _archive(raw / f"{name}.gz") for name in EXTRACTED_MD5}
    for name, archive in archives.items():
        remove_stale_temporaries(raw / name, ABANDONED)
        if not _is_sound(_read(raw / name), name):
            _extract(archive, raw / name)
    return raw


def load_raw(split: str, root: Path = ROOT) -> tuple[torch.Tensor, torch.Tensor]:
    """Read one split as it is in the files: images uint8 [N, 28, 28] in 0..255, labels int64 [N] in 0..9.

    `split` is "train" (N = 60,000) or "test" (N = 10,000). Raises CourseError for another name, and for data that
    neither an extracted file nor its archive holds undamaged.
    """
    if split not in PREFIX:
        raise CourseError(f"split {split!r} was given, but 'train' or 'test' was expected; choose one of them.")
    raw = Path(root) / "MNIST" / "raw"
    images, labels = (_content(raw / f"{PREFIX[split]}-{name}") for name in (IMAGES, LABELS))
    return _tensor(images, header=16).reshape(-1, 28, 28), _tensor(labels, header=8).long()


def _tensor(content: bytes, header: int) -> torch.Tensor:
    return torch.frombuffer(bytearray(content), dtype=torch.uint8, offset=header)


def _content(path: Path) -> bytes:
    """Return what the extracted file holds, or, where that is not sound, what its archive holds."""
    remove_stale_temporaries(path, ABANDONED)
    content = _read(path)
    if _is_sound(content, path.name):
        return content
    archive = _archive(path.with_name(f"{path.name}.gz"))
    with contextlib.suppress(CourseError):  # a folder that cannot be written keeps nobody from reading
        _extract(archive, path)
    return gzip.decompress(archive)


def _read(path: Path) -> bytes | None:
    """Return the file's bytes, or None for what cannot be read: it is made anew."""
    try:
        return path.read_bytes()
    except OSError:
        return None


def _is_sound(content: bytes | None, name: str) -> bool:
    return content is not None and md5(content) == EXTRACTED_MD5[name]


def _archive(path: Path) -> bytes:
    """Return the bytes of a .gz file, fetched if it is missing; only those that were published get through."""
    remedy = "restore it with `git checkout data`, or delete it to fetch it again"
    try:
        content = path.read_bytes() if os.path.exists(path) else _fetch(path)
    except OSError as error:
        raise CourseError(f"{path} cannot be read ({error.strerror}), but a file was expected; {remedy}.") from None
    found, expected = md5(content), ARCHIVE_MD5[path.name]
    if found != expected:
        size = f"{len(content):,} bytes"
        raise CourseError(f"{path} is damaged ({size}, md5 {found}; expected md5 {expected}); {remedy}.")
    return content


def _extract(archive: bytes, path: Path) -> None:
    """Write what the archive holds to `path`, in one step: others may read there, or extract it too, meanwhile."""
    if path.is_dir():
        raise CourseError(f"{path} is a folder, but a file was expected; remove it: the file is extracted again.")
    try:
        with atomic_write(path) as file:
            file.write(gzip.decompress(archive))
    except CourseError:
        if not _is_sound(_read(path), path.name):  # on Windows no file is replaced that another process reads
            raise


def _fetch(path: Path) -> bytes:
    """Download one archive from torchvision's mirrors, with its progress bar; only a whole one takes its name."""
    for mirror in MNIST.mirrors:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=path.parent) as folder, _timeout(SILENCE):
                download_url(mirror + path.name, folder, filename=path.name, md5=ARCHIVE_MD5[path.name])
                os.replace(Path(folder, path.name), path)
            return path.read_bytes()
        except (OSError, RuntimeError, HTTPException):
            continue
    raise CourseError(
        f"{path.name} is missing from {path.parent} and no mirror of torchvision gave it; restore it with "
        f"`git checkout data`, or copy it there from any copy of MNIST (md5 {ARCHIVE_MD5[path.name]})."
    )


@contextlib.contextmanager
def _timeout(seconds: float) -> Iterator[None]:
    """Let no new connection wait longer for a word: download_url sets no limit of its own, which means for ever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def normalise(images: torch.Tensor) -> torch.Tensor:
    """Turn uint8 images [N, 28, 28] into the network's input: float32 [N, 1, 28, 28], mean 0 and std 1 in training.

    Raises CourseError for another shape or dtype: images that are normalised already are not normalised again.
    """
    if not isinstance(images, torch.Tensor) or images.dtype != torch.uint8 or images.shape[1:] != (28, 28):
        raise CourseError(
            f"images as in the files were expected, uint8 of shape [N, 28, 28], but {_describe(images)} was given; "
            "take them from data.load_raw, and turn one image into a batch with image[None]."
        )
    return images.to(torch.float32).div_(255).sub_(MEAN).div_(STD).unsqueeze(1)


def _describe(images) -> str:
    """Say what was given in place of a batch: its type, or its dtype and shape."""
    if not isinstance(images, torch.Tensor):
        return type(images).__name__
    return f"{images.dtype} of shape {list(images.shape)}".removeprefix("torch.")


def load(split: str, device: str = "cpu", root: Path = ROOT) -> tuple[torch.Tensor, torch.Tensor]:
    """Load one split, normalised and on `device`: images float32 [N, 1, 28, 28] and labels int64 [N]."""
    target = choose_device(device)
    images, labels = load_raw(split, root)
    return normalise(images.to(target)), labels.to(target)


def split(images: torch.Tensor, labels: torch.Tensor, held_out: int = VALIDATION) -> tuple[Pair, Pair]:
    """Part the training set: all but the last `held_out` to learn from, these to decide by (the validation set).

    Returns two pairs of images and labels, views of what was given. Raises CourseError when the two have not one
    length, or when nothing would be left on one side.
    """
    if len(images) != len(labels) or not 0 < held_out < len(labels):
        raise CourseError(
            f"{len(images):,} images and {len(labels):,} labels were given, but the same number of both was expected, "
            f"and more than the {held_out:,} that are held out; give both parts of data.load('train')."
        )
    return (images[:-held_out], labels[:-held_out]), (images[-held_out:], labels[-held_out:])


def choose_device(name: str = "cpu") -> torch.device:
    """Return the torch device called `name`; raises CourseError, naming those that this machine has, for another."""
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    count = {"cpu": 1, "cuda": gpus, "mps": int(torch.backends.mps.is_available())}
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError):
        device = None
    if device is None or (device.index or 0) >= count.get(device.type, 0):
        available = ["cpu", *(f"cuda:{number}" for number in range(gpus)), *["mps"] * count["mps"]]
        raise CourseError(f"device {name!r} was given, but this machine has {', '.join(available)}; choose one.")
    return device


def check_batch(images: torch.Tensor) -> None:
    """Raise CourseError unless `images` is what the network takes: a float32 tensor [N, 1, 28, 28]."""
    if isinstance(images, torch.Tensor) and images.shape[1:] == (1, 28, 28) and images.dtype == torch.float32:
        return
    raise CourseError(
        f"a batch of images was expected, float32 of shape [N, 1, 28, 28], but {_describe(images)} was given; "
        "turn uint8 images [N, 28, 28] into one with data.normalise, and one image into a batch with unsqueeze(0)."
    )
