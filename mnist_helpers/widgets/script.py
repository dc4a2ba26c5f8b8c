"""The texts in the JavaScript of the widgets, in the reader's language.

A text of a script is a string in double quotes or a template in one line, if it has two words, and what stands between
the tags or in the labels of a template with HTML. So a script needs no marks; the page gets it with its texts replaced.
"""

import html
import json
import re
from collections.abc import Callable

from mnist_helpers._support.catalogue import say

# Comments are matched so that their quotation marks begin no string
PIECE = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`', re.DOTALL)
INSERTED = re.compile(r"\$\{[^{}]*\}")
IN_HTML = re.compile(r'(?<=[>}])[^<>{}$"=]+(?=[<$])|(?<=aria-label=")[^"<>{}$]+(?=")')
WORD = re.compile("[A-Za-z]{2}")
WORDS = re.compile(r"[A-Za-z]{2}.* |[^ ] +[A-Za-z]{2}")
NO_TEXT = re.compile(r"[.(]|[\w-]+: [^.]+(;|$)")  # selectors, media queries, styles


def texts(script: str) -> list[str]:
    """Return the texts for people in a script. What a template inserts is {1}, {2} and so on."""
    found: list[str] = []

    def note(text: str) -> str:
        found.append(text)
        return text

    _with_texts(script, note)
    return found


def translated(script: str) -> str:
    """Return the script with its texts in the reader's language."""
    return _with_texts(script, say)


def _with_texts(script: str, change: Callable[[str], str]) -> str:
    """Return the script with each of its texts changed."""
    return PIECE.sub(lambda piece: _with_text(piece[0], change), script)


def _with_text(piece: str, change: Callable[[str], str]) -> str:
    if piece.startswith("`") and "<" in piece:
        return IN_HTML.sub(lambda part: _html_with_text(part[0], change), piece)
    if piece.startswith("`") and "\n" not in piece:
        return _template_with_text(piece, change)
    text = json.loads(piece) if piece.startswith('"') else ""
    changed = change(text) if WORDS.search(text) and not NO_TEXT.match(text) else text
    return piece if changed == text else json.dumps(changed, ensure_ascii=False)


def _html_with_text(part: str, change: Callable[[str], str]) -> str:
    text = " ".join(html.unescape(part).split())
    changed = change(text) if WORD.search(text) else text
    return part if changed == text else part.replace(part.strip(), _safe(html.escape(changed)))


def _template_with_text(piece: str, change: Callable[[str], str]) -> str:
    numbered = {f"{{{number}}}": inserted for number, inserted in enumerate(INSERTED.findall(piece), 1)}
    text = piece[1:-1]
    for number, inserted in numbered.items():
        text = text.replace(inserted, number, 1)
    changed = change(text) if WORDS.search(text) and not NO_TEXT.match(text) else text
    if changed == text:
        return piece
    parts = re.split(r"(\{\d+\})", changed)
    return "`" + "".join(numbered.get(part) or _safe(part) for part in parts) + "`"


def _safe(text: str) -> str:
    """Return the text as it is written in a template, where it ends nothing and inserts nothing."""
    return re.sub(r"[`\\$]", r"\\\g<0>", text)
