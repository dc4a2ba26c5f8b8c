"""What others see of a link to a page: title, description and, where the site's address is configured, a picture."""

import html
import re

from docutils import nodes

PICTURE = "_static/preview.png"  # tools/preview_picture.py draws it
WIDTH, HEIGHT = 1200, 630
ALT = "A large handwritten 3, each of whose pixels is a small handwritten digit, beside the title of the course"
LONGEST = 200  # characters of a description


def add_preview(app, pagename: str, templatename: str, context: dict, doctree) -> None:
    """Add tags of the Open Graph protocol, which all services understand, and the card's format for X.

    Addresses have to be absolute, so there is no picture where the site's address is not known.
    """
    about = description(doctree)
    title = html.unescape(re.sub(r"<[^>]+>", "", context.get("title", app.config.html_title)))
    tags = {"og:type": "article" if "/" in pagename else "website", "og:site_name": app.config.html_title}
    tags |= {"og:title": title} | ({"og:description": about} if about else {})
    if site := app.config.html_baseurl:
        tags |= {"og:url": f"{site}{pagename}.html", "og:image": f"{site}{PICTURE}", "og:image:alt": ALT}
        tags |= {"og:image:width": str(WIDTH), "og:image:height": str(HEIGHT)}
    lines = [f'<meta property="{name}" content="{html.escape(value)}">' for name, value in tags.items()]
    lines.append(f'<meta name="twitter:card" content="{"summary_large_image" if site else "summary"}">')
    if about and 'name="description"' not in context.get("metatags", ""):
        lines.append(f'<meta name="description" content="{html.escape(about)}">')
    context["metatags"] = "\n".join([context.get("metatags", ""), *lines])


def description(doctree) -> str:
    """Return the description that a page's head gives, else its first paragraph of some length, shortened."""
    if doctree is None:
        return ""
    given = [node["content"] for node in doctree.findall(nodes.meta) if node.get("name") == "description"]
    found = given or [text for node in doctree.findall(nodes.paragraph) if len(text := node.astext()) > 40]
    words = " ".join(found[0].split()) if found else ""
    return words if len(words) <= LONGEST else f"{words[:LONGEST].rpartition(' ')[0]} …"


def setup(app):
    app.connect("html-page-context", add_preview)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
