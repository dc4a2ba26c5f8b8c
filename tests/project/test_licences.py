"""Each file of the course, and each package that the site copies, has a licence on the page of licences."""

import fnmatch
import re
import subprocess

import build_site
import pytest

from mnist_helpers._support.paths import COURSE as ROOT

PAGE = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")


def patterns(page):
    """Return the patterns of files in the page's first table."""
    table = page.split("## The files of the course\n")[1].split("\n## ")[0]
    return re.findall(r"`([^`]+)`", table)


def without_licence(names, page):
    """Return the files that match no pattern; one without a folder holds for the name alone."""
    known = patterns(page)
    return [
        name
        for name in names
        if not any(fnmatch.fnmatch(name if "/" in each else name.rpartition("/")[2], each) for each in known)
    ]


def plain(text):
    """Return letters and digits alone: "ONNX Runtime Web" and "onnxruntime-web" are one name."""
    return re.sub(r"[^a-z0-9]", "", text.lower())


def unlisted(packages, page):
    """Return the packages that no row of the page's second table names."""
    rows = [plain(row) for row in page.splitlines() if row.startswith("|")]
    return [package for package in packages if not any(plain(package) in row for row in rows)]


def test_every_file_has_a_licence():
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert without_licence(names.split("\0")[:-1], PAGE) == []


def test_every_package_that_the_site_copies_is_listed():
    assert unlisted(["netron", *build_site.WITH_LICENCE], PAGE) == []


@pytest.mark.parametrize("name", ["notebooks/song.mp3", "docs/_static/font.woff2", "data/other.gz", "tools/NOTES"])
def test_a_file_without_a_licence_is_noticed(name):
    assert without_licence(["docs/draw.md", ".ci/run", "models/digits.onnx", name], PAGE) == [name]


def test_a_package_without_a_licence_is_noticed():
    assert unlisted(["netron", "three.js"], PAGE) == ["three.js"]
