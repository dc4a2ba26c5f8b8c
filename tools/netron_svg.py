"""Draw the report's network with Netron in a headless Chromium, and save it as notebooks/images/report_net.svg.

Run `make pictures` after a change of the network or of Netron's version. To use another browser than Playwright's, set
the variable CHROMIUM to its executable.
"""

import tempfile
from pathlib import Path

import chromium
import torch
from playwright.sync_api import sync_playwright

from mnist_helpers import export
from mnist_helpers._support.paths import COURSE, NOTEBOOKS
from mnist_helpers.network import Net
from mnist_helpers.widgets import netron_page

TARGET = NOTEBOOKS / "images" / "report_net.svg"
# Netron draws boxes around texts that it has measured. Another font would not fit, so each text keeps its length
KEEP_LENGTHS = """() => {
    for (const text of document.querySelectorAll("text")) {
        text.setAttribute("textLength", Math.round(text.getComputedTextLength()));
        text.setAttribute("lengthAdjust", "spacingAndGlyphs");
    }
    return new XMLSerializer().serializeToString(document.documentElement);
}"""


def draw(model: Path, target: Path) -> None:
    """Open `model` in Netron and save its SVG export."""
    with sync_playwright() as playwright:
        browser = chromium.launch(playwright)
        page = browser.new_page()
        page.goto(netron_page.serve(model) + "?url=model.onnx")
        page.wait_for_selector("#canvas .node")
        page.wait_for_timeout(1000)  # wait for the layout
        with page.expect_download() as download:
            page.keyboard.press("Control+Alt+E")
        file = target.with_name("drawn.svg")
        download.value.save_as(file)
        page.goto(file.as_uri())
        drawing = page.evaluate(KEEP_LENGTHS)
        browser.close()
    file.unlink()
    target.write_text(drawing + "\n", encoding="utf-8")


def main():
    torch.manual_seed(1)
    with tempfile.TemporaryDirectory() as folder:
        model = export.to_onnx(Net(), torch.zeros(2, 1, 28, 28), Path(folder) / "report_net.onnx")
        draw(model, TARGET)
    print("written:", TARGET.relative_to(COURSE))


if __name__ == "__main__":
    main()
