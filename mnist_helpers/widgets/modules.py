"""The JavaScript of the widgets, in web/: modules that import one another, and the one module that anywidget wants."""

import json
import re
from pathlib import Path

from mnist_helpers import CourseError
from mnist_helpers.widgets.script import translations

WEB = Path(__file__).with_name("web")
TRANSLATIONS = "translations.js"
IMPORT = re.compile(r'\b(?:from|import\() ?"\./([\w.]+)"')
# anywidget loads one text, which cannot name a file beside it. So each module becomes a Blob in the page, after those
# that it imports, and its imports name their Blobs.
LOADER = """const urls = {};
for (const [name, text] of %s) {
  const found = text.replace(/\\bfrom "\\.\\/([\\w.]+)"/g, (_, other) => `from "${urls[other]}"`);
  urls[name] = URL.createObjectURL(new Blob([found, `\\n//# sourceURL=${name}`], { type: "text/javascript" }));
}
const { default: widget } = await import(urls[%s]);
Object.values(urls).forEach(URL.revokeObjectURL);
export default widget;
"""


def imported(path: Path, before: list[Path] | None = None) -> list[Path]:
    """Return `path` and all modules that it imports, each once and after those that it imports itself.

    Raises CourseError if a module is missing.
    """
    found = before or []
    try:
        names = IMPORT.findall(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CourseError(f"{path.name} is missing, but a page needs it; restore mnist_helpers or docs.") from None
    for other in (path.with_name(name) for name in names):
        if other not in found:
            found = imported(other, found)
    return [*found, path]


def one_module(name: str) -> str:
    """Return a module of web/ and all that it imports as one module for anywidget, with the same default export."""
    sources = {path.name: path.read_text(encoding="utf-8") for path in imported(WEB / name)}
    sources[TRANSLATIONS] = translations(sources.values())  # in its place, before the modules that import it
    return LOADER % (json.dumps(list(sources.items())), json.dumps(name))


def style(name: str = "live.css") -> str:
    """Return a style sheet of web/; by default, that of the widgets that show maps."""
    return (WEB / name).read_text(encoding="utf-8")
