"""Netron in two chapters of the site: the chapter's network, a file of the visitor's, and what stands in its place."""

import onnx
import pytest

from tests.browser.netron import MODEL, SHOWN, nodes_of, shown_nodes
from tests.browser.visit import Visit

YEARS_AHEAD = "2031-11-24T12:00:00"


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
        visit.expect_quiet()
        assert visit.context.cookies() == []


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
        visit.expect_quiet()


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
    with Visit(browser, site, java_script_enabled=False) as visit:
        page = visit.open("notebooks/02_network.html")
        drawing = page.get_by_alt_text("Netron's drawing of the network")
        assert drawing.bounding_box()["height"] > 300  # a picture that is not loaded is as high as its text
        assert page.get_by_text("Netron needs a browser with JavaScript.").is_visible()


def test_on_paper_and_without_javascript_the_operators_stand_in_netrons_place(site, browser):
    with Visit(browser, site, 1280) as visit:
        page = visit.open("notebooks/09_deployment.html")
        words = page.locator(".netron-words")
        assert not words.is_visible() and "QuantizeLinear, DequantizeLinear, Conv" in words.text_content()
        page.emulate_media(media="print")
        assert words.is_visible() and not page.get_by_text("It stays in this browser.").is_visible()
    with Visit(browser, site, java_script_enabled=False) as visit:
        page = visit.open("notebooks/09_deployment.html")
        assert page.locator(".netron-words").is_visible() and not page.locator(".netron iframe").is_visible()
