"""The table of all points, a page for each student, and the list of answers that are alike."""

import csv
import html
import io
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from grading import submissions
from grading.likeness import Pair
from mnist_helpers._support.translation import say
from mnist_helpers.exercises.judging import CORRECT

STYLE = """
body { font: 16px/1.5 sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
section { border-left: 4px solid #d55e00; padding: 0 1rem; margin: 1.5rem 0 } section.right { border-color: #0072b2 }
h2 { font-size: 1.1rem; margin: 0 } pre { background: #f4f4f4; padding: .6rem; overflow-x: auto; white-space: pre-wrap }
"""


@dataclass
class Row:
    """What the table says about an exercise of a student, or about a notebook that could not be graded."""

    student: str
    chapter: str
    exercise: str
    points: float
    of: float
    state: str
    reason: str
    look_at: str = ""  # what the answer touches, for a human eye
    late: str = ""
    file: str = ""


def write_table(rows: Iterable[Row], path: Path) -> None:
    """Write the rows as CSV that a spreadsheet opens: texts that it would take for formulas begin with '."""
    write_csv([field.name for field in fields(Row)], [list(asdict(row).values()) for row in rows], path)


def write_pairs(pairs: Iterable[Pair], path: Path) -> None:
    """Write the pairs of near-identical answers as CSV."""
    table = [[pair.exercise, pair.one, pair.other, f"{pair.likeness:.2f}"] for pair in pairs]
    write_csv(["exercise", "student", "other_student", "likeness"], table, path)


def write_csv(head: list[str], table: list[list], path: Path) -> None:
    """Write a table as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows([[_cell(value) for value in row] for row in table])
    path.write_text(text.getvalue(), encoding="utf-8-sig", newline="")


def _cell(value) -> str:
    text = f"{value:g}" if isinstance(value, float) else re.sub(r"[\x00-\x1f]+", " ", str(value))
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text


def write_pages(rows: list[Row], answers: dict[tuple[str, str, str], str], folder: Path) -> None:
    """Write a page for each student into the folder; `answers` maps (student, chapter, exercise) to sources."""
    folder.mkdir()
    for number, student in enumerate(sorted({row.student for row in rows}), start=1):
        own = [row for row in rows if row.student == student]
        name = re.sub(r"\W+", "-", student).strip("-")[:60] or "student"
        path = folder / f"{name}.html"
        if path.exists():  # two names that differ in signs alone
            path = folder / f"{name}.{number}.html"  # no other name has a point
        path.write_text(page(student, own, answers), encoding="utf-8")


def page(student: str, rows: list[Row], answers: dict[tuple[str, str, str], str]) -> str:
    """Return the page of a student. All that a student wrote is shown as text."""
    points, most = sum(row.points for row in rows), sum(row.of for row in rows)
    parts = [_section(row, answers.get((row.student, row.chapter, row.exercise), "")) for row in rows]
    title = html.escape(f"{student}: {points:g} of {most:g} points")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<style>{STYLE}</style></head>\n<body><h1>{title}</h1>\n{''.join(parts)}</body></html>\n"
    )


def _section(row: Row, source: str) -> str:
    head = f"Chapter {row.chapter}, {row.exercise}: {row.points:g} of {row.of:g}" if row.exercise else row.file
    late = " (late)" if row.late else ""
    text = html.escape(row.reason or "Right.")
    code = f"<pre>{html.escape(source)}</pre>" if source else ""
    side = ' class="right"' if row.state == CORRECT else ""
    return f"<section{side}><h2>{html.escape(head + late)}</h2><p>{text}</p>{code}{_hints(row)}</section>\n"


def _hints(row: Row) -> str:
    """Return the exercise's hints, folded, unless the answer is right."""
    if row.state == CORRECT or not row.exercise:
        return ""
    hints = getattr(submissions.exercises_of(row.chapter), row.exercise).hint_texts
    items = "".join(f"<li>{html.escape(say(hint))}</li>" for hint in hints)
    return f"<details><summary>Hints</summary><ol>{items}</ol></details>"
