"""The search for digits in the page against the one in Python: equal boxes and ink, pictures within one grey level."""

import base64

import numpy as np
import pytest
import reading
from PIL import Image

from mnist_helpers import data, drawing, image_files, segment
from tests.browser.own_page import serving_page
from tests.browser.visit import LONGEST

PAGE = """<!doctype html><link rel="icon" href="data:,"><title>Segment</title><script type="module">
  import { digitsOfDrawing, find, findDigits, findDrawn, lieSideways, spaces } from "./segment.js";
  const letters = (values) => btoa(Array.from(values, (value) => String.fromCharCode(value)).join(""));
  window.search = (drawn, picture, height, width) => {
    const grey = Uint8Array.from(atob(picture), (letter) => letter.charCodeAt(0));
    const digits = (drawn ? digitsOfDrawing : findDigits)(grey, height, width);
    const ink = (drawn ? findDrawn : find)(grey, height, width).map((part) => letters(part.ink.values));
    return digits.map((digit, n) => ({ ...digit, picture: letters(digit.picture), ink: ink[n] }));
  };
  window.lieSideways = lieSideways;
  window.spaces = spaces;
  window.ready = true;
</script>"""
SIZES = [(1, 1), (1, 9), (9, 1), (2, 3), (4, 30), (5, 5), (17, 6), (40, 300), (301, 62), (120, 121)]


@pytest.fixture(scope="module")
def page(browser, tmp_path_factory):
    with serving_page(PAGE, tmp_path_factory.mktemp("segment")) as address:
        page = browser.new_page()
        page.set_default_timeout(LONGEST)
        page.goto(address)
        page.wait_for_function("window.ready")
        yield page
        page.close()


@pytest.fixture(scope="module", name="reading")
def benchmark_and_digits():
    """The benchmark that makes pictures, and digits for it."""
    return reading, *(tensor.numpy()[-2000:] for tensor in data.load_raw("train"))


def bytes_of(text, shape):
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(shape).astype(int)


def check(page, grey, drawn=False):
    """Search a picture or a drawing uint8 [H, W] on both sides and return how many digits were found."""
    parts = segment.find_drawn(grey) if drawn else segment.find(grey)
    digits = drawing.digits_of_drawing(grey) if drawn else drawing.find_digits(grey)
    given = [drawn, base64.b64encode(grey.tobytes()).decode(), *grey.shape]
    found = page.evaluate("given => search(...given)", given)
    assert [tuple(digit["box"]) for digit in found] == [part.box for part in parts]
    for there, part, digit in zip(found, parts, digits):
        assert there["centre"] == pytest.approx(digit.centre)
        assert np.array_equal(bytes_of(there["ink"], part.ink.shape), part.ink)
        assert np.abs(bytes_of(there["picture"], (28, 28)) - digit.picture).max() <= 1
    return len(found)


@pytest.mark.parametrize("number", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_digits_are_found_as_in_python_in_all_conditions(page, reading, number):
    benchmark, images, labels = reading
    counts = {}
    for condition in benchmark.DIGITS_IN:
        for picture, _ in benchmark.pictures(condition, images, labels, number):
            counts[condition.__name__] = check(page, image_files.clearest_grey(Image.fromarray(picture)))
    assert len(counts) == 26 and counts["four_digits"] == 4 and counts["blank_page"] == 0


@pytest.mark.parametrize("shape", SIZES, ids=str)
def test_small_and_narrow_pictures_give_what_python_gives(page, shape):
    random = np.random.default_rng(shape)
    check(page, np.full(shape, 200, np.uint8))
    check(page, random.integers(0, 256, shape).astype(np.uint8))
    check(page, np.where(random.random(shape) < 0.1, 30, 220).astype(np.uint8))
    coarse = np.kron(random.integers(0, 2, (-(-shape[0] // 6), -(-shape[1] // 6))), np.ones((6, 6)))
    check(page, np.uint8(230 - 180 * coarse[: shape[0], : shape[1]]))


def test_pictures_of_many_sizes_light_writing_and_odd_shapes_give_what_python_gives(page, reading):
    benchmark, images, labels = reading
    random = np.random.default_rng(1)
    for number, (picture, _) in enumerate(benchmark.pictures(benchmark.squared_paper, images, labels, 8)):
        width, height = random.integers(60, 800, 2)
        grey = np.asarray(Image.fromarray(picture).resize((width, height)))
        assert check(page, 255 - grey if number % 2 else grey) > 0 or min(width, height) < 200


@pytest.mark.parametrize("shape", [(14, 8), (20, 6), (25, 8), (60, 9), (60, 36), (90, 3)], ids=str)
def test_strokes_of_bars_and_blocks_are_evened_out_as_in_python(page, shape):
    assert check(page, np.pad(np.zeros(shape, np.uint8), 30, constant_values=255)) == 1


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_drawings_give_what_python_gives(page, reading, count):
    benchmark, images, _ = reading
    for number in range(5):
        random = np.random.default_rng([number, count])
        sheet = benchmark.Sheet(random)
        for place in range(count):
            sheet.write(images[random.integers(len(images))], 170, random.integers(-20, 330), -20 + 200 * place)
        drawn = np.uint8(255 * sheet.ink)[:, : random.integers(300, 501)]
        assert check(page, np.ascontiguousarray(drawn), drawn=True) <= count


@pytest.mark.parametrize("shape", SIZES, ids=str)
def test_drawings_of_any_kind_give_what_python_gives(page, shape):
    random = np.random.default_rng(shape)
    for least in (0, 128, 250):
        check(page, random.integers(least, 256, shape).astype(np.uint8), drawn=True)
    check(page, np.where(random.random(shape) < 0.1, 200, 20).astype(np.uint8), drawn=True)


def test_boxes_on_their_side_are_told_as_in_python(page):
    random = np.random.default_rng(3)
    cases = [random.integers(1, 300, (count, 4)).tolist() for count in random.integers(0, 4, 200)]
    said = page.evaluate("cases => cases.map(lieSideways)", cases)
    assert said == [segment.lie_sideways(boxes) for boxes in cases] and 40 < sum(said) < 160


def test_numbers_are_told_apart_as_in_python(page):
    random = np.random.default_rng(4)
    cases = [random.integers(1, 60, (count, 4)).tolist() for count in random.integers(0, 4, 200)]
    cases += [[[10, 5, 40, 20], [12, left, 40, 20]] for left in (75, 76)]  # a gap at the limit, and a wider one
    said = page.evaluate("cases => cases.map(spaces)", cases)
    assert said == [segment.spaces(boxes) for boxes in cases] and said[-2:] == [["", ""], ["", " "]]
