"""What a page shows in place of outputs that need a running kernel: the widgets themselves, and no exercise cards.

A widget's picture stays where JavaScript does not run; docs/_static/chapter.js replaces it.
"""

import re
from pathlib import Path

import nbformat
from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform

ALIVE = re.compile(r"(Pad|LivePad|MovingFilter)\(")  # the names of widgets in chapter.js; the sliders need Python
SCRIPT = '<script type="module" src="../_static/chapter.js"></script>'
PROGRESS = "exercises.progress()"
NO_PROGRESS = "Your progress is shown here when you run the chapter in JupyterLab."


class KernelOutputs(SphinxPostTransform):
    """Replace the outputs of a chapter that need a kernel, before MyST-NB chooses one kind of each output."""

    default_priority = 3

    def run(self) -> None:
        alive = False
        for cell in list(self.document.findall(is_code_cell)):
            if "exercise" in cell["cell_metadata"].get("tags", []):
                remove_outputs(cell)
            elif PROGRESS in cell.children[0].astext():
                remove_outputs(cell)
                cell += nodes.paragraph("", NO_PROGRESS)
            for bundle in list(cell.findall(is_mime_bundle)):
                alive |= self.awaken(cell, bundle)
        if alive:
            self.document += nodes.raw("", SCRIPT, format="html")

    def awaken(self, cell: nodes.container, bundle: nodes.container) -> bool:
        """Mark the picture of a widget as one that comes to life; return whether it is one."""
        kinds = {child["mime_type"]: child for child in bundle.children}
        name = ALIVE.match(kinds["text/plain"].astext()) if "text/plain" in kinds else None
        if name is None or "image/png" not in kinds:
            return False
        opening = f'<div class="widget widget-{name[1].lower()}" data-widget="{name[1]}">{self.state(cell)}'
        opened, closed = (nodes.raw("", text, format="html") for text in (opening, "</div>"))
        bundle.replace_self([opened, *kinds["image/png"].children, closed])
        return True

    def state(self, cell: nodes.container) -> str:
        """Return what the widget in a cell stored with its output, as an element for its script."""
        notebook = nbformat.read(Path(self.env.srcdir, f"{self.env.docname}.ipynb"), as_version=4)
        outputs = notebook.cells[cell["cell_index"]].outputs
        stored = [output.metadata["widget"] for output in outputs if "widget" in output.get("metadata", {})]
        plain = [text.replace("<", r"\u003c") for text in stored]  # no text may end the element
        return "".join(f'<script type="application/json">{text}</script>' for text in plain)


def is_code_cell(node: nodes.Node) -> bool:
    return isinstance(node, nodes.container) and node.get("nb_element") == "cell_code"


def is_mime_bundle(node: nodes.Node) -> bool:
    return isinstance(node, nodes.container) and node.get("nb_element") == "mime_bundle"


def remove_outputs(cell: nodes.container) -> None:
    for node in [child for child in cell.children if child.get("nb_element") == "cell_code_output"]:
        cell.remove(node)


def setup(app):
    app.add_post_transform(KernelOutputs)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
