"""A wrong value is described beside the right one."""

import re

import numpy as np
import pytest

from mnist_helpers.exercises.comparing import same
from mnist_helpers.exercises.judging import NotYet


@pytest.mark.parametrize(
    "got, expected, options, said",
    [
        (3, 6, {}, "6 was expected, but your function returned 3."),
        (3, 6, {"given": "the number 3"}, "For the number 3, 6 was expected, but your function returned 3."),
        (3, 6, {"otherwise": "Too small."}, "Too small. 6 was expected, but your function returned 3."),
        (np.eye(4), np.zeros((4, 4)), {}, "0 was expected at index [0, 0], but your function returned 1 there."),
        ([1, 2], [1, 2, 3], {}, "your answer has the shape [2], but the shape [3] was expected."),
        ([1, 2], 3, {"otherwise": "Add them up."}, "Add them up. Your answer has the shape [2]"),
        ("3", 3, {}, "your function returned str, but numbers were expected."),
        ([1, 2], 3, {}, "your answer has the shape [2], but a single number was expected."),
        (3, [1, 2], {}, "your answer is a single number, but the shape [2] was expected."),
        ([60_000, 28], [600, 28], {}, "[600, 28] was expected, but your function returned [60000, 28]."),
        ([0.5, 28], [600, 28], {}, "[600, 28] was expected, but your function returned [ 0.5, 28. ]."),
    ],
)
def test_a_wrong_value_is_shown_beside_the_expected_one(got, expected, options, said):
    with pytest.raises(NotYet, match=re.escape(said)):
        same(got, expected, **options)
