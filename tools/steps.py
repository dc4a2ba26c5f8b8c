"""Divide a chapter into steps: a text that leads to a cell, the cell, what it shows, and the text that reads it."""

import re
from dataclasses import dataclass, field

from nbformat import NotebookNode
from predictions import QUESTION, is_answer, separate

HEADING = re.compile(r"\n\n(?=#{1,6} )")
NO_OUTPUT = "exercise"  # cells whose ids start so: stored outputs tell students that they tried nothing


Part = tuple[str, str | NotebookNode]  # what it is ("text", "code" or "outputs"), and its source or its cell


@dataclass
class Step:
    """A step of a chapter, in order. `answer` is what a question hides: outputs, texts, and whole cells."""

    name: str
    lead: str = ""
    code: str = ""
    result: list[Part] = field(default_factory=list)
    answer: list[Part] = field(default_factory=list)

    def add_code(self, cell: NotebookNode) -> None:
        """Add a code cell: the first in sight, others as parts of an answer."""
        if self.code:
            self.answer.append(("code", cell.source))
        else:
            self.code = cell.source
        if not cell.id.startswith(NO_OUTPUT):
            (self.answer if is_answer(cell) else self.result).append(("outputs", cell))


def steps(notebook: NotebookNode) -> list[Step]:
    """Return the steps of a chapter, in order."""
    cells = separate(notebook).cells
    found: list[Step] = []
    for before, cell, after in zip([None, *cells], cells, [*cells[1:], None]):
        if cell.cell_type == "code":
            if not found or (found[-1].code and not is_answer(cell)):
                found.append(Step(cell.id))
            found[-1].add_code(cell)
        elif is_answer(cell):
            found[-1].answer.append(("text", cell.source))
        else:
            reads = before is not None and shows_output(before)
            leads = after is not None and after.cell_type == "code"
            add_text(found, cell, reads, leads)
    return found


def shows_output(cell: NotebookNode) -> bool:
    """Return whether a cell shows an output in sight, which a text below it may read."""
    return cell.cell_type == "code" and not is_answer(cell) and not cell.id.startswith(NO_OUTPUT)


def add_text(found: list[Step], cell: NotebookNode, reads: bool, leads: bool) -> None:
    """Add a text to the steps: its first part to the last step if it reads the output there, the rest as new steps."""
    parts = HEADING.split(cell.source)
    if reads and not parts[0].startswith("#"):
        reading, parts[0] = split_reading(parts[0], leads and len(parts) == 1)
        if reading:
            found[-1].result.append(("text", reading))
    for number, text in enumerate(part for part in parts if part):
        found.append(Step(f"{cell.id}-{number}" if number else cell.id, lead=text))


def split_reading(text: str, leads: bool) -> tuple[str, str]:
    """Split a text after an output into what reads it, and what leads to the next code cell if one follows."""
    if not leads:
        return text, ""
    first, _, rest = text.partition("\n\n")
    return (first, rest) if rest and QUESTION not in first else ("", text)
