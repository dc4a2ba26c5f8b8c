"""Export a network to ONNX, run it with ONNX Runtime, and write its numbers in 8 bits instead of 32."""

import tempfile
from pathlib import Path

import onnx
import torch
from torch import nn

from mnist_helpers import CourseError, data, onnx_file
from mnist_helpers._support.atomic_files import atomic_write
from mnist_helpers.network import in_eval_mode


def to_onnx(model: nn.Module, images: torch.Tensor, path: Path, metadata: dict[str, str] | None = None) -> Path:
    """Write `model`, in eval mode, as one ONNX file whose batch size is free; returns `path`.

    `images` [N, 1, 28, 28] is an example of the input; `metadata` is kept in the file. The file is checked by onnx
    before it takes its name, and the mode of `model` is left as it was. Raises CourseError for a batch of another shape
    or dtype, and if `path` cannot be written.
    """
    data.check_batch(images)
    return _write(model, images[:2], "images", "log_probs", path, metadata)


class FromPixels(nn.Module):
    """A network with its preparation inside: uint8 images [N, 28, 28], 0..255, in, probabilities [N, 10] out."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, images):
        return self.model(data.normalise(images)).exp()  # [N, 10]


def to_onnx_from_pixels(model: nn.Module, path: Path, metadata: dict[str, str] | None = None) -> Path:
    """Write `model` as `to_onnx` does, for those who know nothing of its training; returns `path`.

    The file takes images as they are, uint8 [N, 28, 28] in 0..255, normalises them as data.normalise does, and gives
    probabilities [N, 10], which need no further step. Raises CourseError if `path` cannot be written.
    """
    device = next((weights.device for weights in model.parameters()), None)
    example = torch.zeros(2, 28, 28, dtype=torch.uint8, device=device)
    return _write(FromPixels(model), example, "images", "probabilities", path, metadata)


def _write(model: nn.Module, example: torch.Tensor, takes: str, gives: str, path: Path, metadata) -> Path:
    with in_eval_mode(model):
        program = torch.onnx.export(
            model,
            (example,),
            input_names=[takes],
            output_names=[gives],
            dynamic_shapes=({0: "batch"},),
            dynamo=True,
            verbose=False,
        )
    content = program.model_proto
    for node in content.graph.node:
        del node.metadata_props[:]  # stack traces, with the paths of the machine that exported it
    onnx.helper.set_model_props(content, metadata or {})
    onnx.checker.check_model(content, full_check=True)
    path = Path(path)
    with atomic_write(path) as file:
        file.write(content.SerializeToString())
    return path


def operators(path: Path) -> list[str]:
    """List the kinds of the ONNX file's nodes, in the order in which they run.

    Raises CourseError for a file that is missing, torn, or does not stand alone.
    """
    return [node.op_type for node in onnx_file.read_onnx(path).graph.node]


def run_onnx(path: Path, images: torch.Tensor) -> torch.Tensor:
    """Return the log-probabilities [N, 10] that ONNX Runtime computes, on the CPU, for images [N, 1, 28, 28].

    `path` is a file of `to_onnx`. Raises CourseError for a batch of another shape or dtype, and for a file that ONNX
    Runtime does not load or that takes something else.
    """
    data.check_batch(images)
    session = onnx_file.open_session(path)
    try:
        (log_probs,) = session.run(["log_probs"], {"images": images.cpu().numpy()})
    except Exception as error:  # onnxruntime's own types, or ValueError where there is no such input
        reason = type(error).__name__
        raise CourseError(
            f"{path} did not take the batch ({reason}), but a file that export.to_onnx wrote was expected; export it "
            "again, with a free batch size."
        ) from None
    return torch.from_numpy(log_probs)


def to_int8(path: Path, images: torch.Tensor, target: Path) -> Path:
    """Write the network of the ONNX file `path` with weights and activations in 8 bits; returns `target`.

    `path` is a file of `to_onnx_from_pixels`; `images`, uint8 [N, 28, 28], are for calibration: the file is run on
    them, to see how large the activations become. Raises CourseError if `target` cannot be written.
    """
    batches, tools = iter(images.split(64)), onnx_file.quantization()

    class Reader(tools.CalibrationDataReader):
        def get_next(self):
            batch = next(batches, None)
            return None if batch is None else {"images": batch.numpy()}

    with tempfile.TemporaryDirectory() as folder:
        prepared, written = Path(folder, "prepared.onnx"), Path(folder, "int8.onnx")
        onnx.save(onnx_file.read_onnx(path), prepared)
        tools.shape_inference.quant_pre_process(prepared, prepared, skip_symbolic_shape=True)
        kinds = ["Conv", "Gemm", "MaxPool", "Relu"]  # not the preparation of the image, nor the probabilities
        tools.quantize_static(prepared, written, Reader(), per_channel=True, op_types_to_quantize=kinds)
        with atomic_write(Path(target)) as file:
            file.write(written.read_bytes())
    return target
