"""Interactive parts of the notebooks: the drawing pad and Netron, with the local server that serves it."""
