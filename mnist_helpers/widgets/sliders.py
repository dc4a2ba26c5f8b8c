"""Sliders for JupyterLab below a Matplotlib figure, which is drawn anew when one of them moves."""

import base64
import inspect
import io
from collections.abc import Callable
from pathlib import Path

import anywidget
import matplotlib.pyplot as plt
import traitlets

from mnist_helpers import CourseError


class Sliders(anywidget.AnyWidget):
    """A figure with one slider for each keyword, as in `Sliders(draw, learning_rate=[0.1, 1, 10])`.

    `draw` makes a Matplotlib figure from the values of the sliders. Each slider offers the values of its list and
    starts at the default that `draw` gives this parameter. Without a running kernel, the first figure is shown
    instead. Raises CourseError if `draw` has no such parameter, or if its default is not in the list.
    """

    _esm = Path(__file__).with_name("sliders.js")
    sliders = traitlets.List().tag(sync=True)
    values = traitlets.Dict().tag(sync=True)
    picture = traitlets.Unicode().tag(sync=True)  # PNG in base64
    message = traitlets.Unicode().tag(sync=True)

    def __init__(self, draw: Callable[..., object], **choices: list):
        start = {name: _default(draw, name, values) for name, values in choices.items()}
        sliders = [{"name": name, "values": values} for name, values in choices.items()]
        super().__init__(sliders=sliders, values=start, picture=_picture(draw, start))
        self.draw = draw
        self.observe(self._redraw, "values")

    def __repr__(self) -> str:
        return f"Sliders({', '.join(f'{name}={value}' for name, value in self.values.items())})"

    def _repr_mimebundle_(self, **options) -> tuple[dict, dict]:
        bundle = super()._repr_mimebundle_(**options)
        assert bundle is not None  # None only for a widget without a view
        data, metadata = bundle
        return data | {"image/png": self.picture}, metadata

    def _redraw(self, _) -> None:
        """Draw the figure for the present values. If that fails, say so below the old figure."""
        try:
            self.picture, self.message = _picture(self.draw, self.values), ""
        except Exception as error:  # the student may have changed `draw`; the sliders must go on working
            self.message = f"The figure could not be drawn ({type(error).__name__}: {error})."


def _default(draw: Callable, name: str, values: list):
    """Return the default of the parameter `name` of `draw`, which must be one of `values`."""
    parameter = inspect.signature(draw).parameters.get(name)
    if parameter is None or parameter.default not in values:
        raise CourseError(
            f"a slider for {name} with the values {values} was given, but {draw.__name__} needs a parameter of this "
            f"name with one of the values as its default; write for example def {draw.__name__}({name}={values[0]})."
        )
    return parameter.default


def _picture(draw: Callable, values: dict) -> str:
    """Return the figure that `draw` makes as PNG in base64, and close it, or the notebook would show it twice."""
    before = plt.get_fignums()
    try:
        draw(**values)
        content = io.BytesIO()
        plt.gcf().savefig(content, format="png", bbox_inches="tight")
    finally:
        for number in set(plt.get_fignums()) - set(before):
            plt.close(number)
    return base64.b64encode(content.getvalue()).decode()
