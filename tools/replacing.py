"""Replace a text in a file, which must have it."""

from pathlib import Path

from mnist_helpers import CourseError


def replace_in(file: Path, old: str, new: str) -> None:
    """Replace `old` wherever it stands in a file. Raises CourseError, and changes nothing, if it stands nowhere."""
    text = file.read_text(encoding="utf-8")
    if old not in text:
        raise CourseError(f"{file.name} has no text {old.strip()!r}, which is replaced in a copy of it; bring it back.")
    file.write_text(text.replace(old, new), encoding="utf-8", newline="\n")
