"""Digits are found where they were written, whatever paper and light; what is no writing is left out."""

import numpy as np
import pytest
import reading
from scipy import ndimage

from mnist_helpers import data, segment

PLACE = (100, 150)  # top and left of a digit
HEIGHT = 200


@pytest.fixture(scope="module")
def digits():
    """The first test digits uint8 [20, 28, 28], and their labels."""
    images, labels = data.load_raw("test")
    return images[:20].numpy(), labels[:20].numpy()


@pytest.fixture
def sheet(digits):
    """A sheet with the first test digit, a 7."""
    sheet = reading.Sheet(np.random.default_rng(1))
    sheet.write(digits[0][0], HEIGHT, *PLACE)
    return sheet


def only_box(grey):
    (part,) = segment.find(grey)
    return np.array(part.box)


def ink_box(sheet):
    rows, columns = np.nonzero(sheet.ink > 0.5)
    return np.array([rows.min(), columns.min(), np.ptp(rows) + 1, np.ptp(columns) + 1])


@pytest.mark.parametrize("light", ["even", "slanted", "shadow"])
@pytest.mark.parametrize("polarity", ["dark on light", "light on dark"])
def test_a_digit_is_found_where_it_was_written(sheet, light, polarity):
    rows = np.mgrid[0 : reading.SIDE, 0 : reading.SIDE][0]
    lights = {"even": 1.0, "slanted": 0.4 + 0.6 * rows / reading.SIDE, "shadow": np.where(rows < 200, 0.5, 1)}
    grey = sheet.photograph(light=lights[light])
    grey = 255 - grey if polarity == "light on dark" else grey
    assert np.abs(only_box(grey) - ink_box(sheet)).max() <= 4  # pixels


def test_the_ink_is_that_of_the_digit(sheet):
    (part,) = segment.find(sheet.photograph())
    top, left, height, width = part.box
    written = sheet.ink[top : top + height, left : left + width] > 0.5
    assert (part.ink != written).mean() < 0.06


@pytest.mark.parametrize("vertical", [False, True])
def test_ruled_lines_are_removed_and_the_strokes_that_they_cross_stay_whole(sheet, vertical):
    grey = reading.rules(sheet, sheet.rng, vertical).photograph()
    assert np.abs(only_box(grey) - ink_box(sheet)).max() <= 5


def test_ruled_lines_as_dark_as_the_ink_are_removed(sheet):
    sheet.paper[20::40] = reading.INK
    assert np.abs(only_box(sheet.photograph()) - ink_box(sheet)).max() <= 5


def test_a_stroke_is_no_ruled_line():
    marks = np.zeros((500, 500), bool)
    marks[240:270, 100:400] = True  # thick
    marks[100, 50:300] = True  # thin, but not across the sheet
    marks[400:402] = True
    assert segment.ruled_lines(marks).any(axis=1).nonzero()[0].tolist() == [400, 401]


def test_specks_and_what_lies_at_the_border_are_left_out(sheet):
    sheet.ink[20:24, 400:404] = 1
    sheet.ink[300:340, :30] = 1
    assert np.abs(only_box(sheet.photograph()) - ink_box_without(sheet)).max() <= 4


def ink_box_without(sheet):
    sheet.ink[:90] = 0
    sheet.ink[:, :40] = 0
    return ink_box(sheet)


@pytest.mark.parametrize("height", [0.05, 0.9])
def test_tiny_and_huge_digits_are_found(digits, height):
    sheet = reading.one(np.random.default_rng(3), digits[0][1:], height)
    assert np.abs(only_box(sheet.photograph()) - ink_box(sheet)).max() <= 6


def test_pieces_of_a_digit_are_joined_and_two_digits_are_not(digits):
    sheet = reading.Sheet(np.random.default_rng(1))
    sheet.write(digits[0][2], 200, 100, 60)
    sheet.write(digits[0][0], 200, 100, 300)
    sheet.ink[160:166, 280:] = 0  # a gap in the 7
    two, seven = segment.find(sheet.photograph())
    rows = np.nonzero(sheet.ink[:, 280:] > 0.5)[0]
    assert abs(seven.box[0] - rows.min()) <= 4 and abs(seven.box[2] - np.ptp(rows)) <= 6


def test_the_halves_of_a_broken_digit_are_joined_and_two_lines_are_not(digits):
    sheet = reading.Sheet(np.random.default_rng(1))
    sheet.write(digits[0][0], 200, 150, 100)
    whole = ink_box(sheet)
    sheet.ink[246:251] = 0
    assert np.abs(only_box(sheet.photograph()) - whole).max() <= 4
    lines = reading.Sheet(np.random.default_rng(1))
    lines.write(digits[0][0], 120, 100, 100)
    lines.write(digits[0][0], 120, 240, 100)
    assert len(segment.find(lines.photograph())) == 2


@pytest.mark.parametrize("number", [2, 3, 4])  # a 1, a 0 and a 4
def test_strokes_wider_than_the_window_are_ink(digits, number):
    sheet = reading.Sheet(np.random.default_rng(1))
    sheet.write(digits[0][number], 330, 80, 110, pen=30)
    for grey in (sheet.photograph(), 255 - sheet.photograph()):
        (part,) = segment.find(grey)
        top, left, height, width = part.box
        assert (part.ink != (sheet.ink[top : top + height, left : left + width] > 0.5)).mean() < 0.06


def test_a_dot_is_no_digit():
    sheet = reading.Sheet(np.random.default_rng(1))
    rows, columns = np.ogrid[: reading.SIDE, : reading.SIDE]
    sheet.ink[(rows - 200) ** 2 + (columns - 260) ** 2 < 12**2] = 1
    assert segment.find(sheet.photograph()) == []
    assert segment.find_drawn(np.uint8(255 * sheet.ink)) == []


def test_a_drawing_may_touch_the_border_and_is_small_or_large():
    drawn = np.zeros((280, 280), np.uint8)
    drawn[0:30, 250:256] = drawn[0:6, 235:256] = 255
    (part,) = segment.find_drawn(drawn)
    assert part.box == (0, 235, 30, 21)
    assert part.centre() == pytest.approx(ndimage.center_of_mass(drawn) + np.array(0.5))


def test_digits_come_line_by_line_and_from_left_to_right(digits):
    sheet = reading.Sheet(np.random.default_rng(1))
    places = [(40, 60), (55, 260), (250, 40), (240, 220), (260, 380)]
    for digit, place in zip(digits[0], places):
        sheet.write(digit, 90, *place)
    found = [part.box for part in segment.find(sheet.photograph())]
    assert [np.abs(np.array(box[:2]) - place).max() < 60 for box, place in zip(found, places)] == [True] * 5


@pytest.mark.parametrize(
    ("boxes", "expected"),
    [
        ([], []),
        ([(10, 5, 40, 20)], [""]),
        ([(10, 5, 40, 20), (12, 75, 40, 20)], ["", ""]),  # a gap of 50 pixels
        ([(10, 5, 40, 20), (12, 76, 40, 20)], ["", " "]),  # of 51
        ([(10, 5, 36, 20), (12, 76, 41, 20)], ["", ""]),  # the taller one counts
        ([(10, 5, 41, 20), (12, 76, 36, 20)], ["", ""]),
        ([(10, 5, 40, 20), (29, 30, 40, 20), (50, 58, 36, 20)], ["", "", ""]),  # a line that slopes down
        ([(50, 5, 40, 20), (29, 30, 40, 20), (10, 58, 36, 20)], ["", "", ""]),  # or up
        ([(10, 5, 40, 20), (60, 7, 40, 20), (110, 9, 40, 20)], ["", " ", " "]),  # a column that moves to the right
        ([(10, 5, 40, 20), (12, 35, 60, 20), (50, 5, 40, 20)], ["", "", " "]),  # two crowded lines
    ],
)
def test_a_new_number_begins_on_a_new_line_and_after_a_wide_gap(boxes, expected):
    assert segment.spaces(boxes) == expected


@pytest.mark.parametrize("condition", [reading.two_digits, reading.four_digits, reading.column_of_three])
def test_numbers_that_lie_on_their_side_are_told_from_upright_ones(condition, digits):
    pages = [page for page, _ in reading.pictures(condition, *digits, 20)]
    upright, turned = (
        sum(segment.lie_sideways([part.box for part in segment.find(page)]) for page in kind)
        for kind in (pages, [np.ascontiguousarray(np.rot90(page)) for page in pages])
    )
    assert upright == 0 and turned >= 10


def test_a_single_digit_may_be_wide():
    assert not segment.lie_sideways([(0, 0, 10, 30)])


@pytest.mark.parametrize("condition", [reading.noise_page, reading.blank_page])
def test_pages_without_writing_show_no_digit(condition, digits):
    pages = [page for page, _ in reading.pictures(condition, *digits, 20)]
    assert sum(bool(segment.find(page)) for page in pages) <= 1


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (3, 3), (28, 28), (40, 700)])
@pytest.mark.parametrize("value", [0, 128, 255])
def test_pictures_of_any_size_in_one_colour_show_no_digit(shape, value):
    assert segment.find(np.full(shape, value, np.uint8)) == []


def stroke(width):
    ink = np.zeros((100, 60), bool)
    ink[5:95, 30 - width // 2 : 30 - width // 2 + width] = True
    return ink


@pytest.mark.parametrize("width", [1, 2, 4, 8, 13, 20, 30])
def test_strokes_become_about_as_wide_as_those_of_mnist(width):
    even = segment.even_strokes(stroke(width))
    found = even[even.shape[0] // 2].sum()
    low, high = (share * 90 for share in segment.STROKE)
    assert 0.7 * low <= found <= 1.5 * high


def test_a_width_that_is_right_is_left_alone():
    ink = stroke(13)
    assert np.array_equal(segment.even_strokes(ink), ink[5:95, 24:37])


@pytest.mark.parametrize("width", [2, 13, 30])
def test_evened_strokes_reach_the_edges_of_their_picture(width):
    even = segment.even_strokes(stroke(width))
    assert all(edge.any() for edge in (even[0], even[-1], even[:, 0], even[:, -1]))


def test_widened_strokes_stay_in_one_piece(digits):
    for digit in digits[0][:10]:
        ink = np.kron(digit > 100, np.ones((8, 8))) > 0
        assert ndimage.label(segment.even_strokes(ink), segment.EIGHT)[1] <= ndimage.label(ink, segment.EIGHT)[1]
