"""The notebooks for Google Colab: what differs from the course's, and that one runs where nothing else is."""

import os
import re
import subprocess
import sys
from pathlib import Path

import colab_copies
import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from mnist_helpers._support.paths import COURSE as ROOT
from mnist_helpers._support.paths import NOTEBOOKS
from tests.support.course_copy import fresh_copy
from tests.support.refusal import refused

REPOSITORY = "https://github.com/owner/name"
FAKE = "def enable_custom_widget_manager():\n    print('widgets')\n"
CHILD = "import mnist_helpers; print('from', mnist_helpers.__file__)"
LAST = f"""import subprocess, os, sys
from mnist_helpers import data
print(len(data.load_raw("test")[0]), os.path.basename(os.getcwd()))
print(subprocess.run([sys.executable, "-c", {CHILD!r}], capture_output=True, text=True).stdout)"""


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    target = tmp_path_factory.mktemp("copies") / "colab"
    colab_copies.write(target, REPOSITORY)
    return target


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_copy_has_one_cell_more_and_no_outputs(path, written):
    ours, theirs = (nbformat.read(folder / path.name, as_version=4) for folder in (NOTEBOOKS, written / "notebooks"))
    nbformat.validate(theirs)
    assert [cell.id for cell in theirs.cells if cell.id != "colab"] == [cell.id for cell in ours.cells]
    assert theirs.cells[1].id == "colab" and REPOSITORY in theirs.cells[1].source
    code = [cell for cell in theirs.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in code)
    assert [cell.source for cell in code[1:]] == [cell.source for cell in ours.cells if cell.cell_type == "code"]


@pytest.mark.parametrize(
    ("link", "address"),
    [
        ("02_network.ipynb#netron", "https://colab.research.google.com/github/owner/name/blob/colab/notebooks/02_network.ipynb"),
        ("../docs/draw.md", f"{REPOSITORY}/blob/HEAD/docs/draw.md"),
        ("../docs/glossary.md#tensor", f"{REPOSITORY}/blob/HEAD/docs/glossary.md#tensor"),
        ("images/a.png", f"{REPOSITORY}/raw/HEAD/notebooks/images/a.png"),
        ("#summary", "#summary"),
        ("https://x.org/a.ipynb", "https://x.org/a.ipynb"),
    ],
)  # fmt: skip
def test_links_lead_where_the_files_are(link, address):
    assert colab_copies.with_addresses(f"See [it]({link}).", REPOSITORY) == f"See [it]({address})."


@pytest.mark.parametrize("address", ["https://gitlab.com/owner/name", "https://github.com/owner", "owner/name"])
def test_an_address_that_colab_cannot_open_is_refused(address, tmp_path):
    with refused(address, "on GitHub alone"):
        colab_copies.write(tmp_path / "colab", address)
    assert list(tmp_path.iterdir()) == []


def test_an_address_is_tidied(written, tmp_path):
    colab_copies.write(tmp_path / "colab", f"{REPOSITORY}.git/")
    name = "notebooks/02_network.ipynb"
    assert (tmp_path / "colab" / name).read_bytes() == (written / name).read_bytes()


def test_no_link_of_a_copy_leads_to_a_file_beside_it(written):
    for path in (written / "notebooks").glob("*.ipynb"):
        prose = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown"]
        assert re.findall(r"\]\((?!https?:|#)[^)]*\)", "\n".join(prose)) == []


def run_in(folder: Path, repository: str, in_colab: bool = True) -> list:
    """Run the first cells of a copy in a folder where nothing else is; return their outputs."""
    notebook = colab_copies.for_colab(nbformat.read(NOTEBOOKS / "02_network.ipynb", as_version=4), REPOSITORY)
    notebook.cells[1].source = notebook.cells[1].source.replace(REPOSITORY, repository)
    notebook.cells = [*notebook.cells[:2], nbformat.v4.new_code_cell(LAST)]
    alone, home, fakes = (folder / name for name in ("alone", "home", "fakes"))
    for part in (alone, home, fakes / "google" / "colab"):
        part.mkdir(parents=True)
    if in_colab:
        (fakes / "google" / "colab" / "__init__.py").touch()
        (fakes / "google" / "colab" / "output.py").write_text(FAKE)
    environment = os.environ | {"HOME": str(home), "PYTHONPATH": str(fakes) if in_colab else ""}
    client = NotebookClient(notebook, resources={"metadata": {"path": str(alone)}}, timeout=300)
    client.execute(env=environment)
    return notebook.cells


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """A repository with the files that git knows, as they are now."""
    folder = fresh_copy(tmp_path_factory.mktemp("repository"))
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "all"]):
        subprocess.run([*git, *words], cwd=folder, check=True)
    return folder.as_uri()


@pytest.mark.integration
def test_a_copy_alone_fetches_the_course_and_runs(repository, tmp_path):
    cells = run_in(tmp_path, repository)
    course = tmp_path / "home" / "mnist-course"
    printed = cells[-1].outputs[0].text
    assert "widgets" in cells[1].outputs[0].text
    assert "10000 notebooks" in printed and f"from {course / 'mnist_helpers' / '__init__.py'}" in printed


@pytest.mark.integration
def test_a_failing_clone_gets_one_sentence(tmp_path):
    nowhere = (tmp_path / "nowhere").as_uri()
    with pytest.raises(CellExecutionError) as failure:
        run_in(tmp_path, nowhere)
    assert failure.value.ename == "SystemExit"
    assert re.fullmatch(r"The course could not be fetched \(.*nowhere.*\); run this cell again\.", failure.value.evalue)


@pytest.mark.integration
def test_elsewhere_the_copy_says_where_to_go(tmp_path):
    with pytest.raises(CellExecutionError) as failure:
        run_in(tmp_path, REPOSITORY, in_colab=False)
    assert REPOSITORY in failure.value.evalue and not (tmp_path / "home" / "mnist-course").exists()


def test_the_tool_needs_nothing_but_nbformat():
    """The workflow installs no other package, as PyTorch alone takes gigabytes."""
    blocked = (
        "import sys; sys.modules.update(dict.fromkeys(['torch', 'nbclient', 'numpy', 'IPython'])); import colab_copies"
    )
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tools'}"}
    subprocess.run([sys.executable, "-c", blocked], env=environment, check=True)
