"""Widgets in the site's chapters: alive as in the notebook when they come near, and a picture without JavaScript.

test_pages.py lets axe look at the pages once their widgets live.
"""

import pytest

from tests.browser import strokes
from tests.browser.visit import Visit

CHAPTERS = {"01_data": "Pad", "02_network": "MovingFilter", "05_predictions": "LivePad"}
ALIVE = {"Pad": ".pad-canvas", "MovingFilter": ".moving-digit", "LivePad": ".live-canvas"}


CONTRASTS = """captions => captions.map((caption) => {
    const linear = (share) => (share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4);
    const light = (colour) => colour.match(/[\\d.]+/g).slice(0, 3).map((value) => linear(value / 255))
        .reduce((sum, value, n) => sum + value * [0.2126, 0.7152, 0.0722][n], 0.05);
    const [ink, paper] = [getComputedStyle(caption).color, getComputedStyle(document.body).backgroundColor].map(light);
    return Math.max(ink, paper) / Math.min(ink, paper);
})"""


def near(page, name):
    """Scroll to the widget and wait until it is alive."""
    page.locator(f"[data-widget={name}]").scroll_into_view_if_needed()
    page.locator(ALIVE[name]).wait_for()
    assert page.locator(f"[data-widget={name}] img").count() == 0
    page.locator(ALIVE[name]).scroll_into_view_if_needed()
    return page


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_widget_comes_to_life_and_moves_nothing_wide(chapter, width, site, browser):
    with Visit(browser, site, width) as visit:
        page = visit.open(f"notebooks/{chapter}.html")
        near(page, CHAPTERS[chapter])
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        visit.expect_quiet()


def test_a_digit_on_the_pad_of_chapter_01_is_read(site, browser):
    with Visit(browser, site) as visit:
        page = near(visit.open("notebooks/01_data.html"), "Pad")
        strokes.draw(page, [strokes.smooth(line) for line in strokes.CAREFUL[3]])
        page.locator(".pad-verdict", has_text="This looks like a\u00a03").wait_for()


def test_the_filter_of_chapter_02_has_the_numbers_of_its_figure(site, browser):
    with Visit(browser, site) as visit:
        page = near(visit.open("notebooks/02_network.html"), "MovingFilter")
        assert page.inner_text(".origin-value") == "10.27"
        assert page.locator(".moving-choice input").count() == 12


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("chapter", ["02_network", "05_predictions"])
def test_captions_of_the_squares_can_be_read(chapter, theme, site, browser):
    with Visit(browser, site, color_scheme=theme) as visit:
        page = near(visit.open(f"notebooks/{chapter}.html"), CHAPTERS[chapter])
        captions = page.locator(".origin-shown figcaption, .origin-legend")
        assert captions.count() == 4 and min(captions.evaluate_all(CONTRASTS)) >= 4.5
        weights = captions.evaluate_all("all => all.map((one) => Number(getComputedStyle(one).fontWeight))")
        assert min(weights) >= 400  # thin letters look pale, whatever their colour


def test_a_digit_on_the_pad_of_chapter_05_goes_through_the_layers(site, browser):
    with Visit(browser, site) as visit:
        page = near(visit.open("notebooks/05_predictions.html"), "LivePad")
        page.locator(".live-large", has_text="7").wait_for()
        page.click(".live-clear")
        strokes.draw(page, [strokes.smooth(line) for line in strokes.CAREFUL[3]], ".live-canvas")
        page.locator(".live-large", has_text="3").wait_for()
        assert page.get_by_role("img", name="Layer 2: 20 maps").is_visible()


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_without_javascript_the_picture_stays(chapter, site, browser):
    with Visit(browser, site, java_script_enabled=False) as visit:
        page = visit.open(f"notebooks/{chapter}.html")
        picture = page.locator(".widget img")
        assert picture.count() == 1 and len(picture.get_attribute("alt")) > 40
        assert page.locator(".widget").bounding_box()["height"] < picture.bounding_box()["height"] + 60


FAILS = "export function createMovingFilter(element) { element.append('half'); throw new Error('no canvas'); }"
TROUBLES = {
    "its module does not come": lambda route: route.abort(),
    "it cannot be built": lambda route: route.fulfill(content_type="text/javascript", body=FAILS),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_if_a_widget_fails_the_picture_stays(trouble, site, browser):
    with Visit(browser, site) as visit:
        visit.context.route("**/moving_filter.js", TROUBLES[trouble])
        page = visit.open("notebooks/02_network.html")
        page.locator(".widget").scroll_into_view_if_needed()
        page.wait_for_function("() => document.querySelector('.widget img').naturalWidth > 500")
        assert "half" not in page.inner_text(".widget")


def test_a_widget_far_away_costs_nothing(site, browser):
    asked = []
    with Visit(browser, site) as visit:
        visit.context.on("request", lambda request: asked.append(request.url.rsplit("/")[-1]))
        page = visit.open("notebooks/05_predictions.html")
        assert "chapter.js" in asked and "live.js" not in asked and "report_net.bin" not in asked
        near(page, "LivePad")
        assert "live.js" in asked


@pytest.mark.parametrize("chapter", ["01_data", "05_predictions"])
def test_a_page_shows_no_exercise_cards(chapter, site, browser):
    with Visit(browser, site) as visit:
        words = visit.open(f"notebooks/{chapter}.html").locator("article").inner_text()
        assert "not attempted" not in words and "Your progress is shown here when you run the chapter" in words
