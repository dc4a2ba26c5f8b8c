"""Show the helpers' docstrings, which are plain text with code in backticks, on the page of the helpers.

Sphinx would read them as reStructuredText, where one backtick, an asterisk or an underscore has another meaning.
"""

import re

CODE = re.compile(r"(`[^`]+`)")
SPECIAL = re.compile(r"([\\*_|<>`])")


def as_rest(lines: list[str]) -> list[str]:
    """Write plain text as reStructuredText: code as literals, indented blocks as they are, all else escaped."""
    written: list[str] = []
    block = False  # within an indented one
    for line in lines:
        indented = line.startswith("    ")
        if indented and not block:
            written += ["::", ""] if not written or not written[-1] else ["", "::", ""]
        elif block and line and not indented:
            written += [""] if written[-1] else []
        block = indented or (block and not line)
        written.append(line if block else escaped(line))
    return written


def escaped(line: str) -> str:
    """Double the backticks of code, and give a backslash to whatever has a meaning in reStructuredText elsewhere."""
    pieces = CODE.split(line)
    return "".join(f"`{piece}`" if CODE.fullmatch(piece) else SPECIAL.sub(r"\\\1", piece) for piece in pieces)


def process(app, what: str, name: str, obj, options, lines: list[str]) -> None:
    """Change the lines of a docstring in place, as Sphinx wants it."""
    lines[:] = as_rest(lines)


def setup(app):
    app.connect("autodoc-process-docstring", process)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
