"""Open ONNX files from untrusted sources, without torch: check a file before it is run.

Only this module imports ONNX Runtime, after mnist_helpers/__init__.py has switched off its telemetry. The other modules
import ONNX Runtime from here.
"""

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TypeVar

import numpy as np
import onnx
import onnxruntime
from google.protobuf.message import Message
from onnxruntime import InferenceSession

from mnist_helpers import CourseError
from mnist_helpers._support.checksums import sha256
from mnist_helpers._support.regular_files import read_file

Part = TypeVar("Part", bound=Message)
LARGEST = 500_000_000  # bytes; the course's networks have less than 2,000,000
BATCH = 1000  # images at a time, so that many images need no more memory than these


def read_onnx(path: Path, digest: str | None = None) -> onnx.ModelProto:
    """Read an ONNX file and check it, without running it or opening any other file.

    If `digest` is given, the sha256 digest of the file must be equal to it. Raises CourseError if the file is missing,
    damaged or not an ONNX model, or if it has what no network of this course needs: weights in other files, whose paths
    could lead anywhere, and loops, which could run forever.
    """
    content = _read_bytes(path, digest)
    try:
        model = onnx.load_model_from_string(content)
        unwanted = _unwanted(model)
        if not unwanted:
            onnx.checker.check_model(model)
    except Exception as error:  # undocumented types of protobuf and onnx
        raise _refusal(path, error) from None
    if unwanted:
        raise CourseError(f"{path} {unwanted}.")
    return model


def _unwanted(model: onnx.ModelProto) -> str:
    """Return what a model has that makes it unsafe to run, in words; "" if there is nothing."""
    if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in _parts(model, onnx.TensorProto)):
        return (
            "stores weights in other files, but a single ONNX file with all weights was expected; export it with "
            "external_data=False"
        )
    for node in _parts(model, onnx.NodeProto):
        if any(attribute.HasField("g") or attribute.graphs for attribute in node.attribute):
            return (
                f"uses the operator {node.op_type!r}, which runs a network inside the network and may never end, but a "
                "network without loops and branches was expected; export it without them"
            )
    return ""


def _read_bytes(path: Path, digest: str | None) -> bytes:
    """Return the content of a file. Raises CourseError if the file cannot be read or has another digest."""
    try:
        content = read_file(path, LARGEST)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise CourseError(f"{path} cannot be read ({reason}), but an ONNX file was expected; check the name.") from None
    if digest is not None and sha256(content) != digest:
        raise CourseError(
            f"{path} is damaged (sha256 {sha256(content)}; expected {digest}); restore it with `git checkout models`."
        )
    return content


def _refusal(path: Path, error: Exception) -> CourseError:
    """Return the error for a file that onnx or ONNX Runtime does not accept."""
    return CourseError(f"{path} was refused ({type(error).__name__}), but an ONNX file was expected; export it again.")


def _parts(message: Message, kind: type[Part]) -> Iterator[Part]:
    """Yield all parts of a model that are of one kind, such as tensors or nodes, also those of its functions."""
    for field, value in message.ListFields():
        if field.message_type is not None:
            for part in [value] if isinstance(value, Message) else value:
                if isinstance(part, kind):
                    yield part
                yield from _parts(part, kind)


def open_session(path: Path, threads: int = 0, digest: str | None = None) -> InferenceSession:
    """Load an ONNX file into ONNX Runtime, on the CPU, with `threads` threads (0: one per core).

    Raises CourseError as `read_onnx` does, or if ONNX Runtime cannot load the model.
    """
    content = read_onnx(path, digest).SerializeToString()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4  # only fatal errors: all others are raised as CourseError
    try:
        return InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own types, which are private
        raise _refusal(path, error) from None


def quantization() -> ModuleType:
    """Return ONNX Runtime's quantization package. It is imported here, since `predict` starts faster without it."""
    import onnxruntime.quantization.shape_inference

    return onnxruntime.quantization


def run_in_batches(session: InferenceSession, name: str, output: str, images: np.ndarray) -> np.ndarray:
    """Return the output `output` [N, ...] of a network for its input `name`, images [N, ...], 1,000 at a time.

    Raises the errors of ONNX Runtime.
    """
    starts = range(0, max(len(images), 1), BATCH)  # no image at all is one batch, too
    return np.concatenate([session.run([output], {name: images[start : start + BATCH]})[0] for start in starts])
