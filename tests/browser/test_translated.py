"""The widgets in a language of brackets: no word of theirs stays in English, and all of them still work."""

import json
import re

import pytest

from mnist_helpers import data
from mnist_helpers.widgets import script
from mnist_helpers.widgets.modules import TRANSLATIONS, WEB
from mnist_helpers.widgets.moving_filter import MovingFilter
from tests.browser import strokes
from tests.browser.own_page import serving_page
from tests.browser.visit import Visit
from tests.support.brackets import bracketed, without_brackets

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<link rel="icon" href="data:,"><link rel="stylesheet" href="live.css">
<link rel="stylesheet" href="pad.css"><title>1</title>
<main><div id="pad"></div><div id="live"></div><div id="filter"></div></main><script type="module">
import { mount } from "./live.js";
import { loadNetwork } from "./network.js";
import { createPad } from "./pad.js";
import { createMovingFilter } from "./moving_filter.js";
import { digitsOfDrawing } from "./segment.js";
const [pad, live, filter] = document.querySelectorAll("main div");
const probabilities = Array.from({ length: 10 }, (_, digit) => (digit === 8 ? 0.91 : 0.01));
createPad(pad, async (ink) => digitsOfDrawing(ink, 280, 280).map((digit) => ({ ...digit, probabilities })));
mount(live, loadNetwork("report_net"), { example: 7 });
createMovingFilter(filter, await (await fetch("state.json")).json());
</script></html>"""
KEPT = {"Esc", "Delete"}  # keys
SHOWN = """() => [...document.querySelectorAll("main *")].flatMap((one) => [
  ["aria-label", "aria-valuetext"].map((name) => one.getAttribute(name) ?? ""),
  one.localName === "style" ? [] : [...one.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data),
].flat())"""


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    folder = tmp_path_factory.mktemp("translated")
    filters = {"1": data.load("test")[0][0, 0, :5, :5]}
    state = MovingFilter(data.load("test")[0][0, 0], filters).state
    (folder / "state.json").write_text(json.dumps(state | {"filters": state["filters"][:1]}))
    with serving_page(PAGE, folder) as address, pytest.MonkeyPatch.context() as patch:
        patch.setattr(script, "say", bracketed)
        scripts = [path.read_text(encoding="utf-8") for path in WEB.glob("*.js")]
        (folder / TRANSLATIONS).write_text(script.translations(scripts), encoding="utf-8")
        yield address


def english(page):
    """Return the words in what the widgets show or tell screen readers that stand outside brackets."""
    return {word for text in page.evaluate(SHOWN) for word in re.findall("[A-Za-z]{2,}", without_brackets(text))}


def test_no_word_of_a_widget_stays_in_english(url, browser):
    with Visit(browser, url, reduced_motion="no-preference") as visit:
        page = visit.open("")
        page.locator(".live-large", has_text="7").wait_for()
        page.locator(".live-stage small", has_text="⟦Cover").wait_for()
        assert english(page) == KEPT
        strokes.draw(page, [strokes.smooth(line) for line in strokes.CAREFUL[3]], ".pad-canvas")
        page.locator(".pad-verdict", has_text="⟦This looks like⟧ ⟦an⟧\u00a08").wait_for()
        page.locator(".moving-slide").click()
        page.locator(".moving-slide", has_text="⟦Stop⟧").wait_for()
        assert english(page) == KEPT
        visit.expect_quiet()
