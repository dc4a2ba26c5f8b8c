"""A page that a test writes, with the site's own scripts, styles and networks beside it."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import build_site
from serve_site import serving

from mnist_helpers._support.paths import COURSE as ROOT
from mnist_helpers.widgets.modules import WEB

# The pauses of a page's scripts, such as the one before a sentence is announced, take a fifth of their time
HURRY = """<script>
const { setTimeout: later } = window;
window.setTimeout = (act, delay = 0, ...given) => later(act, delay / 5, ...given);
</script>"""


@contextlib.contextmanager
def serving_page(page: str, folder: Path) -> Iterator[str]:
    """Write a page and copies of all that it may load into an empty folder; serve it, and yield the URL."""
    shutil.copytree(ROOT / "docs" / "_static", folder, dirs_exist_ok=True)
    shutil.copytree(WEB, folder, dirs_exist_ok=True)
    build_site.write_networks(ROOT, folder / "models")
    (folder / "index.html").write_text(page.replace("<title>", f"{HURRY}<title>"), encoding="utf-8")
    with serving(folder) as address:
        yield address


def stop_clock(page) -> None:
    """Stop the clock of a page's scripts, after an hour in which all that waited is done; `page.clock` moves it on."""
    page.clock.install()
    page.clock.pause_at(page.evaluate("Date.now()") + 3_600_000)
