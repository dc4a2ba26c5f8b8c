"""What a page weighs over the wire, and whether anything moves while it comes; test_pages.py weighs every page."""

import pytest

from tests.browser import weight
from tests.browser.visit import Visit

DISTORTED = """() => [...document.querySelectorAll(".cell_output img")].filter((image) => {
    const { width, height } = image.getBoundingClientRect();
    return Math.abs((width * image.naturalHeight) / (height * image.naturalWidth) - 1) > 0.03;
}).map((image) => image.src)"""


def test_the_pad_needs_little_before_one_can_draw(site, browser):
    with Visit(browser, site) as visit:
        visit.context.route("**/*.bin", lambda route: route.abort())
        page, scales = weight.opened(visit, "draw.html")
        page.locator(".live-canvas").wait_for()
        assert scales.total() <= 130_000, scales.heaviest()


@pytest.mark.parametrize("width", [1440, 768, 390, 320])
def test_the_maps_have_their_place_before_the_network_comes(width, site, browser):
    held = []
    with Visit(browser, site, width) as visit:
        visit.context.route("**/*.bin", lambda route: held.append(route))  # the weights wait, as over a slow connection
        page = visit.new_page()
        page.add_init_script(f"({weight.WATCH})()")
        with page.expect_request("**/*.bin"):
            page.goto(f"{site}index.html")
        page.locator(".live-origin").wait_for()
        page.evaluate("document.querySelector('.live-flow').scrollIntoView()")
        assert page.get_by_role("img", name="Layer 1").count() == 0
        for route in held:
            route.continue_()
        page.get_by_role("img", name="Layer 1").wait_for()
        page.locator(".live-stage small", has_text="Cover it").wait_for()  # what comes last
        assert page.evaluate("shift") <= weight.SHIFT


def test_the_scales_see_weight_and_movement(site, browser):
    with Visit(browser, site) as visit:
        page, scales = weight.opened(visit, "licences.html")
        before = scales.total()
        page.evaluate("fetch('_static/models/digits.bin').then((answer) => answer.arrayBuffer())")
        page.evaluate("document.querySelector('article h1').style.marginTop = '300px'")
        page.wait_for_function(f"shift > {weight.SHIFT}")
        visit.settle()
        assert scales.total() > before + 150_000


def test_pictures_have_a_size_and_formulas_need_no_script(site, browser):
    with Visit(browser, site) as visit:
        page, _ = weight.opened(visit, "notebooks/03_gradients.html")
        heights = page.eval_on_selector_all("article img", "all => all.map((one) => one.getAttribute('height'))")
        assert heights and all(heights)
        assert page.locator("math").count() >= 20 and page.locator("math msup").count() > 0
        assert page.locator("script[src*=mathjax], script[src*=fontawesome], script[src*=searchindex]").count() == 0


def test_pictures_keep_their_proportions_on_a_phone(site, browser):
    with Visit(browser, site, 390) as visit:
        page, _ = weight.opened(visit, "notebooks/03_gradients.html")
        weight.load_all(visit)
        assert page.evaluate(DISTORTED) == []
        page.add_style_tag(content=".cell_output img { height: 300px !important }")
        assert len(page.evaluate(DISTORTED)) >= 5
