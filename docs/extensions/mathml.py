"""Write formulas as MathML, which browsers show without a script."""

from docutils import nodes
from formulas import translate
from sphinx.errors import ExtensionError

from mnist_helpers import CourseError


def collect(app, doctree, docname: str) -> None:
    """Translate all formulas of a page at once."""
    found = [*doctree.findall(nodes.math), *doctree.findall(nodes.math_block)]
    tasks = [(node.astext(), isinstance(node, nodes.math_block)) for node in found]
    try:
        written = translate(app.config.mathjax_library, tasks) if tasks else []
    except CourseError as error:
        raise ExtensionError(f"{docname}: {error}") from None
    for node, mathml in zip(found, written, strict=True):
        node["mathml"] = mathml


def visit_inline(self, node) -> None:
    self.body.append(node["mathml"])
    raise nodes.SkipNode


def visit_block(self, node) -> None:
    self.body.append(f'<div class="math">{node["mathml"]}</div>')
    raise nodes.SkipNode


def setup(app):
    app.add_config_value("mathjax_library", "", "html", str)  # the file node-main.js of the npm package
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    app.connect("doctree-resolved", collect)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
