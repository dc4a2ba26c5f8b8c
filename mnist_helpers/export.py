"""Export a network to ONNX, run it with ONNX Runtime, and quantise it to 8 bits."""

import tempfile
from pathlib import Path
from types import SimpleNamespace

import onnx
import torch
from torch import nn

from mnist_helpers import CourseError, data, onnx_file
from mnist_helpers._support.atomic_files import atomic_write
from mnist_helpers.network import eval_mode


def to_onnx(model: nn.Module, images: torch.Tensor, path: Path, metadata: dict[str, str] | None = None) -> Path:
    """Export `model`, in eval mode, to one ONNX file with a dynamic batch size; return `path`.

    `images` [N, 1, 28, 28] is an example input, and `metadata` is stored in the file. The model is checked with
    onnx.checker before the file is written. The mode of `model` is preserved. Raises CourseError for a batch of another
    shape or dtype, or if `path` cannot be written.
    """
    data.check_batch(images)
    return _write(model, images[:2], "log_probs", path, metadata)


class FromPixels(nn.Module):
    """A network that includes its preprocessing: maps uint8 images [N, 28, 28] in 0..255 to probabilities [N, 10]."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, images):
        return self.model(data.normalise(images)).exp()  # [N, 10]


def to_onnx_from_pixels(model: nn.Module, path: Path, metadata: dict[str, str] | None = None) -> Path:
    """Export `model` as `to_onnx` does, but with preprocessing and softmax inside the file; return `path`.

    The exported model takes uint8 images [N, 28, 28] in 0..255, normalises them as data.normalise does, and returns
    probabilities [N, 10]. Raises CourseError if `path` cannot be written.
    """
    device = next((weights.device for weights in model.parameters()), None)
    example = torch.zeros(2, 28, 28, dtype=torch.uint8, device=device)
    return _write(FromPixels(model), example, "probabilities", path, metadata)


def _write(model: nn.Module, example: torch.Tensor, output: str, path: Path, metadata: dict | None) -> Path:
    """Export `model` with the output name `output`, check the result and write it to `path`."""
    with eval_mode(model):
        program = torch.onnx.export(
            model,
            (example,),
            input_names=["images"],
            output_names=[output],
            dynamic_shapes=({0: "batch"},),
            dynamo=True,
            verbose=False,
        )
    assert program is not None  # the return type without dynamo=True
    content = program.model_proto
    for node in content.graph.node:
        del node.metadata_props[:]  # stack traces, which hold paths of this machine
    onnx.helper.set_model_props(content, metadata or {})
    onnx.checker.check_model(content, full_check=True)
    path = Path(path)
    with atomic_write(path) as file:
        file.write(content.SerializeToString())
    return path


def operators(path: Path) -> list[str]:
    """Return the operator types of an ONNX file's nodes, in the order in which they run.

    Raises CourseError if the file is missing or damaged, or if it stores weights in other files.
    """
    return [node.op_type for node in onnx_file.read_onnx(path).graph.node]


def run_onnx(path: Path, images: torch.Tensor) -> torch.Tensor:
    """Return the log-probabilities [N, 10] that ONNX Runtime computes, on the CPU, for images [N, 1, 28, 28].

    `path` is a file written by `to_onnx`. Raises CourseError for a batch of another shape or dtype, or for a file that
    ONNX Runtime cannot load or that has another input or output.
    """
    data.check_batch(images)
    session = onnx_file.open_session(path)
    try:
        log_probs = onnx_file.run_in_batches(session, "images", "log_probs", images.cpu().numpy())
    except Exception as error:  # onnxruntime's own types, or ValueError for an unknown input or output
        reason = type(error).__name__
        raise CourseError(
            f"{path} cannot process this batch ({reason}), but a file as export.to_onnx writes it was expected, with "
            "the input 'images', the output 'log_probs' and a dynamic batch size; export the network again."
        ) from None
    return torch.from_numpy(log_probs)


def to_int8(path: Path, images: torch.Tensor, target: Path) -> Path:
    """Quantise the weights and activations of the ONNX file `path` to 8 bits; return `target`.

    `path` is a file written by `to_onnx_from_pixels`. `images`, uint8 [N, 28, 28], are used for calibration: the model
    is run on them to find the range of its activations. Raises CourseError if `target` cannot be written.
    """
    tools = onnx_file.quantization()
    batches = ({"images": batch.numpy()} for batch in images.split(64))
    reader = SimpleNamespace(get_next=lambda: next(batches, None))  # all that a CalibrationDataReader needs
    with tempfile.TemporaryDirectory() as folder:
        prepared, quantised = Path(folder, "prepared.onnx"), Path(folder, "int8.onnx")
        onnx.save(onnx_file.read_onnx(path), prepared)
        tools.shape_inference.quant_pre_process(prepared, prepared, skip_symbolic_shape=True)
        kinds = ["Conv", "Gemm", "MaxPool", "Relu"]  # neither the preprocessing nor the softmax
        tools.quantize_static(prepared, quantised, reader, per_channel=True, op_types_to_quantize=kinds)
        target = Path(target)
        with atomic_write(target) as file:
            file.write(quantised.read_bytes())
    return target
