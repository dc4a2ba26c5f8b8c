"""What a results file says about its own making."""

import datetime
import json
import platform
import sys
from pathlib import Path

import torch
import torchvision

RESULTS = Path(__file__).parent / "results"


def processor() -> str:
    """The processor's name, as the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def write(name: str, **results) -> Path:
    """Write `results` to results/NAME.json, with the command, versions, processor and date that they come from."""
    made_with = {
        "command": " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]]),
        "date": datetime.date.today().isoformat(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "threads": torch.get_num_threads(),
        "processor": processor(),
    }
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({"made_with": made_with, **results}, indent=1) + "\n")
    return path


def read(name: str) -> dict:
    """Read results/NAME.json, or nothing where it is not there."""
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else {}
