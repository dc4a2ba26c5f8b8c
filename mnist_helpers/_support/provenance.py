"""Provenance of stored results: versions, processor and date."""

import datetime
import hashlib
import json
import platform
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("torch", "torchvision", "onnx", "onnxruntime")


def processor() -> str:
    """Return the processor's name as reported by the system."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def made_with() -> dict[str, str]:
    """Return today's date, the versions of Python and of the packages that affect results, and the processor."""
    return {
        "date": datetime.date.today().isoformat(),
        "python": platform.python_version(),
        **{package: version(package) for package in PACKAGES},
        "processor": processor(),
    }


def fingerprint(notebook: dict) -> str:
    """Return the sha256 digest of a notebook's outputs, which changes if another run stores other outputs."""
    outputs = [cell["outputs"] for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return hashlib.sha256(json.dumps(outputs, sort_keys=True).encode()).hexdigest()
