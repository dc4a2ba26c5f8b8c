"""Take screenshots of both pads with a drawn digit in a headless Chromium: pad.png and live_pad.png, beside pad.py.

Notebooks show them if no kernel is running, without the buttons, which would do nothing. To use another browser than
Playwright's, set the variable CHROMIUM to its executable.
"""

import base64
import io
import json
from pathlib import Path

import chromium
import numpy as np
import torch
from PIL import Image
from playwright.sync_api import Page, sync_playwright
from serve_site import serving

from mnist_helpers import data, drawing, export, layers
from mnist_helpers._support.paths import COURSE as ROOT
from mnist_helpers.widgets import live_pad, modules, pad

MODEL = ROOT / "models" / "report_net.onnx"
STROKE = [(88, 92), (94, 74), (110, 58), (132, 50), (156, 51), (176, 62), (186, 82), (184, 106), (174, 130)]  # a 2
STROKE += [(152, 160), (128, 186), (104, 211), (88, 229), (86, 231), (112, 229), (146, 227), (178, 227), (202, 225)]
STYLE = """<link rel="stylesheet" href="live.css"><link rel="stylesheet" href="pad.css"><style>
body { margin: 0; font-family: system-ui, sans-serif; }
.pad { margin: 0 !important; } .live { padding: 16px; }
.pad-tools, .live-tools, .live-examples, .live-samples, .origin-controls { display: none !important; }
</style><main></main>"""
PAD = """<script type="module">
import { createPad } from "./pad.js";
createPad(document.querySelector("main"), async (ink) => {
  const digit = await answer([...ink]);
  return [{ ...digit, picture: Uint8Array.from(atob(digit.picture), (letter) => letter.charCodeAt(0)) }];
});</script>"""
LIVE_PAD = """<script type="module">
import { buildNetwork } from "./layers.js";
import { mount } from "./live.js";
const { description, weights } = JSON.parse(await network());
mount(document.querySelector("main"), buildNetwork(description, Float32Array.from(weights)));</script>"""
SHOTS = [(PAD, ".pad", pad.PICTURE, 900), (LIVE_PAD, ".live", live_pad.PICTURE, 740)]


def answer(ink: list[int]) -> dict:
    """Return what the pad shows of the first digit in a drawing of 280x280 grey values."""
    digit = drawing.digits_of_drawing(np.reshape(np.array(ink, dtype=np.uint8), (280, 280)))[0]
    images = data.normalise(torch.from_numpy(digit.picture)[None])
    shown: dict = {"box": digit.box, "centre": digit.centre}
    shown["probabilities"] = export.run_onnx(MODEL, images).exp()[0].tolist()
    return shown | {"picture": base64.b64encode(digit.picture.tobytes()).decode()}


def network() -> str:
    """Return the report's network for layers.js."""
    found = layers.read_layers(MODEL)
    weights = np.frombuffer(found.binary("<f4"), "<f4").tolist()
    return json.dumps({"description": found.description(), "weights": weights})


def draw(page: Page, canvas: str) -> None:
    """Draw STROKE on the pad with the mouse."""
    box = page.locator(canvas).bounding_box()
    assert box is not None  # None only for a hidden canvas
    places = [(box["x"] + x * box["width"] / 280, box["y"] + y * box["width"] / 280) for x, y in STROKE]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places:
        page.mouse.move(*place)
    page.mouse.up()


def take(page: Page, address: str, script: str, name: str, picture: Path) -> None:
    """Show the widget with the class `name`, draw on it, and write a picture of it."""
    shown = STYLE + script
    page.route("**/shot.html", lambda route: route.fulfill(body=shown, content_type="text/html; charset=utf-8"))
    page.goto(f"{address}shot.html")
    page.wait_for_selector(f"{name}-canvas")
    draw(page, f"{name}-canvas")
    page.wait_for_timeout(2500)  # wait for the last answer, the transition of the bars and the occlusion
    screenshot = Image.open(io.BytesIO(page.locator(name).screenshot()))
    screenshot.convert("RGB").quantize(128).save(picture, optimize=True)  # reduces the size by two thirds


def main():
    with sync_playwright() as playwright, serving(modules.WEB) as address:
        browser = chromium.launch(playwright)
        for script, name, picture, width in SHOTS:
            page = browser.new_page(viewport={"width": width, "height": 900})
            page.expose_function("answer", answer)
            page.expose_function("network", network)
            take(page, address, script, name, picture)
            print("written:", picture.relative_to(ROOT))
        browser.close()


if __name__ == "__main__":
    main()
