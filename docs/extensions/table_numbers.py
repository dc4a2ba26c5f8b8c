"""Write the whole numbers of pandas' tables as the text does: 21,840."""

import re

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform

WHOLE = re.compile(r"(?<=<td>)-?\d{4,}(?=</td>)")


class TableNumbers(SphinxPostTransform):
    """Separate the thousands in the tables that cells have shown."""

    default_priority = 500

    def run(self) -> None:
        for node in self.document.findall(nodes.raw):
            if 'class="dataframe"' in node.astext():
                shown = WHOLE.sub(lambda number: f"{int(number[0]):,}", node.astext())
                node.children = [nodes.Text(shown)]
                node.rawsource = shown


def setup(app):
    app.add_post_transform(TableNumbers)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
