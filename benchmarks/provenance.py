"""What a results file says about its own making."""

import json
import sys
from pathlib import Path

import torch

from mnist_helpers import provenance
from mnist_helpers.files import written_whole

RESULTS = Path(__file__).parent / "results"


def write(name: str, **results) -> Path:
    """Write `results` to results/NAME.json, with the command, versions, processor and date that they come from."""
    command = " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]])
    made_with = {"command": command, **provenance.made_with(), "threads": torch.get_num_threads()}
    path = RESULTS / f"{name}.json"
    with written_whole(path) as file:
        file.write((json.dumps({"made_with": made_with, **results}, indent=1) + "\n").encode())
    return path


def read(name: str) -> dict:
    """Read results/NAME.json, or nothing where it is not there."""
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else {}
