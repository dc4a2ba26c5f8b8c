"""Copies are found whatever their names and comments, and answers that reach for Python's insides are flagged."""

import re

import pytest
from grading.likeness import flags, near_identical, shape

ONE = '''
def convolve(image, kernel):
    """Return the map."""
    rows, columns = kernel.shape  # a comment
    feature_map = torch.zeros(image.shape[0] - rows + 1, image.shape[1] - columns + 1)
    for row in range(feature_map.shape[0]):
        for column in range(feature_map.shape[1]):
            feature_map[row, column] = (image[row : row + rows, column : column + columns] * kernel).sum()
    return feature_map
'''
RENAMED = re.sub(r"\b(rows|columns|row|column|feature_map|image|kernel)\b", r"my_\1", ONE).replace("# a comment", "")
OTHER = """
def convolve(image, kernel):
    k, l = kernel.shape
    lines = [[(image[i:i + k, j:j + l] * kernel).sum() for j in range(image.shape[1] - l + 1)]
             for i in range(image.shape[0] - k + 1)]
    return torch.tensor(lines)
"""


def test_names_comments_and_docstrings_play_no_part():
    assert shape(ONE) == shape(RENAMED) != shape(OTHER)


def test_only_copies_are_listed_and_short_or_expected_answers_are_not():
    short = "def output_size(size, kernel): return size - kernel + 1"
    answers = {"convolve": {"ada": ONE, "ben": OTHER, "cem": RENAMED}, "output_size": {"ada": short, "ben": short}}
    solutions = {"convolve": OTHER, "output_size": "def output_size(size, kernel): return 3"}
    [pair] = near_identical(answers, solutions)
    assert (pair.exercise, pair.one, pair.other, pair.likeness) == ("convolve", "ada", "cem", 1.0)
    assert near_identical(answers, solutions | {"convolve": ONE}) == []


@pytest.mark.parametrize(
    "source, found",
    [
        ("import sys", ["sys"]),
        ("import os.path as p", ["os.path"]),
        ("from mnist_helpers.exercises import core", ["mnist_helpers.exercises"]),
        ("def f(): return ().__class__.__subclasses__()", ["__class__", "__subclasses__"]),
        ("def f(): return eval('1')", ["eval"]),
        ("def f(): exercises.one_hot.run_checker = None", ["exercises", "run_checker"]),
        ("import torch\nclass A(torch.nn.Module):\n    def __init__(self): super().__init__()", []),
        ("def f(x): return x.sum()", []),
    ],
)
def test_flags(source, found):
    assert flags("one_hot", source) == found


def test_a_convolution_of_torch_is_flagged_where_it_is_to_be_written():
    source = "def convolve(image, kernel): return F.conv2d(image, kernel)"
    assert flags("convolve", source) == ["conv2d"] and flags("build_net", source) == []
