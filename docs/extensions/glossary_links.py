"""Link the terms of the glossary from where they are used: the first time in each section of a page."""

import collections
import re

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms.post_transforms import SphinxPostTransform

GLOSSARY = "glossary"
# Words of everyday language too: linked where they are set off as terms
EVERYDAY = {"class", "shape", "spread", "width", "noise", "recipe", "process", "graph", "rank", "schedule"}
# Where a link would be nested, or would change what is quoted
LEFT_ALONE = (nodes.reference, addnodes.pending_xref, nodes.literal, nodes.raw, nodes.math)


class GlossaryLinks(SphinxPostTransform):
    """Turn a term in the running text into a cross-reference to its entry."""

    default_priority = 5  # before cross-references are resolved

    def run(self) -> None:
        terms = [name for name, _, kind, *_ in self.env.domains["std"].get_objects() if kind == "term"]
        if self.env.docname == GLOSSARY or not terms:
            return
        pattern = re.compile(rf"\b({'|'.join(map(re.escape, sorted(terms, key=len, reverse=True)))})(?:e?s)?\b", re.I)
        seen = collections.defaultdict(set)
        for text in list(self.document.findall(nodes.Text)):
            parents = list(_ancestors(text))
            if _inside(parents, nodes.paragraph) and not _inside(parents, LEFT_ALONE):
                sections = [parent for parent in parents if isinstance(parent, nodes.section)]
                words = seen[sections[-2:][0]]
                ignored = set() if isinstance(parents[0], (nodes.emphasis, nodes.strong)) else EVERYDAY
                text.parent.replace(text, list(self.linked(text.astext(), pattern, words, ignored)))

    def linked(self, text: str, pattern: re.Pattern, seen: set, ignored: set):
        """Yield `text` in pieces, each term that is neither in `seen` nor in `ignored` as a cross-reference."""
        end = 0
        for match in pattern.finditer(text):
            if (term := match[1].lower()) in seen | ignored:
                continue
            seen.add(term)
            yield nodes.Text(text[end : match.start()])
            yield cross_reference(match[1], match[0], self.env.docname)
            end = match.end()
        yield nodes.Text(text[end:])


def cross_reference(term: str, shown: str, docname: str) -> addnodes.pending_xref:
    reference = addnodes.pending_xref(refdomain="std", reftype="term", reftarget=term, refexplicit=True, refdoc=docname)
    reference["refwarn"] = True
    reference += nodes.inline(shown, shown, classes=["glossary-link"])
    return reference


def _ancestors(node: nodes.Node):
    while (node := node.parent) is not None:
        yield node


def _inside(parents: list[nodes.Node], kinds) -> bool:
    return any(isinstance(parent, kinds) for parent in parents)


def setup(app):
    app.add_post_transform(GlossaryLinks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
