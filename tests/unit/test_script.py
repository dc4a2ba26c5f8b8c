"""The texts in a script are those given to `text`, and a page gets the translations that it can show."""

import json
import re
import shutil
import subprocess

import pytest

from mnist_helpers.widgets import script
from mnist_helpers.widgets.modules import TRANSLATIONS, WEB

SOURCE = r"""
const NONE = text("Nothing is \"drawn\"."), BOX = ".pad input", context = draw.fillText("no text", 0, 0);
const label = text(
  "{count} maps", { count },
);
const page = `<p class="pad title" aria-label="${text("A label")}">${await file.text()}</p>`;
"""
TEXTS = ['Nothing is "drawn".', "{count} maps", "A label"]
IN_GERMAN = {"{count} maps": "{count} Karten: „viele“", "A label": "Ein Schild"}


def in_german(monkeypatch, german):
    monkeypatch.setattr(script, "say", lambda text: german.get(text, text))
    return json.loads(script.translations([SOURCE]).removeprefix("export default ").removesuffix(";\n"))


def test_what_is_given_to_text_is_found_and_nothing_else():
    assert script.texts(SOURCE) == TEXTS


def test_in_english_there_are_no_translations():
    assert script.translations([SOURCE]) == "export default {};\n"


def test_translations_are_handed_over(monkeypatch):
    assert in_german(monkeypatch, IN_GERMAN) == IN_GERMAN


@pytest.mark.parametrize("faulty", ["{anzahl} Karten", "Karten", "{count} <b>Karten</b>", '{count} "Karten"'])
def test_a_translation_with_other_names_or_signs_of_html_is_left_out(faulty, monkeypatch):
    assert in_german(monkeypatch, IN_GERMAN | {"{count} maps": faulty}) == {"A label": "Ein Schild"}


@pytest.mark.parametrize("path", sorted(WEB.glob("*.js")), ids=lambda path: path.name)
def test_each_call_of_text_has_a_string_that_is_found(path):
    """Write text("Stop"), not text(name), nor text("one " + "two")."""
    source = path.read_text(encoding="utf-8").replace("export function text(", "")
    assert len(re.findall(r"(?<![.\w])text\(", source)) == len(script.texts(source))
    assert not re.search(script.TEXT.pattern + r"\s*[^,)\s]", source)


@pytest.mark.skipif(shutil.which("node") is None, reason="There is no Node.js here, which would run the script.")
@pytest.mark.parametrize(
    "translations, said",
    [
        ({}, "2 maps of {none}, 0"),
        ({"{count} maps of {none}, {zero}": "{zero} von {count} Karten"}, "0 von 2 Karten"),
    ],
)
def test_a_script_shows_its_texts_with_their_values(translations, said, tmp_path):
    (tmp_path / "package.json").write_text('{"type": "module"}')
    shutil.copy(WEB / "text.js", tmp_path)
    (tmp_path / TRANSLATIONS).write_text(f"export default {json.dumps(translations)};")
    call = (
        'import { text } from "./text.js";console.log(text("{count} maps of {none}, {zero}", { count: 2, zero: 0 }));'
    )
    (tmp_path / "main.js").write_text(call)
    done = subprocess.run(["node", tmp_path / "main.js"], capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == (said, "")
