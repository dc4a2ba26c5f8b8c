"""Interactive parts of the notebooks: drawing pads, a moving filter, sliders, and Netron with its local server."""
