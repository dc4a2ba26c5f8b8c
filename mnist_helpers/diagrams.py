"""Diagrams of chapter 02: the numbers inside a convolution, a pooling and a fully connected layer."""

import matplotlib.pyplot as plt
import numpy as np

from mnist_helpers import plots

SIGNED = {"cmap": "RdBu_r", "vmin": -12, "vmax": 12}  # red for positive numbers, blue for negative ones, white for 0


def tables(numbers, titles, signs, decimals: int = 2, size: float = 0.55, **imshow) -> list:
    """Draw tables of numbers in a row, with a sign such as × or = between neighbours; return the axes of the tables.

    Each table is a matrix or a single number, rounded to `decimals`. `size` is the side of one square in inches.
    """
    matrices = [np.atleast_2d(np.asarray(table, dtype=float)).round(decimals) for table in numbers]
    gap = 0.3 + 0.13 * max(len(sign) for sign in signs)  # in squares
    widths = [matrices[0].shape[1]]
    for matrix in matrices[1:]:
        widths += [gap, matrix.shape[1]]
    height = size * max(map(len, matrices)) + 0.35
    _, axes = plt.subplots(1, len(widths), figsize=(size * sum(widths), height), width_ratios=widths)
    for ax, matrix, title in zip(axes[::2], matrices, titles):
        plots.heatmap(matrix + 0.0, ax, "{:g}", "small", **imshow)  # + 0.0 turns -0 into 0
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set(visible=True, color=plots.GREY)
        ax.set_title(title, fontsize="small")
    for ax, sign in zip(axes[1::2], signs):
        ax.axis("off")
        ax.text(0.5, 0.5, sign, ha="center", va="center", fontsize="large")
    return list(axes[::2])


def outline(ax, row: int, column: int, height: int, width: int, color: str = plots.RED, lw: float = 2) -> None:
    """Draw a frame around the pixels of `ax` that begin at `row` and `column`."""
    ax.add_patch(plt.Rectangle((column - 0.5, row - 0.5), width, height, fill=False, color=color, lw=lw))


def sliding(image, feature_map, kernel: int, places) -> np.ndarray:
    """Draw a filter on its way over `image`, one column for each of `places`, and below it the map so far.

    `places` are pairs (row, column) of the map. What the filter has not reached yet is grey. Return the axes.
    """
    image, feature_map = np.asarray(image), np.asarray(feature_map)
    _, axes = plt.subplots(2, len(places), figsize=(1.7 * len(places), 3.6))
    for (above, below), (row, column) in zip(axes.T, places):
        above.imshow(image)
        outline(above, row, column, kernel, kernel)
        reached = np.arange(feature_map.size).reshape(feature_map.shape) <= row * feature_map.shape[1] + column
        below.set_facecolor("#d9d9d9")
        below.imshow(np.where(reached, feature_map, np.nan), **SIGNED)
        outline(below, row, column, 1, 1)
        above.set_title(f"row {row}, column {column}", fontsize="small")
    for ax in axes.flat:
        ax.set(xticks=[], yticks=[])
    axes[0, 0].set_ylabel("digit, filter", fontsize="small")
    axes[1, 0].set_ylabel("map so far", fontsize="small")
    return axes


def connections(inputs, weights, bias, ax=None):
    """Draw a fully connected layer: each input is joined to each output by a line that carries its weight.

    `inputs` is [inputs], `weights` [outputs, inputs] and `bias` [outputs].
    """
    ax = ax or plt.subplots(figsize=(6.4, 2.5))[1]
    inputs, weights, bias = (np.asarray(values, dtype=float) for values in (inputs, weights, bias))
    left, right = ((np.arange(count, 0, -1) - 0.5) / count for count in (len(inputs), len(bias)))
    for (output, number), weight in np.ndenumerate(weights):
        start, end, share = left[number], right[output], 0.2 + 0.18 * output
        color = plots.RED if weight > 0 else plots.BLUE if weight < 0 else plots.GREY
        ax.plot([0, 1], [start, end], color=color, lw=0.6 + 1.4 * abs(weight), zorder=0)
        label = {"fontsize": "small", "color": color, "ha": "center", "va": "center", "backgroundcolor": "white"}
        ax.text(share, start + share * (end - start), f"{weight:g}".replace("-", "−"), **label)
    _circles(ax, 0, left, inputs)
    _circles(ax, 1, right, weights @ inputs + bias)
    for place, row, constant in zip(right, weights, bias):
        products = " + ".join(f"{weight:g}·{number:g}" for weight, number in zip(row, inputs))
        ax.text(1.08, place, f"= {products}\n   + bias {constant:g}".replace("-", "−"), va="center", fontsize="small")
    ax.axis("off")
    ax.set(xlim=(-0.1, 1.8), ylim=(0, 1))
    return ax


def _circles(ax, x: float, places, values) -> None:
    """Draw a circle with its value at each place of one layer."""
    ax.scatter([x] * len(places), places, s=800, color="white", edgecolor="black")
    for place, value in zip(places, values):
        ax.text(x, place, f"{value:g}".replace("-", "−"), ha="center", va="center")
