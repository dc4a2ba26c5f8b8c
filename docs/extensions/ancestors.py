"""Walk up the tree of a page."""

from collections.abc import Iterator

from docutils import nodes


def ancestors(node: nodes.Node) -> Iterator[nodes.Node]:
    """Yield the nodes around a node, the nearest first."""
    while (node := node.parent) is not None:
        yield node
