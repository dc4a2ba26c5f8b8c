"""What an issue report says about this machine, without anything private."""

from __future__ import annotations

import os
import platform
import re
import sys
from pathlib import Path
from typing import Any

from mnist_helpers.doctor import checks


def collect(answers: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the facts as a JSON value; `answers` has those of the probes "imports" and "kernel", if they ran."""
    return {
        "course": checks.installed_version("mnist-helpers") or checks.project().get("version"),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "executable": sys.executable,
        "packages": checks.installed_versions(),
        "torch": answers.get("imports", {}).get("torch"),
        "kernel": answers.get("kernel", {}).get("facts"),
        "free_gb": checks.free_gb(),
    }


def redact(value: Any) -> Any:
    """Return a JSON value with every home folder written as ~ and the user's name as USER."""
    if isinstance(value, dict):
        return {key: redact(each) for key, each in value.items()}
    if isinstance(value, list):
        return [redact(each) for each in value]
    if not isinstance(value, str):
        return value
    home = os.path.expanduser("~")
    homes = {re.escape(folder) for folder in (home, os.path.realpath(home)) if len(Path(folder).parts) > 1}
    others = r"([A-Z]:)?[/\\](home|Users)[/\\][^/\\\s'\"]+"  # sudo sets another home folder
    value = re.sub(rf"({'|'.join([*homes, others])})(?![\w-])", "~", value, flags=re.IGNORECASE)
    names = {os.path.basename(home), *(os.environ.get(name, "") for name in ("USER", "LOGNAME", "USERNAME"))}
    for name in names - {"", "~"}:
        value = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "USER", value, flags=re.IGNORECASE)
    return value
