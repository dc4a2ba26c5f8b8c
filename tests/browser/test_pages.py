"""The site as a visitor's browser has it: every page, wide and narrow, light and dark."""

import re

import nbformat
import pytest

from mnist_helpers._support.paths import COURSE as ROOT
from tests.browser import weight
from tests.browser.netron import CHAPTERS
from tests.browser.visit import ALL, BUT_CONTRASTS, HEADINGS, IMAGES, Visit

PAGES = ["index", "draw", "run", "model_card", "instructors", "glossary", "api", "licences", "search", "genindex"]
PAGES += [f"notebooks/{name}" for name in CHAPTERS]
SIDEWAYS = "document.documentElement.scrollWidth > window.innerWidth"


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_light_still_quiet_and_accessible(name, width, site, browser):
    with Visit(browser, site, width) as visit:
        page, scales = weight.opened(visit, f"{name}.html")
        assert scales.total() <= weight.FIRST, f"too heavy before one scrolls:\n{scales.heaviest()}"
        weight.load_all(visit)
        assert 40_000 < scales.total() <= weight.MOST, f"its weight:\n{scales.heaviest()}"
        assert page.evaluate("shift") <= weight.SHIFT, "something moves while the page comes"
        assert not page.evaluate(SIDEWAYS), "the page scrolls sideways"
        assert [image for image in page.evaluate(IMAGES) if not describes(image["alt"])] == []
        assert heading_findings(page.evaluate(HEADINGS)) == []
        assert provenance_findings(page, name) == []
        if "/" in name and width == 1280:
            assert is_downloaded(page, name), "the download is not the committed notebook"
        check_looks(visit, name, width)
        assert visit.troubles == []
        assert visit.context.cookies() == []


def check_looks(visit, name, width):
    """Let axe look at a page with all rules where it is wide and light, and elsewhere at what may differ there."""
    for theme in ("light", "dark"):
        visit.page.emulate_media(color_scheme=theme)
        visit.page.locator(f"html[data-theme={theme}]").wait_for(state="attached")
        visit.screenshot(f"{name.replace('/', '-')}-{width}-{theme}")
        if theme == "light":
            assert visit.axe_findings(ALL if width == 1280 else BUT_CONTRASTS) == [], theme
        if (width, theme) != (1280, "light"):
            assert visit.colour_findings() == [], theme


@pytest.mark.slow  # the test above leaves out what hardly ever differs, such as a colour that it has seen already
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_accessible_in_all_its_looks(name, width, site, browser):
    with Visit(browser, site, width) as visit:
        page = visit.open(f"{name}.html")
        weight.load_all(visit)
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)
            page.locator(f"html[data-theme={theme}]").wait_for(state="attached")
            assert visit.axe_findings() == [], theme


def describes(alt):
    return alt is not None and len(alt) >= 20 and not re.search(r"\.(png|svg|jpe?g)$|^_", alt)


def heading_findings(levels):
    """A page has one heading of the first level, and none is more than one level below the one before it."""
    findings = [] if levels.count(1) == 1 and levels[0] == 1 else [f"headings of level 1: {levels}"]
    return findings + [f"h{after} follows h{before}" for before, after in zip(levels, levels[1:]) if after > before + 1]


def provenance_findings(page, name):
    """List what the end of a page does not say about the run of its notebook, or of all notebooks."""
    words = page.locator(".provenance").inner_text()
    paths = [ROOT / f"{name}.ipynb"] if "/" in name else sorted((ROOT / "notebooks").glob("*.ipynb"))
    runs = [nbformat.read(path, as_version=4).metadata.made_with for path in paths]
    keys = ("date", "python", "torch", "torchvision", "onnx", "onnxruntime", "processor")
    return [f"{key} {run[key]}" for run in runs for key in keys if run[key] not in words]


def is_downloaded(page, name):
    """Whether the download button of a chapter gives the committed notebook."""
    link = page.locator("a.btn-download-source-button").evaluate("link => link.href")
    return page.request.get(link).body() == (ROOT / f"{name}.ipynb").read_bytes()


def test_the_checks_of_a_page_see_what_is_wrong(site, browser):
    with Visit(browser, site, 390) as visit:
        page = visit.open("licences.html")
        page.evaluate(
            """() => {
                document.querySelector("article").innerHTML +=
                    '<h5>too deep</h5><img src="_static/none.png" alt="none.png"><input>'
                    + '<div style="width: 900px">wide</div><script src="https://example.org/x.js"></scr' + 'ipt>';
                fetch("https://example.org/").catch(() => 0);
            }"""
        )
        visit.settle()
        assert not page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert not all(describes(image["alt"]) for image in page.evaluate(IMAGES))
        assert heading_findings(page.evaluate(HEADINGS)) == ["h5 follows h2"]
        assert any(finding.startswith("label") for finding in visit.axe_findings())
        assert any("none.png" in trouble for trouble in visit.troubles)
        assert any("example.org" in trouble for trouble in visit.troubles)


LATE = "setTimeout(() => { fetch('none.bin'); throw new Error('too late'); }, 20) && null"


def test_what_goes_wrong_a_little_later_is_noticed(site, browser):
    with Visit(browser, site) as visit:
        visit.open("licences.html").evaluate(LATE)
        with pytest.raises(AssertionError):
            visit.expect_quiet()
        assert any("none.bin" in trouble for trouble in visit.troubles)
        assert any("too late" in trouble for trouble in visit.troubles)


@pytest.mark.parametrize(("words", "found"), [("momentum", "03_gradients"), ("96.71", "04_training")])
def test_search_finds_momentum_where_it_is_introduced_and_the_reports_number(words, found, site, browser):
    with Visit(browser, site, 1280) as visit:
        page = visit.open(f"search.html?q={words}")
        page.locator("#search-results li").first.wait_for()
        page.get_by_text("Search finished").wait_for()
        links = page.locator("#search-results li a").evaluate_all("links => links.map(link => link.href)")
        assert any(f"notebooks/{found}.html" in link for link in links[:3]), links
        visit.expect_quiet()


def test_terms_are_linked_to_the_glossary_and_from_there_to_their_chapter(site, browser):
    with Visit(browser, site, 1280) as visit:
        page = visit.open("notebooks/06_experiments.html")
        page.locator("a:has(.glossary-link)", has_text="momentum").first.click()
        page.wait_for_url("**/glossary.html#term-momentum")
        entry = page.locator("dt#term-momentum + dd")
        entry.get_by_role("link", name="chapter 03").click()
        page.wait_for_url("**/notebooks/03_gradients.html#momentum-steps-that-remember")


def test_a_term_is_explained_under_the_pointer_and_the_focus(site, browser):
    with Visit(browser, site, 1280) as visit:
        page = visit.open("notebooks/06_experiments.html")
        momentum, seed = (page.locator("a:has(.glossary-link)", has_text=word).first for word in ("momentum", "seed"))
        meaning = page.get_by_role("tooltip")
        momentum.hover()
        page.get_by_text("A rule in which each step remembers").wait_for()
        assert "chapter" not in meaning.text_content()
        page.keyboard.press("Escape")
        assert meaning.count() == 0
        page.mouse.move(0, 0)  # no other term comes under the pointer when the page scrolls
        page.keyboard.press("Tab")
        seed.focus()
        meaning.wait_for()
        assert seed.get_attribute("aria-describedby") == meaning.get_attribute("id")
        assert visit.axe_findings() == []
        visit.expect_quiet()


STOPS = """() => {
    const element = document.activeElement;
    const box = element.closest(".sd-card, .live-paper, .moving-paper, form") ?? element;
    const [shown, around] = [element, box].map((one) => getComputedStyle(one));
    const seen = [shown, around].some((s) => s.outlineStyle !== "none" || s.boxShadow !== "none");
    return { seen, end: element === document.body || element.matches("iframe"), html: element.outerHTML.slice(0, 200) };
}"""


@pytest.mark.parametrize("name", ["index", "draw", "notebooks/02_network"])
def test_the_keyboard_sees_where_it_is_and_does_not_stop_too_often(name, site, browser):
    with Visit(browser, site, 1280) as visit:
        page, stops = visit.open(f"{name}.html"), []
        while not stops or not stops[-1]["end"]:
            page.keyboard.press("Tab")
            stops.append(page.evaluate(STOPS))
        assert 20 < len(stops) < 80
        assert [stop["html"] for stop in stops if not (stop["seen"] or stop["end"])] == []


CROSSES = """() => [...document.querySelectorAll(".bd-article :is(th, td)")].flatMap((cell) => {
    const range = document.createRange(), broken = [];
    const texts = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
    for (let text = texts.nextNode(); text; text = texts.nextNode()) {
        for (const word of text.data.matchAll(/[\\p{L}\\d]+/gu)) {
            range.setStart(text, word.index);
            range.setEnd(text, word.index + word[0].length);
            if (new Set([...range.getClientRects()].map((box) => box.top)).size > 1) broken.push(word[0]);
        }
    }
    return broken;
})"""


@pytest.mark.parametrize("name", ["instructors", "model_card", "notebooks/02_network"])
def test_no_word_of_a_table_is_broken_on_a_phone_and_the_page_stays_still(name, site, browser):
    with Visit(browser, site, 320) as visit:
        page = visit.open(f"{name}.html")
        assert page.evaluate(CROSSES) == []
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_pictures_keep_their_proportions_on_a_phone(site, browser):
    with Visit(browser, site, 320) as visit:
        page = visit.open("notebooks/02_network.html")
        weight.load_all(visit)
        ratios = page.eval_on_selector_all(
            ".cell_output img:not(.widget img)",  # that of a widget only keeps its place
            "all => all.map((one) => one.width / one.height * one.getAttribute('height') / one.getAttribute('width'))",
        )
        assert ratios and all(0.97 < ratio < 1.03 for ratio in ratios)


def test_mode_is_chosen_and_kept(site, browser):
    with Visit(browser, site, 1280) as visit:
        page = visit.open("index.html")
        page.get_by_role("button", name="Color mode").click()
        page.get_by_role("button", name="Dark", exact=True).click()
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"
        page.goto(f"{site}glossary.html")
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"
