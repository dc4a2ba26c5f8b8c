"""Open an ONNX file that came from anywhere, without torch: whole, standing alone, and runnable, or refused.

This is the one module that imports ONNX Runtime, after mnist_helpers/__init__.py has switched off its telemetry: the
others take it from here.
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
    """Read an ONNX file with all its weights; nothing in it is run, and no other file is opened.

    `digest` is its sha256, if that is known. Raises CourseError for a file that is missing, torn or no network, whose
    digest is another one, or that keeps weights in other files: such a file names paths, which could lead anywhere.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise CourseError(f"{path} cannot be read ({reason}), but an ONNX file was expected; check the name.") from None
    if digest is not None and sha256(content) != digest:
        raise CourseError(
            f"{path} is damaged (sha256 {sha256(content)}; expected {digest}); restore it with `git checkout models`."
        )
    try:
        model = onnx.load_model_from_string(content)
        external = any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in _tensors(model))
        if not external:
            onnx.checker.check_model(model)
    except Exception as error:  # protobuf's and onnx's own types, which they do not promise
        reason = type(error).__name__
        raise CourseError(f"{path} was refused ({reason}), but an ONNX file was expected; export it again.") from None
    if external:
        raise CourseError(
            f"{path} keeps weights in other files, but an ONNX file that stands alone was expected; export it with "
            "external_data=False."
        )
    return model


def _tensors(message: Message) -> Iterator[onnx.TensorProto]:
    """All tensors in a file, however deep: weights, attributes, those of branches and of functions."""
    for field, value in message.ListFields():
        if field.message_type is not None:
            for part in [value] if isinstance(value, Message) else value:
                if isinstance(part, onnx.TensorProto):
                    yield part
                yield from _tensors(part)


def open_session(path: Path, threads: int = 0, digest: str | None = None) -> InferenceSession:
    """Load an ONNX file into ONNX Runtime, on the CPU, with so many threads (0: as many as there are cores).

    Raises CourseError as `read_onnx` does, or if the file cannot be run.
    """
    content = read_onnx(path, digest).SerializeToString()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4  # what goes wrong is raised, and told in one sentence
    try:
        return InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises its own types, which it does not make public
        reason = type(error).__name__
        raise CourseError(f"{path} was refused ({reason}), but an ONNX file was expected; export it again.") from None


def quantization() -> ModuleType:
    """Return ONNX Runtime's tools for 8 bits; they are loaded here, since `predict` starts faster without them."""
    import onnxruntime.quantization.shape_inference

    return onnxruntime.quantization
