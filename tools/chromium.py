"""A headless Chromium, for the pictures of the course and for the tests of its pages."""

import os
import shutil

from playwright.sync_api import Browser, Playwright

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


def launch(playwright: Playwright) -> Browser:
    """Start the browser that CHROMIUM names, the system's, or Playwright's own; its Error says that there is none."""
    executable = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    return playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
