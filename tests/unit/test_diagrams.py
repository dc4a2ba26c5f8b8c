"""The diagrams show the numbers that they were given."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mnist_helpers import diagrams, plots

pytestmark = pytest.mark.usefixtures("no_window")


def written(ax):
    return [text.get_text() for text in ax.texts]


def test_tables_writes_all_numbers_and_the_signs_between_them():
    patch, total = torch.tensor([[1.0, -0.004], [2.346, 4.0]]), torch.tensor(7.342)
    axes = diagrams.tables([patch, total], ["patch", "sum"], ["="])
    assert written(axes[0]) == ["1", "0", "2.35", "4"] and written(axes[1]) == ["7.34"]
    assert [ax.get_title() for ax in axes] == ["patch", "sum"]
    assert written(plt.gcf().axes[1]) == ["="] and not plt.gcf().axes[1].axison


def test_tables_rounds_as_told():
    (ax, _) = diagrams.tables([[[0.46]], [[1]]], ["", ""], ["="], decimals=1)
    assert written(ax) == ["0.5"]


def frame(ax):
    (box,) = ax.patches
    return box.get_y() + 0.5, box.get_x() + 0.5, box.get_height(), box.get_width()


def test_sliding_shows_the_filter_and_the_map_up_to_its_place():
    image, feature_map = np.arange(36.0).reshape(6, 6), np.arange(16.0).reshape(4, 4)
    axes = diagrams.sliding(image, feature_map, 3, [(0, 0), (2, 1)])
    assert frame(axes[0, 1]) == (2, 1, 3, 3) and frame(axes[1, 1]) == (2, 1, 1, 1)
    drawn = [ax.images[0].get_array().filled(np.nan).flatten() for ax in axes[1]]
    for values, reached in zip(drawn, [1, 10]):
        assert np.array_equal(values[:reached], np.arange(reached)) and np.isnan(values[reached:]).all()


def test_connections_computes_what_a_linear_layer_does():
    inputs, bias = torch.tensor([1.0, 0, 2]), torch.tensor([0.5, -1])
    weights = torch.tensor([[1.0, -1, 0.5], [-2, 2, 0]])
    ax = diagrams.connections(inputs, weights, bias)
    assert len(ax.lines) == 6
    texts = [text.replace("−", "-") for text in written(ax)]
    for value in [*inputs, *weights.flatten(), *F.linear(inputs, weights, bias)]:
        assert f"{value:g}" in texts
    assert [text for text in texts if "bias" in text][1] == "= -2·1 + 2·0 + 0·2\n   + bias -1"


def test_lines_are_red_for_positive_blue_for_negative_and_grey_for_no_weight():
    ax = diagrams.connections([1, 1, 1], [[2, -1, 0]], [0])
    assert [line.get_color() for line in ax.lines] == [plots.RED, plots.BLUE, plots.GREY]
