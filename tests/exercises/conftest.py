"""Checks of exercises without a copy of the process for each."""

import pytest

from mnist_helpers.exercises import isolation


@pytest.fixture
def in_this_process(monkeypatch):
    """Thousands of forks would take minutes; test_isolation.py has the checks in a copy of the process."""
    monkeypatch.setattr(isolation, "can_fork", lambda: False)
