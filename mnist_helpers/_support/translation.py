"""The texts of exercises, widgets and figures in the reader's language: English, or a catalogue of gettext's.

The variable MNIST_COURSE_LANGUAGE names the language, for example `de`; its catalogue is
locale/de/LC_MESSAGES/course.mo. The system's own language changes nothing, so that stored outputs are the same
everywhere. CONTRIBUTING.md says how to make a catalogue.
"""

import functools
import gettext
import os
from pathlib import Path

LOCALE = Path(__file__).resolve().parents[1] / "locale"
DOMAIN = "course"


@functools.cache
def translations() -> gettext.NullTranslations:
    """Return the catalogue of the reader's language, or an empty one if there is none."""
    language = os.environ.get("MNIST_COURSE_LANGUAGE", "en")
    return gettext.translation(DOMAIN, LOCALE, [language], fallback=True)


def say(*texts: str, **values) -> str:
    """Return the texts in the reader's language, joined by spaces, with the values in place of their {names}.

    Texts are templates, so finished text, in which braces stand for themselves, is passed as a value, or in a call
    without values. Texts among the values are looked up as well. Empty texts are left out, and a text without a
    translation stays as it is, so what was looked up before may be given again.
    """
    values = {name: _found(value) if isinstance(value, str) else value for name, value in values.items()}
    return " ".join(_filled(text, values) for text in texts if text)


def _found(text: str) -> str:
    return translations().gettext(text) if text else ""  # gettext answers "" with the catalogue's head


def _filled(text: str, values: dict) -> str:
    """Return the translation of the text with its values, or the text itself with them if its translation is faulty."""
    found = _found(text)
    if not values:
        return found
    try:
        return found.format(**values)
    except (LookupError, ValueError, AttributeError, TypeError):
        return text.format(**values)
