"""What a page shows in place of outputs that need a running kernel: the widgets themselves, and no exercise cards.

A widget's picture stays where JavaScript does not run; docs/_static/chapter.js replaces it.
"""

import re
from pathlib import Path

import nbformat
from docutils import nodes
from sphinx.errors import ExtensionError
from sphinx.transforms.post_transforms import SphinxPostTransform

WIDGETS = ("Pad", "LivePad", "MovingFilter")  # those of chapter.js; the sliders need Python
ALIVE = re.compile(rf"({'|'.join(WIDGETS)})\(")
SCRIPT = '<script type="module" src="../_static/chapter.js"></script>'
PROGRESS = "exercises.progress()"
NO_PROGRESS = "Your progress is shown here when you run the chapter in JupyterLab."


class KernelOutputs(SphinxPostTransform):
    """Replace the outputs of a chapter that need a kernel, before MyST-NB chooses one kind of each output."""

    default_priority = 3

    def run(self) -> None:
        widgets = {}
        for cell in list(self.document.findall(is_code_cell)):
            if "exercise" in cell["cell_metadata"].get("tags", []):
                remove_outputs(cell)
            elif PROGRESS in cell.children[0].astext():
                remove_outputs(cell)
                cell += nodes.paragraph("", NO_PROGRESS)
            if found := [bundle for bundle in cell.findall(is_mime_bundle) if widget_name(bundle)]:
                widgets[cell["cell_index"]] = found
        if widgets:
            self.awaken(widgets)
            self.document += nodes.raw("", SCRIPT, format="html")

    def awaken(self, widgets: dict[int, list[nodes.container]]) -> None:
        """Mark the pictures of widgets, by the number of their cell, as those that come to life."""
        notebook = nbformat.read(Path(self.env.srcdir, f"{self.env.docname}.ipynb"), as_version=4)
        for number, bundles in widgets.items():
            cell = notebook.cells[number]
            if len(bundles) > 1:
                sentence = f"the cell {cell.id} shows {len(bundles)} widgets; give each a cell of its own."
                raise ExtensionError(f"{self.env.docname}: {sentence}")
            replace(bundles[0], state(cell))


def widget_name(bundle: nodes.container) -> str:
    """Return the name of the widget whose picture is in an output, or "" if there is none that comes to life."""
    kinds = {child["mime_type"]: child.astext() for child in bundle.children}
    name = ALIVE.match(kinds.get("text/plain", ""))
    return name[1] if name and "image/png" in kinds else ""


def replace(bundle: nodes.container, state: str) -> None:
    """Put the picture of a widget, and its state, into an element that chapter.js finds."""
    name = widget_name(bundle)
    opening = f'<div class="widget widget-{name.lower()}" data-widget="{name}">{state}'
    opened, closed = (nodes.raw("", text, format="html") for text in (opening, "</div>"))
    pictures = [child for child in bundle.children if child["mime_type"] == "image/png"]
    bundle.replace_self([opened, *pictures[0].children, closed])


def state(cell: nbformat.NotebookNode) -> str:
    """Return what the widget in a cell stored with its output, as an element for its script."""
    stored = [output.metadata["widget"] for output in cell.outputs if "widget" in output.get("metadata", {})]
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
