"""The moving filter in a real browser: the numbers are PyTorch's, and pointer, keys and buttons fill the map."""

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mnist_helpers import data, layers
from mnist_helpers._support.paths import MODELS
from mnist_helpers.widgets.modules import one_module
from mnist_helpers.widgets.moving_filter import MovingFilter
from tests.browser.own_page import serving_page, stop_clock
from tests.browser.visit import Visit

# as anywidget does: the one module is loaded from a Blob, and gets a model and an element
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<link rel="icon" href="data:,"><link rel="stylesheet" href="live.css"><title>Filter</title>
<h1>Filter</h1><main id="here"></main><script type="module">
const blob = new Blob([await (await fetch("widget.js")).text()], { type: "text/javascript" });
const { default: widget } = await import(URL.createObjectURL(blob));
const state = await (await fetch("state.json")).json();
window.remove = widget.render({ model: { get: () => state }, el: document.getElementById("here") });
</script></html>"""
KERNEL = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]])
GREY = [217, 217, 217]


@pytest.fixture(scope="module")
def digit():
    return data.load("test")[0][:1]


@pytest.fixture(scope="module")
def url(tmp_path_factory, digit):
    folder = tmp_path_factory.mktemp("filter")
    (folder / "widget.js").write_text(one_module("moving_filter.js"), encoding="utf-8")
    filters = {"left to right": KERNEL, "top to bottom": KERNEL.T}
    (folder / "state.json").write_text(json.dumps(MovingFilter(digit[0, 0], filters).state))
    with serving_page(PAGE, folder) as address:
        yield address


@pytest.fixture
def visit(url, browser):
    with Visit(browser, url) as visit:
        visit.open("").locator(".moving-digit").wait_for()
        yield visit
        visit.expect_quiet()


def shown_map(page):
    """Return the colours of the map, [H, W, 3]."""
    shape, values = page.eval_on_selector(
        ".moving-map",
        """canvas => [[canvas.height, canvas.width],
            [...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data]]""",
    )
    return np.reshape(values, (*shape, 4))[:, :, :3]


def reached(page):
    return (shown_map(page) != GREY).any(axis=2)


def value(page):
    return float(page.inner_text(".origin-value").replace("−", "-"))


def to(page, row, column, size, canvas=".moving-digit", side=28):
    """Move the pointer so that it holds the filter in its middle at a place of the map."""
    box = page.locator(canvas).bounding_box()
    x, y = ((place + size / 2) / side for place in (column, row))
    page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])


def test_it_starts_where_the_chapter_computes_by_hand(visit):
    assert visit.page.inner_text(".origin-value") == "10.27"
    assert "9 products add up to 10.27." in visit.page.inner_text(".origin-steps")
    assert [list(place) for place in np.argwhere(reached(visit.page))] == [[7, 5]]


@pytest.mark.parametrize("name", ["left to right", "top to bottom", "learnt 0", "learnt 7"])
def test_sums_are_those_of_pytorch(name, visit, digit):
    page = visit.page
    page.get_by_label(name).check()
    if name.startswith("learnt"):
        number = int(name.removeprefix("learnt "))
        weights, biases = layers.read_layers(MODELS / "report_net.onnx").weights[:2]
        weight, bias = torch.tensor(weights[number])[None], torch.tensor(biases[number : number + 1])
    else:
        weight, bias = {"l": KERNEL, "t": KERNEL.T}[name[0]].reshape(1, 1, 3, 3), torch.zeros(1)
    expected, size = F.conv2d(digit, weight, bias)[0, 0], weight.shape[-1]
    for row, column in [(0, 0), (7, 6), (8, 15), (20, 9), (len(expected) - 1, len(expected) - 1)]:
        to(page, row, column, size)
        assert value(page) == pytest.approx(expected[row, column].item(), abs=0.006), (row, column)
        assert page.locator(".origin-products span").count() == size * size
    assert ("Bias" in page.inner_text(".origin-steps")) == name.startswith("learnt")


def test_the_whole_map_has_the_signs_of_pytorch(visit, digit):
    page = visit.page
    page.get_by_role("button", name="Slide over all places").click()  # at once, since no motion is wanted
    colours = shown_map(page)
    expected = F.conv2d(digit, KERNEL.reshape(1, 1, 3, 3))[0, 0].numpy()
    red, blue = colours[:, :, 0] > colours[:, :, 2], colours[:, :, 0] < colours[:, :, 2]
    clear = np.abs(expected) > 0.1
    assert colours.shape[:2] == (26, 26) and reached(page).all()
    assert np.array_equal(red[clear], expected[clear] > 0) and np.array_equal(blue[clear], expected[clear] < 0)


def test_a_quick_pointer_leaves_no_gap_and_the_map_can_be_emptied(visit):
    page = visit.page
    to(page, 7, 15, 3)
    assert reached(page)[7, 5:16].all() and reached(page).sum() == 11
    page.get_by_role("button", name="Empty the map").click()
    assert reached(page).sum() == 1


def test_the_pointer_on_the_map_moves_the_filter_too(visit):
    to(visit.page, 20, 9, 1, ".moving-map", side=26)
    visit.page.locator(".moving-status", has_text="Row 20, column 9: ").wait_for(state="attached")


def test_arrow_keys_move_it_and_stop_at_the_border(visit):
    page = visit.page
    page.focus(".moving-digit")
    for key in ["ArrowDown", "ArrowRight", *["ArrowUp"] * 12]:
        page.keyboard.press(key)
    page.locator(".moving-status", has_text="Row 0, column 6: ").wait_for(state="attached")
    assert page.get_attribute(".moving-status", "role") == "status"


def test_another_filter_keeps_the_place_and_begins_its_own_map(visit):
    page = visit.page
    to(page, 25, 25, 3)
    page.get_by_label("learnt 3").check()
    assert reached(page).sum() == 1 and reached(page)[23, 23]


def test_it_slides_step_by_step_only_where_motion_is_wanted_and_can_be_stopped(url, browser):
    with Visit(browser, url, reduced_motion="no-preference") as visit:
        page = visit.open("")
        stop_clock(page)
        page.get_by_role("button", name="Slide over all places").click()
        page.clock.run_for(500)
        page.get_by_role("button", name="Stop").click()
        so_far = reached(page).sum()
        page.clock.run_for(500)
        assert 0 < so_far < 26 * 26 and reached(page).sum() == so_far


@pytest.mark.parametrize("canvas", [".moving-digit", ".moving-map"])
def test_it_slides_on_under_a_pointer_that_crosses_it_until_a_click(canvas, url, browser):
    with Visit(browser, url, reduced_motion="no-preference") as visit:
        page = visit.open("")
        stop_clock(page)
        page.get_by_role("button", name="Slide over all places").click()
        for row in (5, 15, 10):
            to(page, row, 20, 1, canvas)
        so_far = reached(page).sum()
        page.get_by_role("button", name="Stop").wait_for()
        page.clock.run_for(500)
        assert reached(page).sum() > so_far
        page.mouse.down()
        page.get_by_role("button", name="Slide over all places").wait_for()
        assert reached(page).sum() < 26 * 26


def shades(page, square):
    """Return the numbers of a square and how strong their colours are."""
    cells = page.locator(f".origin-{square} span")
    colours = cells.evaluate_all("cells => cells.map(cell => getComputedStyle(cell).backgroundColor)")
    strengths = [float(colour.rstrip(")").split(",")[3]) if colour.startswith("rgba") else 1 for colour in colours]
    return [abs(float(text.replace("−", "-"))) for text in cells.all_inner_texts()], strengths


def test_patches_share_one_scale_which_is_written_under_them(visit):
    page = visit.page
    assert page.inner_text(".origin-patch-scale") == "±2.8"  # the whitest pixel of the digit
    assert page.get_by_text("The scale under each square is the same at all places.").is_visible()
    for row, column in [(7, 5), (20, 9), (0, 0)]:
        to(page, row, column, 3)
        assert page.inner_text(".origin-patch-scale") == "±2.8"
        for square, most in [("patch", 2.82), ("filter", 2), ("products", 5.64)]:
            numbers, strengths = shades(page, square)
            expected = pytest.approx([0.5 * number / most for number in numbers], abs=0.02)
            assert strengths == expected, (row, column, square)


@pytest.mark.parametrize("width", [1440, 390])
def test_the_pictures_of_the_filters_are_large(width, url, browser):
    with Visit(browser, url, width) as visit:
        page = visit.open("")
        page.locator(".moving-digit").wait_for()
        sizes = page.locator(".moving-choice canvas").evaluate_all("all => all.map((one) => one.clientWidth)")
        assert len(sizes) == 12 and min(sizes) >= 44


def test_it_leaves_nothing_behind(visit):
    visit.page.evaluate("remove()")
    assert visit.page.locator("#here *").count() == 0


@pytest.mark.parametrize("width", [320, 390, 768, 1440])
def test_it_fits_the_window_and_is_accessible(width, url, browser):
    with Visit(browser, url, width) as visit:
        page = visit.open("")
        page.get_by_label("learnt 7").check()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert visit.axe_findings() == []


def test_rounded_numbers_are_not_called_equal(visit):
    page = visit.page
    page.get_by_label("learnt 7").check()
    signs = set()
    for column in range(0, 24, 2):
        to(page, 12, column, 5)
        sign = page.locator(".origin-steps dd").nth(1).inner_text().replace("−", "-").split()
        left, right = round(float(sign[0]) + float(sign[2]) * {"+": 1, "-": -1}[sign[1]], 2), float(sign[4])
        assert (sign[3] == "=") == (left == right), sign
        signs.add(sign[3])
    assert signs == {"=", "≈"}
