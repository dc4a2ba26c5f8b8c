"""Texts from a catalogue: with values, in parts, without a translation, and with a translation that does not fit."""

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo

from mnist_helpers._support import translation
from mnist_helpers._support.translation import say

GERMAN = {
    "correct": "richtig",
    "{count} images came back.": "{count} Bilder kamen zurück.",
    "{a} of {b}": "{a} von {c}",
    "In {place}:": "In {place}:",
    "the first row": "der ersten Zeile",
}


@pytest.fixture
def german(tmp_path, monkeypatch):
    catalog = Catalog(locale="de", charset="utf-8")
    for text, german in GERMAN.items():
        catalog.add(text, german)
    path = tmp_path / "de" / "LC_MESSAGES" / "course.mo"
    path.parent.mkdir(parents=True)
    with open(path, "wb") as file:
        write_mo(file, catalog)
    monkeypatch.setattr(translation, "LOCALE", tmp_path)
    monkeypatch.setenv("MNIST_COURSE_LANGUAGE", "de")
    translation.translations.cache_clear()
    yield
    translation.translations.cache_clear()


def test_a_text_is_found_and_filled(german):
    assert say("correct") == "richtig"
    assert say("{count} images came back.", count=3) == "3 Bilder kamen zurück."
    assert say("In {place}:", place="the first row") == "In der ersten Zeile:"


def test_several_texts_are_joined_and_empty_ones_left_out(german):
    assert say("correct", "", "{count} images came back.", count=3) == "richtig 3 Bilder kamen zurück."
    assert say() == say("") == ""  # gettext would answer with the head of the catalogue


def test_what_has_no_translation_stays_as_it_is(german):
    assert say("not there") == "not there"
    assert say(say("correct")) == "richtig"
    assert say("a set {1, 2} of numbers") == "a set {1, 2} of numbers"


def test_a_translation_with_other_placeholders_is_not_used(german):
    assert say("{a} of {b}", a=1, b=2) == "1 of 2"


def test_values_may_have_braces(german):
    assert say("{count} images came back.", count="{x}") == "{x} Bilder kamen zurück."


@pytest.mark.parametrize("language", ["", "en", "xx", "de"])
def test_without_a_catalogue_everything_is_english_whatever_the_system_speaks(language, tmp_path, monkeypatch):
    monkeypatch.setattr(translation, "LOCALE", tmp_path)
    monkeypatch.setenv("MNIST_COURSE_LANGUAGE", language)
    monkeypatch.setenv("LANGUAGE", "de")
    translation.translations.cache_clear()
    assert say("correct") == "correct"
    translation.translations.cache_clear()
