"""The ids of all cells, the numbers in their text, and a digest of each figure's alt text: they change only on purpose.

Links, exemptions and translations name a cell by its id. prose_numbers.py asks that a cell near a number shows it, but
another number may be shown there, too, and a small one nearly always is. After a change on purpose, write a new list:

    python -m tests.notebooks.cell_ids
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from notebook_cells import alt_text

from tests.notebooks.notebook_checks import FOLDER, read
from tests.notebooks.prose_numbers import written

LIST = Path(__file__).with_name("cell_ids.txt")
ADVICE = "if it is on purpose, run `python -m tests.notebooks.cell_ids`"


def entries(name: str, notebook) -> list[str]:
    """Return a line for each cell of a notebook: its name, the cell's id, and what `contents` returns."""
    return [" ".join([name, cell.id, *contents(cell)]) for cell in notebook.cells]


def contents(cell) -> list[str]:
    """Return the numbers in a cell's text, or the digest of its figure's alt text, if any."""
    if cell.cell_type == "markdown":
        return written(cell.source)
    alt = alt_text(cell)
    return [] if alt is None else [hashlib.sha256(alt.encode()).hexdigest()[:12]]


def all_entries() -> list[str]:
    """Return the lines of all stored notebooks."""
    return [line for path in sorted(FOLDER.glob("*.ipynb")) for line in entries(path.stem, read(path))]


def id_findings(listed: list[str], found: list[str]) -> Iterator[str]:
    """Say which cells have another id, another alt text or other numbers than the list says."""
    known, here = ({tuple(line.split()[:2]): line.split()[2:] for line in lines} for lines in (listed, found))
    for name, cell in known.keys() - here.keys():
        yield f"{name} has no cell {cell} any more; {ADVICE}."
    for name, cell in here.keys() - known.keys():
        yield f"{name} has a new cell {cell}; {ADVICE}."
    for name, cell in known.keys() & here.keys():
        if known[name, cell] != here[name, cell]:
            before, now = (" ".join(entry[name, cell]) or "nothing" for entry in (known, here))
            yield f"{name}, {cell} has another alt text or other numbers (listed: {before}; now: {now}); {ADVICE}."


if __name__ == "__main__":
    LIST.write_text("\n".join(all_entries()) + "\n", encoding="utf-8", newline="\n")
