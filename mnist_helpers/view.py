"""A picture that shows what was read in another picture, and why: boxes, what the network saw, and its answers."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mnist_helpers.drawing import FoundDigit

SURE, UNSURE, PAPER, INK = (0, 114, 178), (213, 94, 0), (255, 255, 255), (40, 40, 40)
TILE, GAP, TEXT = 84, 12, 18  # pixels: the 28x28 picture three times as large, the space around it, the letters


def view(grey: np.ndarray, found: Sequence[FoundDigit], answers: Sequence[tuple[str, float]]) -> Image.Image:
    """Return the picture `grey` uint8 [H, W] with numbered boxes and, below, what the network saw of each digit.

    `answers` has the digit ("?" if it is not sure) and the confidence for each of `found`.
    """
    columns = max(1, min(len(found), (max(grey.shape[1], 360) - GAP) // (TILE + GAP)))
    rows = -(-len(found) // columns)
    width = max(grey.shape[1], GAP + columns * (TILE + GAP))
    image = Image.new("RGB", (width, grey.shape[0] + rows * (TILE + 2 * TEXT + GAP) + GAP), PAPER)
    image.paste(Image.fromarray(grey), (0, 0))
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(TEXT)
    for number, (digit, (said, confidence)) in enumerate(zip(found, answers)):
        colour = UNSURE if said == "?" else SURE
        top, left, height, wide = digit.box
        draw.rectangle((left - 4, top - 4, left + wide + 3, top + height + 3), outline=colour, width=3)
        row, column = divmod(number, columns)
        corner = GAP + column * (TILE + GAP), grey.shape[0] + GAP + row * (TILE + 2 * TEXT + GAP)
        image.paste(Image.fromarray(digit.picture).resize((TILE, TILE), Image.Resampling.NEAREST), corner)
        draw.text((corner[0], corner[1] + TILE + 2), f"{said}  {confidence:.0%}", fill=colour, font=font)
    return image
