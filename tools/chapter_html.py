"""Write a chapter as one HTML file that loads nothing: pictures, formulas, styles and script are inside."""

import base64
import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from xml.etree import ElementTree

import jinja2
import predictions
from formulas import translate
from nbconvert.filters import ansi2html
from nbconvert.filters.highlight import Highlight2HTML
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode
from notebook_cells import alt_text
from PIL import Image
from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]
from steps import Step, steps

from mnist_helpers._support.paths import COURSE as ROOT

TEMPLATES = Path(__file__).with_name("templates")
STATIC = ROOT / "docs" / "_static"  # of the site
LIGHT = HtmlFormatter(style="a11y-high-contrast-light").get_style_defs(".highlight")
DARK = HtmlFormatter(style="a11y-high-contrast-dark").get_style_defs("html.dark .highlight")  # slides can be dark
UPRIGHT = 1.3  # a figure that is less wide, by its height, has its text beside it
BLANK = re.compile(r"\n\n+")  # between the paragraphs of code or output: there, a slide may end
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
    """A step as HTML, for the template. An answer has a part for each of its code cells."""

    name: str
    lead: str
    code: str
    result: list[str]
    answer: list[list[str]]


def page(notebook: NotebookNode, folder: Path, library: Path, kind: str) -> str:
    """Return a chapter as an HTML page of this kind, `lms` or `slides`; its pictures are in `folder`.

    Raises CourseError if a formula cannot be translated by `library`, the file node-main.js of MathJax.
    """
    renderer = Renderer(folder)
    shown = [show(step, renderer) for step in steps(notebook)]
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), trim_blocks=True, lstrip_blocks=True)
    title = re.sub(r"^# ", "", notebook.cells[0].source.partition("\n")[0])
    html = environment.get_template("page.html.j2").render(
        title=title,
        steps=shown,
        kind=kind,
        style=styles(kind),
        script=scripts(kind),
        switch=predictions.switch(sum(bool(step.answer) for step in shown)),
        summary=predictions.SUMMARY,
    )
    formulas = translate(library, renderer.formulas) if renderer.formulas else []
    return re.sub(r"<!--formula (\d+)-->", lambda mark: formulas[int(mark[1])], html)


def styles(kind: str) -> str:
    """Return the stylesheets of a page."""
    printed = f"@media print {{\n{read('print_shared.css', STATIC)}}}"
    dark = [f"@media screen {{\n{DARK}\n}}"] if kind == "slides" else []
    return "\n".join([LIGHT, *dark, printed, read("page.css"), read(f"{kind}.css")])


def scripts(kind: str) -> str:
    """Return the scripts of a page."""
    return read("divide_slides.js") + read("slides.js") if kind == "slides" else read("answers.js", STATIC)


def read(name: str, folder: Path = TEMPLATES) -> str:
    """Return the text of a stylesheet or a script."""
    return (folder / name).read_text(encoding="utf-8")


def show(step: Step, renderer: Renderer) -> Shown:
    """Return a step as HTML."""
    markdown = MarkdownWithMath(renderer=renderer).render
    write: dict[str, Callable] = {"text": markdown, "code": listing, "outputs": outputs}
    lead = markdown(step.lead) if step.lead else ""
    code = listing(step.code) if step.code else ""
    result = [write[kind](source) for kind, source in step.result]
    answer: list[list[str]] = [[]]
    for kind, source in step.answer:
        if kind == "code":
            answer.append([])
        answer[-1].append(write[kind](source))
    return Shown(step.name, lead, code, result, [part for part in answer if any(part)])


def listing(source: str) -> str:
    """Return code as HTML, with a block for each paragraph. (No tag of the highlighter spans two lines.)"""
    return BLANK.sub("\n</pre><pre>", highlight(source))


def outputs(cell: NotebookNode) -> str:
    """Return what a code cell shows, as HTML."""
    alt = alt_text(cell) or ""
    written = [output_html(output, alt) for output in cell.outputs]
    return "\n".join(f'<div class="output">{html}</div>' for html in written if html)


def output_html(output: NotebookNode, alt: str) -> str:
    """Return one output as HTML; of several forms the richest."""
    data = output.get("data", {})
    if "image/png" in data:
        return image(alt, png_size(data["image/png"]), f"data:image/png;base64,{data['image/png'].strip()}")
    if "image/svg+xml" in data:
        drawing = base64.b64encode(data["image/svg+xml"].encode()).decode()
        return image(alt, svg_size(data["image/svg+xml"]), f"data:image/svg+xml;base64,{drawing}")
    if "text/html" in data:
        return data["text/html"]
    text = output.get("text") or data.get("text/plain", "")
    return "".join(f"<pre>{ansi2html(part)}</pre>" for part in BLANK.split(text.strip("\n")))


def image(alt: str, size: tuple[int, int], source: str) -> str:
    """Return a figure as HTML, from its width and height in pixels and its data."""
    width, height = size
    kind = ' class="upright"' if width < UPRIGHT * height else ""
    shape = f'width="{width}" height="{height}" style="--ratio: {width / height:.3f}"'
    return f'<img{kind} alt="{escape(alt)}" {shape} src="{source}">'


def png_size(content: str) -> tuple[int, int]:
    """Return the width and height of a PNG picture in base64."""
    return Image.open(io.BytesIO(base64.b64decode(content))).size


def svg_size(content: str) -> tuple[int, int]:
    """Return the width and height of a drawing that states them in pixels, as Netron's does."""
    stated = ElementTree.fromstring(content).attrib
    return int(stated["width"]), int(stated["height"])
