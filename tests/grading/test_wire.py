"""Values come back as they were sent, and no bytes make anything but plain values."""

import json
import math
import pickle
import socket
import struct

import numpy as np
import pandas as pd
import pytest
import torch
from grading import wire
from PIL import Image


def refused(*_):
    raise wire.WireError("foreign")


def sent(value):
    one, other = socket.socketpair()
    writer = wire.Writer(refused)
    content = writer.write(value)
    wire.send(one, content, writer.blocks)
    content, blocks = wire.receive(other)
    return wire.Reader(blocks, refused).read(content)


@pytest.mark.parametrize("value", [None, True, 3, -(2**200), 0.1, math.inf, "text", b"\0\xff", ..., torch.uint8])
def test_simple_values(value):
    assert sent(value) == value and type(sent(value)) is type(value)


@pytest.mark.parametrize("value", [[1, (2, {"a": [3]})], {1: "one", (2, 3): {4}}, range(1, 9, 2), slice(1, None), []])
def test_nested_values(value):
    assert sent(value) == value


@pytest.mark.parametrize("dtype", wire.TENSOR_TYPES.values())
def test_tensors(dtype):
    for shape in [(2, 3), (), (0, 4)]:
        tensor = torch.ones(shape).to(dtype)
        assert sent(tensor).dtype == dtype and sent(tensor).shape == tensor.shape and torch.equal(sent(tensor), tensor)
    assert torch.equal(sent(torch.arange(6.0).reshape(2, 3).T), torch.arange(6.0).reshape(2, 3).T)
    assert sent(torch.zeros(2, requires_grad=True)).requires_grad


def test_arrays_and_tables():
    array = np.arange(6, dtype=">i2").reshape(2, 3)
    assert sent(array).dtype == array.dtype and np.array_equal(sent(array), array)
    assert sent(np.float32(0.5)) == 0.5 and type(sent(np.float32(0.5))) is np.float32
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}, index=[5, 6])
    pd.testing.assert_frame_equal(sent(frame), frame)


def test_pictures():
    picture = Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4))
    assert sent(picture).size == (4, 3) and sent(picture).tobytes() == picture.tobytes()


class Anything:
    def __reduce__(self):
        raise AssertionError


@pytest.mark.parametrize("value", [Anything(), [Anything()], print, np.array([Anything()], dtype=object), object])
def test_other_objects_are_refused(value):
    with pytest.raises(wire.WireError):
        sent(value)


def test_what_is_too_deep_or_too_large_is_refused(monkeypatch):
    deep = []
    for _ in range(1000):
        deep = [deep]
    with pytest.raises(wire.WireError, match="deep"):
        sent(deep)
    monkeypatch.setattr(wire, "MAX_MESSAGE", 1000)
    with pytest.raises(wire.WireError, match="cannot be sent"):
        sent(torch.zeros(1000))


@pytest.mark.parametrize(
    "item",
    [
        ["tensor", "float32", [10**9], False, 0],
        ["tensor", "float32", [-1], False, 0],
        ["tensor", "object", [1], False, 0],
        ["tensor", "float32", [1], False, 7],
        ["array", "|O", [1], 0],
        ["array", "|V4", [1], 0],
        ["__init__", []],
        ["_class__", []],
        ["fits", 3, []],
        ["image", "P", [2, 2], 0],
        ["image", "L", [99, 99], 0],
        ["image", "L", [10**6, 10**6], 0],
        ["image", "RGB", [2, 2], 0],
        ["list"],
        [[]],
        [],
        {"a": 1},
    ],
)
def test_forged_values_are_refused(item):
    with pytest.raises((wire.WireError, LookupError, ValueError, TypeError)):
        wire.Reader([b"\0\0\0\0"], refused).read(item)


@pytest.mark.parametrize(
    "content",
    [b"", b"abc", struct.pack(">Q", 2**60), struct.pack(">Q", 3) + b"abc", pickle.dumps(print)]
    + [
        struct.pack(">Q", len(text)) + text for text in (json.dumps([1, [-5]]).encode(), b"[1, [99999999999999]]", b"3")
    ],
)
def test_forged_messages_are_refused(content):
    one, other = socket.socketpair()
    one.sendall(content)
    one.close()
    with pytest.raises((wire.WireError, EOFError)):
        wire.receive(other)
