"""Pictures that are no digits: what they are made from, that they repeat, and that the shipped network refuses them."""

import numpy as np
import pytest
import reading

from mnist_helpers import data
from mnist_helpers.outliers import (
    FONTS,
    KINDS,
    SAMPLES,
    Sources,
    enlarged,
    half,
    is_upright_stroke,
    joined,
    on_paper,
    outliers,
    quarter_turn,
    rewritten,
    shapes,
)
from mnist_helpers.predict import Reader


@pytest.fixture(scope="module")
def sources():
    """The first 500 test digits, with the fonts and sample pictures that are kept for validation."""
    images, labels = data.load_raw("test")
    return Sources(images[:500].numpy(), labels[:500].numpy(), "validation")


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def of_digit(sources, label):
    keep = sources.labels == label
    return Sources(sources.images[keep], sources.labels[keep])


def test_training_validation_and_the_benchmark_share_no_font_and_no_photograph():
    tested = {font.removesuffix(".ttf") for font in reading.FONTS}
    assert not set(FONTS["train"]) & set(FONTS["validation"]) and not set(SAMPLES["train"]) & set(SAMPLES["validation"])
    assert not tested & {*FONTS["train"], *FONTS["validation"]}


@pytest.mark.parametrize("split", ["train", "validation"])
@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_prepared_like_a_digit_and_repeats(kind, split, sources):
    chosen = Sources(sources.images, sources.labels, split)
    found = outliers(4, 3, chosen, {kind: 1})
    assert found.shape == (4, 28, 28) and found.dtype == np.uint8
    assert (found.max((1, 2)) == 255).all() and (found.max((1, 2)) > found.min((1, 2))).all()
    assert np.array_equal(found, outliers(4, 3, chosen, {kind: 1}))
    assert not np.array_equal(found, outliers(4, 4, chosen, {kind: 1}))


def test_kinds_have_their_shares(sources):
    parts = outliers(12, 0, sources, {half: 1, joined: 2})
    alone = outliers(4, 0, sources, {half: 1})
    assert len(parts) == 12 and np.array_equal(parts[:4], alone)


def test_an_upright_stroke_is_what_ones_are(sources):
    found = {label: [is_upright_stroke(image) for image in of_digit(sources, label).images] for label in range(10)}
    assert np.mean(found[1]) > 0.9
    assert max(np.mean(share) for label, share in found.items() if label != 1) < 0.1
    assert not any(is_upright_stroke(np.rot90(image)) for image in of_digit(sources, 1).images[:20])
    assert not is_upright_stroke(np.zeros((28, 28), np.uint8))


@pytest.mark.parametrize("label", [0, 5])
def test_half_of_a_digit_is_half_as_high(label, rng, sources):
    pages = [half(rng, of_digit(sources, label)) for _ in range(20)]
    heights = [np.ptp(np.flatnonzero((page < 140).any(axis=1))) + 1 for page in pages]
    assert min(heights) >= 15 and max(heights) <= 40  # a whole digit is 60 pixels high


def test_a_digit_on_its_side_is_never_a_zero(rng, sources):
    chosen = np.isin(sources.labels, [0, 7])
    sevens = {on_paper(enlarged(image)).tobytes() for image in of_digit(sources, 7).images}
    for _ in range(10):
        page = quarter_turn(rng, Sources(sources.images[chosen], sources.labels[chosen]))
        assert {np.rot90(page, turns).tobytes() for turns in (1, 3)} & sevens


def test_joined_digits_are_one_shape_wider_than_a_digit(rng, sources):
    found = [picture for _ in range(10) for picture in shapes(joined, rng, of_digit(sources, 3))]
    assert len(found) >= 5
    assert all(np.ptp(np.nonzero(picture)[1]) + 1 >= 18 for picture in found)


def test_digits_written_with_another_pen_keep_their_label(sources):
    pictures, labels = rewritten(100, 1, sources)
    assert pictures.shape == (100, 28, 28) and len(set(labels)) == 10
    assert (Reader(threads=1).probabilities(pictures).argmax(1) == labels).mean() >= 0.95
    assert not any((picture == image).all() for picture in pictures[:20] for image in sources.images)


def test_the_shipped_network_is_not_sure_of_what_is_no_digit(sources):
    reader = Reader(threads=1)
    sure = reader.probabilities(outliers(200, 7, sources)).max(axis=1) >= reader.threshold
    assert sure.sum() <= 16
