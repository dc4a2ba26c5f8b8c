"""Write the numbers of a network in 8 bits instead of 32."""

import tempfile
from pathlib import Path

import onnx
import torch

from mnist_helpers import onnx_file
from mnist_helpers.files import written_whole


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
        onnx.save(onnx_file.read(path), prepared)
        tools.shape_inference.quant_pre_process(prepared, prepared, skip_symbolic_shape=True)
        kinds = ["Conv", "Gemm", "MaxPool", "Relu"]  # not the preparation of the image, nor the probabilities
        tools.quantize_static(prepared, written, Reader(), per_channel=True, op_types_to_quantize=kinds)
        with written_whole(Path(target)) as file:
            file.write(written.read_bytes())
    return target
