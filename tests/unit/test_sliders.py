"""The Python side of the sliders: a figure for each position, and what is said if there is none."""

import base64
import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from mnist_helpers.widgets.sliders import Sliders
from tests.support.refusal import refused

pytestmark = pytest.mark.usefixtures("no_window")


def draw(height=0.5, colour="black"):
    _, ax = plt.subplots(figsize=(1, 1))
    ax.axis("off")
    ax.bar(0, height, color=colour)
    ax.set_ylim(0, 1)


def dark_share(picture):
    """The share of dark pixels in a PNG file."""
    return (np.asarray(Image.open(io.BytesIO(picture)).convert("L")) < 128).mean()


def ask(sliders, **values):
    """Send a message as the page does; returns what is sent back: the content and its buffers."""
    sent = []
    sliders.send = lambda content, buffers=None: sent.append((content, buffers))
    sliders._handle_custom_msg({"values": values}, [])
    (answer,) = sent
    return answer


def test_picture_follows_the_slider():
    sliders = Sliders(draw, height=[0.25, 0.5, 1.0])
    content, (picture,) = ask(sliders, height=1.0)
    assert dark_share(picture) == pytest.approx(2 * dark_share(sliders.still), rel=0.1)
    assert content["message"] == "" and content["title"] == "height=1.0"
    assert content["sliders"] == [{"name": "height", "values": [0.25, 0.5, 1.0], "start": 0.5}]


def test_the_first_question_gets_the_first_picture():
    sliders = Sliders(draw, height=[0.5, 1.0])
    assert ask(sliders)[1] == [sliders.still]


def test_no_figure_stays_open_and_the_notebooks_own_are_kept():
    own = plt.figure()
    ask(Sliders(draw, height=[0.5, 1.0]), height=1.0)
    assert plt.get_fignums() == [own.number]


def test_sliders_are_shown_as_a_widget_and_as_a_picture():
    bundle, _ = Sliders(draw, height=[0.5, 1.0], colour=["black", "red"])._repr_mimebundle_()
    assert bundle["text/plain"] == "Sliders(height=0.5, colour=black)"  # the same in every run: nbval compares it
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert Image.open(io.BytesIO(base64.b64decode(bundle["image/png"]))).width > 50


def test_a_figure_that_fails_is_told_and_the_next_one_is_drawn():
    sliders = Sliders(draw, colour=["black", "no colour"])
    content, pictures = ask(sliders, colour="no colour")
    assert "could not be drawn (ValueError" in content["message"] and pictures == []
    content, pictures = ask(sliders, colour="black")
    assert content["message"] == "" and len(pictures) == 1


@pytest.mark.parametrize("content", ["text", None, [], {}, {"values": 3}, {"values": {"height": 7}}])
def test_a_message_that_is_no_move_is_passed_over(content):
    sliders = Sliders(draw, height=[0.5, 1.0])
    sliders.send = lambda *message: pytest.fail("answered")
    sliders._handle_custom_msg(content, [])


@pytest.mark.parametrize("choices", [{"width": [1, 2]}, {"height": [1, 2]}])
def test_a_slider_without_a_fitting_default_is_refused(choices):
    with refused("a slider for", "as its default"):
        Sliders(draw, **choices)
