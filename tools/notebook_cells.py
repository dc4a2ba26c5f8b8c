"""What several tools read or change in the cells of a notebook."""

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
