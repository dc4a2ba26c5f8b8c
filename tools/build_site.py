"""Build the course's site as static files from the stored outputs of the notebooks.

    python tools/build_site.py                  # into site/
    python tools/build_site.py --instructors    # with the page that has the answers
    python tools/build_site.py --output FOLDER  # into another folder

No notebook is run, and the site loads nothing from other servers. The old site is replaced only if the build succeeds.
"""

import argparse
import json
import re
import shutil
import sys
from importlib.metadata import distribution
from pathlib import Path

import addresses
import downloads
from folders import atomic_folder
from formulas import NODE_MODULES, mathjax
from notebook_cells import stored_picture
from notebook_files import load_executed
from replacing import replace_in
from sphinx.cmd.build import build_main

from mnist_helpers import CourseError, layers, onnx_file, predict
from mnist_helpers._support.checksums import published_sha256
from mnist_helpers._support.paths import COURSE as ROOT
from mnist_helpers.widgets import modules, netron_page
from mnist_helpers.widgets.script import translations

REPORT_NET, REPORT_INT8, DIGITS = (Path("models", f"{name}.onnx") for name in ("report_net", "report_int8", "digits"))
AT_WORK = (REPORT_NET, DIGITS)  # on the pads
# What the site's copy of Netron shows: the network of the chapter, or the file that its run wrote
IN_NETRON = {"02_network": REPORT_NET, "09_deployment": REPORT_INT8}
COMMENT = re.compile(r"^ */\*\*.*?\*/\n", re.M | re.S)  # in a script, above what it explains
WITH_LICENCE = [  # packages whose licences are copied to the site
    "sphinx",
    "pydata-sphinx-theme",
    "sphinx-book-theme",
    "sphinx-design",
    "sphinx-copybutton",
]
CARDS = {  # chapter: id of the cell whose figure is shown on the home page
    "01_data": "six",
    "02_network": "pool-figure",
    "03_gradients": "weights",
    "04_training": "curve",
    "05_predictions": "confusion",
    "06_experiments": "gains-figure",
    "07_improving": "company-figure",
    "08_speed": "roofline",
    "09_deployment": "speed",
    "10_pictures": "components",
}


def check_model(path: Path) -> None:
    """Raise CourseError unless `path` is an ONNX file with its published digest."""
    try:
        onnx_file.read_onnx(path, published_sha256(path))
    except CourseError as error:
        remedy = "restore it with `git checkout models`"
        sentence = str(error).removesuffix(".")
        raise CourseError(f"{sentence if remedy in sentence else f'{sentence}, or {remedy}'}.") from None


def lay_out(root: Path, source: Path, for_instructors: bool) -> None:
    """Copy everything that Sphinx needs to `source`, with the pages of docs/ beside the folder notebooks/."""
    for model in (REPORT_NET, REPORT_INT8, DIGITS):
        check_model(root / model)
    notebooks = load_executed(root)
    cards = {name: stored_picture(notebooks[name], cell) for name, cell in CARDS.items() if name in notebooks}
    shutil.copytree(root / "docs", source, ignore=shutil.ignore_patterns("node_modules", "__pycache__"))
    shutil.copytree(root / "notebooks", source / "notebooks", ignore=shutil.ignore_patterns(".*"))
    if not for_instructors:
        leave_out_instructors(source)
    static = source / "_static"
    shutil.copytree(root / "mnist_helpers" / "widgets" / modules.WEB.name, static, dirs_exist_ok=True)
    for script in sorted(static.glob("*.js")):
        modules.imported(script)  # or it is said which one is missing
        script.write_text(COMMENT.sub("", script.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")
    write_translations(static)
    write_networks(root, static / "models")
    downloads.write(root, static / "downloads")
    for name in WITH_LICENCE:
        copy_licence(name, static / "licences" / name)
    (static / "pictures").mkdir()
    for name, picture in cards.items():
        (static / "pictures" / f"{name}.png").write_bytes(picture)


def write_translations(static: Path) -> None:
    """Write the texts of the scripts in the reader's language, which MNIST_COURSE_LANGUAGE names."""
    scripts = [script.read_text(encoding="utf-8") for script in sorted(static.glob("*.js"))]
    (static / modules.TRANSLATIONS).write_text(translations(scripts), encoding="utf-8", newline="\n")


def leave_out_instructors(source: Path) -> None:
    """Remove the page for instructors, which has the answers to the questions, and what the first page says of it."""
    (source / "instructors.md").unlink()
    for mention in ("If you teach, read the [page for instructors](instructors.md). ", "instructors\n"):
        replace_in(source / "index.md", mention, "")


def write_networks(root: Path, folder: Path) -> None:
    """Write both networks for layers.js, in half precision, and the limits of the reader of pictures."""
    folder.mkdir()
    for model in AT_WORK:
        found = layers.read_layers(root / model)
        (folder / f"{model.stem}.layers.json").write_text(json.dumps(found.description()), encoding="utf-8")
        (folder / f"{model.stem}.bin").write_bytes(found.binary())
    (folder / "digits.json").write_text(json.dumps(limits(root / DIGITS)), encoding="utf-8")


def limits(model: Path) -> dict[str, float]:
    """Return the limits for what counts as a digit, so that the page and the command read alike."""
    threshold = predict.Reader(model).threshold
    unsure = {"unreadable": predict.UNREADABLE, "least_sure": predict.LEAST_SURE}
    return {"threshold": threshold, "widest": predict.WIDEST, **unsure}


def copy(source: Path, folder: Path) -> None:
    """Copy a file into `folder`. Raises CourseError if it is missing."""
    if not source.is_file():
        remedy = f"restore it with `git checkout -- {source}`"
        raise CourseError(f"{source} is missing, so the site cannot be built; {remedy}.")
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, folder / source.name)


def copy_licence(package: str, folder: Path) -> None:
    """Copy the licence files of an installed Python package."""
    for file in distribution(package).files or []:
        if file.name.startswith(("LICENSE", "ThirdPartyNotices")):
            copy(Path(file.locate()), folder)


def settings(root: Path, library: Path) -> list[str]:
    """Return options for Sphinx that set what the extensions need to know; `library` is MathJax."""
    known = addresses.configured(root)
    values = {"mathjax_library": library, "html_baseurl": known.site, "course_repository": known.repository}
    values |= {f"netron_files.{chapter}": root / model for chapter, model in IN_NETRON.items()}
    return [f"-D{name}={value}" for name, value in values.items()]


def build(root: Path, node_modules: Path, output: Path, for_instructors: bool = False) -> None:
    """Build the site of the course at `root` into `output`, for students or with the page for instructors.

    Raises CourseError, and leaves `output` unchanged, if the build fails or if `output` is not an older site.
    """
    with atomic_folder(output, mark="netron/index.html") as pages:
        source, doctrees = pages.with_name("source"), pages.with_name("doctrees")
        lay_out(root, source, for_instructors)
        # -W: warnings are errors; -E and new doctrees: nothing is reused from another build
        options = ["-q", "-W", "--keep-going", "-E", "-d", str(doctrees), *settings(root, mathjax(node_modules))]
        if build_main([*options, str(source), str(pages)]):
            raise CourseError(
                "Sphinx found the problems listed above; correct them in docs/ or notebooks/, then build again."
            )
        netron_page.write(pages / "netron", [root / model for model in IN_NETRON.values()])
        (pages / ".buildinfo").unlink(missing_ok=True)


def reason(error: Exception) -> str:
    """Return the message of an error. For a folder that could not be copied, it is the message for the first file."""
    return error.args[0][0][2] if isinstance(error, shutil.Error) else str(error)


def main():
    parser = argparse.ArgumentParser(description="Build the course's site from the stored outputs.")
    parser.add_argument("--output", type=Path, default=ROOT / "site", help="default: site/")
    parser.add_argument("--instructors", action="store_true", help="add the page for instructors, with the answers")
    options = parser.parse_args()
    output = options.output.resolve()
    try:
        build(ROOT, NODE_MODULES, output, options.instructors)
    except (CourseError, OSError) as error:
        sys.exit(f"{reason(error)}\nNo site was built; {output} was not changed.")
    print(f"The site is in {output}. Show it with `make site-serve`: opened as a file, its scripts would not run.")


if __name__ == "__main__":
    main()
