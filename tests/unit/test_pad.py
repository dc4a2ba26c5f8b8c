"""The Python side of the pad: what it answers to a drawing, and what it makes of a bad one."""

import base64
import io

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage
from torch import nn

from mnist_helpers import data, drawing
from mnist_helpers.network import Net
from mnist_helpers.predict import Reader
from mnist_helpers.training import predict
from mnist_helpers.widgets.modules import one_module
from mnist_helpers.widgets.pad import PICTURE, Pad
from tests.support.refusal import refused


class Constant(nn.Module):
    """Gives every image the same log-probabilities, or fails."""

    def __init__(self, log_probs):
        super().__init__()
        self.log_probs = log_probs

    def forward(self, images):
        if self.log_probs is None:
            raise RuntimeError("layers do not fit")
        return self.log_probs.expand(len(images), -1)


@pytest.fixture
def ink():
    """A thick stroke on the pad: uint8 [280, 280]."""
    drawn = np.zeros((280, 280), np.uint8)
    drawn[40:240, 130:152] = 255
    drawn[40:62, 80:140] = 200
    return drawn


def ask(pad, *buffers, number="1:1"):
    """Send a message as the page does; returns what the pad sends back: the content and its buffers."""
    sent = []
    pad.send = lambda content, buffers=None: sent.append((content, buffers))
    pad._handle_custom_msg({"id": number}, [memoryview(buffer) for buffer in buffers])
    (answer,) = sent
    return answer


def test_answer_is_the_networks(ink):
    torch.manual_seed(1)
    model = Net()
    content, buffers = ask(Pad(model), ink.tobytes(), number="0.5:7")
    (digit,) = drawing.digits_of_drawing(ink)
    expected = predict(model, data.normalise(torch.from_numpy(digit.picture)[None]))[0]
    assert content["id"] == "0.5:7" and "sentence" not in content
    assert content["digits"][0].pop("probabilities") == pytest.approx(expected.tolist())
    assert content["digits"] == [{"box": digit.box, "centre": digit.centre}]
    assert buffers == [digit.picture.tobytes()]


def test_box_and_centre_are_given_as_the_page_expects_them(ink):
    (digit,) = ask(Pad(Net()), ink.tobytes())[0]["digits"]
    assert digit["box"] == (40, 80, 200, 72)
    assert digit["centre"] == pytest.approx(ndimage.center_of_mass(ink >= 128) + np.array(0.5))


def test_two_digits_have_an_answer_each(ink):
    ink[40:240, 220:242] = 255
    content, buffers = ask(Pad(Net()), ink.tobytes())
    assert [digit["box"][1] for digit in content["digits"]] == [80, 220]
    assert len(buffers) == 2 and buffers[0] != buffers[1]


def test_without_an_argument_the_courses_own_network_reads(ink):
    content, (picture,) = ask(Pad(), ink.tobytes())
    expected = Reader().probabilities(np.frombuffer(picture, np.uint8).reshape(1, 28, 28))[0]
    assert content["digits"][0]["probabilities"] == pytest.approx(expected.tolist())
    assert repr(Pad()) == "Pad(Reader)"


@pytest.mark.parametrize("grey", [0, 255])
def test_paper_without_a_digit_is_nothing_to_read(grey):
    content, buffers = ask(Pad(Net()), bytes([grey]) * 280 * 280)
    assert content == {"id": "1:1", "digits": []} and buffers == []


@pytest.mark.parametrize("buffers", [[], [b""], [bytes(10)], [bytes(280 * 280)] * 2])
def test_what_is_no_drawing_gets_a_sentence(buffers):
    content, _ = ask(Pad(Net()), *buffers)
    assert "A drawing of 78400 bytes was expected" in content["sentence"]


def test_a_message_that_is_no_request_is_passed_over(caplog):
    pad = Pad(Net())
    pad.send = lambda *message: pytest.fail("answered")
    for content in ["text", None, [], {}, {"number": 3}]:
        pad._handle_custom_msg(content, [])
    assert not caplog.records  # ipywidgets logs what goes wrong


@pytest.mark.parametrize(
    ("log_probs", "words"),
    [(None, "layers do not fit"), (torch.zeros(1, 3), "ten probabilities"), (torch.full((1, 10), torch.nan), "ten")],
)
def test_a_network_that_does_not_fit_gets_a_sentence(log_probs, words, ink):
    pad = Pad(Constant(log_probs))
    content, _ = ask(pad, ink.tobytes())
    assert words in content["sentence"] and content["id"] == "1:1"
    pad.network = Net()
    assert ask(pad, ink.tobytes())[0]["digits"][0]["box"] == (40, 80, 200, 72)


def test_something_else_than_a_network_is_refused():
    with refused("str was given", "pass the trained model"):
        Pad("model.pth")


def test_pad_is_shown_as_a_widget_and_as_a_picture():
    bundle, _ = Pad(Net())._repr_mimebundle_()
    assert bundle["text/plain"] == "Pad(Net)"  # the same in every run: nbval compares it
    assert "application/vnd.jupyter.widget-view+json" in bundle
    image = Image.open(io.BytesIO(base64.b64decode(bundle["image/png"])))
    assert image.width > image.height > 300
    assert PICTURE.stat().st_size < 60_000


def test_the_script_is_not_watched_for_changes():
    assert Pad(Net())._esm == Pad._esm == one_module("pad.js")
    assert ".pad-canvas" in Pad(Net())._css
