"""What is alive in a notebook: the drawing pad, and Netron's page on a server of its own."""
