"""Take a screenshot of the pad with a drawn digit in a headless Chromium: mnist_helpers/widgets/pad.png.

Notebooks show it if no kernel is running. To use another browser than Playwright's, set the variable CHROMIUM to its
executable.
"""

import base64
import io
from pathlib import Path

import chromium
import numpy as np
import torch
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from mnist_helpers import data, drawing, export
from mnist_helpers._support.paths import COURSE as ROOT

MODEL = ROOT / "models" / "report_net.onnx"
SCRIPT, PICTURE = (ROOT / "mnist_helpers" / "widgets" / name for name in ("pad.js", "pad.png"))
STROKE = [(88, 92), (94, 74), (110, 58), (132, 50), (156, 51), (176, 62), (186, 82), (184, 106), (174, 130)]  # a 2
STROKE += [(152, 160), (128, 186), (104, 211), (88, 229), (86, 231), (112, 229), (146, 227), (178, 227), (202, 225)]
PAGE = """<style>body { margin: 0; } .pad { margin: 0 !important; }</style><main></main><script type="module">
const module = await import(URL.createObjectURL(new Blob([await script()], { type: "text/javascript" })));
module.createPad(document.querySelector("main"), async (ink) => {
  const digit = await answer([...ink]);
  return [{ ...digit, picture: Uint8Array.from(atob(digit.picture), (letter) => letter.charCodeAt(0)) }];
});</script>"""


def answer(ink: list[int]) -> dict:
    """Return what the pad shows of the first digit in a drawing of 280x280 grey values."""
    digit = drawing.digits_of_drawing(np.reshape(np.array(ink, dtype=np.uint8), (280, 280)))[0]
    images = data.normalise(torch.from_numpy(digit.picture)[None])
    shown: dict = {"box": digit.box, "centre": digit.centre}
    shown["probabilities"] = export.run_onnx(MODEL, images).exp()[0].tolist()
    return shown | {"picture": base64.b64encode(digit.picture.tobytes()).decode()}


def draw(page: Page) -> None:
    """Draw STROKE on the pad with the mouse."""
    box = page.locator(".pad-canvas").bounding_box()
    assert box is not None  # None only for a hidden canvas
    places = [(box["x"] + x, box["y"] + y) for x, y in STROKE]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places:
        page.mouse.move(*place)
    page.mouse.up()


def main():
    with sync_playwright() as playwright:
        browser = chromium.launch(playwright)
        page = browser.new_page(viewport={"width": 900, "height": 700})
        page.expose_function("script", lambda: SCRIPT.read_text(encoding="utf-8"))
        page.expose_function("answer", answer)
        page.set_content(PAGE)
        page.wait_for_selector(".pad-canvas")
        draw(page)
        page.wait_for_timeout(1000)  # wait for the last answer and the transition of the bars
        screenshot = Image.open(io.BytesIO(page.locator(".pad").screenshot()))
        screenshot.convert("RGB").quantize(128).save(PICTURE, optimize=True)  # reduces the size by two thirds
        browser.close()
    print("written:", PICTURE.relative_to(Path.cwd()))


if __name__ == "__main__":
    main()
