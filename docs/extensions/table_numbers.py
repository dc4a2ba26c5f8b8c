"""Write the whole numbers of pandas' tables as the text does: 21,840. A table with a column of years stays as it is."""

import re

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform

WHOLE = re.compile(r"(?<=<td>)-?[1-9]\d{3,}(?=</td>)")  # 0007 is a name
YEARS = re.compile(r"<th>years?</th>", re.I)


class TableNumbers(SphinxPostTransform):
    """Separate the thousands in the tables that cells have shown."""

    default_priority = 500

    def run(self) -> None:
        for node in self.document.findall(nodes.raw):
            if 'class="dataframe"' in node.astext() and not YEARS.search(node.astext()):
                shown = WHOLE.sub(lambda number: f"{int(number[0]):,}", node.astext())
                node.children = [nodes.Text(shown)]
                node.rawsource = shown


def setup(app):
    app.add_post_transform(TableNumbers)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
