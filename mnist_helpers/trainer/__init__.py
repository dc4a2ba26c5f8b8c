"""The command `python -m mnist_helpers.train`: runs that stop and go on, on one or several processes."""
