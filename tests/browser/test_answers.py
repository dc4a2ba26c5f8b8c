"""The answers to the questions marked *Predict*: hidden until the reader asks, printed without asking."""

import re

import pytest

from tests.browser.netron import CHAPTERS
from tests.browser.visit import CUT_OFF, HIDDEN, Visit

CHAPTER = "notebooks/03_gradients.html"
ANSWER = "The one with momentum. Along the valley"


def test_without_javascript_each_answer_is_one_click_away(site, browser):
    with Visit(browser, site, java_script_enabled=False) as visit:
        page = visit.open(CHAPTER)
        answer = page.get_by_text(ANSWER)
        assert not answer.is_visible() and not page.locator(".show-answers button").is_visible()
        page.locator("details.prediction", has_text=ANSWER).locator("summary").click()
        assert answer.is_visible()
        assert page.locator("details[open]").count() == 1


def test_one_button_shows_all_answers_and_hides_them_again(site, browser):
    with Visit(browser, site) as visit:
        page = visit.open(CHAPTER)
        count = page.locator("details.prediction").count()
        assert count >= 7 and page.locator("details[open]").count() == 0
        for shown, word in [(count, "Hide"), (0, "Show")]:
            page.locator(".show-answers button").press("Enter")
            page.get_by_role("button", name=f"{word} all {count} answers").wait_for()
            assert page.locator("details[open]").count() == shown
        page.locator("details.prediction summary").first.press("Enter")
        assert page.locator("details[open]").count() == 1
        page.reload()
        assert page.locator("details[open]").count() == 0
        visit.expect_quiet()


def test_an_address_that_leads_into_an_answer_opens_it(site, browser):
    with Visit(browser, site) as visit:
        page = visit.open(f"{CHAPTER}#:~:text=The%20one%20with%20momentum.")
        page.locator("details[open]", has_text=ANSWER).wait_for()
        page.get_by_text("A red ring with a blue hole.").evaluate("(element) => (element.id = 'ring')")
        page.evaluate("location.hash = 'ring'")
        page.locator("details[open]", has_text="A red ring").wait_for()
        assert page.locator("details[open]").count() == 2


def test_search_finds_what_is_hidden(site, browser):
    with Visit(browser, site) as visit:
        page = visit.open("search.html?q=Dropout2d")
        page.get_by_text("Search finished").wait_for()
        links = page.locator("#search-results li a").evaluate_all("links => links.map(link => link.href)")
        assert any("02_network" in link for link in links), links


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_printed_chapter_is_light_whole_and_shows_its_answers(name, site, browser):
    with Visit(browser, site, 680, color_scheme="dark") as visit:  # as wide as the text on a sheet of A4
        page = visit.open(f"notebooks/{name}.html")
        assert page.evaluate(HIDDEN) and page.evaluate("document.documentElement.dataset.theme") == "dark"
        page.emulate_media(media="print", color_scheme="dark")
        page.locator("html[data-theme=light]").wait_for(state="attached")
        assert page.evaluate(HIDDEN) == []
        assert page.evaluate(CUT_OFF) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        colour = page.locator("article p").first.evaluate("(element) => getComputedStyle(element).color")
        assert max(int(part) for part in re.findall(r"\d+", colour)[:3]) < 130, colour
        page.emulate_media(media="screen", color_scheme="dark")
        page.locator("html[data-theme=dark]").wait_for(state="attached")


def test_what_a_sheet_would_cut_off_is_noticed(site, browser):
    with Visit(browser, site, 680) as visit:
        page = visit.open(CHAPTER)
        page.emulate_media(media="print")
        page.evaluate("document.querySelector('article pre').style = 'white-space: pre !important; overflow: hidden'")
        page.evaluate("document.querySelector('article pre').textContent = 'x'.repeat(300)")
        page.evaluate("document.querySelector('article p').style.width = '900px'")
        assert len(page.evaluate(CUT_OFF)) >= 2
