"""The progress file: which exercises a student has solved, kept between sessions, for the student to hand in."""

import contextlib
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime

from filelock import FileLock

from mnist_helpers._support.atomic_files import atomic_write
from mnist_helpers._support.paths import PROGRESS

PATIENCE = 3  # seconds to wait for another notebook, which needs milliseconds


def read() -> dict[str, dict[str, dict]]:
    """Return {chapter: {exercise: entry}}, empty if there is no file or if it is damaged.

    An entry has `correct` (whether it was ever solved), `when` (the time of the last check that counts, in UTC) and
    `hints` (how many were shown before).
    """
    try:
        content = json.loads(PROGRESS.read_text(encoding="utf-8"))
        return {
            chapter: {name: dict(entry, correct=entry["correct"] is True) for name, entry in entries.items()}
            for chapter, entries in content.items()
        }
    except (OSError, ValueError, TypeError, AttributeError, KeyError):
        return {}


def record(chapter: str, exercise: str, correct: bool, hints: int) -> None:
    """Write the result of a check to the file. A solved exercise stays solved.

    A file that is damaged is kept as progress_damaged.json, so that nothing a student did is thrown away. Raises
    CourseError if the file cannot be written.
    """
    with _in_turn():
        _record(chapter, exercise, correct, hints)


@contextlib.contextmanager
def _in_turn() -> Iterator[None]:
    """Keep other notebooks from writing between our reading and our writing: one of two results would be lost.

    Without a lock, because the disk has none or another notebook holds it for too long, the block runs all the same.
    """
    lock = FileLock(PROGRESS.with_suffix(".lock"), timeout=PATIENCE)
    with contextlib.suppress(OSError, NotImplementedError):  # a Timeout is an OSError
        PROGRESS.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _record(chapter: str, exercise: str, correct: bool, hints: int) -> None:
    progress = read()
    damaged = os.path.isfile(PROGRESS) and not progress
    entries = progress.setdefault(chapter, {})
    if entries.get(exercise, {}).get("correct"):
        return
    now = datetime.now(UTC).isoformat(timespec="seconds")
    entries[exercise] = {"correct": correct, "when": now, "hints": hints}
    with atomic_write(PROGRESS, PROGRESS.with_stem("progress_damaged") if damaged else None) as file:
        file.write(json.dumps(progress, indent=1, sort_keys=True).encode())
