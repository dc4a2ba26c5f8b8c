"""A file that would run code, if it were loaded carelessly."""

from pathlib import Path


class RunsCode:
    """An object whose unpickling makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)
