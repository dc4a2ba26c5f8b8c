"""The instructors' pages have the descriptions of all figures."""

import re

import nbformat
import pytest
from nbconvert import HTMLExporter

from mnist_helpers._support.paths import COURSE as ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_template_gives_every_figure_its_description(path):
    exporter = HTMLExporter(template_name="course", extra_template_basedirs=[str(ROOT / "tools" / "nbconvert")])
    page, _ = exporter.from_notebook_node(nbformat.read(path, as_version=4))
    images = re.findall(r"<img [^>]*>", page)
    assert len(images) >= 2
    for image in images:
        assert re.search(r"""alt=(["'])(?!No description)(.{20,}?)\1""", image), image[:200]
