"""The MNIST files: find them, verify them, and hold them as tensors."""

import gzip
import hashlib
import os
import tempfile
from pathlib import Path

import torch
from torchvision.datasets import MNIST
from torchvision.datasets.utils import download_url

from mnist_helpers import CourseError
from mnist_helpers.checksums import ARCHIVE_MD5, EXTRACTED_MD5

ROOT = Path(__file__).resolve().parents[1] / "data"
MEAN, STD = 0.1307, 0.3081  # of the training pixels in 0..1, computed in chapter 01
IMAGES, LABELS = "images-idx3-ubyte", "labels-idx1-ubyte"
VALIDATION = 10_000  # images at the end of the training set that are held out for decisions
Pair = tuple[torch.Tensor, torch.Tensor]  # images [N, 1, 28, 28] and labels [N]
PREFIX = {"train": "train", "test": "t10k"}


def verify(root: Path = ROOT) -> Path:
    """Check every MNIST file by its md5, fetching the archives that are missing.

    `root` is the folder that torchvision is given: the files lie in `root/MNIST/raw`. Returns that raw folder.
    Extracted files are optional, but those that are there must be whole. Raises CourseError, and changes no file,
    when one is damaged, or when a missing one cannot be fetched.
    """
    raw = Path(root) / "MNIST" / "raw"
    for name, md5 in ARCHIVE_MD5.items():
        if not (raw / name).exists():
            _fetch(name, raw)
        _check_md5(raw / name, md5, "restore it with `git checkout data`, or delete it to fetch it again")
    for name, md5 in EXTRACTED_MD5.items():
        if (raw / name).exists():
            _check_md5(raw / name, md5, "delete it: it is extracted again from the .gz file beside it")
    return raw


def _check_md5(path: Path, expected: str, remedy: str) -> None:
    try:
        found = hashlib.md5(path.read_bytes()).hexdigest()
    except OSError as error:
        raise CourseError(f"{path} cannot be read ({error.strerror}), but a file was expected; {remedy}.") from None
    if found != expected:
        size = f"{path.stat().st_size:,} bytes"
        raise CourseError(f"{path} is damaged ({size}, md5 {found}; expected md5 {expected}); {remedy}.")


def _fetch(name: str, raw: Path) -> None:
    """Download one archive from torchvision's mirrors, with its progress bar; only a whole one takes its name."""
    for mirror in MNIST.mirrors:
        try:
            raw.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=raw) as folder:
                download_url(mirror + name, folder, filename=name, md5=ARCHIVE_MD5[name])
                os.replace(Path(folder, name), raw / name)
            return
        except (OSError, RuntimeError):
            continue
    raise CourseError(
        f"{name} is missing from {raw} and no mirror of torchvision could be reached; "
        f"restore it with `git checkout data`, or copy it there from any copy of MNIST (md5 {ARCHIVE_MD5[name]})."
    )


def load_raw(split: str, root: Path = ROOT) -> tuple[torch.Tensor, torch.Tensor]:
    """Read one split as it is in the files: images uint8 [N, 28, 28] in 0..255, labels int64 [N] in 0..9.

    `split` is "train" (N = 60,000) or "test" (N = 10,000). Raises CourseError for another name or a damaged file.
    """
    if split not in PREFIX:
        raise CourseError(f"split {split!r} was given, but 'train' or 'test' was expected; choose one of them.")
    raw = verify(root)
    images = _read_idx(raw / f"{PREFIX[split]}-{IMAGES}.gz", header=16)
    labels = _read_idx(raw / f"{PREFIX[split]}-{LABELS}.gz", header=8)
    return images.reshape(-1, 28, 28), labels.long()


def _read_idx(path: Path, header: int) -> torch.Tensor:
    content = bytearray(gzip.decompress(path.read_bytes()))
    return torch.frombuffer(content, dtype=torch.uint8, offset=header)


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
