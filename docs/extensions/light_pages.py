"""Make the finished pages light: no script, rule or icon that a page does not use, and small pictures of known size.

The theme brings a font with 2,000 icons, the search index on each page, and styles for all that Bootstrap can do.
"""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import tinycss2
from PIL import Image

from mnist_helpers.widgets import modules

OTHERS = {"_static", "netron"}  # folders whose pages are not Sphinx's
ICON_FONT = ("fontawesome", "Font Awesome")
SEARCH = ("searchtools.js", "language_data.js", "searchindex.js")  # scripts of the search page
ONLY_WITH = {"copybutton.js": "highlight", "clipboard.min.js": "highlight", "design-tabs.js": "sd-tab-set"}
SCRIPT = re.compile(r"<script\b(?P<facts>[^>]*)>(?P<code>.*?)</script>\s*", re.S)
# Until the theme's script has run, colours and borders are missing; light or dark can be known before anything is shown
LATE_THEME = 'localStorage.getItem("theme") || "auto"'
EARLY_THEME = 'localStorage.getItem("theme") || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")'
NAME = re.compile(r"[\w-]+")


def lighten(app, error: Exception | None) -> None:
    """Change what Sphinx wrote, in its folder."""
    if error is not None or app.builder.format != "html":
        return
    folder = Path(app.outdir)
    paths = [path for path in folder.rglob("*.html") if not OTHERS & set(path.relative_to(folder).parts)]
    pictures = {path.name: small_picture(path) for path in (folder / "_images").glob("*.png")}
    for path in paths:
        page = lighter_scripts(path.read_text(encoding="utf-8"), searches=path.name == "search.html")
        page = with_width(with_sizes(with_preloads(page, path.parent), path.parent, pictures))
        path.write_text(re.sub(r"(_images/[\w.-]+)\.png", r"\1.webp", page), encoding="utf-8")
    remove_icon_font(folder / "_static")
    used = names_in([*paths, *(folder / "_static").rglob("*.js")])
    for path in (folder / "_static").rglob("*.css"):
        path.write_text(used_rules(path.read_text(encoding="utf-8"), used), encoding="utf-8")


def lighter_scripts(page: str, searches: bool) -> str:
    """Return a page without the scripts that it does not need; the others run when the page is read."""

    def change(script: re.Match) -> str:
        source = re.search(r'src="([^"?]*)', script["facts"])
        if source is None:  # a few statements; a module waits, too, and comes after the scripts before it
            return script[0].replace("<script>", '<script type="module">')
        name = source[1].rsplit("/")[-1]
        idle = name in ONLY_WITH and f'class="{ONLY_WITH[name]}' not in page
        if name == "fontawesome.js" or idle or (name in SEARCH and not searches):
            return ""
        waits = "defer" in script["facts"] or "module" in script["facts"]
        return script[0] if waits else script[0].replace("<script", '<script defer fetchpriority="low"', 1)

    page = re.sub(r'<link rel="preload" as="script"[^>]*>\s*', "", page)
    page = page.replace(LATE_THEME, EARLY_THEME)
    return SCRIPT.sub(change, page)


def with_preloads(page: str, folder: Path) -> str:
    """Return a page that asks for the modules of its pad at once, instead of one after the other."""
    if 'src="_static/draw.js"' not in page:
        return page
    needed = modules.imported(folder / "_static" / "draw.js")
    links = "".join(f'<link rel="modulepreload" href="_static/{path.name}">\n' for path in needed)
    return page.replace("</title>", f"</title>\n{links}", 1)


@dataclass
class Picture:
    """What a page says about a picture."""

    size: tuple[int, int]  # width and height in pixels
    chart: bool  # lines and letters on white paper, which may take the colours of a dark page


def is_chart(image: Image.Image) -> bool:
    """Return whether a picture is mostly white and hardly black; digits and maps of numbers are not."""
    counts = image.convert("L").histogram()
    return sum(counts[251:]) > 0.7 * sum(counts) and sum(counts[:60]) < 0.03 * sum(counts)


def small_picture(path: Path) -> Picture:
    """Replace a PNG file by a WebP file with 52 shades of each colour, and return what the page says about it.

    No pixel changes by more than 2 of 255, and the file has half the size.
    """
    with Image.open(path) as image:
        picture = Picture(image.size, is_chart(image))
        fewer = image.convert("RGBA").point([5 * round(value / 5) for value in range(256)] * 4)
        fewer.save(path.with_suffix(".webp"), lossless=True, quality=80, method=4)
    path.unlink()
    return picture


def with_sizes(page: str, folder: Path, pictures: dict[str, Picture]) -> str:
    """Return a page whose images have their sizes; `pictures` has what is known of converted files."""
    return re.sub(r"<img\b[^>]*>", lambda tag: sized(tag[0], folder, pictures), page)


def sized(tag: str, folder: Path, pictures: dict[str, Picture]) -> str:
    """Return an image's tag with width and height, so that nothing moves when it comes; it comes when it is near."""
    source = re.search(r'src="([^"]*)"', tag)
    picture = pictures.get(source[1].rsplit("/")[-1] if source else "")
    size = picture.size if picture else size_of_drawing(folder / (source[1] if source else ""))
    if picture and picture.chart:
        old, new = ('class="', 'class="chart ') if 'class="' in tag else ("<img", '<img class="chart"')
        tag = tag.replace(old, new, 1)
    facts = "" if "loading=" in tag else ' loading="lazy"'
    if size and " width=" not in tag:
        facts += f' width="{size[0]}" height="{size[1]}"'
    return tag.replace("<img", f"<img{facts}", 1)


def with_width(page: str) -> str:
    """Return a page that says at its start if it is wide, so that its text does not wrap anew when the rest comes."""
    return page if "bd-sidebar-secondary" in page else page.replace('class="bd-content"', 'class="bd-content wide"')


def size_of_drawing(path: Path) -> tuple[int, int] | None:
    """Return the width and height of an SVG file, or None for another file."""
    if path.suffix != ".svg" or not path.is_file():
        return None
    found = re.search(r"<svg\b[^>]*>", path.read_text(encoding="utf-8"))
    root = found[0] if found else ""
    box = re.search(r'viewBox="[\d.-]+ [\d.-]+ ([\d.]+) ([\d.]+)"', root)
    box = box or re.search(r'\bwidth="([\d.]+)" height="([\d.]+)"', root)
    return (round(float(box[1])), round(float(box[2]))) if box else None


def remove_icon_font(static: Path) -> None:
    """Remove the theme's icons; site.css has the few that are shown."""
    shutil.rmtree(static / "vendor", ignore_errors=True)
    for path in {*static.rglob("fontawesome*"), *static.rglob("*.map")}:
        path.unlink()


def names_in(paths: list[Path]) -> set[str]:
    """Return all words of some files, among them every class that their pages may have."""
    return set().union(*(NAME.findall(path.read_text(encoding="utf-8")) for path in paths))


def used_rules(style: str, used: set[str]) -> str:
    """Return a style sheet without the rules whose classes are in no page and no script."""
    nodes = tinycss2.parse_stylesheet(style, skip_comments=True, skip_whitespace=True)
    return "\n".join(text for node in nodes if (text := used_rule(node, used)))


def used_rule(node, used: set[str]) -> str:
    """Return one rule, or the rules in a media query, as far as they are used."""
    if node.type == "at-rule" and node.lower_at_keyword in ("media", "supports", "container") and node.content:
        inner = tinycss2.parse_rule_list(node.content, skip_comments=True, skip_whitespace=True)
        rules = "".join(used_rule(rule, used) for rule in inner)
        return f"@{node.at_keyword}{tinycss2.serialize(node.prelude)}{{{rules}}}" if rules else ""
    text = node.serialize()
    if node.type == "at-rule" and node.lower_at_keyword == "font-face":
        return "" if any(name in text for name in ICON_FONT) else text
    if node.type != "qualified-rule":
        return text
    selectors = [one for one in split_selectors(tinycss2.serialize(node.prelude)) if is_used(one, used)]
    return f"{','.join(selectors)}{{{tinycss2.serialize(node.content).strip()}}}" if selectors else ""


def split_selectors(text: str) -> list[str]:
    """Split a list of selectors at its commas, but not at those in parentheses."""
    return [part.strip() for part in re.split(r",(?![^()]*\))", text)]


def is_used(selector: str, used: set[str]) -> bool:
    """Return whether all classes of a selector may occur; those inside `:not()` and the like do not matter."""
    plain = re.sub(r"\([^()]*\)", "", selector)
    classes = re.findall(r"\.(-?[_a-zA-Z][\w-]*)", plain)
    return set(classes) <= used and not any(re.fullmatch(r"fa(-.*|[bsrl]?)", name) for name in classes)


def setup(app):
    app.connect("build-finished", lighten)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
