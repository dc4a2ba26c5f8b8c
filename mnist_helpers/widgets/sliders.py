"""Sliders for JupyterLab below a Matplotlib figure, which is drawn anew when one of them moves."""

import inspect
from collections.abc import Callable

from mnist_helpers import CourseError
from mnist_helpers._support.translation import say
from mnist_helpers.widgets.modules import one_module
from mnist_helpers.widgets.still import Still, figure_file


class Sliders(Still):
    """A figure with one slider for each keyword, as in `Sliders(draw, learning_rate=[0.1, 1, 10])`.

    `draw` makes a Matplotlib figure from the values of the sliders. Each slider offers the values of its list and
    starts at the default that `draw` gives this parameter. Without a running kernel, the first figure is shown
    instead. Raises CourseError if `draw` has no such parameter, or if its default is not in the list.
    """

    _esm = one_module("sliders.js")

    def __init__(self, draw: Callable[..., object], **choices: list):
        self.draw, self.choices = draw, choices
        self.start = {name: _default(draw, name, values) for name, values in choices.items()}
        self.still = figure_file(draw, **self.start)
        super().__init__()
        self.on_msg(self._reply)

    def __repr__(self) -> str:
        return f"Sliders({_title(self.start)})"

    def _reply(self, _, content: object, buffers: list) -> None:
        """Answer a move of the page with the new picture, or with a message. Other messages are ignored."""
        if not isinstance(content, dict) or not isinstance(content.get("values"), dict):
            return
        moved = {name: content["values"].get(name, start) for name, start in self.start.items()}
        if any(value not in self.choices[name] for name, value in moved.items()):
            return
        # The page sends 1 for 1.0: take the value of the list
        values = {name: self.choices[name][self.choices[name].index(value)] for name, value in moved.items()}
        sliders = [{"name": name, "values": self.choices[name], "start": self.start[name]} for name in self.choices]
        answer, pictures = {"sliders": sliders, "title": _title(values), "message": ""}, []
        try:
            pictures = [figure_file(self.draw, **values)]
        except Exception as error:  # the student may have changed `draw`; the sliders must go on working
            answer["message"] = say(
                "The figure could not be drawn ({kind}: {error}).", kind=type(error).__name__, error=error
            )
        self.send(answer, pictures)


def _title(values: dict) -> str:
    return ", ".join(f"{name}={value}" for name, value in values.items())


def _default(draw: Callable, name: str, values: list):
    """Return the default of the parameter `name` of `draw`, which must be one of `values`."""
    parameter = inspect.signature(draw).parameters.get(name)
    if parameter is None or parameter.default not in values:
        raise CourseError(
            say(
                "a slider for {name} with the values {values} was given, but {draw} needs a parameter of this name "
                "with one of the values as its default; write for example def {draw}({name}={first}).",
                **{"name": name, "values": values, "draw": draw.__name__, "first": values[0]},
            )
        )
    return parameter.default
