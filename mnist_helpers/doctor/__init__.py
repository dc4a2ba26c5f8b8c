"""Check an installation of the course, and name the commands that mend it: `python -m mnist_helpers.doctor`."""
