"""Find, verify and load the MNIST files."""

import contextlib
import gzip
import os
import socket
import tempfile
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from typing import TypeGuard

import torch
from torchvision.datasets import MNIST
from torchvision.datasets.utils import download_url

from mnist_helpers import CourseError
from mnist_helpers._support import paths
from mnist_helpers._support.atomic_files import atomic_write, remove_stale_temporaries
from mnist_helpers._support.checksums import ARCHIVE_MD5, EXTRACTED_MD5, md5
from mnist_helpers._support.regular_files import read_file

ROOT = paths.DATA
MEAN, STD = 0.1307, 0.3081  # of the training pixels, scaled to 0..1; computed in chapter 01
IMAGES, LABELS = "images-idx3-ubyte", "labels-idx1-ubyte"
VALIDATION = 10_000  # images at the end of the training set, held out for validation
Pair = tuple[torch.Tensor, torch.Tensor]  # images [N, 1, 28, 28] and labels [N]
PREFIX = {"train": "train", "test": "t10k"}
LARGEST = 50_000_000  # bytes; the largest file, that of the training images, has 47,040,016
STALE_AFTER = 3600  # age in seconds at which a temporary folder counts as left over from a killed process
DOWNLOAD_TIMEOUT = 20  # seconds without data before the next mirror is tried


def verify(root: Path = ROOT) -> Path:
    """Check the md5 checksum of every MNIST file and repair the files where possible; return their folder.

    `root` is the `root` of torchvision's datasets: the files are in `root/MNIST/raw`. A missing archive is downloaded.
    A missing or damaged extracted file is extracted again. Raises CourseError if an archive is damaged or cannot be
    downloaded, or if a file cannot be written; then no file is changed.
    """
    raw = Path(root) / "MNIST" / "raw"
    archives = {name: _read_archive(raw / f"{name}.gz") for name in EXTRACTED_MD5}
    for name, archive in archives.items():
        remove_stale_temporaries(raw / name, STALE_AFTER)
        if not _is_intact(_read_or_none(raw / name), name):
            _extract(archive, raw / name)
    return raw


def load_raw(split: str, root: Path = ROOT) -> tuple[torch.Tensor, torch.Tensor]:
    """Return one split as stored in the files: images uint8 [N, 28, 28] in 0..255 and labels int64 [N] in 0..9.

    `split` is "train" (N = 60,000) or "test" (N = 10,000). Raises CourseError for another name, or if both an
    extracted file and its archive are damaged.
    """
    if split not in PREFIX:
        raise CourseError(f"split {split!r} was given, but 'train' or 'test' was expected; choose one of them.")
    raw = Path(root) / "MNIST" / "raw"
    images, labels = (_read_extracted(raw / f"{PREFIX[split]}-{name}") for name in (IMAGES, LABELS))
    return _to_tensor(images, header=16).reshape(-1, 28, 28), _to_tensor(labels, header=8).long()


def _to_tensor(content: bytes, header: int) -> torch.Tensor:
    return torch.frombuffer(bytearray(content), dtype=torch.uint8, offset=header)


def _read_extracted(path: Path) -> bytes:
    """Return the content of an extracted file. If it is missing or damaged, extract it from its archive."""
    remove_stale_temporaries(path, STALE_AFTER)
    content = _read_or_none(path)
    if _is_intact(content, path.name):
        return content
    archive = _read_archive(path.with_name(f"{path.name}.gz"))
    with contextlib.suppress(CourseError):  # a read-only folder must not prevent reading
        _extract(archive, path)
    return gzip.decompress(archive)


def _read_or_none(path: Path) -> bytes | None:
    """Return the content of a file, or None if it cannot be read."""
    try:
        return read_file(path, LARGEST)
    except OSError:
        return None


def _is_intact(content: bytes | None, name: str) -> TypeGuard[bytes]:
    """Return whether `content` has the published md5 checksum of the extracted file `name`."""
    return content is not None and md5(content) == EXTRACTED_MD5[name]


def _read_archive(path: Path) -> bytes:
    """Return the content of a .gz file, downloading it if it is missing. Raises CourseError if it is damaged."""
    remedy = "restore it with `git checkout data`, or delete it to download it again"
    try:
        content = read_file(path, LARGEST)
    except FileNotFoundError:
        content = _download(path)
    except OSError as error:
        raise CourseError(f"{path} cannot be read ({error.strerror}); {remedy}.") from None
    found, expected = md5(content), ARCHIVE_MD5[path.name]
    if found != expected:
        size = f"{len(content):,} bytes"
        raise CourseError(f"{path} is damaged ({size}, md5 {found}; expected md5 {expected}); {remedy}.")
    return content


def _extract(archive: bytes, path: Path) -> None:
    """Extract `archive` to `path` atomically, since another process may read or extract the same file meanwhile."""
    if path.is_dir():
        raise CourseError(
            f"{path} is a folder, but a file was expected; remove it, and the file will be extracted again."
        )
    try:
        with atomic_write(path) as file:
            file.write(gzip.decompress(archive))
    except CourseError:
        if not _is_intact(_read_or_none(path), path.name):  # Windows does not replace a file that is being read
            raise


def _download(path: Path) -> bytes:
    """Download one archive from torchvision's mirrors, with a progress bar, and return its content.

    `path` is created only after the download is complete and its checksum is right.
    """
    for mirror in MNIST.mirrors:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=path.parent) as folder, _socket_timeout(DOWNLOAD_TIMEOUT):
                download_url(mirror + path.name, folder, filename=path.name, md5=ARCHIVE_MD5[path.name])
                os.replace(Path(folder, path.name), path)
            return path.read_bytes()
        except (OSError, RuntimeError, HTTPException):
            continue
    raise CourseError(
        f"{path.name} is missing from {path.parent} and could not be downloaded from torchvision's mirrors; restore it "
        f"with `git checkout data`, or copy it there from another copy of MNIST (md5 {ARCHIVE_MD5[path.name]})."
    ) from None


@contextlib.contextmanager
def _socket_timeout(seconds: float) -> Iterator[None]:
    """Set the timeout of new connections; download_url sets none and would wait forever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def normalise(images: torch.Tensor) -> torch.Tensor:
    """Turn uint8 images [N, 28, 28] into the network's input, float32 [N, 1, 28, 28].

    The training images then have mean 0 and standard deviation 1. Raises CourseError for another shape or dtype, so
    that images cannot be normalised twice by mistake.
    """
    if not isinstance(images, torch.Tensor) or images.dtype != torch.uint8 or images.shape[1:] != (28, 28):
        raise CourseError(
            f"raw images were expected, uint8 of shape [N, 28, 28], but {_describe(images)} was given; "
            "load them with data.load_raw, and turn a single image into a batch with image[None]."
        )
    return images.to(torch.float32).div_(255).sub_(MEAN).div_(STD).unsqueeze(1)


def _describe(images) -> str:
    """Return the dtype and shape of a tensor, or the type of any other object."""
    if not isinstance(images, torch.Tensor):
        return type(images).__name__
    return f"{images.dtype} of shape {list(images.shape)}".removeprefix("torch.")


def load(split: str, device: str | torch.device = "cpu", root: Path = ROOT) -> tuple[torch.Tensor, torch.Tensor]:
    """Return one split, normalised and on `device`: images float32 [N, 1, 28, 28] and labels int64 [N]."""
    target = choose_device(device)
    images, labels = load_raw(split, root)
    return normalise(images.to(target)), labels.to(target)


def split(images: torch.Tensor, labels: torch.Tensor, held_out: int = VALIDATION) -> tuple[Pair, Pair]:
    """Split the training set in two: the last `held_out` images are the validation set, the others stay for training.

    Returns two pairs of images and labels, as views of the arguments. Raises CourseError if the arguments differ in
    length, or if one of the two parts would be empty.
    """
    if len(images) != len(labels) or not 0 < held_out < len(labels):
        raise CourseError(
            f"{len(images):,} images, {len(labels):,} labels and held_out={held_out:,} were given, but equal numbers "
            "of images and labels were expected, and held_out from 1 to that number minus 1; pass the images and "
            "labels that data.load('train') returns."
        )
    return (images[:-held_out], labels[:-held_out]), (images[-held_out:], labels[-held_out:])


def choose_device(name: str | torch.device = "cpu") -> torch.device:
    """Return the torch device `name`, with the number of the GPU if it is one: "cuda" is the first, "cuda:0".

    Under torchrun, "cuda" is the GPU of this process. If this machine lacks the device, raises CourseError with the
    available ones.
    """
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    count = {"cpu": 1, "cuda": gpus, "mps": int(torch.backends.mps.is_available())}
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError):
        device = None
    if device is not None and device.type != "cpu" and device.index is None:
        device = torch.device(device.type, int(os.environ.get("LOCAL_RANK", 0)))
    if device is None or (device.index or 0) >= count.get(device.type, 0):
        available = ["cpu", *(f"cuda:{number}" for number in range(gpus)), *["mps"] * count["mps"]]
        raise CourseError(f"device {name!r} was given, but this machine has {', '.join(available)}; choose one.")
    return device


def check_batch(images: torch.Tensor) -> None:
    """Raise CourseError unless `images` is a valid input of the network: a float32 tensor [N, 1, 28, 28]."""
    if isinstance(images, torch.Tensor) and images.shape[1:] == (1, 28, 28) and images.dtype == torch.float32:
        return
    raise CourseError(
        f"a batch of images was expected, float32 of shape [N, 1, 28, 28], but {_describe(images)} was given; "
        "turn uint8 images [N, 28, 28] into one with data.normalise, and one image into a batch with unsqueeze(0)."
    )
