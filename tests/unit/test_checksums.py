"""The checksums are those of the files, and torchvision's."""

import hashlib

from torchvision.datasets import MNIST

from mnist_helpers._support import checksums
from mnist_helpers._support.paths import DATA, MODELS


def test_the_archives_are_torchvisions_and_intact():
    assert dict(MNIST.resources) == checksums.ARCHIVE_MD5
    for name, expected in checksums.ARCHIVE_MD5.items():
        assert checksums.md5((DATA / "MNIST" / "raw" / name).read_bytes()) == expected


def test_the_networks_have_their_published_digests():
    for path in MODELS.glob("*.onnx"):
        assert checksums.published_sha256(path) == hashlib.sha256(path.read_bytes()).hexdigest()
