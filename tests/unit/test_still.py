"""What widgets share: a picture beside each, and a figure as a file."""

import base64
import io

import matplotlib.pyplot as plt
import pytest
from PIL import Image

from mnist_helpers.widgets.still import Still, figure_file

pytestmark = pytest.mark.usefixtures("no_window")


def draw(width=1):
    plt.figure(figsize=(width, 1))


def test_a_widget_brings_a_picture_and_what_it_stores():
    widget = Still()
    widget.still, widget.stored = b"a picture", {"widget": "{}"}
    data, metadata = widget._repr_mimebundle_()
    assert base64.b64decode(data["image/png"]) == b"a picture"
    assert "application/vnd.jupyter.widget-view+json" in data and metadata["widget"] == "{}"


def test_a_figure_is_a_file_and_is_closed():
    own = plt.figure()
    narrow, wide = (Image.open(io.BytesIO(figure_file(draw, width=width))) for width in (1, 3))
    assert wide.width > 2 * narrow.width
    assert plt.get_fignums() == [own.number]


def test_a_figure_that_fails_is_closed_too():
    def fail():
        plt.figure()
        raise RuntimeError("torn")

    with pytest.raises(RuntimeError):
        figure_file(fail)
    assert plt.get_fignums() == []
