"""Symbolic links, which Windows allows to administrators and in its developer mode only."""

import pytest


def make_link(path, target):
    """Let `path` lead to `target`; where the system allows no links, skip the test."""
    try:
        path.symlink_to(target)
    except (OSError, NotImplementedError) as error:
        if getattr(error, "winerror", None) != 1314:  # "A required privilege is not held by the client"
            raise
        pytest.skip("This system lets no ordinary user make symbolic links, so what they do is not tested.")
