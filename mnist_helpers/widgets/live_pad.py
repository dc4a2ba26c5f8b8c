"""A drawing pad for JupyterLab that shows the feature maps of a network while a digit is drawn."""

import tempfile
from pathlib import Path

import torch
import traitlets
from torch import nn

from mnist_helpers import CourseError, export, layers
from mnist_helpers._support.translation import say
from mnist_helpers.widgets.modules import one_module, style
from mnist_helpers.widgets.still import Still

PICTURE = Path(__file__).with_name("live_pad.png")


class LivePad(Still):
    """A drawing pad with the maps, the answer and what it rests on, for `model`, as the page "Draw a digit" has them.

    `model` maps normalised images [N, 1, 28, 28] to log-probabilities [N, 10]. The page has a copy of its weights and
    runs it without the kernel. Raises CourseError for anything else, or for layers that `layers.read_layers` refuses.
    """

    _esm, _css = one_module("live_pad.js"), style()
    still = PICTURE.read_bytes()
    description = traitlets.Dict().tag(sync=True)
    weights = traitlets.Bytes().tag(sync=True)

    def __init__(self, model: nn.Module):
        if not isinstance(model, nn.Module):
            raise CourseError(
                say(
                    "{given} was given, but a network was expected; pass the trained model: LivePad(model).",
                    given=type(model).__name__,
                )
            )
        found = _described(model)
        super().__init__(description=found.description(), weights=found.binary("<f4"))
        self.name = type(model).__name__

    def __repr__(self) -> str:
        return f"LivePad({self.name})"


def _described(model: nn.Module) -> layers.Layers:
    """Return a description of `model` for JavaScript."""
    weights = next(model.parameters(), torch.zeros(0))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"{type(model).__name__}.onnx")
        return layers.read_layers(export.to_onnx(model, torch.zeros(2, 1, 28, 28, device=weights.device), path))
