"""Refuse notebooks without the outputs of one run from top to bottom, before they are committed.

    python tools/has_outputs.py notebooks/*.ipynb

Whether the outputs are still true, only a run can tell: `make test`. It needs nothing but Python itself.
"""

import json
import sys
from pathlib import Path


def finding(path: Path) -> str | None:
    """Say in one sentence what is wrong with the stored outputs of a notebook; None if nothing is."""
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"{path} is no notebook ({type(error).__name__}); `make restore CHAPTER={path.name[:2]}` restores it."
    code = [cell for cell in cells if cell["cell_type"] == "code" and cell["source"]]
    counts = [cell["execution_count"] for cell in code]
    if None in counts:
        return f"{path} has cells that were not run; `make run NOTEBOOKS={path}` runs it."
    if counts != list(range(1, len(counts) + 1)):
        return f"{path} was not run from top to bottom; `make run NOTEBOOKS={path}` does that."
    return None


def main(paths: list[str]) -> int:
    """Print a sentence for each notebook that is not as it should be; returns the exit code."""
    findings = [sentence for path in paths if (sentence := finding(Path(path)))]
    print(*findings, sep="\n", end="\n" if findings else "")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
