"""A real browser, and the site that it looks at."""

import os

import pytest
from filelock import FileLock
from serve_site import serving

from mnist_helpers._support.paths import COURSE as ROOT


def missing(what: str) -> None:
    """Skip the tests of the pages, in one line; where CI is set, fail instead."""
    if os.environ.get("CI"):
        pytest.fail(f"{what}, but CI must test the pages.", pytrace=False)
    pytest.skip(f"{what}, so the pages are not tested.", allow_module_level=True)


@pytest.fixture(scope="session")
def browser():
    """A Chromium for all tests."""
    try:
        import chromium
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        missing("Playwright is not installed (`make test` installs it)")
    with sync_playwright() as playwright:
        try:
            started = chromium.launch(playwright)
        except Error:
            missing("no Chromium was found (Debian: apt install chromium; or set CHROMIUM to its path)")
        yield started
        started.close()


@pytest.fixture(scope="session")
def site(tmp_path_factory, worker_id):
    """The address of the site, built from the repository as it is, and served on 127.0.0.1.

    It is built once for all processes of pytest-xdist, in the folder that they share.
    """
    import build_site

    if not build_site.NODE_MODULES.is_dir():
        missing("the site's npm packages are not installed (`make test` installs them)")
    own = tmp_path_factory.getbasetemp()
    folder = (own if worker_id == "master" else own.parent) / "site"
    with FileLock(folder.with_suffix(".lock")):
        if not folder.exists():  # it is there when it is whole
            build_site.build(ROOT, build_site.NODE_MODULES, folder, for_instructors=True)
    with serving(folder) as address:
        yield address
