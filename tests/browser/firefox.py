"""A Firefox without a window, driven by its own protocol, WebDriver BiDi; websocket-client comes with JupyterLab."""

import contextlib
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import websocket

QUIET = """user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("toolkit.telemetry.reportingpolicy.firstRun", false);
user_pref("app.update.enabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("browser.safebrowsing.malware.enabled", false);
user_pref("browser.safebrowsing.phishing.enabled", false);
user_pref("services.settings.server", "http://127.0.0.1:9");
"""


class Firefox:
    """One tab; `errors` collects what the pages' consoles say is wrong."""

    def __init__(self, address: str):
        self.socket = websocket.create_connection(f"{address}/session", timeout=180, suppress_origin=True)
        self.count, self.errors = 0, []
        self.call("session.new", capabilities={})
        self.call("session.subscribe", events=["log.entryAdded"])
        self.tab = self.call("browsingContext.getTree")["contexts"][0]["context"]

    def call(self, method: str, **params):
        """Send a command, and return its result."""
        self.count += 1
        self.socket.send(json.dumps({"id": self.count, "method": method, "params": params}))
        while (message := json.loads(self.socket.recv())).get("id") != self.count:
            if message.get("method") == "log.entryAdded" and message["params"]["level"] == "error":
                self.errors.append(message["params"]["text"])
        assert message["type"] == "success", message
        return message["result"]

    def open(self, url: str, width: int) -> None:
        """Open a page in a window of some width, and wait until it is loaded."""
        self.call("browsingContext.setViewport", context=self.tab, viewport={"width": width, "height": 900})
        self.call("browsingContext.navigate", context=self.tab, url=url, wait="complete")

    def evaluate(self, expression: str):
        """Return the value of a JavaScript expression: a number, a text or a truth value."""
        answer = self.call("script.evaluate", expression=expression, target={"context": self.tab}, awaitPromise=True)
        assert answer["type"] == "success", answer
        return answer["result"].get("value")

    def wait_for(self, condition: str) -> None:
        """Wait until a JavaScript expression is true, for two minutes at most."""
        self.evaluate(f"""new Promise((resolve, reject) => {{
            const end = Date.now() + 120000;
            const look = () => {condition} ? resolve(true)
                : Date.now() < end ? setTimeout(look, 50) : reject("never true: " + {json.dumps(condition)});
            look();
        }})""")

    def stroke(self, points: list[tuple[int, int]]) -> None:
        """Press the mouse's button at the first point, move over the others, and release it."""
        moves = [{"type": "pointerMove", "x": x, "y": y, "duration": 10} for x, y in points]
        actions = [moves[0], {"type": "pointerDown", "button": 0}, *moves[1:], {"type": "pointerUp", "button": 0}]
        mouse = {"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": actions}
        self.call("input.performActions", context=self.tab, actions=[mouse])


@contextlib.contextmanager
def started(profile: Path) -> Iterator[Firefox]:
    """Start Firefox with an empty profile; skip the tests where it is not installed."""
    program = shutil.which("firefox") or shutil.which("firefox-esr")
    if program is None:
        pytest.skip("Firefox is not installed, so the pages are tested in Chromium only.")
    (profile / "user.js").write_text(QUIET)
    options = ["--headless", "--no-remote", "--profile", str(profile), "--remote-debugging-port", "0"]
    with subprocess.Popen([program, *options], stderr=subprocess.PIPE, text=True) as process:
        try:
            lines = (re.search(r"WebDriver BiDi listening on (ws://\S+)", line) for line in process.stderr)
            address = next((found[1] for found in lines if found), None)
            assert address, "Firefox ended before it listened."
            yield Firefox(address)
        finally:
            process.kill()
