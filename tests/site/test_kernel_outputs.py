"""What a page makes of the outputs that need a kernel: a place for each widget that JavaScript can bring to life."""

import importlib
import re
import sys
from types import SimpleNamespace

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from mnist_helpers._support.paths import COURSE as ROOT

pytest.importorskip("sphinx", reason="Sphinx is not installed (`make test` installs it), so the site is not tested.")

from docutils import nodes, utils  # noqa: E402
from sphinx.errors import ExtensionError  # noqa: E402


@pytest.fixture(scope="module")
def kernel_outputs():
    sys.path.insert(0, str(ROOT / "docs" / "extensions"))
    yield importlib.import_module("kernel_outputs")
    sys.path.pop(0)


@pytest.fixture
def shown(kernel_outputs, tmp_path):
    """Return a function that gives the HTML of a page with one cell, whose outputs are the widgets with these names."""

    def show(*names):
        stored = [new_output("display_data", metadata={"widget": f'["{name}", "</script>"]'}) for name in names]
        cell = new_code_cell("draw()", id="draw", outputs=stored)
        nbformat.write(new_notebook(cells=[cell]), tmp_path / "page.ipynb")
        node = nodes.container("", nodes.container(), nb_element="cell_code", cell_index=0, cell_metadata={})
        node += [bundle(name) for name in names]
        document = utils.new_document("page")
        document.settings.env = SimpleNamespace(srcdir=tmp_path, docname="page")
        document += node
        kernel_outputs.KernelOutputs(document).run()
        return "".join(raw.astext() for raw in document.findall(nodes.raw))

    return show


def bundle(name):
    """Return the node of an output as MyST-NB makes it: a picture, and a text that begins with the widget's name."""
    picture = nodes.container("", nodes.image(uri="a.png"), mime_type="image/png")
    text = nodes.container("", nodes.literal_block("", f"{name}(1)"), mime_type="text/plain")
    return nodes.container("", picture, text, nb_element="mime_bundle")


def test_the_page_and_its_script_know_the_same_widgets(kernel_outputs):
    script = (ROOT / "docs" / "_static" / "chapter.js").read_text(encoding="utf-8")
    assert set(kernel_outputs.WIDGETS) == set(re.findall(r"^  (\w+): async", script, re.M))


def test_a_widget_gets_a_place_with_its_state_and_other_outputs_stay(shown):
    page = shown("MovingFilter")
    state = r'<script type="application/json">["MovingFilter", "\u003c/script>"]</script>'
    assert page.startswith(f'<div class="widget widget-movingfilter" data-widget="MovingFilter">{state}</div>')
    assert page.count("chapter.js") == 1
    assert shown("Sliders") == ""


def test_a_second_widget_in_a_cell_is_refused(shown):
    with pytest.raises(ExtensionError, match="page: the cell draw shows 2 widgets; give each a cell of its own"):
        shown("MovingFilter", "Pad")
