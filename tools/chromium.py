"""Start a headless Chromium, for the pictures of the course and the tests of its pages."""

import os
import shutil

from playwright.sync_api import Browser, Playwright

# No window, no sandbox (it does not work in containers), and no background activity
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


def launch(playwright: Playwright) -> Browser:
    """Start the browser in the variable CHROMIUM, else the system's Chromium or Chrome, else the one of Playwright.

    Raises playwright's Error if none is installed.
    """
    executable = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    return playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
