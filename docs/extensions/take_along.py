"""How to take the course along: its zips and, where a repository on GitHub is configured, Colab and Binder."""

import re
from pathlib import Path

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform

DOWNLOADS = "_static/downloads"  # tools/downloads.py writes them there
GITHUB = re.compile(r"https://github\.com/([\w.-]+/[\w.-]+)")
# The branch `colab` has the notebooks with a first cell for Colab: tools/colab_copies.py
COLAB = "https://colab.research.google.com/github/{name}/blob/colab/notebooks/{chapter}.ipynb"
BINDER = "https://mybinder.org/v2/gh/{name}/HEAD?urlpath=lab/tree/notebooks/{chapter}.ipynb"


class TakeAlong(SphinxPostTransform):
    """Add a line below the title of each chapter: how to run it."""

    default_priority = 500

    def run(self) -> None:
        folder, _, chapter = self.env.docname.rpartition("/")
        if folder != "notebooks":
            return
        ways = [zip_link(Path(self.env.srcdir), chapter, "../", "on your computer"), '<a href="../run.html">how?</a>']
        ways[1:1] = [f'<a href="{address}">in {name}</a>' for name, address in services(self.config, chapter).items()]
        line = f'<p class="take-along">Run this chapter: {" · ".join(ways)}</p>'
        title = next(iter(self.document.findall(nodes.title)))
        title.parent.insert(1, nodes.raw("", line, format="html"))


def zip_link(source: Path, name: str, to_top: str, words: str) -> str:
    """Return a link to a zip in the folder of downloads, with its size."""
    size = (source / DOWNLOADS / f"{name}.zip").stat().st_size / 1e6
    return f'<a href="{to_top}{DOWNLOADS}/{name}.zip" download>{words}</a> (zip, {size:.1f}\u00a0MB)'


def services(config, chapter: str) -> dict[str, str]:
    """Return the address of a chapter in Colab and in Binder; none without a repository on GitHub."""
    found = GITHUB.fullmatch(config.course_repository)
    ways = {"Colab": COLAB, "Binder": BINDER} if found else {}
    return {name: address.format(name=found[1], chapter=chapter) for name, address in ways.items()}


def describe_ways(app, config) -> None:
    """Define what the page "Run it yourself" says of the downloads, the repository and the two services."""
    source = Path(app.srcdir)
    chapters = sorted(path.stem for path in (source / "notebooks").glob("*.ipynb"))
    zips = {chapter: f"{DOWNLOADS}/{chapter}.zip" for chapter in chapters}
    known = {
        "course_zip": zip_link(source, "course", "", "the whole course"),
        "chapter_zips": numbers(zips, "as a zip"),
    }
    known["repository"] = f"[its repository]({config.course_repository})" if config.course_repository else ""
    for name in ("Colab", "Binder"):
        addresses = {chapter: services(config, chapter).get(name, "") for chapter in chapters}
        known[f"{name.lower()}_links"] = numbers(addresses, f"in {name}")
    config.myst_substitutions = config.myst_substitutions | known


def leave_out_unknown(app, docname: str, source: list[str]) -> None:
    """Take the parts `:::{only} repository` and `:::{only} services` from a page, unless there are such.

    Sphinx's own directive `only` would let a section with a heading through.
    """
    known = {"repository": app.config.course_repository, "services": services(app.config, "")}
    pattern = re.compile(r"^:::\{only\} (repository|services)\n(.*?)^:::\n", re.M | re.S)
    source[0] = pattern.sub(lambda part: part[2] if known[part[1]] else "", source[0])


def numbers(addresses: dict[str, str], what: str) -> str:
    """Return a row of links, one for each chapter, shown as its number."""
    links = [(chapter[:2], address) for chapter, address in addresses.items()]
    return " · ".join(f'<a href="{address}" aria-label="{number} {what}">{number}</a>' for number, address in links)


def setup(app):
    app.add_config_value("course_repository", "", "env", str)  # tools/build_site.py reads it from pyproject.toml
    app.add_post_transform(TakeAlong)
    app.connect("config-inited", describe_ways, priority=100)  # before MyST reads the substitutions
    app.connect("source-read", leave_out_unknown)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
