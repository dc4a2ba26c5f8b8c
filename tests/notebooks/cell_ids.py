"""The ids of all cells, and a digest of each figure's alt text, in a list that changes only on purpose.

Links, exemptions and translations name a cell by its id. After a change on purpose, write the list anew:

    python -m tests.notebooks.cell_ids
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from notebook_cells import alt_text

from tests.notebooks.notebook_checks import FOLDER, read

LIST = Path(__file__).with_name("cell_ids.txt")
ADVICE = "if it is on purpose, run `python -m tests.notebooks.cell_ids`"


def entries(name: str, notebook) -> list[str]:
    """Return a line for each cell of a notebook: its name, the cell's id, and the digest of the alt text, if any."""
    lines = []
    for cell in notebook.cells:
        alt = alt_text(cell)
        digest = [] if alt is None else [hashlib.sha256(alt.encode()).hexdigest()[:12]]
        lines.append(" ".join([name, cell.id, *digest]))
    return lines


def all_entries() -> list[str]:
    """Return the lines of all stored notebooks."""
    return [line for path in sorted(FOLDER.glob("*.ipynb")) for line in entries(path.stem, read(path))]


def id_findings(listed: list[str], found: list[str]) -> Iterator[str]:
    """Say which cells have another id, or another alt text, than the list says."""
    known, here = ({tuple(line.split()[:2]): line.split()[2:] for line in lines} for lines in (listed, found))
    for name, cell in known.keys() - here.keys():
        yield f"{name} has no cell {cell} any more; {ADVICE}."
    for name, cell in here.keys() - known.keys():
        yield f"{name} has a new cell {cell}; {ADVICE}."
    for name, cell in known.keys() & here.keys():
        if known[name, cell] != here[name, cell]:
            yield f"{name}, {cell} has another alt text; {ADVICE}."


if __name__ == "__main__":
    LIST.write_text("\n".join(all_entries()) + "\n", encoding="utf-8", newline="\n")
