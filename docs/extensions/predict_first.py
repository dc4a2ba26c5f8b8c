"""Hide the answers to the questions marked *Predict* until the reader opens them, with or without JavaScript."""

from pathlib import Path

import nbformat
import predictions
from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform

ANSWER = "prediction"  # the class of an answer's text, and of the element that hides it all
SUMMARY = '<span class="closed">Show what happens</span><span class="shown">What happens</span>'
CELL = f"tag_{predictions.TAG}"  # the class that MyST-NB gives to a code cell with this tag
SWITCH = """

```{{raw}} html
<p class="show-answers">Each <strong>Predict</strong> has its answer below it, one click away.
<button type="button">Show all {count} answers</button></p>
```"""


class hidden(nodes.Element):
    """What a reader has to open."""


def separate(app, docname: str, source: list[str]) -> None:
    """Mark the answers' texts of a chapter, which the parser would not tell from others, and add a switch for all."""
    if Path(app.env.doc2path(docname)).suffix != ".ipynb":
        return
    chapter = predictions.separate(nbformat.reads(source[0], as_version=4))
    answers = predictions.answers(chapter)
    for cell in chapter.cells:
        if cell.cell_type == "markdown" and predictions.is_answer(cell):
            cell.source = f"::::{{container}} {ANSWER}\n{cell.source}\n::::"
    if answers:
        chapter.cells[0].source += SWITCH.format(count=len(answers))
    source[0] = nbformat.writes(chapter)


class HideAnswers(SphinxPostTransform):
    """Move the output that answers a question, and the cells that belong to it, into an element of their own."""

    default_priority = 600  # when MyST-NB has chosen what to show of each output

    def run(self) -> None:
        for cell in list(self.document.findall(nodes.container)):
            if CELL in cell["classes"] and not any(isinstance(parent, hidden) for parent in ancestors(cell)):
                hide(cell)


def ancestors(node: nodes.Node):
    """Yield the nodes around a node."""
    while (node := node.parent) is not None:
        yield node


def hide(cell: nodes.container) -> None:
    """Put the output of a code cell, and what follows as long as it belongs to the answer, behind a click."""
    siblings, place = cell.parent, cell.parent.index(cell)
    answer = hidden("", nodes.container("", classes=["cell"]))
    for output in [child for child in cell if "cell_output" in child["classes"]]:
        cell.remove(output)
        answer[0] += output
    while place + 1 < len(siblings) and {CELL, ANSWER} & set(siblings[place + 1].get("classes", [])):
        answer += siblings.pop(place + 1)
    siblings.insert(place + 1, answer)


def open_element(self, node) -> None:
    self.body.append(f'<details class="{ANSWER}"><summary>{SUMMARY}</summary>\n')


def close_element(self, node) -> None:
    self.body.append("</details>\n")


def setup(app):
    app.add_node(hidden, html=(open_element, close_element))
    app.add_post_transform(HideAnswers)
    app.connect("source-read", separate)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
