"""The md5 sums of the MNIST files: a home without torch, so that the doctor can read them when torch is broken."""

import hashlib

ARCHIVE_MD5 = {  # torchvision's own list, MNIST.resources
    "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
}
EXTRACTED_MD5 = {  # torchvision trusts an extracted file without looking; these sums close the gap
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}


def md5(content: bytes) -> str:
    """Return the md5 sum as these lists have it; it tells damage, not malice, so that strict systems allow it."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
