"""A page that a test writes, with the site's own scripts, styles and networks beside it."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import build_site
from serve_site import serving

from mnist_helpers._support.paths import COURSE as ROOT
from mnist_helpers.widgets.modules import WEB


@contextlib.contextmanager
def serving_page(page: str, folder: Path) -> Iterator[str]:
    """Write a page and copies of all that it may load into an empty folder; serve it, and yield the URL."""
    shutil.copytree(ROOT / "docs" / "_static", folder, dirs_exist_ok=True)
    shutil.copytree(WEB, folder, dirs_exist_ok=True)
    build_site.write_networks(ROOT, folder / "models")
    (folder / "index.html").write_text(page, encoding="utf-8")
    with serving(folder) as address:
        yield address
