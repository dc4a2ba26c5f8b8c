"""A drawing pad for JupyterLab whose digits are classified by a network while they are drawn."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from mnist_helpers import CourseError, drawing
from mnist_helpers._support.translation import say
from mnist_helpers.data import normalise
from mnist_helpers.predict import Reader
from mnist_helpers.training import predict
from mnist_helpers.widgets.modules import one_module, style
from mnist_helpers.widgets.still import Still

SIDE = 280  # pixels of the drawing that the pad sends
PICTURE = Path(__file__).with_name("pad.png")


class Pad(Still):
    """A drawing pad for `model`, which maps normalised images [N, 1, 28, 28] to log-probabilities [N, 10].

    `model` may also be a `predict.Reader`. Without an argument, the course's network in models/digits.onnx reads.
    Without a running kernel, a picture of the pad is shown instead. Raises CourseError if `model` is not a network.
    """

    _esm, _css = one_module("pad.js"), style("pad.css")
    still = PICTURE.read_bytes()

    def __init__(self, model: nn.Module | Reader | None = None):
        model = Reader() if model is None else model
        if not isinstance(model, (nn.Module, Reader)):
            given = type(model).__name__
            raise CourseError(
                say("{given} was given, but a network was expected; pass the trained model: Pad(model).", given=given)
            )
        super().__init__()
        self.network = model
        self.on_msg(self._reply)

    def __repr__(self) -> str:
        return f"Pad({type(self.network).__name__})"

    def _reply(self, _, content: dict, buffers: list) -> None:
        """Answer a drawing sent by the page, with the id of its message. Messages without an id are ignored."""
        if not isinstance(content, dict) or "id" not in content:
            return
        message: dict = {"id": content["id"]}
        pictures: list[bytes] = []
        try:
            message["digits"], pictures = self._read(_ink(buffers))
        except CourseError as error:
            message["sentence"] = str(error)
        except Exception as error:  # the student's own network may raise anything; the pad must go on working
            message["sentence"] = say(
                "The network cannot process the picture ({kind}: {error}).", kind=type(error).__name__, error=error
            )
        self.send(message, pictures)

    def _read(self, ink: np.ndarray) -> tuple[list[dict], list[bytes]]:
        """Return what the page shows of each digit in a drawing, and the bytes of its picture."""
        found = drawing.digits_of_drawing(ink)
        if not found:
            return [], []
        rows = self._probabilities(np.stack([digit.picture for digit in found]))
        digits = [
            {"box": digit.box, "centre": digit.centre, "probabilities": row.tolist()} for digit, row in zip(found, rows)
        ]
        return digits, [digit.picture.tobytes() for digit in found]

    def _probabilities(self, pictures: np.ndarray) -> np.ndarray | torch.Tensor:
        """Return the probabilities [N, 10] for pictures uint8 [N, 28, 28], computed on the network's device."""
        if isinstance(self.network, Reader):
            return self.network.probabilities(pictures)
        images = normalise(torch.from_numpy(pictures))
        weights = next(self.network.parameters(), images)
        probabilities = predict(self.network, images.to(weights.device))
        if probabilities.shape != (len(pictures), 10) or not probabilities.isfinite().all():
            raise CourseError(
                say("This network does not return ten probabilities for a picture, so nothing can be shown.")
            )
        return probabilities


def _ink(buffers: list) -> np.ndarray:
    """Return the drawing of a message as grey values uint8 [280, 280]."""
    sizes = [memoryview(buffer).nbytes for buffer in buffers]
    if sizes != [SIDE * SIDE]:
        raise CourseError(
            say(
                "A drawing of {expected} bytes was expected, but {sizes} bytes were received; run the cell again.",
                expected=SIDE * SIDE,
                sizes=sizes,
            )
        )
    return np.frombuffer(buffers[0], dtype=np.uint8).reshape(SIDE, SIDE)
