"""The shipped network refuses pictures without a digit, and the stored results of the benchmark of pictures say so."""

import json

import pytest
import reading

from mnist_helpers import data
from mnist_helpers._support.paths import RESULTS
from mnist_helpers.predict import Reader

NO_DIGIT = [condition for condition, written in reading.DIGITS_IN.items() if not written]


@pytest.fixture(scope="module")
def digits():
    return [part[-10_000:].numpy() for part in data.load_raw("test")]


@pytest.fixture(scope="module")
def stored():
    return json.loads((RESULTS / "reading.json").read_text(encoding="utf-8"))


def test_of_a_hundred_pictures_without_a_digit_at_most_five_get_one(digits):
    reader = Reader(threads=1)
    counts = [reading.count(reader, condition, *digits, 25) for condition in NO_DIGIT]
    assert len(counts) == 4 and sum(count["wrong"] for count in counts) <= 5


def test_the_benchmark_used_the_shipped_threshold_and_found_few_digits_where_there_are_none(stored):
    conditions = stored["conditions"]
    assert stored["threshold"] == Reader(threads=1).threshold
    assert list(conditions) == [condition.__name__ for condition in reading.DIGITS_IN]
    assert sum(conditions[condition.__name__]["wrong"] for condition in NO_DIGIT) <= 20  # of 400
