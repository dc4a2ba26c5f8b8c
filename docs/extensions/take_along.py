"""How to take the course along: its zips and, where a repository on GitHub is configured, Colab and Binder."""

import re
from pathlib import Path

from addresses import SERVICES, services
from docutils import nodes
from sphinx.errors import ExtensionError
from sphinx.transforms.post_transforms import SphinxPostTransform

DOWNLOADS = "_static/downloads"  # tools/downloads.py writes them there
PART = re.compile(r"^:::\{if-configured\} *([^\n]*)\n(.*?)^:::\n", re.M | re.S)


class TakeAlong(SphinxPostTransform):
    """Add a line below the title of each chapter: how to run it."""

    default_priority = 500

    def run(self) -> None:
        folder, _, chapter = self.env.docname.rpartition("/")
        if folder != "notebooks":
            return
        ways = [
            zip_link(Path(self.env.srcdir), chapter, "../", "download it"),
            '<a href="../run.html">how to start</a>',
        ]
        known = services(self.config.course_repository, chapter)
        ways[1:1] = [f'<a href="{address}">in {name}</a>' for name, address in known.items()]
        line = f'<p class="take-along">Run this chapter: {" · ".join(ways)}</p>'
        title = next(iter(self.document.findall(nodes.title)))
        title.parent.insert(1, nodes.raw("", line, format="html"))


def zip_link(source: Path, name: str, to_top: str, words: str) -> str:
    """Return a link to a zip in the folder of downloads, with its size."""
    size = (source / DOWNLOADS / f"{name}.zip").stat().st_size / 1e6
    return f'<a href="{to_top}{DOWNLOADS}/{name}.zip" download>{words}</a> (zip, {size:.1f}\u00a0MB)'


def describe_ways(app, config) -> None:
    """Define what the page "Run it yourself" says of the downloads, the repository and the two services."""
    source = Path(app.srcdir)
    chapters = sorted(path.stem for path in (source / "notebooks").glob("*.ipynb"))
    zips = {chapter: f"{DOWNLOADS}/{chapter}.zip" for chapter in chapters}
    known = {
        "course_zip": zip_link(source, "course", "", "the whole course"),
        "chapter_zips": chapter_links(zips, "as a zip"),
    }
    known["repository"] = f"[its repository]({config.course_repository})" if config.course_repository else ""
    for name in SERVICES:
        addresses = {chapter: services(config.course_repository, chapter).get(name, "") for chapter in chapters}
        known[f"{name.lower()}_links"] = chapter_links(addresses, f"in {name}")
    config.myst_substitutions = config.myst_substitutions | known


def leave_out_unknown(app, docname: str, source: list[str]) -> None:
    """Take the parts `:::{if-configured} repository` and `:::{if-configured} services` out, unless there are such.

    Sphinx's own directive `only` would let a section with a heading through.
    """
    repository = app.config.course_repository
    known = {"repository": repository, "services": services(repository, "")}

    def kept(part: re.Match) -> str:
        if part[1] not in known:
            raise ExtensionError(f"{docname}: {part[0].splitlines()[0]!r} is unknown; write one of {', '.join(known)}.")
        return part[2] if known[part[1]] else ""

    source[0] = PART.sub(kept, source[0])


def chapter_links(addresses: dict[str, str], what: str) -> str:
    """Return a row of links, one for each chapter, shown as its number."""
    links = [(chapter[:2], address) for chapter, address in addresses.items()]
    return " · ".join(f'<a href="{address}" aria-label="{number} {what}">{number}</a>' for number, address in links)


def setup(app):
    app.add_config_value("course_repository", "", "env", str)  # tools/build_site.py reads it from pyproject.toml
    app.add_post_transform(TakeAlong)
    app.connect("config-inited", describe_ways, priority=100)  # before MyST reads the substitutions
    app.connect("source-read", leave_out_unknown)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
