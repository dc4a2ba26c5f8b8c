"""Where the answers to the questions marked *Predict* are: in cells with the tag `reveal`; pages and slides hide them.

An answer is a run of such cells. It begins with a code cell, whose code stays in sight, and goes on with whole cells.
(It may also begin with a text, if the cell above shows something to try out.) If its last cell is text, only the first
paragraph belongs to it (with the list below it, if there is one, and without a last sentence that ends in a colon,
since it leads to the next cell).
"""

import copy
import re

from nbformat import NotebookNode

TAG = "reveal"
QUESTION = "**Predict"
# What the pages show, as HTML: on what hides an answer, and below a chapter's title
SUMMARY = '<span class="closed">Show the answer</span><span class="shown">The answer</span>'
SWITCH = """\
<p class="show-answers">Each <strong>Predict</strong> has its answer below it, one click away.
<button type="button">Show all {count} answers</button></p>"""
SENTENCE_END = re.compile(r"[.!?]\)?\s+")


def switch(count: int) -> str:
    """Return a button that shows so many answers, with a sentence about it; nothing if there are none."""
    return SWITCH.format(count=count) if count else ""


def is_answer(cell: NotebookNode) -> bool:
    """Return whether a cell, or its beginning, belongs to an answer."""
    return TAG in cell.metadata.get("tags", [])


def split(source: str) -> tuple[str, str]:
    """Split the text after an answer's last code cell into what still belongs to the answer, and what follows."""
    paragraph, _, rest = source.partition("\n\n")
    if rest.startswith("- "):
        items, _, rest = rest.partition("\n\n")
        return f"{paragraph}\n\n{items}", rest
    if not paragraph.endswith(":"):
        return paragraph, rest
    ends = [found.end() for found in SENTENCE_END.finditer(paragraph)]
    place = ends[-1] if ends else 0
    return paragraph[:place].rstrip(), f"{paragraph[place:]}\n\n{rest}".strip()


def separate(notebook: NotebookNode) -> NotebookNode:
    """Return a copy in which each cell either belongs to an answer as a whole or not at all."""
    separated = copy.deepcopy(notebook)
    separated.cells = []
    for cell, following in zip(notebook.cells, [*notebook.cells[1:], None]):
        separated.cells += parts(cell, following)
    return separated


def parts(cell: NotebookNode, following: NotebookNode | None) -> list[NotebookNode]:
    """Return copies of a cell, or of both parts of a text in which an answer ends; `following` is the next cell."""
    first = copy.deepcopy(cell)
    last = following is None or not is_answer(following) or QUESTION in cell.source
    if not is_answer(cell) or cell.cell_type != "markdown" or not last:
        return [first]
    rest = copy.deepcopy(cell)
    first.source, rest.source = split(cell.source)
    rest.id = f"{cell.id}-on"
    rest.metadata.tags.remove(TAG)
    return [part for part in (first, rest) if part.source]


def answers(separated: NotebookNode) -> list[list[NotebookNode]]:
    """Return the answers of a notebook that `separate` returned, each with its cells."""
    runs: list[list[NotebookNode]] = [[]]
    for cell in separated.cells:
        if is_answer(cell):
            runs[-1].append(cell)
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]
