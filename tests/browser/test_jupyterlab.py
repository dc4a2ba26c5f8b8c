"""The course as a student has it: every chapter run in JupyterLab, in a browser, with Netron and the pad alive."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time

import nbformat
import pytest
from nbconvert.preprocessors import ClearOutputPreprocessor

from mnist_helpers._support.paths import COURSE as ROOT
from tests.browser import strokes
from tests.browser.netron import CHAPTERS, MODEL, nodes_of, shown_nodes
from tests.browser.visit import Visit

CELLS = """() => [...window.jupyterapp.shell.currentWidget.content.model.cells]
    .filter(cell => cell.type === "code")
    .map(cell => ({
        count: cell.executionCount,
        errors: cell.outputs.toJSON().filter(o => o.output_type === "error" || o.name === "stderr"),
    }))"""
# States of the notebook, as conditions in JavaScript; `cells` are its code cells
CONDITION = """() => {
    const panel = window.jupyterapp?.shell.currentWidget;
    const kernel = panel?.sessionContext?.session?.kernel;
    const cells = [...panel?.content?.model?.cells ?? []].filter(cell => cell.type === "code");
    return %s;
}"""
READY = "cells.length > 10 && panel.sessionContext.isReady && kernel?.status === 'idle'"
BEGUN = "cells.some(cell => cell.executionCount !== null || cell.executionState !== 'idle')"
ENDED = "cells.every(cell => cell.executionCount !== null) && kernel?.status === 'idle'"
SCROLL_TO = """async id => {
    const notebook = window.jupyterapp.shell.currentWidget.content;
    await notebook.scrollToItem(notebook.widgets.findIndex(cell => cell.model.sharedModel.id === id), "start");
}"""
# Chapters with a part that lives in the browser; the others run in a kernel anyway, by nbval
ALIVE = {"01_data", "02_network", "03_gradients", "05_predictions", "09_deployment"}
LONGEST = 900_000  # milliseconds; a busy machine is slow


@pytest.fixture
def lab(tmp_path):
    """The address of a fresh JupyterLab whose folder holds a copy of the notebooks, without outputs."""
    folder = tmp_path
    shutil.copytree(ROOT / "notebooks", folder / "notebooks")
    for path in (folder / "notebooks").glob("*.ipynb"):
        notebook, _ = ClearOutputPreprocessor().preprocess(nbformat.read(path, as_version=4), {})
        nbformat.write(notebook, path)
    options = ["--no-browser", "--allow-root", "--ip=127.0.0.1", "--port=0", "--LabApp.expose_app_in_browser=True"]
    options += [f"--ServerApp.root_dir={folder}", "--IdentityProvider.token=secret"]
    environment = os.environ | {"JUPYTER_CONFIG_DIR": str(folder / "config"), "JUPYTERLAB_WORKSPACES_DIR": str(folder)}
    with open(folder / "log", "w") as log:
        server = subprocess.Popen([sys.executable, "-m", "jupyterlab", *options], stderr=log, env=environment)
    yield address(folder / "log", server)
    server.terminate()
    server.wait(timeout=30)


def address(log, server):
    for _ in range(600):
        if found := re.search(r"http://127\.0\.0\.1:\d+/", log.read_text()):
            return found[0]
        assert server.poll() is None, log.read_text()
        time.sleep(0.1)
    raise AssertionError(f"JupyterLab did not start: {log.read_text()}")


def run_all(visit, name):
    """Open a notebook, choose Run All Cells, and wait until every code cell is done."""
    page = open_notebook(visit, name)
    choose_run_all(page)
    wait_until(page, ENDED)
    return page


def open_notebook(visit, name):
    """Open a notebook and wait until its kernel is ready."""
    page = visit.open(f"lab/tree/notebooks/{name}.ipynb?token=secret", wait_until="load")
    close_dialogs(page)
    wait_until(page, READY)
    return page


def close_dialogs(page):
    """Before each click, let Playwright close a dialog that covers the page; its last button is the one to go on."""
    dialogs = page.locator(".jp-Dialog")
    page.add_locator_handler(dialogs, lambda dialog: dialog.locator("button.jp-Dialog-button").last.click())


def choose_run_all(page):
    """Choose Run All Cells in the menu, and wait until a cell has begun; once in a while a click is lost."""
    from playwright.sync_api import TimeoutError  # not at the top: without Playwright these tests are skipped

    for _ in range(3):
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_text("Run All Cells", exact=True).click()
        with contextlib.suppress(TimeoutError):
            return wait_until(page, BEGUN, 60_000)
    raise AssertionError(f"No cell has begun: {page.evaluate(CELLS)}")


def wait_until(page, condition, milliseconds=LONGEST):
    """Wait for a condition. It is asked for at times, not at each frame: a busy page draws none."""
    page.wait_for_function(CONDITION % condition, polling=500, timeout=milliseconds)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name not in ALIVE)) for name in CHAPTERS]
)
def test_run_all_in_jupyterlab(name, lab, browser):
    with Visit(browser, lab, 1280) as visit:
        page = run_all(visit, name)
        cells = page.evaluate(CELLS)
        assert [cell["count"] for cell in cells] == list(range(1, len(cells) + 1))
        assert [cell["errors"] for cell in cells if cell["errors"]] == []
        if name == "02_network":
            assert shown_nodes(netron(page), nodes_of(MODEL)) == nodes_of(MODEL)
            check_moving_filter(page)
        if name == "09_deployment":
            assert shown_nodes(netron(page), ["QuantizeLinear"])["QuantizeLinear"] == 8
        if name == "03_gradients":
            check_sliders(page)
        if name == "01_data":
            check_pad(page)
        if name == "05_predictions":
            check_live_pad(page)
        visit.screenshot(f"lab-{name}")
        foreign = [trouble for trouble in visit.troubles if trouble.startswith("foreign")]
        assert [trouble for trouble in foreign if "//127.0.0.1:" not in trouble] == []  # Netron has a port of its own


def test_a_dialog_that_covers_the_page_is_closed_before_a_click(lab, browser):
    with Visit(browser, lab, 1280) as visit:
        page = open_notebook(visit, "03_gradients")
        page.evaluate("() => { window.jupyterapp.commands.execute('help:about'); }")
        page.wait_for_function("() => document.querySelector('.jp-Dialog')", polling=100)
        choose_run_all(page)
        assert not page.locator(".jp-Dialog").is_visible()


def netron(page):
    page.evaluate(SCROLL_TO, "netron-live")  # what is far from view is not drawn
    return page.frame_locator("iframe[title^=Netron]")


def check_pad(page):
    page.evaluate(SCROLL_TO, "pad")
    page.locator(".pad-canvas").wait_for()
    wrong = strokes.misread(page, "careful")
    assert len(wrong) <= 1, wrong


def check_live_pad(page):
    page.evaluate(SCROLL_TO, "pad")
    page.get_by_role("img", name="Layer 2: 20 maps").wait_for()
    page.locator(".live-large", has_text="7").wait_for()  # the example
    page.click(".live-clear")
    strokes.draw(page, [strokes.smooth(line) for line in strokes.HASTY[3]], ".live-canvas")
    page.locator(".live-large", has_text="3").wait_for()


def check_moving_filter(page):
    page.evaluate(SCROLL_TO, "moving")
    page.locator(".origin-value", has_text="10.27").wait_for()  # as in the figure of the patch
    page.focus(".moving-digit")
    page.keyboard.press("ArrowDown")  # JupyterLab selects no other cell
    page.locator(".moving-status", has_text="Row 8, column 5").wait_for(state="attached")


def check_sliders(page):
    page.evaluate(SCROLL_TO, "rate-slider")
    page.get_by_alt_text("The figure for learning_rate=5.0", exact=True).wait_for()
    page.get_by_role("slider", name="learning rate").first.fill("8")  # the ninth value of the list
    page.get_by_alt_text("The figure for learning_rate=12.0", exact=True).wait_for()
