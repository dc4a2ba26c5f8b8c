"""A notebook that cannot be read gets one sentence, with advice that fits its name."""

import notebook_files
import pytest

from tests.support.refusal import refused


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("02_network.ipynb", "check the name, or restore it with `make restore CHAPTER=02`."),
        ("my.ipynb", "is missing; check the name."),
        ("2026_mine.ipynb", "is missing; check the name."),
    ],
)
def test_only_a_chapter_is_to_be_restored(name, advice, tmp_path):
    with refused(advice):
        notebook_files.load(tmp_path / name)
