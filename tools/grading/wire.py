"""Values as JSON and raw bytes, for two processes of which one must not trust the other.

A message is a header in JSON, followed by blocks of bytes for tensors and arrays. Decoding makes plain values alone,
whatever the bytes are. What is no plain value (a function, a network) goes to `foreign` in `peers`.
"""

import json
import math
import socket
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image

MAX_MESSAGE = 256 * 1024**2  # bytes
MAX_DEPTH = 50
TENSOR_TYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in [torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64]
    + [torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64, torch.complex128]
}
ARRAY_KINDS = "biufc"
PLAIN = ("tensor", "array", "scalar", "bytes", "ellipsis", "dtype", "range", "slice", "image", "series", "frame")
IMAGE_MODES = ("L", "RGB", "RGBA")


class WireError(Exception):
    """Raised if a message is not one, is too large, or if a value cannot be sent."""


class CannotSend(WireError):
    """Raised if a value cannot be sent."""


class Writer:
    """Turn a value into JSON and blocks of bytes. `foreign(value, write)` returns JSON for what is no plain value."""

    def __init__(self, foreign: Callable[[Any, Callable], list]):
        self.foreign, self.blocks = foreign, list[bytes]()

    def write(self, value: Any, depth: int = 0) -> Any:
        """Return JSON for the value; its numbers may be in `blocks`. Raises WireError if it is nested too deeply."""
        if depth > MAX_DEPTH:
            raise CannotSend("the value is nested too deeply")
        if value is None or type(value) in (bool, str, float) or (type(value) is int and abs(value) < 10**4000):
            return value
        if type(value) in (list, tuple, set, frozenset):
            return [type(value).__name__, [self.write(item, depth + 1) for item in value]]
        if isinstance(value, dict):
            return ["dict", [[self.write(key, depth + 1), self.write(item, depth + 1)] for key, item in value.items()]]
        return self._numbers(value) or self._others(value, depth) or self.foreign(value, self.write)

    def _numbers(self, value: Any) -> list | None:
        if isinstance(value, torch.Tensor):
            plain = value.detach().as_subclass(torch.Tensor).cpu().resolve_conj().resolve_neg()
            name, needs = str(value.dtype).removeprefix("torch."), bool(value.requires_grad)
            if name not in TENSOR_TYPES:
                raise CannotSend(f"a tensor of the type {name} cannot be sent")
            content = plain.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
            return ["tensor", name, list(value.shape), needs, self._block(content)]
        if isinstance(value, np.ndarray) and value.dtype.kind in ARRAY_KINDS:
            return ["array", value.dtype.str, list(value.shape), self._block(np.ascontiguousarray(value).tobytes())]
        if isinstance(value, np.generic) and value.dtype.kind in ARRAY_KINDS:
            return ["scalar", value.dtype.str, self._block(value.tobytes())]
        return None

    def _others(self, value: Any, depth: int) -> list | None:
        if isinstance(value, (bytes, bytearray)):
            return ["bytes", self._block(bytes(value))]
        if value is ...:
            return ["ellipsis"]
        if isinstance(value, torch.dtype):
            return ["dtype", str(value).removeprefix("torch.")]
        if isinstance(value, (range, slice)):
            return [type(value).__name__, value.start, value.stop, value.step]
        if isinstance(value, (list, tuple, str, int, float)):  # a subclass: torch.Size, named tuples, np.str_
            kind: Any = next(base for base in (list, tuple, str, int, float) if isinstance(value, base))
            return self.write(kind(value), depth + 1)
        if isinstance(value, Image.Image) and value.mode in IMAGE_MODES:
            return ["image", value.mode, list(value.size), self._block(value.tobytes())]
        if isinstance(value, pd.Series):
            return ["series", self.write(value.to_numpy(), depth + 1), self.write(list(value.index), depth + 1)]
        if isinstance(value, pd.DataFrame):
            columns = [[self.write(name), self.write(list(value[name]), depth + 1)] for name in value.columns]
            return ["frame", columns, self.write(list(value.index), depth + 1)]
        return None

    def _block(self, content: bytes) -> int:
        if sum(map(len, self.blocks)) + len(content) > MAX_MESSAGE:
            raise CannotSend(f"more than {MAX_MESSAGE // 1024**2} MB cannot be sent")
        self.blocks.append(content)
        return len(self.blocks) - 1


class Reader:
    """Turn JSON and blocks of bytes into a value. `foreign(item, read)` returns a value for JSON of another kind."""

    def __init__(self, blocks: list[bytes], foreign: Callable[[list, Callable], Any]):
        self.blocks, self.foreign = blocks, foreign

    def read(self, item: Any) -> Any:
        """Return the value. Raises WireError if the JSON is none that a Writer writes."""
        if item is None or isinstance(item, (bool, int, float, str)):
            return item
        if not isinstance(item, list) or not item or not isinstance(item[0], str):
            raise WireError("that is no value")
        kind, *rest = item
        if kind in ("list", "tuple", "set", "frozenset"):
            builtin: Any = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}[kind]
            return builtin(self.read(part) for part in rest[0])
        if kind == "dict":
            return {self.read(key): self.read(value) for key, value in rest[0]}
        if kind in PLAIN:
            return getattr(self, f"_{kind}")(*rest)
        return self.foreign(item, self.read)

    def _tensor(self, name: str, shape: list[int], needs: bool, block: int) -> torch.Tensor:
        dtype, content = TENSOR_TYPES[name], bytearray(self.blocks[block])
        self._fits(len(content), shape, dtype.itemsize)
        tensor = torch.frombuffer(content, dtype=dtype) if content else torch.empty(0, dtype=dtype)
        return tensor.reshape(shape).requires_grad_(bool(needs) and (dtype.is_floating_point or dtype.is_complex))

    def _array(self, name: str, shape: list[int], block: int) -> np.ndarray:
        dtype = _array_type(name)
        self._fits(len(self.blocks[block]), shape, dtype.itemsize)
        return np.frombuffer(bytearray(self.blocks[block]), dtype=dtype).reshape(shape)

    def _scalar(self, name: str, block: int) -> Any:
        return self._array(name, [], block)[()]

    def _bytes(self, block: int) -> bytes:
        return self.blocks[block]

    def _ellipsis(self):
        return ...

    def _dtype(self, name: str) -> torch.dtype:
        return TENSOR_TYPES[name]

    def _range(self, start: int, stop: int, step: int) -> range:
        return range(start, stop, step)

    def _slice(self, start, stop, step) -> slice:
        return slice(start, stop, step)

    def _image(self, mode: str, size: list[int], block: int) -> Image.Image:
        if mode not in IMAGE_MODES:
            raise WireError("that is no image")
        width, height = map(int, size)
        self._fits(len(self.blocks[block]), [height, width, len(mode)], 1)  # each letter of a mode is a channel
        return Image.frombytes(mode, (width, height), self.blocks[block])

    def _series(self, values, index) -> pd.Series:
        return pd.Series(self.read(values), index=self.read(index))

    def _frame(self, columns, index) -> pd.DataFrame:
        return pd.DataFrame({self.read(name): self.read(values) for name, values in columns}, index=self.read(index))

    @staticmethod
    def _fits(length: int, shape: list[int], itemsize: int) -> None:
        if any(type(size) is not int or size < 0 for size in shape) or math.prod(shape) * itemsize != length:
            raise WireError("numbers do not fit their bytes")


def _array_type(name: str) -> np.dtype:
    dtype = np.dtype(str(name))
    if dtype.kind not in ARRAY_KINDS:
        raise WireError(f"arrays of the type {name[:20]} are not taken")
    return dtype


def send(stream: socket.socket, header: Any, blocks: list[bytes]) -> None:
    """Send a message. Raises WireError if it is too large, and OSError if nobody listens."""
    text = json.dumps([header, [len(block) for block in blocks]]).encode()
    if len(text) + sum(map(len, blocks)) > MAX_MESSAGE:
        raise CannotSend(f"more than {MAX_MESSAGE // 1024**2} MB cannot be sent")
    stream.sendall(struct.pack(">Q", len(text)) + text)
    for block in blocks:
        stream.sendall(block)


def receive(stream: socket.socket) -> tuple[Any, list[bytes]]:
    """Return the header and the blocks of the next message. Raises WireError if it is none, EOFError at the end."""
    (length,) = struct.unpack(">Q", _exactly(stream, 8))
    if length > MAX_MESSAGE:
        raise WireError("a message is too large")
    try:
        header, lengths = json.loads(_exactly(stream, length))
        lengths = [int(number) for number in lengths]
    except (ValueError, TypeError, RecursionError):
        raise WireError("a message is damaged") from None
    if any(number < 0 for number in lengths) or sum(lengths) > MAX_MESSAGE:
        raise WireError("a message is too large")
    return header, [_exactly(stream, number) for number in lengths]


def _exactly(stream: socket.socket, length: int) -> bytes:
    content = bytearray()
    while len(content) < length:
        part = stream.recv(min(length - len(content), 1024**2))
        if not part:
            raise EOFError("the other process has ended")
        content += part
    return bytes(content)
