"""Look at the kind and size of a file before it is read. A pipe would be waited for, and a device may have no end."""

import errno
import stat
from pathlib import Path

KINDS = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}


def check_file(path: Path, largest: int) -> None:
    """Raise OSError unless `path` is a regular file of at most `largest` bytes; the file is not opened."""
    found = Path(path).stat()
    if not stat.S_ISREG(found.st_mode):
        kind = KINDS.get(stat.S_IFMT(found.st_mode), "a device")
        raise OSError(errno.EINVAL, f"it is {kind}, not a file")
    if found.st_size > largest:
        raise OSError(errno.EFBIG, f"it has {found.st_size:,} bytes, and at most {largest:,} were expected")


def read_file(path: Path, largest: int) -> bytes:
    """Return the content of a regular file of at most `largest` bytes. Raises OSError for anything else."""
    check_file(path, largest)
    with open(path, "rb") as file:
        return file.read(largest + 1)  # a file that grows meanwhile is cut, and then no longer what was expected
