"""The pages in Firefox: nothing fails, nothing scrolls sideways, and one can draw. All else is tested in Chromium."""

import pytest

from tests.browser import firefox

PAGES = ["index.html", "draw.html", "notebooks/02_network.html", "notebooks/05_predictions.html", "glossary.html"]


@pytest.fixture(scope="module")
def fox(tmp_path_factory):
    with firefox.started(tmp_path_factory.mktemp("firefox")) as fox:
        yield fox


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_quiet_and_fits(name, width, fox, site):
    fox.errors.clear()
    fox.open(site + name, width)
    assert fox.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert fox.errors == []


def test_a_drawn_digit_is_read(fox, site):
    fox.open(f"{site}draw.html", 1440)
    fox.wait_for("document.querySelector('.live-canvas') && /I read/.test(document.querySelector('.live').innerText)")
    fox.evaluate("document.querySelector('.live-clear').click()")
    left, top = (fox.evaluate(f"document.querySelector('.live-canvas').getBoundingClientRect().{x}") for x in "xy")
    fox.stroke([(round(left) + 140, round(top) + y) for y in range(40, 250, 10)])
    fox.wait_for("/I read 1,/.test(document.querySelector('.live').innerText)")


def test_a_number_is_found(fox, site):
    fox.open(f"{site}search.html?q=96.71", 1440)
    fox.wait_for("/04_training/.test(document.querySelector('#search-results').innerHTML)")


def test_what_is_wrong_is_seen(fox, site):
    fox.open(f"{site}licences.html", 390)
    fox.evaluate("document.querySelector('article').innerHTML += '<div style=\"width: 900px\">wide</div>'; 1")
    assert not fox.evaluate("document.documentElement.scrollWidth <= innerWidth")
    fox.errors.clear()
    fox.evaluate("setTimeout(() => { throw new Error('seven'); }); new Promise((resolve) => setTimeout(resolve, 200))")
    assert any("seven" in error for error in fox.errors)
