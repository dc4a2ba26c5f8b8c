"""The course as a student has it: every chapter run in JupyterLab, in a browser, with Netron and the pad alive."""

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
STATUS = "() => document.querySelector('.jp-Notebook-ExecutionIndicator').dataset.status"
SCROLL_TO = """async id => {
    const notebook = window.jupyterapp.shell.currentWidget.content;
    await notebook.scrollToItem(notebook.widgets.findIndex(cell => cell.model.sharedModel.id === id), "start");
}"""
LONGEST = 900  # seconds; a busy machine is slow


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
    page = visit.open(f"lab/tree/notebooks/{name}.ipynb?token=secret", wait_until="load")
    page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for(timeout=60_000)
    poll(page, lambda cells: len(cells) > 10, 60)
    while all(cell["count"] is None for cell in page.evaluate(CELLS)):
        if page.evaluate(STATUS) == "idle":  # not yet begun: once in a while a click is lost
            page.get_by_role("menuitem", name="Run", exact=True).click()
            page.get_by_text("Run All Cells", exact=True).click()
        page.wait_for_timeout(1000)
    poll(page, lambda cells: None not in [cell["count"] for cell in cells], LONGEST)
    page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for(timeout=60_000)
    return page


def poll(page, done, seconds):
    """Look at the cells until `done(cells)`; the page draws no frames while it is busy, so it is not asked to wait."""
    end = time.monotonic() + seconds
    while not done(cells := page.evaluate(CELLS)):
        assert time.monotonic() < end, cells
        page.wait_for_timeout(500)


@pytest.mark.parametrize("name", CHAPTERS)
def test_run_all_in_jupyterlab(name, lab, browser):
    with Visit(browser, lab, 1280) as visit:
        page = run_all(visit, name)
        cells = page.evaluate(CELLS)
        assert [cell["count"] for cell in cells] == list(range(1, len(cells) + 1))
        assert [cell["errors"] for cell in cells if cell["errors"]] == []
        if name == "02_network":
            assert shown_nodes(netron(page), nodes_of(MODEL)) == nodes_of(MODEL)
        if name == "09_deployment":
            assert shown_nodes(netron(page), ["QuantizeLinear"])["QuantizeLinear"] == 8
        if name == "03_gradients":
            check_sliders(page)
        if name in ("01_data", "05_predictions"):
            check_pad(page)
        visit.screenshot(f"lab-{name}")
        foreign = [trouble for trouble in visit.troubles if trouble.startswith("foreign")]
        assert [trouble for trouble in foreign if "//127.0.0.1:" not in trouble] == []  # Netron has a port of its own


def netron(page):
    page.evaluate(SCROLL_TO, "netron-live")  # what is far from view is not drawn
    return page.frame_locator("iframe[title^=Netron]")


def check_pad(page):
    page.evaluate(SCROLL_TO, "pad")
    page.locator(".pad-canvas").wait_for()
    wrong = strokes.misread(page)
    assert len(wrong) <= 2, wrong


def check_sliders(page):
    page.evaluate(SCROLL_TO, "rate-slider")
    page.get_by_alt_text("The figure for learning_rate=5.0", exact=True).wait_for()
    page.get_by_role("slider", name="learning rate").first.fill("8")  # the ninth value of the list
    page.get_by_alt_text("The figure for learning_rate=12.0", exact=True).wait_for()
