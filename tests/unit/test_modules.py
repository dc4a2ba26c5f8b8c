"""The widgets' JavaScript: every import leads to a file, and one module has all that it needs, in order."""

import json
import re

import pytest

from mnist_helpers._support.paths import COURSE as ROOT
from mnist_helpers.widgets import script
from mnist_helpers.widgets.modules import TRANSLATIONS, WEB, imported, one_module, style
from tests.support.refusal import refused

WIDGETS = ["pad.js", "sliders.js", "live_pad.js", "moving_filter.js"]


def names(paths):
    return [path.name for path in paths]


def test_a_module_comes_once_and_after_what_it_imports(tmp_path):
    (tmp_path / "a.js").write_text('import { b } from "./b.js";\nimport * as c from "./c.js";')
    (tmp_path / "b.js").write_text('import {\n  c,\n} from "./c.js";')
    (tmp_path / "c.js").write_text("export const c = 'from \"far\"';")
    assert names(imported(tmp_path / "a.js")) == ["c.js", "b.js", "a.js"]
    (tmp_path / "d.js").write_text('const load = () => import("./a.js");')
    assert names(imported(tmp_path / "d.js"))[-2:] == ["a.js", "d.js"]


def test_a_missing_module_is_named(tmp_path):
    (tmp_path / "a.js").write_text('import { b } from "./b.js";')
    with refused("b.js is missing", "restore mnist_helpers or docs"):
        imported(tmp_path / "a.js")


@pytest.mark.parametrize("path", sorted(WEB.glob("*.js")), ids=lambda path: path.name)
def test_modules_import_only_one_another_and_in_a_way_that_is_understood(path):
    text = path.read_text(encoding="utf-8")
    sources = re.findall(r'^import\b[^;"]*("[^"]*")', text, re.M)
    assert all(re.fullmatch(r'"\./\w+\.js"', source) for source in sources) and "import(" not in text
    assert {source[3:-1] for source in sources} <= set(names(imported(path)))


@pytest.mark.parametrize("name", WIDGETS)
def test_one_module_holds_the_widget_and_all_that_it_imports(name):
    text = one_module(name)
    assert all(f'["{path.name}", ' in text for path in imported(WEB / name))
    assert re.search(r"^export default widget;$", text, re.M)


@pytest.mark.parametrize("name", WIDGETS)
def test_one_module_holds_the_translations_of_its_texts(name, monkeypatch):
    assert json.dumps("export default {};\n") in one_module(name)
    monkeypatch.setattr(script, "say", "⟦{}⟧".format)
    modules = dict(json.loads(re.search(r"\[\[.*\]\]", one_module(name))[0]))
    texts = [text for source in modules.values() for text in script.texts(source)]
    assert texts and modules[TRANSLATIONS].count("⟦") == len(set(texts))
    assert list(modules).index(TRANSLATIONS) < list(modules).index("text.js")


def test_the_package_needs_nothing_of_the_site():
    for path in WEB.glob("*.js"):
        assert not (ROOT / "docs" / "_static" / path.name).exists(), "two files of one name: the site would have one"


@pytest.mark.parametrize(("sheet", "part"), [("live.css", ".moving-paper"), ("pad.css", ".pad-paper")])
def test_a_style_loads_nothing(sheet, part):
    assert part in style(sheet) and "url(" not in style(sheet) and "@import" not in style(sheet)
