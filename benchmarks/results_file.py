"""Read and write the results files, which include how the results were made."""

import json
import sys
from pathlib import Path

import torch

from mnist_helpers._support import provenance
from mnist_helpers._support.atomic_files import atomic_write
from mnist_helpers._support.paths import RESULTS


def made_with() -> dict:
    """Return the command, today's date, versions, the processor and the number of threads."""
    command = " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]])
    return {"command": command, **provenance.made_with(), "threads": torch.get_num_threads()}


def write_results(name: str, **results) -> Path:
    """Write `results` to results/NAME.json, with what `made_with` returns; return the path."""
    path = RESULTS / f"{name}.json"
    with atomic_write(path) as file:
        file.write((json.dumps({"made_with": made_with(), **results}, indent=1) + "\n").encode())
    return path


def read_results(name: str) -> dict:
    """Return the content of results/NAME.json, or an empty dict if the file does not exist."""
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else {}
