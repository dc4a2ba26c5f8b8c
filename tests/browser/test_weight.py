"""What a page weighs over the wire, and whether anything moves while it comes."""

import pytest

from tests.browser.netron import CHAPTERS
from tests.browser.visit import OPEN_ANSWERS, Visit

MOST = 300_000  # bytes, headers and compression included
FIRST = {1280: 240_000, 390: 240_000}  # before the visitor scrolls
SHIFT = 0.05
PAGES = ["index", "draw", "run", "model_card", "instructors", "glossary", "api", "licences", "search", "genindex"]
PAGES += [f"notebooks/{name}" for name in CHAPTERS]
WATCH = """() => {
    window.shift = 0;
    new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
    }).observe({ type: "layout-shift", buffered: true });
}"""

DISTORTED = """() => [...document.querySelectorAll(".cell_output img")].filter((image) => {
    const { width, height } = image.getBoundingClientRect();
    return Math.abs((width * image.naturalHeight) / (height * image.naturalWidth) - 1) > 0.03;
}).map((image) => image.src)"""

# The weights of the networks come late, as over a slow connection
LATE = """const { fetch } = window;
window.fetch = async (...asked) => {
    if (`${asked[0]}`.endsWith(".bin")) await new Promise((come) => setTimeout(come, 2000));
    return fetch(...asked);
};"""


class Scales:
    """Adds up the bytes of all answers that a page gets, without Netron, which is a page of its own in two chapters."""

    def __init__(self, page):
        self.urls, self.bytes = {}, {}
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        session.on("Network.responseReceived", self.came)
        session.on("Network.loadingFinished", self.ended)

    def came(self, event):
        self.urls[event["requestId"]] = event["response"]["url"]

    def ended(self, event):
        if "/netron/" not in self.urls.get(event["requestId"], ""):
            self.bytes[event["requestId"]] = event["encodedDataLength"]

    def total(self):
        return sum(self.bytes.values())

    def heaviest(self):
        ordered = sorted(self.bytes.items(), key=lambda item: -item[1])[:8]
        return "\n".join(f"{size:>7} {self.urls.get(name, '')}" for name, size in ordered)


def opened(visit, name):
    """Open a page while its bytes and shifts are counted; return the page and the scales."""
    page = visit.context.new_page()
    scales = Scales(page)
    page.add_init_script(f"({WATCH})()")
    page.goto(f"{visit.site}{name}.html", wait_until="networkidle")
    return page, scales


def scroll(page):
    """Open all answers and scroll to the end in steps, so that all pictures are loaded."""
    page.evaluate(OPEN_ANSWERS)
    for _ in range(page.evaluate("Math.ceil(document.documentElement.scrollHeight / 600)")):
        page.mouse.wheel(0, 600)
        page.wait_for_timeout(20)
    page.wait_for_function("[...document.images].every((image) => image.complete)")


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_light_and_nothing_moves(name, width, site, browser):
    with Visit(browser, site, width) as visit:
        page, scales = opened(visit, name)
        first = scales.total()
        assert first <= FIRST[width], scales.heaviest()
        scroll(page)
        assert 40_000 < scales.total() <= MOST, scales.heaviest()
        assert page.evaluate("shift") <= SHIFT


def test_the_pad_needs_little_before_one_can_draw(site, browser):
    with Visit(browser, site) as visit:
        visit.context.route("**/*.bin", lambda route: route.abort())
        page, scales = opened(visit, "draw")
        page.locator(".live-canvas").wait_for()
        assert scales.total() <= 130_000, scales.heaviest()


@pytest.mark.parametrize("width", [1440, 768, 390, 320])
def test_the_maps_have_their_place_before_the_network_comes(width, site, browser):
    with Visit(browser, site, width) as visit:
        page = visit.context.new_page()
        page.add_init_script(LATE)
        page.add_init_script(f"({WATCH})()")
        page.goto(f"{site}index.html")
        page.locator(".live-origin").wait_for()
        page.evaluate("document.querySelector('.live-flow').scrollIntoView()")
        assert page.get_by_role("img", name="Layer 1").count() == 0
        page.get_by_role("img", name="Layer 1").wait_for()
        page.wait_for_timeout(500)
        assert page.evaluate("shift") <= SHIFT


def test_the_scales_see_weight_and_movement(site, browser):
    with Visit(browser, site) as visit:
        page, scales = opened(visit, "licences")
        before = scales.total()
        page.evaluate("fetch('_static/models/digits.bin').then((answer) => answer.arrayBuffer())")
        page.evaluate("document.querySelector('article h1').style.marginTop = '300px'")
        page.wait_for_timeout(1000)
        assert scales.total() > before + 150_000 and page.evaluate("shift") > SHIFT


def test_pictures_have_a_size_and_formulas_need_no_script(site, browser):
    with Visit(browser, site) as visit:
        page, _ = opened(visit, "notebooks/03_gradients")
        heights = page.eval_on_selector_all("article img", "all => all.map((one) => one.getAttribute('height'))")
        assert heights and all(heights)
        assert page.locator("math").count() >= 20 and page.locator("math msup").count() > 0
        assert page.locator("script[src*=mathjax], script[src*=fontawesome], script[src*=searchindex]").count() == 0


def test_pictures_keep_their_proportions_on_a_phone(site, browser):
    with Visit(browser, site, 390) as visit:
        page, _ = opened(visit, "notebooks/03_gradients")
        scroll(page)
        assert page.evaluate(DISTORTED) == []
        page.add_style_tag(content=".cell_output img { height: 300px !important }")
        assert len(page.evaluate(DISTORTED)) >= 5
