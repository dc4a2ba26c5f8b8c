"""Write each chapter as one file that needs nothing else, from the stored outputs of the notebooks:

    python tools/chapter_files.py lms      # lms/: pages to upload to Moodle, Canvas and the like
    python tools/chapter_files.py slides   # slides/: for a projector, answers hidden until the next key

No notebook is run. Older files are replaced only if all new ones could be written.
"""

import argparse
import sys
from pathlib import Path

import chapter_html
from folders import atomic_folder
from formulas import NODE_MODULES, mathjax
from notebook_files import load_executed

from mnist_helpers import CourseError
from mnist_helpers._support.paths import COURSE as ROOT


def write(root: Path, node_modules: Path, kind: str, target: Path) -> list[str]:
    """Write all chapters of the course at `root` to the folder `target`, and return the files' names.

    Raises CourseError, and leaves `target` as it was, if a notebook is missing or was not run, if MathJax is missing,
    or if `target` has other files.
    """
    library = mathjax(node_modules)
    notebooks = load_executed(root)
    with atomic_folder(target, mark=f"{next(iter(notebooks))}.html") as folder:
        for name, notebook in notebooks.items():
            html = chapter_html.page(notebook, root / "notebooks", library, kind)
            (folder / f"{name}.html").write_text(html, encoding="utf-8", newline="\n")
    return [f"{name}.html" for name in notebooks]


def main() -> None:
    """Write the kind of files that the command line names."""
    parser = argparse.ArgumentParser(description="Write each chapter as one file that needs nothing else.")
    parser.add_argument("kind", choices=["lms", "slides"])
    kind = parser.parse_args().kind
    try:
        names = write(ROOT, NODE_MODULES, kind, ROOT / kind)
    except (CourseError, OSError) as error:
        sys.exit(f"{error}\nNothing was written; {kind}/ is as it was.")
    print(f"written: {kind}/ with {names[0]} to {names[-1]}; each file works alone, also offline")


if __name__ == "__main__":
    main()
