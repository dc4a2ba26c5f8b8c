"""The texts in a script: found without marks, and replaced so that the script stays one."""

import json
import shutil
import subprocess

import pytest

from mnist_helpers._support.paths import PACKAGE
from mnist_helpers.widgets import script

SOURCE = """
// A comment's "quotation marks" and `the like`
/* "And these" as well */
const NONE = "Nothing is drawn.", KEY = "Delete", BOX = ".pad input", STYLE = "display: flex; gap: 1em";
const sentence = `This is ${named(first)}, ${sure} sure.`, path = `M${a} ${b}H${c}`;
const page = `<p class="pad title" aria-label="A label">You
  draw</p> <b>or</b> ${icon('<path d="M1 1"/>')} box of ink</li>`;
"""
TEXTS = ["Nothing is drawn.", "This is {1}, {2} sure.", "A label", "You draw", "or", "box of ink"]
HARD = {"Nothing is drawn.": 'a "`" ${x} \\', "This is {1}, {2} sure.": "{2} `${y}` \\ {1}.", "or": '<i>"`${z}\\'}


def test_texts_are_found_and_code_is_not():
    assert script.texts(SOURCE) == TEXTS


def test_in_english_a_script_stays_as_it_is():
    assert script.translated(SOURCE) == SOURCE


def test_texts_are_replaced_where_they_stand(monkeypatch):
    monkeypatch.setattr(script, "say", lambda text: {"or": "oder", "You draw": "Du zeichnest"}.get(text, text))
    assert script.translated(SOURCE) == SOURCE.replace("<b>or<", "<b>oder<").replace("You\n  draw", "Du zeichnest")


@pytest.mark.skipif(shutil.which("node") is None, reason="There is no Node.js here, which would run the script.")
def test_whatever_a_translation_holds_the_script_shows_it(tmp_path, monkeypatch):
    monkeypatch.setattr(script, "say", lambda text: HARD.get(text, text))
    before = "const [first, sure, a, b, c] = [1, 2, 3, 4, 5], named = String, icon = String;"
    source = f"{before}{script.translated(SOURCE)}console.log(JSON.stringify([NONE, sentence, page]));"
    done = subprocess.run(["node", "--input-type=module", "-e", source], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    none, sentence, page = json.loads(done.stdout)
    assert [none, sentence] == [HARD["Nothing is drawn."], "2 `${y}` \\ 1."]
    assert "<b>&lt;i&gt;&quot;`${z}\\</b>" in page


@pytest.mark.parametrize("path", sorted((PACKAGE / "widgets").rglob("*.js")), ids=lambda path: path.name)
def test_the_scripts_of_the_widgets_stay_valid_in_another_language(path, tmp_path, monkeypatch):
    monkeypatch.setattr(script, "say", lambda text: f'⟦"`${{{text}⟧')
    changed = tmp_path / "changed.mjs"
    changed.write_text(script.translated(path.read_text(encoding="utf-8")), encoding="utf-8")
    assert changed.read_text(encoding="utf-8").count("⟦") == len(script.texts(path.read_text(encoding="utf-8")))
    if shutil.which("node"):
        subprocess.run(["node", "--check", changed], check=True, capture_output=True)
