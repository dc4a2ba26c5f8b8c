"""Export a network to ONNX and run it with ONNX Runtime."""

from pathlib import Path

import onnx
import onnxruntime
import torch
from torch import nn

from mnist_helpers import CourseError
from mnist_helpers.checkpoints import written_whole
from mnist_helpers.data import check_batch


def to_onnx(model: nn.Module, images: torch.Tensor, path: Path, metadata: dict[str, str] | None = None) -> Path:
    """Write `model`, in eval mode, as one ONNX file whose batch size is free; returns `path`.

    `images` [N, 1, 28, 28] is an example of the input; `metadata` is kept in the file. The file is checked by onnx
    before it takes its name, and the mode of `model` is left as it was. Raises CourseError for a batch of another shape
    or dtype, and if `path` cannot be written.
    """
    check_batch(images)
    mode = model.training
    model.eval()
    try:
        program = torch.onnx.export(
            model,
            (images[:2],),
            input_names=["images"],
            output_names=["log_probs"],
            dynamic_shapes=({0: "batch"},),
            dynamo=True,
            verbose=False,
        )
    finally:
        model.train(mode)
    content = program.model_proto
    for node in content.graph.node:
        del node.metadata_props[:]  # stack traces, with the paths of the machine that exported it
    onnx.helper.set_model_props(content, metadata or {})
    onnx.checker.check_model(content, full_check=True)
    path = Path(path)
    with written_whole(path) as file:
        file.write(content.SerializeToString())
    return path


def operators(path: Path) -> list[str]:
    """List the kinds of the ONNX file's nodes, in the order in which they run."""
    return [node.op_type for node in onnx.load(path, load_external_data=False).graph.node]


def run_onnx(path: Path, images: torch.Tensor) -> torch.Tensor:
    """Return the log-probabilities [N, 10] that ONNX Runtime computes, on the CPU, for images [N, 1, 28, 28].

    Raises CourseError for a batch of another shape or dtype, and for a file that ONNX Runtime does not load.
    """
    check_batch(images)
    onnxruntime.disable_telemetry_events()
    try:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises its own types, which it does not make public
        reason = type(error).__name__
        raise CourseError(f"{path} was refused ({reason}), but an ONNX file was expected; export it again.") from None
    (log_probs,) = session.run(None, {session.get_inputs()[0].name: images.cpu().numpy()})
    return torch.from_numpy(log_probs)
