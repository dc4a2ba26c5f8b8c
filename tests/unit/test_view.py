"""A view shows the picture, a box for each digit, and what the network saw."""

import numpy as np
import pytest

from mnist_helpers import view
from mnist_helpers.drawing import FoundDigit

GREY = np.full((200, 300), 200, np.uint8)


def found(count):
    picture = np.tile(np.arange(28, dtype=np.uint8) * 9, (28, 1))
    return [FoundDigit((50, 20 + 8 * number, 60, 5), picture, (80.0, 22.5 + 8 * number)) for number in range(count)]


def test_the_picture_is_kept_and_boxes_are_drawn_in_the_colour_of_the_answer():
    image = np.asarray(view.view(GREY, found(1), [("7", 0.98)]))
    assert image.shape[0] > 200 and (image[150, 250] == 200).all()
    assert tuple(image[46, 22]) == view.SURE
    unsure = np.asarray(view.view(GREY, found(1), [("?", 0.4)]))
    assert tuple(unsure[46, 22]) == view.UNSURE


def test_what_the_network_saw_is_below_the_picture():
    image = np.asarray(view.view(GREY, found(1), [("7", 0.98)]))
    tile = image[200 + view.GAP : 200 + view.GAP + view.TILE, view.GAP : view.GAP + view.TILE, 0]
    assert np.array_equal(tile[::3, ::3], found(1)[0].picture)


@pytest.mark.parametrize("count", [0, 1, 4, 30])
def test_any_number_of_digits_fits(count):
    image = view.view(GREY, found(count), [("7", 0.98)] * count)
    assert image.width >= 300 and image.height >= 200
