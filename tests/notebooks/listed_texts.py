"""The ids of all cells, the numbers in the text, and a digest of each figure's alt text: they change only on purpose.

Links, exemptions and translations name a cell by its id. prose_numbers.py asks that a cell near a number shows it, but
another number may be shown there, too, and a small one nearly always is. Of the pages around the notebooks, the list
has the numbers below each heading. After a change on purpose, write a new list:

    python -m tests.notebooks.listed_texts
"""

import hashlib
import re
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

from notebook_cells import alt_text

from tests.notebooks.notebook_checks import FOLDER, ROOT, read
from tests.notebooks.prose_numbers import written

# Not among them: the model card, which is generated and compared with its sources, and the years of the licences
PAGES = ["README", "CONTRIBUTING", "docs/index", "docs/draw", "docs/glossary", "docs/install", "docs/instructors"]
LIST = Path(__file__).with_name("listed_texts.txt")
ADVICE = "if it is on purpose, run `python -m tests.notebooks.listed_texts`"


def entries(name: str, notebook) -> list[str]:
    """Return a line for each cell of a notebook: its name, the cell's id, and what `contents` returns."""
    return [" ".join([name, cell.id, *contents(cell)]) for cell in notebook.cells]


def contents(cell) -> list[str]:
    """Return the numbers in a cell's text, or the digest of its figure's alt text, if any."""
    if cell.cell_type == "markdown":
        return written(cell.source)
    alt = alt_text(cell)
    return [] if alt is None else [hashlib.sha256(alt.encode()).hexdigest()[:12]]


def page_entries(name: str, text: str) -> list[str]:
    """Return a line for each heading of a page: its name, the heading in small letters, and the numbers below it."""
    below: dict[str, list[str]] = {}
    _, *parts = re.split(r"^#+ (.+)$", text, flags=re.MULTILINE)
    for heading, body in zip(parts[::2], parts[1::2]):
        below.setdefault(re.sub(r"\W+", "-", heading.lower()).strip("-"), []).extend(written(heading + body))
    return [" ".join([name, heading, *numbers]) for heading, numbers in below.items()]


def all_entries() -> list[str]:
    """Return the lines of all stored notebooks and of the pages."""
    notebooks = [entries(path.stem, read(path)) for path in sorted(FOLDER.glob("*.ipynb"))]
    pages = [page_entries(name, (ROOT / f"{name}.md").read_text(encoding="utf-8")) for name in PAGES]
    return sum(notebooks + pages, [])


def findings(listed: list[str], found: list[str]) -> Iterator[str]:
    """Say which cells have another id, another alt text or other numbers than the list says, and which headings."""
    known, here = ({tuple(line.split()[:2]): line.split()[2:] for line in lines} for lines in (listed, found))
    for name, place in known.keys() - here.keys():
        yield f"{name} no longer has the {kind(name)} {place}; {ADVICE}."
    for name, place in here.keys() - known.keys():
        yield f"{name} has the {kind(name)} {place}, which is new; {ADVICE}."
    for name, place in known.keys() & here.keys():
        for before, now in zip_longest(known[name, place], here[name, place], fillvalue="nothing"):
            if before != now:
                other = f"another alt text or number ({before} in the list, {now} there)"
                yield f"{name}: the {kind(name)} {place} has {other}; {ADVICE}."
                break


def kind(name: str) -> str:
    """Return what the second word of a line names."""
    return "heading" if name in PAGES else "cell"


if __name__ == "__main__":
    LIST.write_text("\n".join(all_entries()) + "\n", encoding="utf-8", newline="\n")
