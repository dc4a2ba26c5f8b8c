"""What several tools read or change in the cells of a notebook."""

import base64

from nbformat import NotebookNode


def without_outputs(notebook: NotebookNode) -> NotebookNode:
    """Empty the outputs of all cells, and return the notebook."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return notebook


def alt_text(cell: NotebookNode) -> str | None:
    """Return the text for people who cannot see a cell's figure, or None if it has none."""
    return cell.metadata.get("mystnb", {}).get("image", {}).get("alt")


def stored_picture(notebook: NotebookNode, cell_id: str) -> bytes:
    """Return the PNG that is stored in the first output of a cell."""
    (cell,) = [cell for cell in notebook.cells if cell.id == cell_id]
    return base64.b64decode(cell.outputs[0].data["image/png"])
