"""Nothing but a file of a sensible size is read: a pipe would be waited for, and a device has no end."""

import os
import socket

import pytest

from mnist_helpers._support.regular_files import read_file


def test_a_file_is_read_to_its_end(tmp_path):
    (tmp_path / "file").write_bytes(b"1234")
    assert read_file(tmp_path / "file", 4) == b"1234"


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    (tmp_path / "file").write_bytes(b"12345")
    with pytest.raises(OSError, match="it has 5 bytes, and at most 4 were expected"):
        read_file(tmp_path / "file", 4)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no pipes among its files")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="it is a pipe, not a file"):
        read_file(tmp_path / "pipe", 4)


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="devices are of Unix")
def test_a_device_is_not_read():
    with pytest.raises(OSError, match="it is a device, not a file"):
        read_file("/dev/zero", 4)


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="sockets among the files are of Unix")
def test_a_socket_is_told_as_what_it_is(tmp_path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(tmp_path / "socket"))
        with pytest.raises(OSError, match="it is a socket, not a file"):
            read_file(tmp_path / "socket", 4)


def test_a_folder_is_told_as_what_it_is(tmp_path):
    with pytest.raises(OSError, match="it is a folder, not a file"):
        read_file(tmp_path, 4)
