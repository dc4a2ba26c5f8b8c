"""Checksums of the files that the course ships. Does not import torch, so that the doctor works without it."""

import hashlib
from pathlib import Path

from mnist_helpers import CourseError

ARCHIVE_MD5 = {  # from torchvision's MNIST.resources
    "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
}
EXTRACTED_MD5 = {  # torchvision does not verify extracted files
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}


def md5(content: bytes) -> str:
    """Return the md5 checksum in hexadecimal. It detects damage only, so it is marked as not used for security."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def sha256(content: bytes) -> str:
    """Return the sha256 digest in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def published_sha256(path: Path) -> str:
    """Return the digest of `path` that is listed in the SHA256SUMS file of its folder.

    SHA256SUMS has the format of the sha256sum command. Raises CourseError if it is missing or does not list `path`.
    """
    sums = path.with_name("SHA256SUMS")
    try:
        lines = sums.read_text(encoding="utf-8").splitlines()
        return next(line.split()[0] for line in lines if line.split()[1:] == [path.name])
    except (OSError, ValueError, StopIteration):
        raise CourseError(f"{sums} has no digest of {path.name}; restore it with `git checkout models`.") from None


def write_sha256(folder: Path, *names: str) -> None:
    """Write the digests of the given files of `folder` to its SHA256SUMS file."""
    lines = [f"{sha256((folder / name).read_bytes())}  {name}\n" for name in names]
    (folder / "SHA256SUMS").write_text("".join(lines), encoding="utf-8", newline="\n")
