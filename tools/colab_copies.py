"""Write the notebooks for Google Colab, which opens a notebook alone: their first code cell fetches the course.

    python tools/colab_copies.py https://github.com/owner/name    # into colab/

The workflow `colab` publishes the folder as the branch `colab` of the repository. The buttons of the site lead there.
It needs nbformat, and no other package.
"""

import argparse
import posixpath
import re
import sys
from pathlib import Path

import addresses
import nbformat
from folders import atomic_folder
from notebook_cells import without_outputs

from mnist_helpers import CourseError
from mnist_helpers._support.paths import COURSE as ROOT
from mnist_helpers._support.paths import NOTEBOOKS

PICTURES = (".png", ".svg", ".gif")
CELL = """\
# Run this cell first. It fetches the course and installs the packages that Colab does not have.
import subprocess
import sys
from pathlib import Path

try:
    import google.colab
except ImportError:
    sys.exit("This copy of the notebook is for Google Colab; elsewhere, take the one from {repository}.")
course = Path.home() / "mnist-course"
if not course.exists():
    fetch = ["git", "clone", "--quiet", "--depth=1", "{repository}", str(course)]
    fetched = subprocess.run(fetch, capture_output=True, text=True)
    if fetched.returncode:
        reason = " ".join(fetched.stderr.split()).rstrip(".")
        sys.exit(f"The course could not be fetched ({{reason}}); run this cell again.")
sys.path.insert(0, str(course))
from mnist_helpers._support import colab

colab.prepare()"""
README = """\
These notebooks are for Google Colab. They are made from those of the branch `main` when it changes, so edit them there.
"""


def write(target: Path, repository: str) -> None:
    """Write the notebooks' copies to the folder `target`, in place of older ones.

    Raises CourseError, and leaves `target` as it was, if the repository is not on GitHub.
    """
    repository = addresses.on_github(repository)
    with atomic_folder(target, mark="notebooks/01_data.ipynb") as folder:
        (folder / "notebooks").mkdir()
        (folder / "README.md").write_text(README, encoding="utf-8")
        for path in sorted(NOTEBOOKS.glob("*.ipynb")):
            copy = for_colab(nbformat.read(path, as_version=4), repository)
            nbformat.write(copy, folder / "notebooks" / path.name)


def for_colab(notebook: nbformat.NotebookNode, repository: str) -> nbformat.NotebookNode:
    """Return a notebook without outputs, with the cell for Colab below its title and with links to the repository."""
    for cell in without_outputs(notebook).cells:
        if cell.cell_type == "markdown":
            cell.source = with_addresses(cell.source, repository)
    notebook.metadata.pop("made_with", None)
    notebook.cells.insert(1, nbformat.v4.new_code_cell(CELL.format(repository=repository), id="colab"))
    return notebook


def with_addresses(text: str, repository: str) -> str:
    """Return Markdown text whose links to files lead to Colab for chapters, and else to the repository.

    Colab knows no anchors of other notebooks. Pictures come as files, and not as the pages that GitHub shows them on.
    """

    def lead(link: re.Match) -> str:
        path, anchor = posixpath.normpath(posixpath.join("notebooks", link[1])), link[2]
        name, kind = posixpath.splitext(posixpath.basename(path))
        if kind == ".ipynb":
            return f"]({addresses.services(repository, name)['Colab']})"
        return f"]({repository}/{'raw' if kind in PICTURES else 'blob'}/HEAD/{path}{anchor})"

    return re.sub(r"\]\((?![a-z]+:|#)([^)\s#]+)([^)\s]*)\)", lead, text)


def main() -> None:
    """Write the copies for the repository that the command line names."""
    parser = argparse.ArgumentParser(description="Write the notebooks for Google Colab, into colab/.")
    parser.add_argument("repository", help="where they fetch the course from: https://github.com/owner/name")
    repository = parser.parse_args().repository
    try:
        write(ROOT / "colab", repository)
    except (CourseError, OSError) as error:
        sys.exit(f"{error}\nNothing was written; colab/ is as it was.")
    print("written: colab/")


if __name__ == "__main__":
    main()
