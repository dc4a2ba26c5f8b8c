"""Hide the answers to the questions marked *Predict* until the reader opens them, with or without JavaScript."""

from pathlib import Path

import nbformat
import predictions
from ancestors import ancestors
from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform

ANSWER = "prediction"  # the class of an answer's text, and of the element that hides it all
CELL = f"tag_{predictions.TAG}"  # the class that MyST-NB gives to a code cell with this tag


class hidden(nodes.Element):
    """What a reader has to open."""


def mark(app, docname: str, source: list[str]) -> None:
    """Mark the answers' texts of a chapter, which the parser would not tell from others, and add a switch for all.

    Cells keep their numbers, by which other extensions find them in the notebook.
    """
    if Path(app.env.doc2path(docname)).suffix != ".ipynb":
        return
    chapter = nbformat.reads(source[0], as_version=4)
    count = len(predictions.answers(predictions.separate(chapter)))
    for cell, following in zip(chapter.cells, [*chapter.cells[1:], None]):
        if cell.cell_type == "markdown" and predictions.is_answer(cell):
            cell.source = "\n\n".join(marked(part) for part in predictions.parts(cell, following))
    if count:
        chapter.cells[0].source += f"\n\n```{{raw}} html\n{predictions.switch(count)}\n```"
    source[0] = nbformat.writes(chapter)


def marked(part: nbformat.NotebookNode) -> str:
    """Return the text of a part of a cell, in a container if it belongs to an answer."""
    return f"::::{{container}} {ANSWER}\n{part.source}\n::::" if predictions.is_answer(part) else part.source


class HideAnswers(SphinxPostTransform):
    """Move the output that answers a question, and the cells that belong to it, into an element of their own."""

    default_priority = 600  # when MyST-NB has chosen what to show of each output

    def run(self) -> None:
        for node in list(self.document.findall(nodes.container)):
            if belongs(node) and not any(isinstance(parent, hidden) for parent in ancestors(node)):
                hide(node)


def belongs(node: nodes.Node) -> bool:
    """Return whether a node is a cell, or the text, of an answer."""
    return isinstance(node, nodes.container) and bool({CELL, ANSWER} & set(node["classes"]))


def hide(first: nodes.container) -> None:
    """Put the output of a code cell, or a text, behind a click, with all that follows and belongs to the answer."""
    siblings, place = first.parent, first.parent.index(first)
    answer = hidden()
    if CELL in first["classes"]:
        answer += nodes.container("", *outputs(first), classes=["cell"])
        place += 1
    while place < len(siblings) and belongs(siblings[place]):
        answer += siblings.pop(place)
    siblings.insert(place, answer)


def outputs(cell: nodes.container) -> list[nodes.Node]:
    """Take the outputs out of a code cell, and return them."""
    found = [child for child in cell if "cell_output" in child["classes"]]
    for output in found:
        cell.remove(output)
    return found


def open_element(self, node) -> None:
    self.body.append(f'<details class="{ANSWER}"><summary>{predictions.SUMMARY}</summary>\n')


def close_element(self, node) -> None:
    self.body.append("</details>\n")


def setup(app):
    app.add_node(hidden, html=(open_element, close_element))
    app.add_post_transform(HideAnswers)
    app.connect("source-read", mark)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
