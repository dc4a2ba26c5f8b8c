"""Write a chapter as one HTML file that loads nothing: pictures, formulas, styles and script are inside."""

import base64
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path

import jinja2
import predictions
from formulas import translate
from nbconvert.filters import ansi2html
from nbconvert.filters.highlight import Highlight2HTML
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode
from notebook_cells import alt_text
from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]
from steps import Step, steps

from mnist_helpers._support.paths import COURSE as ROOT

TEMPLATES = Path(__file__).with_name("templates")
ANSWERS_SCRIPT = ROOT / "docs" / "_static" / "answers.js"
COLOURS = HtmlFormatter(style="a11y-high-contrast-light").get_style_defs(".highlight")
NARROW, WIDE = 56, 2.2  # characters of a line beside a result; width of a figure by its height
highlight = Highlight2HTML(pygments_lexer="ipython3")


class Renderer(IPythonRenderer):
    """Write Markdown with pictures inside, a mark for each formula, and no link that leads to another file."""

    def __init__(self, folder: Path):
        super().__init__(escape=False, embed_images=True, path=str(folder), exclude_anchor_links=True)
        self.formulas: list[tuple[str, bool]] = []

    def inline_math(self, body: str) -> str:
        return self.formula(body, display=False)

    def block_math(self, body: str) -> str:
        return self.formula(body, display=True)

    def formula(self, tex: str, display: bool) -> str:
        self.formulas.append((tex, display))
        return f"<!--formula {len(self.formulas) - 1}-->"

    def link(self, text: str, url: str, title: str | None = None) -> str:
        if url.startswith(("https://", "http://", "mailto:")):
            return super().link(text, url, title)
        place = url.removeprefix("../").partition("#")[0]
        return f'<span class="elsewhere" title="In the course: {escape(place)}">{text}</span>'


@dataclass
class Shown:
    """A step as HTML, for the template. `layout` says how a slide arranges code and result."""

    name: str
    layout: str
    lead: str
    code: str
    result: list[str]
    answer: list[str]


def page(notebook: NotebookNode, folder: Path, library: Path, kind: str) -> str:
    """Return a chapter as an HTML page of this kind, `lms` or `slides`; its pictures are in `folder`.

    Raises CourseError if a formula cannot be translated by `library`, the file node-main.js of MathJax.
    """
    renderer = Renderer(folder)
    shown = [show(step, renderer) for step in steps(notebook)]
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), trim_blocks=True, lstrip_blocks=True)
    style = "\n".join([*(read(f"{name}.css") for name in ("page", kind)), COLOURS])
    script = read("slides.js") if kind == "slides" else ANSWERS_SCRIPT.read_text(encoding="utf-8")
    title = re.sub(r"^# ", "", notebook.cells[0].source.partition("\n")[0])
    html = environment.get_template("page.html.j2").render(
        title=title,
        steps=shown,
        kind=kind,
        style=style,
        script=script,
        switch=predictions.switch(sum(bool(step.answer) for step in shown)),
        summary=predictions.SUMMARY,
    )
    formulas = translate(library, renderer.formulas) if renderer.formulas else []
    return re.sub(r"<!--formula (\d+)-->", lambda mark: formulas[int(mark[1])], html)


def read(name: str) -> str:
    """Return the text of one of the templates' files."""
    return (TEMPLATES / name).read_text(encoding="utf-8")


def show(step: Step, renderer: Renderer) -> Shown:
    """Return a step as HTML."""
    markdown = MarkdownWithMath(renderer=renderer).render
    write: dict[str, Callable] = {"text": markdown, "code": highlight, "outputs": outputs}
    lead, code = (write[kind](source) if source else "" for kind, source in [("text", step.lead), ("code", step.code)])
    result, answer = ([write[kind](part) for kind, part in parts] for parts in (step.result, step.answer))
    return Shown(step.name, layout(step), lead, code, [html for html in result if html], answer)


def layout(step: Step) -> str:
    """Return how a slide shows a step: `alone` (text), `beside` (code beside result), `below`, or `wide` (a figure)."""
    if not step.code:
        return "alone"
    cells = [part for _, part in step.result + step.answer if isinstance(part, NotebookNode)]
    shown = [output.get("data", {}) for cell in cells for output in cell.outputs]
    sizes = [png_size(data["image/png"]) for data in shown if "image/png" in data]
    if any(width > WIDE * height for width, height in sizes):
        return "wide"
    narrow = max(map(len, step.code.splitlines())) <= NARROW and not (step.result and step.answer)
    return "beside" if narrow else "below"


def outputs(cell: NotebookNode) -> str:
    """Return what a code cell shows, as HTML."""
    alt = alt_text(cell) or ""
    return "\n".join(f'<div class="output">{output_html(output, alt)}</div>' for output in cell.outputs)


def output_html(output: NotebookNode, alt: str) -> str:
    """Return one output as HTML; of several forms the richest."""
    data = output.get("data", {})
    if "image/png" in data:
        width, height = png_size(data["image/png"])
        source = f"data:image/png;base64,{data['image/png'].strip()}"
        return f'<img alt="{escape(alt)}" width="{width}" height="{height}" src="{source}">'
    if "image/svg+xml" in data:
        drawing = base64.b64encode(data["image/svg+xml"].encode()).decode()
        return f'<img alt="{escape(alt)}" src="data:image/svg+xml;base64,{drawing}">'
    if "text/html" in data:
        return data["text/html"]
    return f"<pre>{ansi2html(output.get('text') or data.get('text/plain', ''))}</pre>"


def png_size(content: str) -> tuple[int, int]:
    """Return the width and height of a PNG picture in base64, from its header."""
    width, height = struct.unpack(">II", base64.b64decode(content[:32])[16:24])
    return width, height
