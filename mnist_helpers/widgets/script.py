"""The texts in the JavaScript of the widgets, and their translations.

A text of a script is the string that is the first argument of a call of `text`, as in `text("{n} maps", { n })`.
"""

import json
import re
from collections.abc import Iterable

from mnist_helpers._support.translation import say

TEXT = re.compile(r'\btext\(\s*("(?:[^"\\\n]|\\.)*")')
NAME = re.compile(r"\{\w+\}")
OF_HTML = re.compile(r'[<>&"]')  # a text may stand between tags, or in an attribute


def texts(script: str) -> list[str]:
    """Return the texts for people in a script."""
    return [json.loads(literal) for literal in TEXT.findall(script)]


def translations(scripts: Iterable[str]) -> str:
    """Return the module translations.js for these scripts. Translations that a page could not show are left out."""
    found = {text: say(text) for script in scripts for text in texts(script)}
    usable = {text: other for text, other in found.items() if other != text and _fits(text, other)}
    return "export default " + json.dumps(usable, ensure_ascii=False) + ";\n"


def _fits(text: str, translation: str) -> bool:
    """Return whether a translation has the {names} of its text and no signs of HTML."""
    return set(NAME.findall(text)) == set(NAME.findall(translation)) and not OF_HTML.search(translation)
