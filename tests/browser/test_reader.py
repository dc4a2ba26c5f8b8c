"""Reading a picture in a real browser, with the course's network: files, the clipboard, a drop; what is no digit."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from mnist_helpers import data, predict
from tests.browser.own_page import serving_page
from tests.browser.visit import Visit

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<link rel="icon" href="data:,"><link rel="stylesheet" href="site.css"><title>Read</title>
<h1>Read a picture</h1><main><div id="read-picture"></div></main>
<script type="module" src="reader.js"></script></html>"""
LIMITS = {"threshold": 0.8, "widest": 2, "unreadable": 0.5, "least_sure": 0.5}
NOTHING = "No digit was found in this picture. Write with a dark pen on light paper, and leave a margin."
# gives a picture to the page as the clipboard or a drop does
HAND_OVER = """([kind, content]) => {
    const given = new DataTransfer();
    const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
    given.items.add(new File([bytes], "picture.png", { type: "image/png" }));
    const Kind = kind === "paste" ? ClipboardEvent : DragEvent;
    const how = kind === "paste" ? { clipboardData: given } : { dataTransfer: given };
    document.body.dispatchEvent(new Kind(kind, { bubbles: true, cancelable: true, ...how }));
}"""


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with serving_page(PAGE, tmp_path_factory.mktemp("reader")) as address:
        yield address


@pytest.fixture
def visit(url, browser):
    with Visit(browser, url) as visit:
        visit.open("")
        yield visit


@pytest.fixture(scope="module")
def digits():
    """One MNIST digit of each class, that the network reads surely."""
    images, labels = (tensor.numpy()[:300] for tensor in data.load_raw("train"))
    confidences = predict.Reader().probabilities(images)[np.arange(300), labels]
    return {digit: images[np.argmax(confidences * (labels == digit))] for digit in range(10)}


def sheet(*shown):
    """Return a picture of paper, uint8 [400, 780], with digits [28, 28] in a row, dark on light."""
    paper = np.full((400, 780), 225, np.uint8)
    for number, digit in enumerate(shown):
        large = np.asarray(Image.fromarray(digit).resize((196, 196), Image.Resampling.BICUBIC))
        paper[90 : 90 + 196, 60 + 210 * number :][:, :196] -= np.uint8(large * 0.7)
    return paper


def png(pixels):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def choose(page, content, name="picture.png", type_="image/png"):
    page.set_input_files(".reader-file", {"name": name, "mimeType": type_, "buffer": content})


def expect(page, number, sentence):
    """Wait until the page shows a number and, in its live region, a sentence that matches."""
    page.wait_for_function(
        "given => document.querySelector('.reader-number').textContent === given[0]"
        " && document.querySelector('.reader-sentence').textContent.match(given[1])",
        arg=[number, sentence],
        timeout=60_000,
    )


def test_two_digits_in_a_file_are_read(visit, digits):
    page = visit.page
    choose(page, png(sheet(digits[4], digits[2])))
    expect(page, "42", r"^2 digits, each (at least \d\d|over 99).% sure$")
    items = page.get_by_role("list", name="The digits, in reading order").get_by_role("listitem")
    assert [text.split()[:2] for text in items.all_inner_texts()] == [["1", "→"], ["2", "→"]]
    assert page.locator(".reader-said").all_inner_texts() == ["4", "2"]
    assert page.get_by_role("img", name="Your picture with numbered boxes around 2 digits").is_visible()
    assert page.get_by_role("img", name="What the network sees of digit 2").is_visible()
    assert page.locator("[role=status] .reader-sentence").count() == 1
    assert visit.axe_findings() == []
    visit.expect_quiet()


def test_a_space_stands_between_numbers_on_two_lines_and_far_apart(visit, digits):
    lines = sheet(digits[7], digits[4]), np.hstack([sheet(digits[1])[:, :480], sheet(digits[0])[:, :300]])
    choose(visit.page, png(np.vstack(lines)))
    expect(visit.page, "74 1 0", "^4 digits, ")


def test_answers_are_those_of_the_command_and_a_question_mark_stands_for_an_unsure_digit(visit, digits, tmp_path):
    mixed = np.maximum(digits[7], digits[4])
    Image.fromarray(sheet(digits[3], mixed, digits[1])).save(tmp_path / "picture.png")
    visit.context.route("**/digits.json", lambda route: route.fulfill(json=LIMITS))
    answer = predict.Reader(threshold=LIMITS["threshold"]).read(tmp_path / "picture.png")
    assert answer.number == "3?1"
    choose(visit.page, (tmp_path / "picture.png").read_bytes())
    expect(visit.page, "3?1", f"^{answer.note()}$")
    shown = [re.search(r"(\d+)\u00a0%", text) for text in visit.page.locator(".reader-sure").all_inner_texts()]
    expected = [100 * digit.confidence for digit in answer.digits]
    assert np.abs(np.subtract([int(found[1]) for found in shown], expected)).max() < 1


@pytest.mark.parametrize("kind", ["paste", "drop"])
def test_a_picture_is_taken_from_the_clipboard_and_from_a_drop(kind, visit, digits):
    content = base64.b64encode(png(sheet(digits[7]))).decode()
    visit.page.evaluate(HAND_OVER, [kind, content])
    expect(visit.page, "7", "^one digit, ")
    visit.expect_quiet()


def test_ink_of_any_colour_on_transparent_paper_is_read(visit, digits):
    ink = 225 - sheet(digits[5])
    rgba = np.zeros((*ink.shape, 4), np.uint8)
    rgba[:, :, 3] = np.uint8(ink / ink.max() * 255)
    for colour in [(0, 0, 0), (250, 220, 30), (40, 60, 255), (255, 255, 255)]:
        rgba[:, :, :3] = colour
        choose(visit.page, png(sheet(digits[0])))
        expect(visit.page, "0", "^one digit")
        choose(visit.page, png(rgba))
        expect(visit.page, "5", "^one digit")


def test_a_photo_is_turned_as_its_camera_was_held(visit, digits):
    stream, turned = io.BytesIO(), Image.Exif()
    turned[0x0112] = 6  # shown turned by 90 degrees clockwise
    Image.fromarray(np.rot90(sheet(digits[2], digits[7]))).save(stream, "JPEG", exif=turned)
    choose(visit.page, stream.getvalue(), "photo.jpg", "image/jpeg")
    expect(visit.page, "27", "^2 digits")


def test_a_shape_that_the_network_is_not_sure_of_is_no_digit(visit, digits):
    visit.context.route("**/digits.json", lambda route: route.fulfill(json=LIMITS | {"threshold": 1.0}))
    choose(visit.page, png(sheet(digits[3], digits[8])))
    expect(visit.page, "", "^This picture shows something, but no digit that the network is sure of.$")
    assert visit.page.locator(".reader-said").all_inner_texts() == ["?", "?"]


@pytest.mark.parametrize("picture", ["blank", "grain"])
def test_a_picture_without_a_digit_says_so(picture, visit, digits):
    choose(visit.page, png(sheet(digits[6])))
    expect(visit.page, "6", "^one digit")
    grain = np.random.default_rng(0).normal(200, 3 if picture == "grain" else 0, (300, 400))
    choose(visit.page, png(grain.astype(np.uint8)))
    expect(visit.page, "", f"^{NOTHING}$")
    assert visit.page.locator(".reader-digit").count() == 0
    assert visit.page.get_by_role("img", name="Your picture, in which no digit was found").is_visible()


@pytest.mark.parametrize("content", [b"seven" * 100, b"", png(np.zeros((30, 30), np.uint8))[:60]])
def test_a_file_that_is_no_picture_gets_one_sentence(content, visit, digits):
    choose(visit.page, content, "notes.png")
    expect(visit.page, "", "^notes.png is no picture that this browser can open; choose a PNG or JPEG file.$")
    assert not visit.page.locator(".reader-shown").is_visible()
    choose(visit.page, png(sheet(digits[3])))
    expect(visit.page, "3", "^one digit")
    visit.expect_quiet()


def test_without_the_network_the_page_says_so(url, browser, digits):
    with Visit(browser, url) as visit:
        visit.context.route("**/digits.bin", lambda route: route.abort())
        choose(visit.open(""), png(sheet(digits[3])))
        expect(visit.page, "", "^The network could not be loaded; reload the page to try again.$")


def test_buttons_open_a_file_dialog_and_the_camera_only_on_phones(visit, url, browser):
    with visit.page.expect_file_chooser():
        visit.page.get_by_role("button", name="Choose a picture").press("Enter")
    assert not visit.page.get_by_role("button", name="Take a photo").is_visible()
    with Visit(browser, url, 390, has_touch=True, is_mobile=True) as phone:
        page = phone.open("")
        with page.expect_file_chooser():
            page.get_by_role("button", name="Take a photo").tap()
        assert page.locator(".reader-camera").get_attribute("capture") == "environment"


def test_the_picture_that_was_given_last_is_shown(visit, digits):
    held = []
    visit.context.route("**/digits.json", lambda route: route.fulfill(json=LIMITS) if held else held.append(route))
    choose(visit.page, png(sheet(digits[1], digits[2], digits[3])))
    choose(visit.page, png(sheet(digits[6])))
    expect(visit.page, "6", "^one digit")
    held[0].fulfill(json=LIMITS)
    visit.page.wait_for_timeout(1500)
    assert visit.page.inner_text(".reader-number") == "6"


@pytest.mark.parametrize("width", [1280, 390])
def test_a_picture_is_read_on_the_site(width, site, browser, digits):
    with Visit(browser, site, width) as visit:
        page = visit.open("draw.html")
        choose(page, png(sheet(digits[7], digits[0])))
        page.locator(".reader-number", has_text=re.compile("^70$")).wait_for()
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "the page scrolls sideways"
        page.locator(".reader-number").scroll_into_view_if_needed()
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)
            page.locator(f"html[data-theme={theme}]").wait_for(state="attached")
            visit.screenshot(f"reader-{width}-{theme}")
            assert (visit.axe_findings() if theme == "light" else visit.colour_findings()) == [], theme
        visit.expect_quiet()
