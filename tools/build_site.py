"""Build the course's site from the stored outputs of the notebooks: static files in site/, nothing from elsewhere.

    python tools/build_site.py                  # into site/
    python tools/build_site.py --output FOLDER  # elsewhere

No notebook is run. The site is built aside and takes its place when it is whole; at a failure the old one stays.
"""

import argparse
import re
import shutil
import sys
from importlib.metadata import distribution
from pathlib import Path

import nbformat
from folders import atomic_folder
from readme_picture import stored_picture
from sphinx.cmd.build import build_main

from mnist_helpers import CourseError, onnx_file
from mnist_helpers._support.checksums import published_sha256
from mnist_helpers._support.paths import COURSE
from mnist_helpers.widgets import netron_page

ROOT = COURSE
NETRONS_MODEL, PADS_MODEL = Path("models", "report_net.onnx"), Path("models", "digits.onnx")
NODE_MODULES = ROOT / ".venv" / "npm" / "node_modules"
FROM_NPM = {  # where a file of a package goes, below _static
    "mathjax/es5/tex-svg.js": "mathjax",
    "mathjax/LICENSE": "licences/mathjax",
    "onnxruntime-web/dist/ort.wasm.min.mjs": "ort",
    "onnxruntime-web/dist/ort-wasm-simd-threaded.mjs": "ort",
    "onnxruntime-web/dist/ort-wasm-simd-threaded.wasm": "ort",
}
WITH_LICENCE = [
    "sphinx",
    "pydata-sphinx-theme",
    "sphinx-book-theme",
    "sphinx-design",
    "sphinx-copybutton",
    "onnxruntime",
]
CARDS = {
    "01_data": "six",
    "02_network": "pool-figure",
    "03_training": "curve",
    "04_predictions": "confusion",
    "05_improving": "gains-figure",
    "06_speed": "roofline",
    "07_deployment": "speed",
}


def chapters(root: Path) -> dict[str, nbformat.NotebookNode]:
    """Read the notebooks that docs/index.md lists, by name; raises CourseError unless all are there and were run."""
    index = (root / "docs" / "index.md").read_text(encoding="utf-8")
    names = re.findall(r"<notebooks/(\w+)>$", index, re.M)
    return {name: read_executed(root / "notebooks" / f"{name}.ipynb") for name in names}


def read_executed(path: Path) -> nbformat.NotebookNode:
    """Read a notebook with its outputs; raises CourseError when it is missing, none, or was never run."""
    try:
        notebook = nbformat.read(path, as_version=4)
    except FileNotFoundError:
        raise CourseError(f"{path} is missing; `git checkout notebooks` restores it.") from None
    except Exception:  # nbformat raises a dozen types for a file that is no notebook
        raise CourseError(f"{path} is no notebook; `git checkout notebooks` restores it.") from None
    if any(cell.source and cell.execution_count is None for cell in notebook.cells if cell.cell_type == "code"):
        raise CourseError(f"{path} has cells that were not run, so the site would show no results; `make run` runs it.")
    return notebook


def check_model(path: Path) -> None:
    """Raise CourseError unless `path` is an ONNX file with its published digest."""
    try:
        onnx_file.read_onnx(path, published_sha256(path))
    except CourseError as error:
        remedy = "restore it with `git checkout models`"
        sentence = str(error).removesuffix(".")
        raise CourseError(f"{sentence if remedy in sentence else f'{sentence}, or {remedy}'}.") from None


def lay_out(root: Path, node_modules: Path, source: Path) -> None:
    """Put together in `source` all that Sphinx needs, with the pages of docs/ beside the folder notebooks/."""
    for model in (NETRONS_MODEL, PADS_MODEL):
        check_model(root / model)
    cards = {name: stored_picture(notebook, CARDS[name]) for name, notebook in chapters(root).items() if name in CARDS}
    shutil.copytree(root / "docs", source, ignore=shutil.ignore_patterns("node_modules", "__pycache__"))
    shutil.copytree(root / "notebooks", source / "notebooks", ignore=shutil.ignore_patterns(".*"))
    static = source / "_static"
    copy(root / "mnist_helpers" / "widgets" / "pad.js", static)
    copy(root / PADS_MODEL, static / "models")
    for name, target in FROM_NPM.items():
        copy(node_modules / name, static / target)
    for name in WITH_LICENCE:
        copy_licence(name, static / "licences" / name)
    (static / "pictures").mkdir()
    for name, picture in cards.items():
        (static / "pictures" / f"{name}.png").write_bytes(picture)


def copy(source: Path, folder: Path) -> None:
    """Copy a file into `folder`; raises CourseError when it is missing."""
    if not source.is_file():
        where = "`make site` installs it" if "node_modules" in source.parts else "`git checkout .` restores it"
        raise CourseError(f"{source} is missing, so the site cannot be built; {where}.")
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, folder / source.name)


def copy_licence(package: str, folder: Path) -> None:
    """Copy the licences that an installed Python package brings along."""
    for file in distribution(package).files:
        if file.name.startswith(("LICENSE", "ThirdPartyNotices")):
            copy(Path(file.locate()), folder)


def build(root: Path, node_modules: Path, output: Path) -> None:
    """Build the site of the course at `root` into `output`.

    Raises CourseError, leaving `output` as it was, if that fails, or if something else is there.
    """
    with atomic_folder(output, mark="netron/index.html") as pages:
        source, doctrees = pages.with_name("source"), pages.with_name("doctrees")
        lay_out(root, node_modules, source)
        # -W: a warning fails the build; -E and a folder of its own: nothing is left from another one
        if build_main(["-q", "-W", "--keep-going", "-E", "-d", str(doctrees), str(source), str(pages)]):
            raise CourseError("Sphinx found what is listed above; mend it in docs/ or notebooks/, then build again.")
        netron_page.write(pages / "netron", root / NETRONS_MODEL)
        (pages / ".buildinfo").unlink(missing_ok=True)


def reason(error: Exception) -> str:
    """Say why in one sentence: of a folder that could not be copied, the first file's reason."""
    return error.args[0][0][2] if isinstance(error, shutil.Error) else str(error)


def main():
    parser = argparse.ArgumentParser(description="Build the course's site from the stored outputs.")
    parser.add_argument("--output", type=Path, default=ROOT / "site", help="default: site/")
    output = parser.parse_args().output.resolve()
    try:
        build(ROOT, NODE_MODULES, output)
    except (CourseError, OSError) as error:
        sys.exit(f"{reason(error)}\nNo site was built; {output} is as it was.")
    print(f"The site is in {output}. `make site-serve` shows it in a browser; from a file its scripts would not run.")


if __name__ == "__main__":
    main()
