"""The pad in a real browser: drawing, asking, saying; and the preparation in the page against the one in Python."""

import numpy as np
import pytest

from mnist_helpers import drawing
from tests.browser import strokes
from tests.browser.own_page import serving_page, stop_clock
from tests.browser.visit import LONGEST

# answers as Python does, but with a network of the test's own; notes what it was asked
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<link rel="icon" href="data:,"><link rel="stylesheet" href="pad.css">
<title>Pad</title><p id="before">Before the pad</p><main></main>
<script type="module">
  import widget, { createPad } from "./pad.js";
  import { digitsOfDrawing } from "./segment.js";
  const seven = Array.from({ length: 10 }, (_, digit) => (digit === 7 ? 0.91 : 0.01));
  Object.assign(window, { asked: [], answered: 0 });
  window.network = async () => seven;
  window.read = async (ink) => {
    asked.push(ink);
    const digits = digitsOfDrawing(ink, 280, 280);
    const probabilities = digits.length ? await network() : null;
    answered++;
    return digits.map((digit) => ({ ...digit, probabilities }));
  };
  window.widget = widget;
  window.remove = createPad(document.querySelector("main"), (ink) => read(ink), { patience: 1500 });
</script></html>"""
EMPTY = "Nothing is drawn yet."
NO_DIGIT = "This is no digit yet; draw on, or clear the pad."
SEVEN = "This looks like a\u00a07, 91\u00a0% sure."
LINE = np.array([[60, 70], [120, 130], [200, 220]])
MORE_HANDS = ["hasty", "european"]


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with serving_page(PAGE, tmp_path_factory.mktemp("pad")) as address:
        yield address


@pytest.fixture
def open_page(browser, url):
    """Open the test's page in a fresh context with the given options; an error in the page fails the test."""
    contexts, errors = [], []

    def open_page(path="", **options):
        contexts.append(browser.new_context(viewport={"width": 1000, "height": 700}, **options))
        contexts[-1].set_default_timeout(LONGEST)
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(url + path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []


@pytest.fixture
def page(open_page):
    page = open_page()
    page.wait_for_selector(".pad-canvas")
    return page


def greys(page, selector, side):
    """The grey values on a canvas: uint8 [side, side]."""
    letters = page.eval_on_selector(
        selector,
        """(canvas, side) => {
            const { data } = canvas.getContext("2d").getImageData(0, 0, side, side);
            return Array.from({ length: side * side }, (_, n) => String.fromCharCode(data[4 * n])).join("");
        }""",
        side,
    )
    return np.frombuffer(letters.encode("latin-1"), np.uint8).reshape(side, side)


def ink(page):
    """The drawing on the pad."""
    return greys(page, ".pad-canvas", 280)


def picture(page):
    """The picture that the network receives, as the page shows it, in signed numbers."""
    return greys(page, ".pad-picture", 28).astype(int)


def set_network(page, function):
    """Let a JavaScript function of no arguments give the probabilities; `works` is the one that says 7."""
    page.evaluate(f"() => {{ window.works ??= network; window.network = {function}; }}")


def expect_status(page, sentence):
    """Wait until the live region says the sentence."""
    page.wait_for_function("text => document.querySelector('.pad-status').textContent === text", arg=sentence)


def places(page, points):
    box = page.locator(".pad-canvas").bounding_box()
    return [(box["x"] + x * box["width"] / 280, box["y"] + y * box["height"] / 280) for x, y in points]


def rest(page):
    """Wait until what was done has been drawn, and the last question is answered."""
    page.evaluate("new Promise((next) => requestAnimationFrame(() => requestAnimationFrame(next)))")
    page.wait_for_function("answered === asked.length")


def expect_alive(page):
    """The pad can be cleared and answers to a new stroke."""
    page.click(".pad-clear")
    expect_status(page, EMPTY)
    assert not ink(page).any()
    strokes.draw(page, [LINE])
    expect_status(page, SEVEN)


# One hand shows whether both prepare alike; test_segment.py compares many drawings more
@pytest.mark.parametrize("hand", ["careful", *(pytest.param(hand, marks=pytest.mark.slow) for hand in MORE_HANDS)])
def test_the_page_prepares_as_python_does(page, hand):
    for digit, lines in strokes.digits(hand):
        page.click(".pad-clear")
        strokes.draw(page, lines)
        rest(page)
        (there,) = drawing.digits_of_drawing(ink(page))
        assert np.abs(picture(page) - there.picture).max() <= 1, digit
        box, centre = page.evaluate("async () => { const [d] = await read(asked.at(-1)); return [d.box, d.centre]; }")
        assert tuple(box) == there.box and centre == pytest.approx(there.centre), digit
        height, width = there.box[2:]
        assert f"{width}\u00a0×\u00a0{height} pixels" in page.inner_text(".pad-explanation")


def test_the_explanation_names_the_size_of_the_digit_in_the_picture(page):
    strokes.draw(page, [LINE])
    expect_status(page, SEVEN)
    rows, columns = np.nonzero(picture(page))
    size = f"{np.ptp(columns) + 1}\u00a0×\u00a0{np.ptp(rows) + 1}"
    assert f"fitted into {size} and" in page.inner_text(".pad-explanation")


@pytest.mark.parametrize("grey", [0, 255])
def test_a_page_full_of_one_grey_has_no_digit(page, grey):
    assert page.evaluate("grey => read(new Uint8Array(280 * 280).fill(grey))", grey) == []


def test_two_digits_are_marked_and_not_squeezed_into_one_picture(page):
    strokes.draw(page, [LINE / 2, LINE / 2 + [130, 0]])
    expect_status(page, "Two digits? Clear the pad and draw one, or join its parts.")
    assert strokes.probabilities(page) == [0] * 10 and not picture(page).any()
    assert page.locator(".pad-overlay .pad-box").count() == 2


def test_an_empty_pad_says_so_and_runs_no_network(page):
    expect_status(page, EMPTY)
    assert strokes.probabilities(page) == [0] * 10
    assert page.evaluate("asked.length") == 0
    assert page.get_attribute(".pad-status", "role") == "status"
    assert not page.locator(".pad-value").first.is_visible()


def test_ten_probabilities_are_a_list_with_values_as_text(page):
    strokes.draw(page, [LINE])
    expect_status(page, SEVEN)
    bars = page.get_by_role("list", name="Probability of each digit").get_by_role("listitem")
    assert [text.split() for text in bars.all_inner_texts()][6:8] == [["6", "1.0", "%"], ["7", "91.0", "%"]]
    assert page.get_attribute('.pad-bar[data-digit="7"]', "data-probability") == "0.91"
    assert page.locator(".pad-best").count() == 1


def test_a_click_is_a_dot_which_is_no_digit(page):
    page.mouse.click(*places(page, [(100, 150)])[0])
    expect_status(page, NO_DIGIT)
    rows, columns = np.nonzero(ink(page) > 127)
    assert [rows.min(), rows.max(), columns.min(), columns.max()] == pytest.approx([139, 161, 89, 111], abs=2)
    assert not picture(page).any()


def test_a_double_click_draws_and_selects_nothing(page):
    page.mouse.dblclick(*places(page, [(100, 150)])[0])
    expect_status(page, NO_DIGIT)
    assert page.evaluate("String(getSelection())") == ""
    expect_alive(page)


def test_other_buttons_draw_nothing(page):
    for button in ["right", "middle"]:
        page.mouse.click(*places(page, [(100, 150)])[0], button=button)
    rest(page)
    assert not ink(page).any()
    expect_alive(page)


def test_a_stroke_from_outside_draws_nothing(page):
    x, y = places(page, [(140, 140)])[0]
    page.mouse.move(x, y - 180)
    page.mouse.down()
    page.mouse.move(x, y, steps=5)
    page.mouse.up()
    rest(page)
    assert not ink(page).any() and page.evaluate("asked.length") == 0
    expect_alive(page)


def test_a_stroke_may_leave_and_come_back(page):
    out_and_in = places(page, [(40, 140), (-60, 140), (-60, 200), (40, 200)])
    page.mouse.move(*out_and_in[0])
    page.mouse.down()
    for place in out_and_in[1:]:
        page.mouse.move(*place, steps=4)
    page.mouse.up()
    rest(page)
    drawn = ink(page)
    assert drawn[140, 5] == 255 and drawn[200, 5] == 255 and drawn[170, 30] == 0
    expect_alive(page)


def test_a_stroke_let_go_outside_ends(page):
    inside, outside, back = places(page, [(140, 140), (140, -40), (240, 240)])
    page.mouse.move(*inside)
    page.mouse.down()
    page.mouse.move(*outside)
    page.mouse.up()
    rest(page)
    before = ink(page)
    page.mouse.move(*back)
    rest(page)
    assert np.array_equal(ink(page), before)
    expect_alive(page)


def test_losing_the_capture_ends_the_stroke(page):
    start, middle, later = places(page, [(60, 60), (140, 140), (240, 60)])
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*middle)
    page.eval_on_selector(".pad-canvas", "canvas => canvas.releasePointerCapture(1)")
    page.mouse.move(*middle)
    before = ink(page)
    page.mouse.move(*later)
    page.mouse.up()
    assert np.array_equal(ink(page), before)
    expect_alive(page)


def test_a_resize_loses_nothing_and_the_stroke_goes_on_in_place(page):
    strokes.draw(page, [LINE])
    before = ink(page)
    page.set_viewport_size({"width": 300, "height": 700})
    assert page.locator(".pad-canvas").bounding_box()["width"] < 280
    assert np.array_equal(ink(page), before)
    page.mouse.click(*places(page, [(200, 60)])[0])
    assert ink(page)[60, 200] == 255
    expect_alive(page)


@pytest.mark.parametrize("scale", [1.5, 3])
def test_fine_screens_have_the_same_drawing(open_page, scale):
    page = open_page(device_scale_factor=scale)
    page.wait_for_selector(".pad-canvas")
    strokes.draw(page, [LINE])
    assert page.eval_on_selector(".pad-canvas", "canvas => [canvas.width, canvas.height]") == [280, 280]
    assert ink(page)[70, 60] == 255 and ink(page)[220, 200] == 255


@pytest.mark.parametrize("key", ["Escape", "Delete"])
def test_a_key_clears_the_pad_that_has_the_focus(page, key):
    strokes.draw(page, [LINE])
    expect_status(page, SEVEN)
    page.keyboard.press(key)
    expect_status(page, EMPTY)
    assert not ink(page).any() and not picture(page).any() and strokes.probabilities(page) == [0] * 10
    assert page.inner_text(".pad-explanation") == ""


def test_keys_elsewhere_leave_the_drawing_alone(page):
    strokes.draw(page, [LINE])
    page.click("#before")
    page.keyboard.press("Delete")
    assert ink(page).any()


def test_the_keyboard_reaches_pad_and_button_and_leaves_again(page):
    strokes.draw(page, [LINE])
    page.click("#before")
    seen = []
    for _ in range(2):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.className"))
    assert seen == ["pad-canvas", "pad-clear"]
    page.keyboard.press("Enter")
    expect_status(page, EMPTY)


def test_only_the_end_of_a_stroke_is_announced(page):
    expect_status(page, EMPTY)
    stop_clock(page)
    page.evaluate("""() => {
        window.said = [];
        const status = document.querySelector(".pad-status");
        new MutationObserver(() => said.push(status.textContent)).observe(status, { childList: true });
    }""")
    set_network(page, "async () => Array(10).fill(0.1).with(asked.length % 10, 0.7)")  # another answer each time
    first, *others = places(page, strokes.smooth("40 40  240 60  60 140  240 160  40 240  240 240"))
    page.mouse.move(*first)
    page.mouse.down()
    for place in others:  # in two seconds, without a rest
        page.mouse.move(*place)
        page.clock.run_for(100)
    page.mouse.up()
    assert page.evaluate("asked.length") > 5 and page.evaluate("said.length") == 0
    page.clock.run_for(1000)
    assert page.evaluate("said.length") == 1


def test_bars_move_while_the_stroke_is_drawn(page):
    start, middle = places(page, [(60, 60), (140, 200)])
    page.mouse.move(*start)
    page.mouse.down()
    rest(page)
    set_network(page, "async () => [0, 0, 0, 0, 0, 1, 0, 0, 0, 0]")
    page.mouse.move(*middle, steps=5)
    page.wait_for_function("document.querySelectorAll('.pad-bar')[5].dataset.probability === '1'")
    page.mouse.up()


def test_doubt_names_the_two_best(page):
    set_network(page, "async () => [0, 0, 0.38, 0, 0, 0, 0, 0, 0.41, 0.21]")
    strokes.draw(page, [LINE])
    expect_status(page, "This may be an\u00a08 (41\u00a0%) or a\u00a02 (38\u00a0%).")


def test_nearly_sure_is_not_called_certain(page):
    set_network(page, "async () => [0.9999, 0.0001, 0, 0, 0, 0, 0, 0, 0, 0]")
    strokes.draw(page, [LINE])
    expect_status(page, "This looks like a\u00a00, over 99\u00a0% sure.")
    assert page.inner_text('.pad-bar[data-digit="0"] .pad-value') == ">99.9\u00a0%"


def test_a_failing_answer_gets_one_sentence_and_the_pad_goes_on(page):
    set_network(page, "async () => { throw new Error('broken') }")
    strokes.draw(page, [LINE])
    expect_status(page, "No answer came for this drawing; draw on or clear the pad to try again.")
    assert strokes.probabilities(page) == [0] * 10 and ink(page).any()
    set_network(page, "works")
    strokes.draw(page, [LINE])
    expect_status(page, SEVEN)


def test_an_answer_that_never_comes_does_not_block_the_pad(page):
    set_network(page, "() => new Promise(() => {})")
    strokes.draw(page, [LINE])
    set_network(page, "works")
    expect_status(page, SEVEN)  # the drawing that waited is asked about once more


def test_an_answer_to_what_was_cleared_is_dropped(page):
    set_network(page, "() => new Promise(done => { window.done = done })")
    strokes.draw(page, [LINE])
    page.click(".pad-clear")
    page.evaluate("done(Array(10).fill(0.1))")
    rest(page)
    expect_status(page, EMPTY)
    assert strokes.probabilities(page) == [0] * 10


def test_one_question_at_a_time_and_the_last_drawing_wins(page):
    page.evaluate("() => Object.assign(window, { pending: 0, most: 0 }) && null")
    waits = "await new Promise((done) => setTimeout(done, 120))"
    set_network(page, f"async () => {{ most = Math.max(most, ++pending); {waits}; pending--; return works(); }}")
    strokes.draw(page, strokes.smooth("40 40  240 60  60 140  240 160  40 240  240 240")[None])
    expect_status(page, SEVEN)
    assert page.evaluate("most") == 1
    assert page.evaluate("asked.at(-1).reduce((a, b) => a + b)") == ink(page).sum()


def test_one_finger_draws_and_a_second_one_does_not(open_page):
    page = open_page(has_touch=True, is_mobile=True)
    page.wait_for_selector(".pad-canvas")
    session = page.context.new_cdp_session(page)

    def fingers(kind, *points):
        touched = [{"x": x, "y": y, "id": n} for n, (x, y) in enumerate(places(page, points))]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touched})

    fingers("touchStart", (40, 40))
    fingers("touchMove", (40, 120))
    fingers("touchStart", (40, 120), (240, 40))
    fingers("touchMove", (40, 240), (240, 240))
    fingers("touchEnd")
    expect_status(page, SEVEN)
    drawn = ink(page)
    assert drawn[100, 40] == 255 and drawn[235, 40] == 255 and not drawn[:, 160:].any()
    assert page.evaluate("scrollY") == 0
    fingers("touchStart", (240, 40))
    fingers("touchCancel")
    page.click(".pad-clear")
    expect_status(page, EMPTY)
    fingers("touchStart", (140, 140))
    fingers("touchEnd")
    expect_status(page, NO_DIGIT)


def test_a_pen_draws(page):
    session = page.context.new_cdp_session(page)
    for kind, point in [("Pressed", (60, 60)), ("Moved", (140, 140)), ("Released", (140, 140))]:
        x, y = places(page, [point])[0]
        event = {"type": f"mouse{kind}", "x": x, "y": y, "button": "left", "buttons": 1, "clickCount": 1}
        session.send("Input.dispatchMouseEvent", event | {"pointerType": "pen", "force": 0.5})
    expect_status(page, SEVEN)
    assert ink(page)[100, 100] == 255


@pytest.mark.parametrize("width", [320, 390, 600, 1280])
def test_the_pad_fits_the_window_and_targets_are_large(open_page, width):
    page = open_page()
    page.set_viewport_size({"width": width, "height": 800})
    page.wait_for_selector(".pad-canvas")
    set_network(page, "async () => [0.9999, 0.0001, 0, 0, 0, 0, 0, 0, 0, 0]")
    strokes.draw(page, [LINE])
    rest(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    button, canvas = (page.locator(f".pad-{name}").bounding_box() for name in ("clear", "canvas"))
    assert min(button["width"], button["height"]) >= 44
    assert 230 <= canvas["width"] == pytest.approx(canvas["height"])
    assert page.locator(".pad-picture").bounding_box()["width"] >= 140
    heights = page.eval_on_selector_all(".pad-bar", "bars => bars.map(bar => bar.offsetHeight)")
    assert len(set(heights)) == 1  # the bold value has room in its line
    assert page.eval_on_selector(".pad-best .pad-value", "value => value.scrollWidth <= value.clientWidth")


@pytest.mark.parametrize("selector", ["html", "body"])
def test_dark_themes_of_the_site_and_of_jupyterlab_are_followed(page, selector):
    colour = "getComputedStyle(document.querySelector('.pad')).backgroundColor"
    attribute = {"html": ["data-theme", "dark"], "body": ["data-jp-theme-light", "false"]}[selector]
    light = page.evaluate(colour)
    page.eval_on_selector(selector, "(element, [name, value]) => element.setAttribute(name, value)", attribute)
    assert page.evaluate(colour) != light


def test_a_light_theme_counts_more_than_a_dark_system(page):
    colour = "getComputedStyle(document.querySelector('.pad')).backgroundColor"
    light = page.evaluate(colour)
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(colour) != light
    page.eval_on_selector("html", "(element) => (element.dataset.theme = 'light')")
    assert page.evaluate(colour) == light


def test_a_removed_pad_leaves_nothing(page):
    page.evaluate("remove()")
    assert page.locator("main *").count() == 0


WIDGET = """() => {
  remove();
  const heard = new Set();
  const model = {
    send: (content, _, buffers) => sent.push({ id: content.id, bytes: buffers[0].byteLength }),
    on: (_, hear) => heard.add(hear),
    off: (_, hear) => heard.delete(hear),
  };
  const say = (content, ...bytes) => heard.forEach((hear) => hear(content, bytes.map((b) => new DataView(b.buffer))));
  const ends = ["one", "two"].map((id) => {
    const el = document.createElement("div");
    el.id = id;
    document.querySelector("main").append(el);
    return widget.render({ model, el });
  });
  Object.assign(window, { sent: [], say, heard, ends });
  window.digits = [{ probabilities: Array(10).fill(0).with(4, 1), box: [0, 0, 9, 9], centre: [4, 4] }];
}"""


def test_widget_takes_the_answer_to_its_own_question(page):
    page.evaluate(WIDGET)
    for view in ["#one", "#two"]:
        page.locator(f"{view} .pad-canvas").click()
    page.wait_for_function("sent.length > 1")
    assert page.evaluate("sent[0].bytes") == 280 * 280
    page.evaluate("say({ id: 'another', digits })")
    page.evaluate("say({ id: sent[0].id, digits }, new Uint8Array(784).fill(9))")
    page.wait_for_function("document.querySelectorAll('#one .pad-bar')[4].dataset.probability === '1'")
    assert page.get_attribute('#two .pad-bar[data-digit="4"]', "data-probability") == "0"
    assert (picture(page) == 9).all()
    page.evaluate("ends.forEach((end) => end())")
    assert page.evaluate("heard.size") == 0 and page.locator("main .pad").count() == 0


def test_widget_says_the_sentence_that_python_sends(page):
    page.evaluate(WIDGET)
    page.locator("#one .pad-canvas").click()
    page.wait_for_function("sent.length > 0")
    page.evaluate("say({ id: sent[0].id, sentence: 'The network did not take it.' })")
    expect_status(page, "The network did not take it.")
    assert strokes.probabilities(page)[:10] == [0] * 10
