"""A small filter for JupyterLab that is moved over a digit by hand, and the feature map that grows under it."""

import base64
import json

import matplotlib.pyplot as plt
import numpy as np
import torch
import traitlets

from mnist_helpers import CourseError, diagrams, layers, plots
from mnist_helpers._support.paths import MODELS
from mnist_helpers._support.translation import say
from mnist_helpers.widgets.modules import one_module, style
from mnist_helpers.widgets.still import Still, figure_file

LEARNT = 10  # filters of the trained network, the last ones of all
Filters = dict[str, tuple[np.ndarray, float]]  # name: weights [K, K] and bias


class MovingFilter(Still):
    """A digit over which one of several filters is moved, with the products, their sum, and the map so far.

    `image` [H, W] is a normalised digit, and `filters` has square tables of weights by name. The ten filters of the
    trained network in models/report_net.onnx come after them. All numbers are computed in the page, without the kernel.
    Raises CourseError if the image or a filter has another shape.
    """

    _esm, _css = one_module("moving_filter.js"), style()
    state = traitlets.Dict().tag(sync=True)

    def __init__(self, image: torch.Tensor, filters: dict[str, torch.Tensor]):
        picture = _numbers(image)
        self.choices = {name: (_numbers(weights), 0.0) for name, weights in filters.items()} | _learnt()
        for name, (weights, _) in self.choices.items():
            _check(picture, weights, name)
        super().__init__(state=_state(picture, self.choices))
        self.still = figure_file(_draw, image=picture, filters=self.choices)
        self.stored = {"widget": json.dumps(self.state)}

    def __repr__(self) -> str:
        return say("MovingFilter({count} filters)", count=len(self.choices))


def _numbers(tensor: torch.Tensor) -> np.ndarray:
    return torch.as_tensor(tensor).detach().cpu().numpy().astype(np.float32)


def _check(image: np.ndarray, weights: np.ndarray, name: str) -> None:
    square = weights.ndim == 2 and weights.shape[0] == weights.shape[1]
    if image.ndim != 2 or not square or not 0 < len(weights) <= min(image.shape):
        raise CourseError(
            say(
                "an image of shape {image} and the filter {name!r} of shape {weights} were given, but [height, width] "
                "and a square that fits into it were expected; take for example images[0, 0].",
                **{"image": list(image.shape), "name": name, "weights": list(weights.shape)},
            )
        )


def _learnt() -> Filters:
    """Return the ten filters of the first layer of the report's trained network."""
    weights, biases = layers.read_layers(MODELS / "report_net.onnx").weights[:2]
    pairs = enumerate(zip(weights, biases))
    return {say("learnt {number}", number=n): (table[0], float(bias)) for n, (table, bias) in pairs}


def _state(image: np.ndarray, filters: Filters) -> dict:
    """Return what moving_filter.js needs, with numbers as float32 in base64."""
    height, width = image.shape
    chosen = [
        {"name": name, "size": len(weights), "weights": _letters(weights), "bias": bias}
        for name, (weights, bias) in filters.items()
    ]
    return {"height": height, "width": width, "image": _letters(image), "filters": chosen}


def _letters(numbers: np.ndarray) -> str:
    return base64.b64encode(numbers.astype("<f4").tobytes()).decode()


def _draw(image: np.ndarray, filters: Filters) -> None:
    """Draw the image and the filters; their maps are for the reader to find."""
    rows = -(-(len(filters) + 1) // 7)
    _, axes = plt.subplots(rows, 7, figsize=(8, 1.4 * rows), squeeze=False)
    for ax in axes.flat:
        ax.axis("off")
    axes[0, 0].imshow(image, cmap="gray")
    axes[0, 0].set_title(say("the digit"), fontsize="small")
    for n, (ax, (name, (weights, _))) in enumerate(zip(axes.flat[1:], filters.items())):
        most = np.abs(weights).max()
        ax.imshow(weights, cmap=diagrams.SIGNED["cmap"], vmin=-most, vmax=most)
        ax.set_title(name, fontsize="small", color="black" if n < len(filters) - LEARNT else plots.GREY)
