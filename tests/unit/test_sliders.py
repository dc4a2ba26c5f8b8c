"""The Python side of the sliders: a figure for each position, and what is said if there is none."""

import base64
import io

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from mnist_helpers.widgets.sliders import Sliders
from tests.support.refusal import refused


@pytest.fixture(autouse=True)
def no_window():
    matplotlib.use("Agg")
    yield
    plt.close("all")


def draw(height=0.5, colour="black"):
    _, ax = plt.subplots(figsize=(1, 1))
    ax.axis("off")
    ax.bar(0, height, color=colour)
    ax.set_ylim(0, 1)


def dark_share(sliders):
    """The share of dark pixels in the picture."""
    image = Image.open(io.BytesIO(base64.b64decode(sliders.picture)))
    return (np.asarray(image.convert("L")) < 128).mean()


def test_picture_follows_the_slider():
    sliders = Sliders(draw, height=[0.25, 0.5, 1.0])
    half = dark_share(sliders)
    sliders.values = {"height": 1.0}
    assert dark_share(sliders) == pytest.approx(2 * half, rel=0.1)
    assert sliders.sliders == [{"name": "height", "values": [0.25, 0.5, 1.0]}]


def test_no_figure_stays_open_and_the_notebooks_own_are_kept():
    own = plt.figure()
    sliders = Sliders(draw, height=[0.5, 1.0])
    sliders.values = {"height": 1.0}
    assert plt.get_fignums() == [own.number]


def test_sliders_are_shown_as_a_widget_and_as_a_picture():
    bundle, _ = Sliders(draw, height=[0.5, 1.0], colour=["black", "red"])._repr_mimebundle_()
    assert bundle["text/plain"] == "Sliders(height=0.5, colour=black)"  # the same in every run: nbval compares it
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert Image.open(io.BytesIO(base64.b64decode(bundle["image/png"]))).width > 50


def test_a_figure_that_fails_is_told_below_the_old_one():
    sliders = Sliders(draw, colour=["black", "no colour"])
    before = sliders.picture
    sliders.values = {"colour": "no colour"}
    assert "could not be drawn (ValueError" in sliders.message and sliders.picture == before
    sliders.values = {"colour": "black"}
    assert sliders.message == ""


@pytest.mark.parametrize("choices", [{"width": [1, 2]}, {"height": [1, 2]}])
def test_a_slider_without_a_fitting_default_is_refused(choices):
    with refused("a slider for", "as its default"):
        Sliders(draw, **choices)
