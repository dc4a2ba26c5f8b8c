"""What the site's extensions make of words and numbers: links to the glossary, searched words, tables."""

import importlib
import sys

import pytest

from mnist_helpers._support.paths import COURSE as ROOT

pytest.importorskip("sphinx", reason="Sphinx is not installed (`make test` installs it), so the site is not tested.")

GLOSSARY = """# Glossary

:::{glossary}
batch
  Some images.

epoch
  One pass.

layer
  One step.
:::
"""
PAGE = """# Page

An epoch, two epochs, an **epoch counter**, a layer, a *layer*.

## First

A batch of a batch. A batch.

## Second

Another Batch and another epoch.

:::{raw} html
<table class="dataframe"><td>21840</td><td>999</td><td>-1234</td><td>1234.5</td><td>0007</td><th>60000</th></table>
:::

:::{raw} html
<table class="dataframe"><th>Year</th><td>2024</td></table>
:::
"""


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """Return a function that builds a page beside a small glossary and returns its text."""
    from sphinx.application import Sphinx

    sys.path.insert(0, str(ROOT / "docs" / "extensions"))
    folder = tmp_path_factory.mktemp("words")
    settings = {
        "extensions": ["myst_nb", "glossary_links", "number_search", "table_numbers"],
        "myst_enable_extensions": ["colon_fence"],
        "nb_execution_mode": "off",
        "html_theme": "basic",
    }

    def build(page):
        for name, text in {"index": "```{toctree}\nglossary\n```\n" + page, "glossary": GLOSSARY}.items():
            (folder / f"{name}.md").write_text(text, encoding="utf-8")
        Sphinx(folder, None, folder / "out", folder / "trees", "html", settings, status=None, freshenv=True).build()
        return (folder / "out" / "index.html").read_text(encoding="utf-8")

    yield build
    sys.path.pop(0)


def links(page):
    return [part.split("<")[0] for part in page.split('glossary-link">')[1:]]


def test_a_term_is_linked_once_in_each_section_and_a_plain_one_only_where_it_is_emphasised(build):
    assert links(build(PAGE)) == ["epoch", "layer", "batch", "Batch", "epoch"]


def test_what_the_page_itself_explains_is_not_linked(build):
    assert links(build(PAGE + "\n\nAn **epoch** is a pass. **Batches** are small.")) == ["layer"]


def test_whole_numbers_of_tables_have_their_thousands_apart(build):
    cells = "<td>21,840</td><td>999</td><td>-1,234</td><td>1234.5</td><td>0007</td><th>60000</th>"
    page = build(PAGE)
    assert cells in page and "<td>2024</td>" in page


def test_a_number_with_a_point_is_one_word_of_the_search(build):
    build(PAGE)
    search = importlib.import_module("number_search").SearchWithNumbers({})
    assert search.split("reads 96.71 % of 10,000, or 7. In v1.2") == [
        *("reads", "96.71", "of", "10,000", "or", "7", "In", "v1", "2"),
    ]
    assert search.word_filter("96.71") and not search.word_filter("7")
