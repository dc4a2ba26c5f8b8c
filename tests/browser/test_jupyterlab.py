"""The course as a student has it: chapters run in JupyterLab, in a browser, with Netron and all widgets alive.

Every day one chapter is run whole, and the widgets of the others in one notebook; nbval runs all cells anyway.
"""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request

import nbformat
import pytest
from nbconvert.preprocessors import ClearOutputPreprocessor
from nbformat.v4 import new_code_cell, new_notebook

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
LONGEST = 900_000  # milliseconds; a busy machine is slow
TOKEN = "secret"
WHOLE = "02_network"  # with Netron, a widget, figures and exercises; the other chapters are run whole each week
# In place of training, which takes a while: the report's network, for the pad of chapter 05
TRAINED = """from mnist_helpers import layers
from mnist_helpers._support.paths import MODELS

model = Net()
trained = layers.read_layers(MODELS / "report_net.onnx").weights
model.load_state_dict(dict(zip(model.state_dict(), map(torch.tensor, trained))))"""


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """The folder of JupyterLab, with a copy of the notebooks without outputs, and one of widgets alone."""
    folder = tmp_path_factory.mktemp("lab")
    shutil.copytree(ROOT / "notebooks", folder / "notebooks")
    for path in (folder / "notebooks").glob("*.ipynb"):
        notebook, _ = ClearOutputPreprocessor().preprocess(nbformat.read(path, as_version=4), {})
        nbformat.write(notebook, path)
    write_widgets(folder / "notebooks")
    return folder


def write_widgets(notebooks):
    """Write a notebook with the cells that the widgets of chapters 01, 03 and 05 need.

    The cell of chapter 05's pad is the last one; TRAINED gives it the report's network just before.
    """
    cells = []
    for chapter, last in [("01_data", "pad"), ("03_gradients", "rate-slider"), ("05_predictions", "pad")]:
        own = nbformat.read(notebooks / f"{chapter}.ipynb", as_version=4)
        code = [cell for cell in own.cells if cell.cell_type == "code"]
        place = [cell.id for cell in code].index(last)
        needed = code[:place] if chapter == "03_gradients" else code[:1]  # the cell of imports
        cells += [(chapter, cell) for cell in [*needed, code[place]]]
    made = [new_code_cell(cell.source, id=f"{chapter[:2]}-{cell.id}") for chapter, cell in cells]
    made.insert(-1, new_code_cell(TRAINED))
    kernel = {"kernelspec": own.metadata.kernelspec}  # the same in all chapters
    nbformat.write(new_notebook(cells=made, metadata=kernel), notebooks / "widgets.ipynb")


@pytest.fixture(scope="session")
def server(folder):
    """The address of a fresh JupyterLab, for all tests of a process."""
    options = ["--no-browser", "--allow-root", "--ip=127.0.0.1", "--port=0", "--LabApp.expose_app_in_browser=True"]
    options += [f"--ServerApp.root_dir={folder}", f"--IdentityProvider.token={TOKEN}"]
    environment = os.environ | {
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder),
        "MNIST_COURSE_PROGRESS": str(folder / "progress.json"),
    }
    with open(folder / "log", "w") as log:
        server = subprocess.Popen([sys.executable, "-m", "jupyterlab", *options], stderr=log, env=environment)
    yield address(folder / "log", server)
    server.terminate()
    server.wait(timeout=30)


@pytest.fixture
def lab(server):
    """The address of JupyterLab; the kernels that a test started are ended after it."""
    yield server
    for session in json.loads(answer(f"{server}api/sessions")):
        answer(f"{server}api/sessions/{session['id']}", "DELETE")


def answer(url, method="GET"):
    asked = urllib.request.Request(url, method=method, headers={"Authorization": f"token {TOKEN}"})
    with urllib.request.urlopen(asked, timeout=60) as answer:
        return answer.read()


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
    page = visit.open(f"lab/workspaces/{name}/tree/notebooks/{name}.ipynb?token={TOKEN}")  # without others' tabs
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


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name != WHOLE)) for name in CHAPTERS])
def test_run_all_in_jupyterlab(name, lab, browser):
    with Visit(browser, lab, 1280) as visit:
        page = run_all(visit, name)
        expect_all_run(page)
        for cell, check in PARTS.get(name, {}).items():
            check(page, cell)
        visit.screenshot(f"lab-{name}")
        expect_nothing_foreign(visit)


def test_the_widgets_of_the_other_chapters_live_in_jupyterlab(lab, browser):
    with Visit(browser, lab, 1280) as visit:
        page = run_all(visit, "widgets")
        expect_all_run(page)
        for chapter in ("01_data", "03_gradients", "05_predictions"):
            for cell, check in PARTS[chapter].items():
                check(page, f"{chapter[:2]}-{cell}")
        expect_nothing_foreign(visit)


def expect_all_run(page):
    """All cells have run in their order, without an error or a warning."""
    cells = page.evaluate(CELLS)
    assert [cell["count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert [cell["errors"] for cell in cells if cell["errors"]] == []


def expect_nothing_foreign(visit):
    foreign = [trouble for trouble in visit.troubles if trouble.startswith("foreign")]
    assert [trouble for trouble in foreign if "//127.0.0.1:" not in trouble] == []  # Netron has a port of its own


def test_a_dialog_that_covers_the_page_is_closed_before_a_click(lab, browser):
    with Visit(browser, lab, 1280) as visit:
        page = open_notebook(visit, "03_gradients")
        page.evaluate("() => { window.jupyterapp.commands.execute('help:about'); }")
        page.wait_for_function("() => document.querySelector('.jp-Dialog')", polling=100)
        choose_run_all(page)
        assert not page.locator(".jp-Dialog").is_visible()


def scroll_to(page, cell):
    page.evaluate(SCROLL_TO, cell)  # what is far from view is not drawn


def check_netron(page, cell):
    scroll_to(page, cell)
    assert shown_nodes(page.frame_locator("iframe[title^=Netron]"), nodes_of(MODEL)) == nodes_of(MODEL)


def check_netron_of_int8(page, cell):
    scroll_to(page, cell)
    assert shown_nodes(page.frame_locator("iframe[title^=Netron]"), ["QuantizeLinear"])["QuantizeLinear"] == 8


def check_pad(page, cell):
    scroll_to(page, cell)
    for digit in (3, 4, 7):  # Python answers
        page.click(".pad-clear")
        strokes.draw(page, [strokes.smooth(line) for line in strokes.CAREFUL[digit]])
        page.locator(f".pad-best[data-digit='{digit}']").wait_for()


def check_live_pad(page, cell):
    scroll_to(page, cell)
    page.get_by_role("img", name="Layer 2: 20 maps").wait_for()
    page.locator(".live-large", has_text="7").wait_for()  # the example
    page.click(".live-clear")
    strokes.draw(page, [strokes.smooth(line) for line in strokes.HASTY[3]], ".live-canvas")
    page.locator(".live-large", has_text="3").wait_for()


def check_moving_filter(page, cell):
    scroll_to(page, cell)
    page.locator(".origin-value", has_text="10.27").wait_for()  # as in the figure of the patch
    page.focus(".moving-digit")
    page.keyboard.press("ArrowDown")  # JupyterLab selects no other cell
    page.locator(".moving-status", has_text="Row 8, column 5").wait_for(state="attached")


def check_sliders(page, cell):
    scroll_to(page, cell)
    page.get_by_alt_text("The figure for learning_rate=5.0", exact=True).wait_for()
    page.get_by_role("slider", name="learning rate").first.fill("8")  # the ninth value of the list
    page.get_by_alt_text("The figure for learning_rate=12.0", exact=True).wait_for()


# What lives in the browser: for each chapter, cells and what they must show
PARTS = {
    "01_data": {"pad": check_pad},
    "02_network": {"netron-live": check_netron, "moving": check_moving_filter},
    "03_gradients": {"rate-slider": check_sliders},
    "05_predictions": {"pad": check_live_pad},
    "09_deployment": {"netron-live": check_netron_of_int8},
}
