"""How the helpers refuse a bad argument."""

import re
from contextlib import contextmanager

import pytest

from mnist_helpers import CourseError


@contextmanager
def refused(*words):
    """Expect a CourseError of one sentence, without another library's error behind it, that holds these words."""
    with pytest.raises(CourseError) as info:
        yield
    message = str(info.value)
    assert message.endswith(".") and "\n" not in message and not re.search(r"[.!?] [A-Z]", message), message
    assert info.value.__suppress_context__ or info.value.__context__ is None
    for word in words:
        assert word in message
