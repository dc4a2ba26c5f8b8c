"""Open ONNX files from untrusted sources, without torch: check a file before it is run.

Only this module imports ONNX Runtime, after mnist_helpers/__init__.py has switched off its telemetry. The other modules
import ONNX Runtime from here.
"""

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import onnx
import onnxruntime
from google.protobuf.message import Message
from onnxruntime import InferenceSession

from mnist_helpers import CourseError
from mnist_helpers._support.checksums import sha256


def read_onnx(path: Path, digest: str | None = None) -> onnx.ModelProto:
    """Read an ONNX file and check it, without running it or opening any other file.

    If `digest` is given, the sha256 digest of the file must be equal to it. Raises CourseError if the file is missing,
    damaged or not an ONNX model, or if it stores weights in other files, whose paths could lead anywhere.
    """
    content = _read_bytes(path, digest)
    try:
        model = onnx.load_model_from_string(content)
        external = any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in _tensors(model))
        if not external:
            onnx.checker.check_model(model)
    except Exception as error:  # undocumented types of protobuf and onnx
        raise _refusal(path, error) from None
    if external:
        raise CourseError(
            f"{path} stores weights in other files, but a single ONNX file with all weights was expected; export it "
            "with external_data=False."
        )
    return model


def _read_bytes(path: Path, digest: str | None) -> bytes:
    """Return the content of a file. Raises CourseError if the file cannot be read or has another digest."""
    try:
        content = Path(path).read_bytes()
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


def _tensors(message: Message) -> Iterator[onnx.TensorProto]:
    """Yield all tensors of a model: weights, attributes, and the tensors of its subgraphs and functions."""
    for field, value in message.ListFields():
        if field.message_type is not None:
            for part in [value] if isinstance(value, Message) else value:
                if isinstance(part, onnx.TensorProto):
                    yield part
                yield from _tensors(part)


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
