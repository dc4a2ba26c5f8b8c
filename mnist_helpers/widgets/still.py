"""What all widgets share: where no kernel runs, or a program knows no widgets, a picture is shown instead."""

import base64
import io
from collections.abc import Callable

import anywidget
import matplotlib.pyplot as plt


class Still(anywidget.AnyWidget):
    """A widget with a picture, `still`, the bytes of a PNG file. `stored` is kept with the output for a web page."""

    still: bytes
    stored: dict = {}

    def _repr_mimebundle_(self, **options) -> tuple[dict, dict]:
        bundle = super()._repr_mimebundle_(**options)
        assert bundle is not None  # None only for a widget without a view
        data, metadata = bundle
        return data | {"image/png": base64.b64encode(self.still).decode()}, metadata | self.stored


def figure_file(draw: Callable[..., object], **values) -> bytes:
    """Return the figure that `draw` makes as a PNG file, and close it, or the notebook would show it twice."""
    before = plt.get_fignums()
    try:
        draw(**values)
        content = io.BytesIO()
        plt.gcf().savefig(content, format="png", bbox_inches="tight")
    finally:
        for number in set(plt.get_fignums()) - set(before):
            plt.close(number)
    return content.getvalue()
