"""The network at work in a real browser: the drawing, the maps, one number's origin, the answer, and words for it."""

import re

import numpy as np
import pytest
import torch

from mnist_helpers import data, export, layers
from mnist_helpers._support.paths import MODELS
from tests.browser import strokes
from tests.browser.own_page import serving_page
from tests.browser.visit import Visit

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<link rel="icon" href="data:,"><link rel="stylesheet" href="live.css"><title>Live</title>
<h1>Live</h1><p tabindex="0" id="before">Before</p><main><div class="live-pad"></div></main>
<script type="module" src="draw.js"></script></html>"""
EMPTY = "Nothing is drawn yet."
SURE = r"^I read {}, (over )?\d\d.% sure\.$"
LINE = np.array([[60, 70], [120, 130], [200, 220]])

INK = """document.querySelector(".live-canvas").getContext("2d").getImageData(0, 0, 280, 280)
    .data.reduce((a, b) => a + b) - 280 * 280 * 255"""
CLICK_AND_LOOK = f"button => {{ button.click(); return {INK}; }}"


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with serving_page(PAGE, tmp_path_factory.mktemp("live")) as address:
        yield address


@pytest.fixture
def visit(url, browser):
    with Visit(browser, url) as visit:
        visit.open("").locator(".live-large", has_text="7").wait_for()  # the example that is shown first
        yield visit
        visit.expect_quiet()


def expect(page, sentence):
    """Wait until the live region says a sentence that matches."""
    page.wait_for_function("pattern => document.querySelector('.live-status').textContent.match(pattern)", arg=sentence)


def drawn(page):
    """Wait until the page has been drawn anew."""
    page.evaluate("new Promise((next) => requestAnimationFrame(() => requestAnimationFrame(next)))")


def draw(page, lines):
    page.click(".live-clear")
    strokes.draw(page, lines, ".live-canvas")


def ink(page):
    """Return the sum of all grey values of the drawing."""
    return page.evaluate(INK)


def seen(page):
    """Return the picture that the network receives, uint8 [28, 28]."""
    values = page.eval_on_selector(
        ".live-stage canvas", "canvas => [...canvas.getContext('2d').getImageData(0, 0, 28, 28).data]"
    )
    return np.array(values, np.uint8).reshape(28, 28, 4)[:, :, 0]


def test_what_is_drawn_is_read_and_said(visit):
    page = visit.page
    draw(page, [strokes.smooth(line) for line in strokes.CAREFUL[3]])
    expect(page, SURE.format(3))
    assert page.inner_text(".live-large") == "3"
    bars = page.get_by_role("list", name="Probability of each digit").get_by_role("listitem")
    assert bars.nth(3).inner_text().split()[0] == "3" and page.locator(".live-best").count() == 1
    shown = page.eval_on_selector_all(".live-bar", "bars => bars.map(bar => Number(bar.dataset.probability))")
    images = data.normalise(torch.from_numpy(seen(page))[None])
    expected = export.run_onnx(MODELS / "report_net.onnx", images).exp()[0].numpy()
    assert np.abs(shown - expected).max() < 2e-3


def test_the_first_stroke_replaces_the_example_that_was_there(visit):
    strokes.draw(visit.page, [LINE], ".live-canvas")
    expect(visit.page, "^(?!I read 7)")
    visit.page.keyboard.press("Control+z")
    assert ink(visit.page) == 0


def test_a_key_draws_an_example_that_is_read(visit):
    visit.page.focus(".live-canvas")
    for digit in range(10):
        visit.page.keyboard.press(str(digit))
        expect(visit.page, SURE.format(digit))


def test_buttons_draw_examples_take_back_and_clear(visit):
    page = visit.page
    page.get_by_role("button", name="Example 4").click()
    expect(page, SURE.format(4))
    whole = ink(page)
    page.get_by_role("button", name="Undo").click()
    assert 0 < ink(page) < whole
    page.get_by_role("button", name="Clear").click()
    expect(page, EMPTY)
    assert ink(page) == 0 and page.inner_text(".live-large") == ""


@pytest.mark.parametrize("key", ["Escape", "Delete"])
def test_a_key_clears_the_pad(key, visit):
    visit.page.focus(".live-canvas")
    visit.page.keyboard.press(key)
    expect(visit.page, EMPTY)


def test_keys_elsewhere_leave_the_drawing_alone(visit):
    before = ink(visit.page)
    visit.page.focus("#before")
    for key in ["4", "Delete", "Backspace"]:
        visit.page.keyboard.press(key)
    drawn(visit.page)
    assert ink(visit.page) == before


def test_an_example_is_drawn_bit_by_bit_only_where_motion_is_wanted(url, browser):
    amounts = {}
    for motion in ("reduce", "no-preference"):
        with Visit(browser, url, reduced_motion=motion) as visit:
            page = visit.open("")
            expect(page, SURE.format(7))
            first = page.get_by_role("button", name="Example 8").evaluate(CLICK_AND_LOOK)  # before a frame is drawn
            expect(page, SURE.format(8))
            amounts[motion] = first / ink(page)
    assert amounts["reduce"] == 1 and amounts["no-preference"] < 1


def test_two_digits_and_none_are_said_to_be_so(visit):
    page = visit.page
    draw(page, [LINE * [0.3, 1], LINE * [0.3, 1] + [180, 0]])
    expect(page, "^Two digits?")
    assert page.inner_text(".live-large") == "?"
    page.click(".live-clear")
    page.locator(".live-canvas").click()
    expect(page, "^This is no digit yet")


def test_a_link_holds_the_drawing(visit, url, browser):
    page = visit.page
    page.get_by_role("button", name="Example 5").click()
    expect(page, SURE.format(5))
    page.get_by_role("button", name="Copy link").click()
    page.wait_for_function("location.hash.length > 10")
    with Visit(browser, url) as other:
        opened = other.open(page.url.removeprefix(url))
        expect(opened, SURE.format(5))
        assert ink(opened) == pytest.approx(ink(page), rel=0.03)


def test_a_damaged_link_shows_the_example(url, browser):
    with Visit(browser, url) as visit:
        for fragment in ["#digit=", "#digit=%", "#digit=____", "#digit=AAA" + "A" * 30_000, "#other"]:
            expect(visit.open(fragment), SURE.format(7))
            visit.expect_quiet()


def stage_outputs(picture):
    """Return the maps [1, C, H, W] of the report's two convolutional layers for a picture, computed by PyTorch."""
    found = layers.read_layers(MODELS / "report_net.onnx")
    weights = [torch.from_numpy(array.astype(np.float16).astype(np.float32)) for array in found.weights[:4]]
    maps = [data.normalise(torch.from_numpy(picture)[None])]
    for weight, bias in (weights[:2], weights[2:]):
        maps.append(torch.max_pool2d(torch.conv2d(maps[-1], weight, bias), 2).relu())
    return maps[1:]


def slide(page, name, value):
    page.eval_on_selector(
        f".origin-{name}",
        "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input', { bubbles: true })); }",
        str(value),
    )


def test_one_number_comes_from_where_pytorch_has_it_from(visit):
    page = visit.page
    maps = stage_outputs(seen(page))
    for stage in (0, 1):
        slide(page, "stage", stage)
        for channel, row, column in [(0, 1, 1), (4, 2, 2), (9, 3, 1)]:
            for name, value in [("channel", channel), ("row", row), ("column", column)]:
                slide(page, name, value)
            expected = maps[stage][0, channel, row, column].item()
            shown = float(page.inner_text(".origin-value").replace("−", "-"))
            assert shown == pytest.approx(expected, abs=0.006), (stage, channel, row, column)


def test_the_steps_name_what_they_add(visit):
    page = visit.page
    slide(page, "stage", 1)
    steps = page.inner_text(".origin-steps")
    assert "250 products from 10 maps add up to" in steps and "is the largest of" in steps
    products, total = (page.locator(f".origin-{name} span") for name in ("products", "filter"))
    assert products.count() == total.count() == 25
    assert page.get_attribute(".origin-channel", "aria-valuetext").endswith("of 0 to 19")


def test_all_places_of_a_layer_share_one_scale(visit):
    page = visit.page
    largest = np.abs(data.normalise(torch.from_numpy(seen(page))[None]).numpy()).max()
    for stage in (0, 1):
        slide(page, "stage", stage)
        scales = set()
        for row, column in [(0, 0), (2, 2), (3, 1)]:
            slide(page, "row", row)
            slide(page, "column", column)
            scales.add(page.inner_text(".origin-patch-scale"))
        assert len(scales) == 1 and (stage == 1 or scales == {f"±{largest:.1f}"})


@pytest.mark.parametrize("width", [1440, 390])
def test_a_finger_fits_on_an_example(width, url, browser):
    with Visit(browser, url, width) as visit:
        page = visit.open("")
        boxes = [button.bounding_box() for button in page.locator(".live-sample").all()]
        assert len(boxes) == 10 and all(min(box["width"], box["height"]) >= 44 for box in boxes)


def test_the_pointer_on_a_map_chooses_and_a_click_keeps(visit):
    page = visit.page
    tiles = page.get_by_role("img", name="Layer 1: 10 maps")
    box = tiles.bounding_box()
    column, row = box["width"] * 0.75, box["height"] * 0.5  # the third map of the second column
    page.mouse.move(box["x"] + column, box["y"] + row)
    assert page.input_value(".origin-channel") == "7"
    page.mouse.move(box["x"] + column, box["y"] + row + 3)
    page.mouse.move(box["x"], box["y"] - 30)
    assert page.input_value(".origin-channel") == "0"
    tiles.click(position={"x": column, "y": row})
    page.mouse.move(box["x"], box["y"] - 30)
    assert page.input_value(".origin-channel") == "7"
    assert page.locator(".live-frame:visible").count() == 2


def test_the_other_network_shows_its_own_maps(visit):
    page = visit.page
    page.get_by_label("the course's best").check()
    page.get_by_role("img", name="Layer 1: 24 maps").wait_for()
    expect(page, SURE.format(7))
    assert page.get_by_role("img", name=re.compile("^Layer")).count() == 5
    slide(page, "stage", 3)
    assert "Batch norm" in page.inner_text(".origin-steps")
    page.get_by_label("of chapter 04").check()
    page.get_by_role("img", name="Layer 1: 10 maps").wait_for()


COVER = """async () => {
    const { loadNetwork } = await import("./network.js");
    const { occlusion } = await import("./occlusion.js");
    const { sample } = await import("./samples.js");
    const canvas = document.querySelector(".live-stage canvas");
    const { data } = canvas.getContext("2d").getImageData(0, 0, 28, 28);
    const picture = Uint8Array.from({ length: 784 }, (_, n) => data[4 * n]);
    return occlusion(await loadNetwork("report_net"), picture, 7, () => true);
}"""


def test_probabilities_under_the_square_are_those_of_onnx_runtime(visit):
    page = visit.page
    picture, found = seen(page), page.evaluate(COVER)
    covered = np.repeat(picture[None], 121, axis=0)
    for copy, place in zip(covered, found["places"], strict=True):
        copy[place["row"] : place["row"] + 8, place["column"] : place["column"] + 8] = 0
    expected = export.run_onnx(MODELS / "report_net.onnx", data.normalise(torch.from_numpy(covered))).exp()[:, 7]
    assert np.abs(np.array([place["after"] for place in found["places"]]) - expected.numpy()).max() < 5e-3
    page.wait_for_function("document.querySelectorAll('.live-stage small')[1].textContent.startsWith('Cover it')")


def test_a_network_that_cannot_be_loaded_gets_a_sentence(url, browser):
    with Visit(browser, url) as visit:
        visit.context.route("**/report_net.bin", lambda route: route.fulfill(status=404))
        expect(visit.open(""), "^The network could not be loaded")
        visit.page.get_by_label("the course's best").check()
        expect(visit.page, SURE.format(7))
        visit.page.get_by_label("of chapter 04").check()
        expect(visit.page, "^The network could not be loaded")
        visit.page.locator(".live-sample").nth(3).click()
        visit.page.wait_for_timeout(500)  # the best network must not answer for the report's
        expect(visit.page, "^The network could not be loaded")


def test_a_view_needs_nothing_but_an_element_and_a_network_and_leaves_nothing(visit):
    page = visit.page
    page.evaluate("""async () => {
        const [{ mount }, { loadNetwork }] = await Promise.all([import("./live.js"), import("./network.js")]);
        document.body.insertAdjacentHTML("beforeend", "<div id='mine'></div>");
        window.remove = mount(document.getElementById("mine"), await loadNetwork("report_net"));
    }""")
    page.locator("#mine .live-sample").nth(6).click()
    page.wait_for_function("document.querySelector('#mine .live-status').textContent.startsWith('I read 6')")
    assert not page.locator("#mine .live-choice").is_visible() and not page.locator("#mine .live-link").is_visible()
    page.evaluate("remove()")
    assert page.locator("#mine *").count() == 0


@pytest.mark.parametrize("width", [320, 390, 768, 1440])
def test_the_view_fits_the_window_and_is_accessible(width, url, browser):
    with Visit(browser, url, width) as visit:
        page = visit.open("")
        expect(page, SURE.format(7))
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        sizes = page.eval_on_selector_all(
            ".live button", "all => all.map(one => [one.offsetWidth, one.offsetHeight]).filter(size => size[0])"
        )
        assert min(min(size) for size in sizes) >= 22
        assert visit.axe_findings() == []


@pytest.mark.slow  # it adds up what others show faster: drawings are prepared, and numbers computed, as in Python
@pytest.mark.parametrize("name, hand", [("the course's best", "european"), ("of chapter 04", "hasty")])
def test_the_digits_of_a_hand_are_read(name, hand, visit):
    page, wrong = visit.page, []
    page.get_by_label(name).check()
    for digit, lines in strokes.digits(hand):
        draw(page, lines)
        drawn(page)
        if page.inner_text(".live-large") != str(digit):
            wrong.append((digit, page.inner_text(".live-sentence")))
    assert len(wrong) <= 1, wrong
