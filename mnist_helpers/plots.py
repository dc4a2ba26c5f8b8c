"""Figures that several cells draw, their common style, and a progress bar for training."""

import matplotlib.pyplot as plt
import numpy as np
from IPython import get_ipython
from IPython.display import display

from mnist_helpers import CourseError

BLUE, RED, GREY = "#0072b2", "#d55e00", "#6b6b6b"  # blue and vermilion of Okabe and Ito, safe for colour-blind readers
# One colour for each digit: Okabe and Ito's, and three more. Digits that lie close together differ most
CLASSES = ["#e69f00", GREY, "#882255", "#cc79a7", BLUE, "#000000", "#8a8a00", "#009e73", "#56b4e9", RED]


def style() -> None:
    """Set the style of all figures of a notebook. Call it once, in the first cell."""
    plt.rcdefaults()
    plt.rcParams.update(
        {
            "figure.dpi": 110,
            "figure.figsize": (6.4, 3.2),
            "figure.constrained_layout.use": True,
            "image.cmap": "gray",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlesize": "medium",
            "axes.prop_cycle": plt.cycler(color=[BLUE, RED, "#009e73", "#cc79a7", "#e69f00", "#56b4e9"]),
        }
    )


def digits(images, titles=None, columns: int = 6, size: float = 1.1, **imshow) -> np.ndarray:
    """Draw images, each [H, W] or [1, H, W], in a grid with `columns` columns and optional titles; return the axes."""
    rows = -(-len(images) // columns)
    height = size * (1.25 if titles is not None else 1)
    _, axes = plt.subplots(rows, columns, figsize=(columns * size, rows * height), squeeze=False)
    for ax in axes.flat:
        ax.axis("off")
    for ax, image in zip(axes.flat, images):
        ax.imshow(np.squeeze(np.asarray(image)), **imshow)
    for ax, title in zip(axes.flat, titles if titles is not None else []):
        ax.set_title(title, fontsize="small")
    return axes


def wall(images, columns: int = 30, scale: int = 1, ax=None):
    """Draw images of one size, each [H, W] or [1, H, W], edge to edge as one picture with `columns` columns.

    In a figure of its own, a pixel of the images takes `scale` x `scale` pixels of the screen.
    """
    tiles = [np.squeeze(np.asarray(image)) for image in images]
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)  # fill the last row
    picture = np.vstack([np.hstack(tiles[start : start + columns]) for start in range(0, len(tiles), columns)])
    if ax is None:
        width, height = (scale * side / plt.rcParams["figure.dpi"] for side in reversed(picture.shape))
        figure = plt.figure(figsize=(width, height))
        figure.set_layout_engine("none")  # no margins
        ax = figure.add_axes((0, 0, 1, 1))
    ax.imshow(picture, interpolation="nearest", aspect="auto")
    ax.axis("off")
    return ax


def mark(ax, right: bool) -> None:
    """Draw a frame around a digit: thin and solid if the prediction is right, thick and dashed if it is wrong."""
    ax.axis("on")
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set(visible=True, color=BLUE if right else RED, lw=1.5 if right else 3, ls="-" if right else "--")


def loss_curve(train_examples, train_losses, test_examples, test_losses, ax=None):
    """Plot the train loss (blue line) and the test loss (red dots) against the number of training examples seen."""
    ax = ax or plt.subplots()[1]
    ax.plot(train_examples, train_losses, color=BLUE, lw=0.8)
    ax.scatter(test_examples, test_losses, color=RED, s=45, zorder=3)
    middle, last = len(train_losses) // 2, (test_examples[-1], test_losses[-1])
    at = train_examples[middle], max(train_losses[middle:])
    ax.annotate("train loss, one batch", at, (0, 6), textcoords="offset points", color=BLUE)
    ax.annotate("test loss", last, (9, 0), textcoords="offset points", color=RED, va="center")
    ax.set(xlabel="number of training examples seen", ylabel="negative log-likelihood loss", ylim=(0, None))
    ax.set_xticks(test_examples[:: -(-len(test_examples) // 8)])  # the ends of epochs, eight of them at most
    ax.xaxis.set_major_formatter("{x:,.0f}")
    return ax


def loop(steps, again, ax=None):
    """Draw the steps of a loop as boxes in a row, with an arrow back to the first one.

    Each step is a tuple of what it does and its code; `again` stands below the arrow back.
    """
    ax = ax or plt.subplots(figsize=(8.2, 1.7))[1]
    box = {"boxstyle": "round,pad=0.5", "facecolor": "white", "edgecolor": BLUE}
    line = {"arrowstyle": "-|>", "color": GREY, "shrinkA": 0, "shrinkB": 0}
    last = len(steps) - 1
    for x, (what, code) in enumerate(steps):
        ax.text(x, 0.36, what, ha="center", va="bottom", fontsize="small")
        ax.text(x, 0, code, ha="center", va="center", family="monospace", fontsize="small", bbox=box)
    for x in range(last):
        ax.annotate("", (x + 0.57, 0), (x + 0.43, 0), arrowprops=line)
    ax.plot([last, last, 0], [-0.28, -0.75, -0.75], color=GREY, lw=1)
    ax.annotate("", (0, -0.28), (0, -0.76), arrowprops=line)
    ax.text(last / 2, -0.82, again, ha="center", va="top", color=RED)
    ax.set(xlim=(-0.55, last + 0.55), ylim=(-1.25, 0.95))
    ax.axis("off")
    return ax


def heatmap(values, ax=None, fmt="{:.0f}", fontsize="x-small", **imshow):
    """Draw a matrix as coloured squares and write each value in its square, in black or white for contrast."""
    ax = ax or plt.subplots()[1]
    values = np.asarray(values)
    drawn = ax.imshow(values, **imshow)
    for (row, column), value in np.ndenumerate(values):
        red, green, blue, _ = drawn.cmap(drawn.norm(value))
        ink = "black" if 0.3 * red + 0.59 * green + 0.11 * blue > 0.5 else "white"
        ax.text(column, row, fmt.format(value), ha="center", va="center", fontsize=fontsize, color=ink)
    return ax


def chain(nodes, weights, rates=None, ax=None):
    """Draw a chain of computations from left to right: values in blue, slopes of the loss in red.

    `nodes` lists the numbers that are computed one after the other, `weights` maps the index of a node to a weight that
    takes part in computing it. Each is a tuple of name, value and slope; a slope of None is left out. `rates` maps the
    index of a node to the factors by which its slope goes back to the node before and to its weight; None leaves the
    arrow out.
    """
    ax = ax or plt.subplots(figsize=(6.8, 2.9))[1]
    places = [(index, 1, node) for index, node in enumerate(nodes)]
    places += [(index - 0.5, 0, weight) for index, weight in weights.items()]
    for x, y, (name, value, slope) in places:
        ax.text(x, y + 0.22, name, ha="center", va="bottom", fontsize="small")
        box = {"boxstyle": "round,pad=0.45", "facecolor": "white", "edgecolor": GREY}
        ax.text(x, y, f"{value:g}", ha="center", va="center", color=BLUE, fontsize="large", bbox=box)
        if slope is not None:
            ax.text(x, y - 0.3, f"slope {slope:g}", ha="center", va="center", color=RED, fontsize="small")
    for index in range(1, len(nodes)):
        _arrow(ax, (index - 0.8, 1), (index - 0.2, 1), BLUE)
    for index in weights:
        _arrow(ax, (index - 0.5, 0.45), (index - 0.5, 0.97), BLUE)
    _rates_back(ax, rates or {})
    ax.set(xlim=(-0.3, len(nodes) - 0.6), ylim=(-0.4, 1.4))
    ax.axis("off")
    return ax


def _rates_back(ax, rates) -> None:
    """Draw the red arrows of `chain` that go back from slope to slope, with their factors."""
    style = {"color": RED, "fontsize": "small", "ha": "center", "va": "center"}
    for index, (before, weight) in rates.items():
        if before is not None:
            _arrow(ax, (index - 0.2, 0.7), (index - 0.8, 0.7), RED)
            ax.text(index - 0.65, 0.8, f"× {before:g}", **style)
        if weight is not None:
            _arrow(ax, (index - 0.04, 0.6), (index - 0.29, -0.26), RED)
            ax.text(index - 0.08, 0.15, f"× {weight:g}", **style)


def _arrow(ax, start, end, color) -> None:
    ax.annotate("", end, start, arrowprops={"arrowstyle": "->", "color": color})


class ProgressBar:
    """A progress bar below a running cell, which disappears at the end. Call it with the finished fraction, 0 to 1.

    If the cell is interrupted, raises CourseError instead of KeyboardInterrupt, with the progress made so far.
    """

    def __init__(self):
        self.fraction = 0.0
        self.handle = display(self._bundle(""), raw=True, display_id=True) if get_ipython() else None

    @staticmethod
    def _bundle(content):
        return {"text/html": content, "text/plain": ""}

    def __call__(self, fraction: float) -> None:
        self.fraction = fraction
        if self.handle:
            bar = f'<progress value="{fraction:.3f}" style="width: 60%"></progress> {fraction:.0%}'
            self.handle.update(self._bundle(bar if fraction < 1 else ""), raw=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, *error):
        done = self.fraction
        self(1)
        if kind is KeyboardInterrupt:
            raise CourseError(
                f"stopped at {done:.0%} of the training; run the cell again to train to the end."
            ) from None
