"""A language in which each English text stands in brackets: what is shown without them was not looked up."""

import functools
import re

import collect_texts
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo

LANGUAGE = "en_XA"  # the code of such a language


def bracketed(text):
    """Return the text with the parts between its placeholders in brackets."""
    parts = re.split(f"({collect_texts.PLACEHOLDER.pattern})", text)
    return "".join(
        re.sub(r"^(\s*)(.*?)(\s*)$", r"\1⟦\2⟧\3", part, flags=re.S) if part[:1] != "{" else part for part in parts
    )


@functools.cache
def translated_catalogue():
    catalog = Catalog(locale="en", charset="utf-8")
    for message in collect_texts.catalogue():
        if message.id:
            catalog.add(message.id, bracketed(message.id))
    return catalog


def install(folder):
    """Write the catalogue of this language to a folder of catalogues."""
    path = folder / LANGUAGE / "LC_MESSAGES" / "course.mo"
    path.parent.mkdir(parents=True)
    with open(path, "wb") as file:
        write_mo(file, translated_catalogue())


def without_brackets(text):
    """Return the text with spaces in place of what stands in brackets."""
    return re.sub(r"⟦[^⟧]*⟧", " ⟦⟧ ", text)


def english(text):
    """Return the words in the text that stand outside brackets, two or more in a row."""
    return re.findall(r"[A-Za-z]{2,} (?:[A-Za-z]{2,} ?)+", without_brackets(text))
