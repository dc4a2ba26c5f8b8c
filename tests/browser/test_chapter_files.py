"""Chapters as single files, opened from the disk without a network: pages for a learning platform, and slides."""

import itertools
import re

import chapter_files
import pytest

from mnist_helpers._support.paths import COURSE as ROOT
from tests.browser.conftest import missing
from tests.browser.netron import CHAPTERS
from tests.browser.visit import CUT_OFF, HEADINGS, HIDDEN, OPEN_ANSWERS, Visit

SWIPE = """([from, to]) => {
    const touch = (x) => new Touch({ identifier: 0, target: document.body, clientX: x, clientY: 300 });
    document.body.dispatchEvent(new TouchEvent("touchstart", { touches: [touch(from)], bubbles: true }));
    document.body.dispatchEvent(new TouchEvent("touchend", { changedTouches: [touch(to)], bubbles: true }));
}"""
AT = """() => [...document.querySelectorAll("section")].findIndex((slide) => {
    const box = slide.getBoundingClientRect();
    return box.top < innerHeight / 3 && box.bottom > innerHeight / 3;
})"""
LOOK = """() => {  // the slide's number from 0, and how many pixels of it are above and below the window
    const boxes = [...document.querySelectorAll("section")].map((slide) => slide.getBoundingClientRect());
    const at = boxes.findLastIndex((box) => box.top < innerHeight / 3);
    return [at, -boxes[at].top, boxes[at].bottom - innerHeight];
}"""
TOO_LONG = """() => [...document.querySelectorAll("section")]
    .filter((slide) => slide.scrollHeight > innerHeight || slide.scrollWidth > innerWidth).map((slide) => slide.id)"""
SMALLEST = """(selector) => Math.min(...[...document.querySelectorAll(selector)]
    .map((element) => parseFloat(getComputedStyle(element).fontSize)))"""
LONG = ["04_training", "05_predictions"]  # with the longest outputs


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder with lms/ and slides/, as an address of files."""
    if not chapter_files.NODE_MODULES.is_dir():
        missing("the site's npm packages are not installed (`make test` installs them)")
    folder = tmp_path_factory.mktemp("files")
    for kind in ("lms", "slides"):
        chapter_files.write(ROOT, chapter_files.NODE_MODULES, kind, folder / kind)
    return f"{folder.as_uri()}/"


@pytest.mark.parametrize("name", CHAPTERS)
@pytest.mark.parametrize("kind", ["lms", "slides"])
def test_a_file_works_alone_on_screens_and_on_paper(kind, name, folder, browser):
    with Visit(browser, folder, offline=True) as visit:
        page = visit.open(f"{kind}/{name}.html", wait_until="load")
        assert kind == "slides" or page.evaluate(HIDDEN)  # slides may have all answers on slides of their own
        page.emulate_media(media="print")
        page.wait_for_function("matchMedia('print').matches")
        assert page.evaluate(HIDDEN) == [] and page.evaluate(CUT_OFF) == []
        page.emulate_media(media="screen")
        page.evaluate(OPEN_ANSWERS)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.evaluate(HEADINGS).count(1) == 1
        page.set_viewport_size({"width": 390, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways"
        visit.expect_quiet()


@pytest.mark.parametrize(
    ("file", "scheme"),
    [("lms/06_experiments", "light"), ("slides/03_gradients", "light"), ("slides/03_gradients", "dark")],
)
def test_a_file_is_accessible(file, scheme, folder, browser):
    with Visit(browser, folder, offline=True, color_scheme=scheme) as visit:
        visit.open(f"{file}.html", wait_until="load").evaluate(OPEN_ANSWERS)
        assert visit.axe_findings() == []


def test_one_button_shows_all_answers_of_a_page(folder, browser):
    with Visit(browser, folder, offline=True) as visit:
        page = visit.open("lms/03_gradients.html", wait_until="load")
        page.get_by_role("button", name="Show all 8 answers").click()
        assert page.evaluate(HIDDEN) == []
        page.get_by_role("button", name="Hide all 8 answers").wait_for()


@pytest.fixture
def slides(folder, browser):
    with Visit(browser, folder, offline=True, viewport={"width": 1280, "height": 720}, has_touch=True) as visit:
        yield visit.open("slides/03_gradients.html", wait_until="load")
        visit.expect_quiet()


def test_keys_lead_through_all_slides_and_show_each_answer_before_the_next_slide(slides):
    count, seen = slides.locator("section").count(), []
    for _ in range(4 * count):
        before = slides.evaluate(HIDDEN)
        seen.append((slides.evaluate(AT), len(before)))
        slides.keyboard.press("PageDown")
        if len(slides.evaluate(HIDDEN)) < len(before):
            assert slides.evaluate(AT) == seen[-1][0]  # an answer comes on the slide of its question
        elif seen[-2:-1] == seen[-1:] and seen[-1][0] == count - 1:
            break
    places = [place for place, _ in seen]
    assert sorted(set(places)) == list(range(count)) and places == sorted(places)
    assert seen[-1][1] == 0 and seen[0][1] > 0
    slides.keyboard.press("Home")
    assert slides.evaluate(AT) == 0
    slides.keyboard.press("End")
    assert slides.evaluate(AT) == count - 1
    slides.keyboard.press("ArrowLeft")
    assert slides.evaluate(AT) == count - 2


@pytest.mark.parametrize("name", LONG)
def test_no_slide_scrolls_and_all_letters_are_large(name, folder, browser):
    with Visit(browser, folder, offline=True, viewport={"width": 1280, "height": 720}) as visit:
        page = visit.open(f"slides/{name}.html", wait_until="load")
        page.evaluate(OPEN_ANSWERS)
        assert page.evaluate(TOO_LONG) == []
        assert page.evaluate(SMALLEST, ".part :is(p, li)") >= 24 and page.evaluate(SMALLEST, "pre, td") >= 16
        for width, height in [(1920, 1080), (1024, 768), (1366, 600)]:
            page.set_viewport_size({"width": width, "height": height})
            assert page.evaluate(TOO_LONG) == []


def test_print_has_one_slide_a_page(folder, browser):
    with Visit(browser, folder, offline=True) as visit:
        page = visit.open("slides/05_predictions.html", wait_until="load")
        printed = page.pdf(prefer_css_page_size=True)
        assert len(re.findall(rb"/Type\s*/Page\b", printed)) == page.locator("section").count()


def looks(page, key):
    """What each of many presses of a key shows."""
    for _ in range(2 * page.locator("section").count()):
        yield page.evaluate(LOOK)
        page.keyboard.press(key)


def test_in_a_window_zoomed_to_200_per_cent_keys_reach_all_of_each_slide(folder, browser):
    with Visit(browser, folder, offline=True, viewport={"width": 640, "height": 360}) as visit:
        page = visit.open("slides/02_network.html", wait_until="load")
        assert page.evaluate(TOO_LONG) != []
        forth, back = list(looks(page, "ArrowDown")), list(looks(page, "ArrowUp"))
        assert forth[-1][0] == page.locator("section").count() - 1 and back[-1][0] == 0
        for (at, above, below), (following, following_above, _) in itertools.pairwise(forth):
            assert following_above <= above + 360 if following == at else (following == at + 1 and below < 1), at
        for (at, above, below), (following, _, following_below) in itertools.pairwise(back):
            assert following_below <= below + 360 if following == at else (following == at - 1 and above < 1), at


def test_one_key_makes_the_slides_dark(slides):
    slides.keyboard.press("d")
    assert slides.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(22, 25, 30)"


def test_the_address_opens_the_same_cell_in_windows_of_all_sizes_and_a_number_opens_that_slide(slides, folder, browser):
    for _ in range(20):
        slides.keyboard.press("ArrowRight")
    cell = slides.url.partition("#")[2]
    with Visit(browser, folder, 390, offline=True) as visit:
        page = visit.open(f"slides/03_gradients.html#{cell}", wait_until="load")
        at = page.evaluate(AT)
        assert at > 5 and page.locator("section").nth(at).get_attribute("id") == cell
        assert visit.open("slides/03_gradients.html#4", wait_until="load").evaluate(AT) == 3


def test_a_swipe_turns_the_slide_and_the_address_keeps_the_place(slides):
    slides.evaluate(SWIPE, [600, 200])
    assert slides.evaluate(AT) == 1
    slides.evaluate(SWIPE, [300, 280])  # a tap that trembles
    slides.reload()
    assert slides.evaluate(AT) == 1
    slides.evaluate(SWIPE, [200, 600])
    assert slides.evaluate(AT) == 0


def test_without_javascript_slides_scroll_and_answers_open(folder, browser):
    with Visit(browser, folder, java_script_enabled=False) as visit:
        page = visit.open("slides/03_gradients.html", wait_until="load")
        answer = page.get_by_text("The one with momentum.")
        assert not answer.is_visible()
        page.locator("details", has_text="The one with momentum.").locator("summary").click()
        assert answer.is_visible()
