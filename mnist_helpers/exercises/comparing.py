"""Compare what a student's function returned with what was expected, and say in a sentence how they differ."""

import numpy as np
import torch

from mnist_helpers._support.translation import say
from mnist_helpers.exercises.judging import NotYet


def same(got, expected, wrong: dict | list | tuple = (), otherwise: str = "", given: str = "") -> None:
    """Raise NotYet unless `got` has the same shape as `expected` and, up to rounding, the same values.

    Both may be numbers, lists, NumPy arrays or tensors of any dtype. `wrong` maps the results of known mistakes to
    explanations, as a dict or, if the results are arrays, as a list of pairs. Any other result gets `otherwise`, the
    expected and the found values and, if `given` describes the input in words, that.
    """
    found, right = array(got), array(expected)
    if _equal(found, right):
        return
    for value, reason in wrong.items() if isinstance(wrong, dict) else wrong:
        if _equal(found, array(value)):
            raise NotYet(reason)
    if found.shape != right.shape:
        what = "your answer has {found}, but {right} was expected."
        if not found.ndim:
            what = "your answer is {found}, but {right} was expected."
        what = say(what, found=_form(found), right=_form(right))
    else:
        what = _difference(found, right)
    if otherwise and not given:
        what = what[0].upper() + what[1:]  # it begins a sentence
    raise NotYet(otherwise, say("For {given}, {what}", given=given, what=what) if given else what)


def _form(values: np.ndarray) -> str:
    return say("the shape {shape}", shape=list(values.shape)) if values.ndim else "a single number"


def _difference(found: np.ndarray, right: np.ndarray) -> str:
    """Return a sentence with the expected and the found values, or with the first of them that differ."""
    if right.size <= 10:
        text = "{right} was expected, but your function returned {found}."
        return say(text, right=_short(right), found=_short(found))
    where = tuple(int(index) for index in np.argwhere(~np.isclose(found, right, rtol=1e-4, atol=1e-5))[0])
    place = f"[{', '.join(map(str, where))}]"
    text = "{right:.4g} was expected at index {place}, but your function returned {found:.4g} there."
    return say(text, right=right[where], place=place, found=found[where])


def array(value) -> np.ndarray:
    """Convert a returned value to a float64 array. Raises NotYet if it is not numeric."""
    try:
        if isinstance(value, (str, bytes)):
            raise TypeError  # "3" is no number, although NumPy would read it as one
        if isinstance(value, torch.Tensor):
            value = value.detach().cpu().double().numpy()
        if isinstance(value, (list, tuple)):
            value = [array(item) for item in value]
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise NotYet("your function returned {kind}, but numbers were expected.", kind=type(value).__name__) from None


def _equal(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape and np.allclose(one, other, rtol=1e-4, atol=1e-5)


def _short(values: np.ndarray) -> str:
    if values.ndim == 0:
        return f"{values:.6g}"
    if np.isfinite(values).all() and np.array_equal(values, values.round()) and np.abs(values).max(initial=0) < 1e9:
        return str(values.astype(int).tolist())  # 60000, not 6.e+04
    return np.array2string(values, precision=4, separator=", ").replace("\n", "")  # in one line
