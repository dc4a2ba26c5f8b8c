"""Link terms to the glossary at their first use in each section of a page, unless the page itself explains them."""

import collections
import re

from ancestors import ancestors
from docutils import nodes
from sphinx import addnodes
from sphinx.transforms.post_transforms import SphinxPostTransform

WITHOUT_LINKS = {"glossary", "install", "run"}  # the last two speak of modules and caches in another sense
# Terms that are also everyday words, or that every chapter needs: linked only if they are emphasised
EVERYDAY = {"class", "shape", "spread", "width", "noise", "recipe", "process", "graph", "rank", "schedule"}
EVERYDAY |= {"slope", "loss", "thread", "kernel", "filter", "power", "risk", "history", "header", "device", "closing"}
EVERYDAY |= {"network", "neural network", "pixel", "model", "label", "layer", "weight", "MNIST", "PyTorch", "Netron"}
PLAIN = {term.lower() for term in EVERYDAY}
# Nodes in which a link would be nested or would change quoted text
NOT_LINKED = (nodes.reference, addnodes.pending_xref, nodes.literal, nodes.raw, nodes.math)


class GlossaryLinks(SphinxPostTransform):
    """Turn glossary terms in paragraphs into cross-references."""

    default_priority = 5  # before cross-references are resolved

    def run(self) -> None:
        terms = [name for name, _, kind, *_ in self.env.domains["std"].get_objects() if kind == "term"]
        if self.env.docname in WITHOUT_LINKS or not terms:
            return
        pattern = re.compile(rf"\b({'|'.join(map(re.escape, sorted(terms, key=len, reverse=True)))})(?:e?s)?\b", re.I)
        explained = self.explained(pattern)
        seen = collections.defaultdict(explained.copy)
        for text in list(self.document.findall(nodes.Text)):
            parents = list(ancestors(text))
            if _inside(parents, nodes.paragraph) and not _inside(parents, NOT_LINKED):
                sections = [parent for parent in parents if isinstance(parent, nodes.section)]
                words = seen[sections[-2:][0]]
                ignored = set() if isinstance(parents[0], nodes.emphasis) else PLAIN
                text.parent.replace(text, list(self.linked(text.astext(), pattern, words, ignored)))

    def explained(self, pattern: re.Pattern) -> set[str]:
        """Return the terms that are in bold: the text around each says what it means, as its entry would."""
        bold = [pattern.fullmatch(node.astext()) for node in self.document.findall(nodes.strong)]
        return {match[1].lower() for match in bold if match}

    def linked(self, text: str, pattern: re.Pattern, seen: set, ignored: set):
        """Yield `text` in parts, with a cross-reference for each term that is not in `seen` or `ignored`."""
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
    """Return a reference to the glossary entry of `term` with the text `shown`."""
    reference = addnodes.pending_xref(refdomain="std", reftype="term", reftarget=term, refexplicit=True, refdoc=docname)
    reference["refwarn"] = True
    reference += nodes.inline(shown, shown, classes=["glossary-link"])
    return reference


def _inside(parents: list[nodes.Node], kinds) -> bool:
    return any(isinstance(parent, kinds) for parent in parents)


def setup(app):
    app.add_post_transform(GlossaryLinks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
