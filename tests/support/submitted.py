"""Notebooks as students submit them."""

import json

RIGHT = ("exercise-count_class", "def count_class(labels, digit):\n    return (labels == digit).sum()")


def notebook(*cells):
    """Return the text of a notebook with these (id, source) code cells."""
    made = [
        {"cell_type": "code", "id": name, "source": source, "metadata": {}, "outputs": [], "execution_count": None}
        for name, source in cells
    ]
    return json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def put(folder, name, content):
    """Write a file, and return its path."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path
