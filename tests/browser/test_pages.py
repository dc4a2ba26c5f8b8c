"""The site as a visitor's browser has it: every page, wide and narrow, light and dark."""

import re

import nbformat
import onnx
import pytest

from mnist_helpers._support.paths import COURSE as ROOT
from tests.browser.netron import CHAPTERS, MODEL, SHOWN, nodes_of, shown_nodes
from tests.browser.visit import HEADINGS, IMAGES, OPEN_ANSWERS, Visit

PAGES = ["index", "draw", "run", "model_card", "instructors", "glossary", "api", "licences", "search", "genindex"]
PAGES += [f"notebooks/{name}" for name in CHAPTERS]
YEARS_AHEAD = "2031-11-24T12:00:00"


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", PAGES)
def test_page_is_quiet_and_accessible(name, width, site, browser):
    with Visit(browser, site, width) as visit:
        page = visit.open(f"{name}.html")
        page.evaluate(OPEN_ANSWERS)
        scroll_to_the_end(page)  # so that what loads late is loaded
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "the page scrolls sideways"
        assert [image for image in page.evaluate(IMAGES) if not describes(image["alt"])] == []
        assert heading_findings(page.evaluate(HEADINGS)) == []
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)
            page.locator(f"html[data-theme={theme}]").wait_for(state="attached")
            visit.screenshot(f"{name.replace('/', '-')}-{width}-{theme}")
            assert visit.axe_findings() == [], theme
        assert visit.troubles == []
        assert visit.context.cookies() == []


def scroll_to_the_end(page):
    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    page.wait_for_load_state("networkidle")
    page.evaluate("window.scrollTo(0, 0)")


def describes(alt):
    return alt is not None and len(alt) >= 20 and not re.search(r"\.(png|svg|jpe?g)$|^_", alt)


def heading_findings(levels):
    """A page has one heading of the first level, and none is more than one level below the one before it."""
    findings = [] if levels.count(1) == 1 and levels[0] == 1 else [f"headings of level 1: {levels}"]
    return findings + [f"h{after} follows h{before}" for before, after in zip(levels, levels[1:]) if after > before + 1]


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
        page.wait_for_load_state("networkidle")
        assert not page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert not all(describes(image["alt"]) for image in page.evaluate(IMAGES))
        assert heading_findings(page.evaluate(HEADINGS)) == ["h5 follows h2"]
        assert any(finding.startswith("label") for finding in visit.axe_findings())
        assert any("none.png" in trouble for trouble in visit.troubles)
        assert any("example.org" in trouble for trouble in visit.troubles)


@pytest.mark.parametrize(
    ("chapter", "clock"), [("02_network", None), ("02_network", YEARS_AHEAD), ("09_deployment", None)]
)
def test_netron_shows_the_network_of_the_chapter(chapter, clock, site, browser):
    with Visit(browser, site, 1280) as visit:
        if clock:
            visit.context.clock.install(time=clock)
        page = visit.open(f"notebooks/{chapter}.html")
        if clock:
            visit.context.clock.resume()
        expected = nodes_of(SHOWN[chapter])
        assert shown_nodes(netron(page), expected) == expected
        visit.screenshot(f"netron-{chapter}-{'ahead' if clock else 'now'}")
        assert visit.troubles == [] and visit.context.cookies() == []


def netron(page):
    page.locator(".netron iframe").scroll_into_view_if_needed()
    assert page.locator(".netron iframe").get_attribute("title")
    return page.frame_locator(".netron iframe")


@pytest.fixture
def small_model(tmp_path):
    """An ONNX file that is not the course's: two nodes, Add and Relu."""
    x, y = (onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [2]) for name in "xy")
    nodes = [onnx.helper.make_node("Add", ["x", "x"], ["z"]), onnx.helper.make_node("Relu", ["z"], ["y"])]
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph(nodes, "small", [x], [y])), tmp_path / "small.onnx")
    return tmp_path / "small.onnx"


def test_netron_opens_a_file_of_the_visitors(small_model, site, browser):
    with Visit(browser, site, 1280) as visit:
        page = visit.open("notebooks/02_network.html")
        netron(page).locator("#canvas .node").first.wait_for()
        page.locator(".netron input").set_input_files(small_model)
        netron(page).get_by_text("Add", exact=True).wait_for()
        assert netron(page).get_by_text("Gemm", exact=True).count() == 0
        assert visit.troubles == []


def test_a_file_that_is_no_model_is_refused_and_the_network_stays(tmp_path, site, browser):
    (tmp_path / "none.onnx").write_bytes(b"seven" * 100)
    with Visit(browser, site, 1280) as visit:
        page = visit.open("notebooks/02_network.html")
        netron(page).locator("#canvas .node").first.wait_for()
        page.locator(".netron input").set_input_files(tmp_path / "none.onnx")
        page.get_by_text("none.onnx is no ONNX file; choose one that an exporter has written.").wait_for()
        assert shown_nodes(netron(page), nodes_of(MODEL)) == nodes_of(MODEL)


def test_a_torn_model_gets_netrons_own_sentence(tmp_path, site, browser):
    (tmp_path / "torn.onnx").write_bytes(MODEL.read_bytes()[:50_000])
    with Visit(browser, site, 1280) as visit:
        page = visit.open("notebooks/02_network.html")
        netron(page).locator("#canvas .node").first.wait_for()
        page.locator(".netron input").set_input_files(tmp_path / "torn.onnx")
        netron(page).get_by_text("File format is not onnx.ModelProto (Unexpected end of file).").wait_for()
        visit.screenshot("netron-refuses")


def test_the_drawing_shows_without_javascript(site, browser):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site}notebooks/02_network.html")
    drawing = page.get_by_alt_text("Netron's drawing of the network")
    assert drawing.bounding_box()["height"] > 300  # a picture that is not loaded is as high as its text
    assert page.get_by_text("Netron needs a browser with JavaScript.").is_visible()
    context.close()


def test_on_paper_and_without_javascript_the_operators_stand_in_netrons_place(site, browser):
    with Visit(browser, site, 1280) as visit:
        page = visit.open("notebooks/09_deployment.html")
        words = page.locator(".netron-words")
        assert not words.is_visible() and "QuantizeLinear, DequantizeLinear, Conv" in words.text_content()
        page.emulate_media(media="print")
        assert words.is_visible() and not page.get_by_text("It stays in this browser.").is_visible()
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site}notebooks/09_deployment.html")
    assert page.locator(".netron-words").is_visible() and not page.locator(".netron iframe").is_visible()
    context.close()


@pytest.mark.parametrize(("words", "found"), [("momentum", "03_gradients"), ("96.71", "04_training")])
def test_search_finds_momentum_where_it_is_introduced_and_the_reports_number(words, found, site, browser):
    with Visit(browser, site, 1280) as visit:
        page = visit.open(f"search.html?q={words}")
        page.locator("#search-results li").first.wait_for()
        page.get_by_text("Search finished").wait_for()
        links = page.locator("#search-results li a").evaluate_all("links => links.map(link => link.href)")
        assert any(f"notebooks/{found}.html" in link for link in links[:3]), links
        assert visit.troubles == []


@pytest.mark.parametrize("name", CHAPTERS)
def test_download_is_the_committed_notebook(name, site, browser):
    with Visit(browser, site, 1280) as visit:
        page = visit.open(f"notebooks/{name}.html")
        link = page.locator("a.btn-download-source-button").get_attribute("href")
        answer = page.request.get(f"{site}notebooks/{link}")
        assert answer.body() == (ROOT / "notebooks" / f"{name}.ipynb").read_bytes()


@pytest.mark.parametrize("name", PAGES)
def test_page_ends_with_its_provenance(name, site, browser):
    with Visit(browser, site, 1280) as visit:
        words = visit.open(f"{name}.html").locator(".provenance").inner_text()
    paths = [ROOT / f"{name}.ipynb"] if "/" in name else sorted((ROOT / "notebooks").glob("*.ipynb"))
    for path in paths:
        run = nbformat.read(path, as_version=4).metadata.made_with
        for key in ("date", "python", "torch", "torchvision", "onnx", "onnxruntime", "processor"):
            assert run[key] in words, key


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
        page.keyboard.press("Tab")
        seed.focus()
        meaning.wait_for()
        assert seed.get_attribute("aria-describedby") == meaning.get_attribute("id")
        assert visit.axe_findings() == [] and visit.troubles == []


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
        scroll_to_the_end(page)
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
