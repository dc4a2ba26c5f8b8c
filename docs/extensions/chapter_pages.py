"""Additions to the pages of the chapters: Netron, the provenance of the outputs, alt texts in the reader's language."""

import functools
import itertools
from pathlib import Path

import nbformat
from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging

from mnist_helpers import export
from mnist_helpers._support import provenance
from mnist_helpers._support.translation import say

PLACEHOLDER = "Netron opens here."  # must match tools/run_notebooks.py
FRAME = """<div class="netron">
<iframe title="Netron showing the network of this chapter" loading="lazy"
    src="../netron/index.html?url={name}"></iframe>
<p><label>Open an ONNX file of yours here: <input type="file" accept=".onnx"></label>
It stays in this browser.</p>
<p role="status"></p>
<script type="module" src="../_static/netron.js"></script>
<p class="netron-words">Netron needs a browser with JavaScript. The file has these operators, in order: {operators}.</p>
</div>"""
NO_FILE = "Netron has a file for %s only; name this chapter's in IN_NETRON of tools/build_site.py, or remove its cell."
NAMES = {"onnx": "ONNX", "onnxruntime": "ONNX Runtime", "python": "Python"}
logger = logging.getLogger(__name__)


class NetronFrame(SphinxPostTransform):
    """Replace the placeholder for a chapter's Netron, which needs a kernel, by the static copy of the site."""

    default_priority = 500

    def run(self) -> None:
        path = self.config.netron_files.get(Path(self.env.docname).name)
        for node in self.document.findall(nodes.raw):
            if PLACEHOLDER in node.astext() and path is None:
                logger.warning(NO_FILE, ", ".join(self.config.netron_files), location=self.env.docname)
            elif PLACEHOLDER in node.astext():
                frame = FRAME.format(name=Path(path).name, operators=operators_in_words(Path(path)))
                node.parent.replace(node, nodes.raw("", frame, format="html"))


def operators_in_words(path: Path) -> str:
    """Return the operators of an ONNX file in words, where several alike in a row are counted."""
    runs = [(kind, len(list(run))) for kind, run in itertools.groupby(export.operators(path))]
    return ", ".join(kind if count == 1 else f"{count} × {kind}" for kind, count in runs)


def relink(app, docname: str, source: list[str]) -> None:
    """Adapt links between docs/ and notebooks/ to the site, where the pages of docs/ are in the top folder."""
    source[0] = source[0].replace("](../docs/", "](../").replace("](../notebooks/", "](notebooks/")


def translate_alt_texts(app, doctree) -> None:
    """Give the figures their alt texts in the language of the site."""
    for image in doctree.findall(nodes.image):
        if "alt" in image:
            image["alt"] = say(image["alt"])


def add_provenance(app, pagename: str, templatename: str, context: dict, doctree) -> None:
    """Add the sentence about provenance to the footer: for the page's notebook or, on other pages, for all."""
    own = Path(app.srcdir, f"{pagename}.ipynb")
    paths = [own] if own.is_file() else sorted(Path(app.srcdir, "notebooks").glob("*.ipynb"))
    context["provenance"] = sentence([recorded_run(path) for path in paths])


@functools.cache
def recorded_run(path: Path) -> dict | None:
    """Return the metadata of the run that made a notebook's outputs, or None if the outputs are from another run."""
    notebook = nbformat.read(path, as_version=4)
    run = notebook.metadata.get("made_with", {})
    return run if run.get("outputs") == provenance.fingerprint(notebook) else None


def sentence(runs: list[dict | None]) -> str:
    """Return a sentence about the versions and the processor of `runs`, or that they are unknown."""
    what = "This page's outputs were" if len(runs) == 1 else "The chapters' outputs were"
    if None in runs:
        return f"{what} stored by another program than the course's own, with versions that were not recorded."
    shared = {key: " and ".join(sorted({run[key] for run in runs})) for key in runs[0]}
    versions = [f"{NAMES.get(key, key)} {shared[key]}" for key in ("python", *provenance.PACKAGES)]
    return f"{what} computed on {shared['date']} with {', '.join(versions)}; processor: {shared['processor']}."


def setup(app):
    app.add_config_value("netron_files", {}, "env", dict)  # IN_NETRON in tools/build_site.py
    app.add_post_transform(NetronFrame)
    app.connect("source-read", relink)
    app.connect("doctree-read", translate_alt_texts)
    app.connect("html-page-context", add_provenance)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
