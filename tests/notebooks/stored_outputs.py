"""Stored outputs against fresh ones: the exemptions, and the figures, which nbval itself does not look at."""

import base64
import copy
import io
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageChops, ImageStat

EXEMPTIONS = Path(__file__).parents[1] / "exemptions.toml"
HIDDEN = "<may differ>"
PIXELS = ("image/png", "image/jpeg")

# Two machines with the same versions draw the same picture but for the rounding of single pixels. Pictures are
# compared after averaging over 8x8 pixels: an edge that is snapped to the next pixel then changes a block by 255/8 at
# most. A thin curve that is mirrored changes the picture by about 1 on average, a swapped digit by far more.
BLOCK, MEAN_CHANGE, WORST_CHANGE = 8, 0.5, 40  # pixels, grey levels of 255, grey levels of 255
SLACK = 2  # pixels of width and height: the bounding box of a figure is rounded up


@dataclass
class Exemption:
    """One entry of exemptions.toml."""

    kind: str  # "band", "choice" or "figure"
    notebook: str
    cell: str | list[str]
    reason: str
    pattern: str = ""
    low: float = float("-inf")
    high: float = float("inf")

    def covers(self, notebook: str, cell_id: str) -> bool:
        return self.notebook == notebook and cell_id in self.cells

    @property
    def cells(self) -> list[str]:
        return [self.cell] if isinstance(self.cell, str) else self.cell


def load(path: Path = EXEMPTIONS) -> list[Exemption]:
    """Read the exemptions, bands first; an unknown key is a TypeError."""
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    return [Exemption(kind, **entry) for kind in sorted(tables) for entry in tables[kind]]


def compare(cell, exemptions, nbval_compare, fresh, stored):
    """Stand in for the method compare_outputs of an nbval cell."""
    exemptions = [exemption for exemption in exemptions if exemption.covers(cell.path.stem, cell.cell.get("id"))]
    stored_texts, problems = hide(stored, exemptions, "stored")
    fresh_texts, more_problems = hide(fresh, exemptions, "fresh")
    problems += more_problems + figure_problems(stored, fresh, any(e.kind == "figure" for e in exemptions))
    same = nbval_compare(fresh_texts, stored_texts)
    cell.comparison_traceback += problems
    return same and not problems


def run_as_jupyterlab_does(notebook):
    """Let nbval honour a semicolon that ends a cell, and pass over the moves of a progress bar without complaint."""
    set_up, get_message = notebook.setup, notebook.get_kernel_message

    def setup():
        set_up()
        execute = notebook.kernel.kc.execute  # IPython looks for the semicolon in its history
        notebook.kernel.kc.execute = lambda source, **options: execute(source, **options | {"store_history": True})

    def get_kernel_message(*args, **kwargs):
        while (message := get_message(*args, **kwargs))["msg_type"] == "update_display_data":
            pass
        return message

    notebook.setup, notebook.get_kernel_message = setup, get_kernel_message


def hide(outputs, exemptions, origin):
    """Copy outputs with all that may differ hidden; also returns a sentence for each number that is out of its band."""
    outputs, problems = copy.deepcopy(outputs), []
    for output in outputs:
        if "text" in output:
            output["text"], found = hide_in_text(output["text"], exemptions, origin)
            problems += found
        for mime, content in output.get("data", {}).items():
            if mime.startswith("text/"):
                output["data"][mime], found = hide_in_text(content, exemptions, origin)
                problems += found
            elif mime == "image/svg+xml" and any(exemption.kind == "figure" for exemption in exemptions):
                output["data"][mime] = HIDDEN
    return outputs, problems


def hide_in_text(text, exemptions, origin):
    problems = []
    for exemption in exemptions:
        if exemption.kind == "figure":
            continue
        for match in reversed(list(re.finditer(exemption.pattern, text))):
            if exemption.kind == "band":
                problems += out_of_band(exemption, match, origin)
            text = text[: match.start()] + _without_groups(match, exemption.kind) + text[match.end() :]
    return text, problems


def out_of_band(exemption, match, origin):
    """One sentence for each number of a match that lies outside the band."""
    numbers = [number for number in match.groups() if number is not None]
    return [
        f"{number} in the {origin} output ({match.group().strip()!r}) is outside the band "
        f"{exemption.low} to {exemption.high} of tests/exemptions.toml: {exemption.reason}"
        for number in numbers
        if not exemption.low <= float(number.replace(",", "")) <= exemption.high
    ]


def _without_groups(match, kind):
    groups = range(1, match.re.groups + 1) if kind == "band" else [1]
    text = match.group()
    for first, last in sorted((match.span(group) for group in groups if match[group] is not None), reverse=True):
        text = text[: first - match.start()] + HIDDEN + text[last - match.start() :]
    return text


def figure_problems(stored, fresh, exempt=False):
    """Say how the PNG and JPEG figures of two lists of outputs differ; exempt figures must only be there."""
    stored, fresh = figures(stored), figures(fresh)
    if len(stored) != len(fresh):
        return [f"{len(stored)} figures are stored, but the cell draws {len(fresh)}."]
    return [problem for pair in zip(stored, fresh) if (problem := figure_problem(*pair, exempt))]


def figures(outputs):
    contents = [output.get("data", {}).get(mime) for output in outputs for mime in PIXELS]
    return [Image.open(io.BytesIO(base64.b64decode(content))).convert("RGB") for content in contents if content]


def figure_problem(stored, fresh, exempt):
    slack = max(stored.size) / 10 if exempt else SLACK
    if any(abs(one - other) > slack for one, other in zip(stored.size, fresh.size)):
        return f"The stored figure has {stored.size} pixels, the fresh one {fresh.size}."
    if exempt:
        return None
    frame = (0, 0, *map(min, stored.size, fresh.size))
    change = ImageStat.Stat(ImageChops.difference(*(image.crop(frame).reduce(BLOCK) for image in (stored, fresh))))
    mean, worst = max(change.mean), max(high for _, high in change.extrema)
    if mean > MEAN_CHANGE or worst > WORST_CHANGE:
        return f"The stored figure differs from the fresh one by {mean:.2f} grey levels on average, {worst} at worst."
    return None
