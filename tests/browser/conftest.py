"""A real browser, and the site that it looks at."""

import os
import shutil
import sys
import threading

import pytest

from tests.notebook_checks import ROOT

# No window, no sandbox (containers have none), and nothing that Chromium does of its own accord in the background
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def missing(what: str) -> None:
    """Skip the tests of the pages, in one line; where CI is set, fail instead."""
    if os.environ.get("CI"):
        pytest.fail(f"{what}, but CI must test the pages.", pytrace=False)
    pytest.skip(f"{what}, so the pages are not tested.", allow_module_level=True)


@pytest.fixture(scope="session")
def browser():
    """Chromium: the one that CHROMIUM names, the system's, or Playwright's own."""
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        missing("Playwright is not installed (`make test` installs it)")
    with sync_playwright() as playwright:
        executable = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
        try:
            chromium = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        except Error:
            missing("no Chromium was found (Debian: apt install chromium; or set CHROMIUM to its path)")
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The address of the site, built from the repository as it is, and served on 127.0.0.1."""
    sys.path.insert(0, str(ROOT / "tools"))
    import build_site
    import serve_site

    if not build_site.NODE_MODULES.is_dir():
        missing("the site's npm packages are not installed (`make test` installs them)")
    folder = tmp_path_factory.mktemp("built") / "site"
    build_site.build(ROOT, build_site.NODE_MODULES, folder)
    server = serve_site.make_server(folder)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
