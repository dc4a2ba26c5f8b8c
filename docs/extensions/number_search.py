"""Let the search find numbers such as 96.71 and 60,000, which Sphinx would cut at the point."""

import re

import sphinx.search
from sphinx.search.en import SearchEnglish


class SearchWithNumbers(SearchEnglish):
    """English, in which a number with a point or a comma is one word."""

    _word_re = re.compile(r"\d+(?:[.,]\d+)+|\w+")
    js_splitter_code = r"var splitQuery = (query) => query.match(/\d+(?:[.,]\d+)+|[\p{L}\p{N}_]+/gu) ?? [];"


def setup(app):
    sphinx.search.languages["en"] = SearchWithNumbers
    return {"parallel_read_safe": True, "parallel_write_safe": True}
