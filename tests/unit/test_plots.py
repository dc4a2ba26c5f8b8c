"""What was drawn is the data that was given."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

from mnist_helpers import plots

pytestmark = pytest.mark.usefixtures("no_window")


def test_digits_draws_each_image_under_its_title(test_set):
    images = test_set[0][:8]
    axes = plots.digits(images, titles=[f"Digit {n}" for n in range(8)], columns=3)
    assert axes.shape == (3, 3)
    for ax, image, number in zip(axes.flat, images, range(8)):
        assert np.array_equal(ax.images[0].get_array(), image[0])
        assert ax.get_title() == f"Digit {number}"
    assert not axes.flat[8].images and not any(ax.axison for ax in axes.flat)


def test_digits_without_titles_takes_images_without_channel_and_options_of_imshow(test_set):
    axes = plots.digits(test_set[0][:2, 0].numpy(), columns=2, vmin=-1, vmax=3)
    assert axes.shape == (1, 2) and [ax.get_title() for ax in axes.flat] == ["", ""]
    assert axes[0, 1].images[0].get_clim() == (-1, 3)


def test_wall_puts_the_images_edge_to_edge_and_fills_the_last_row(test_set):
    images = test_set[0][:5] + 1
    drawn = plots.wall(images, columns=3).images[0].get_array()
    assert drawn.shape == (2 * 28, 3 * 28)
    assert np.array_equal(drawn[28:, 28:56], images[4, 0]) and not drawn[28:, 56:].any()


def test_classes_have_ten_colours_of_which_no_two_are_alike():
    colours = np.array([matplotlib.colors.to_rgb(colour) for colour in plots.CLASSES])
    distances = np.linalg.norm(colours[:, None] - colours, axis=2)
    assert colours.shape == (10, 3) and distances[~np.eye(10, dtype=bool)].min() > 0.2


def test_loss_curve_draws_the_losses_where_they_were_measured():
    ax = plots.loss_curve([0, 640, 1280], [2.3, 1.2, 0.5], [0, 1280], [2.31, 0.4])
    (line,), (dots,) = ax.lines, ax.collections
    assert line.get_xydata().tolist() == [[0, 2.3], [640, 1.2], [1280, 0.5]]
    assert dots.get_offsets().tolist() == [[0, 2.31], [1280, 0.4]]
    assert line.get_color() == plots.BLUE
    assert matplotlib.colors.to_hex(dots.get_facecolor()[0]) == plots.RED
    assert ax.get_xlabel() == "number of training examples seen" and "loss" in ax.get_ylabel()
    colours = {text.get_text().split()[0]: text.get_color() for text in ax.texts}
    assert colours == {"train": plots.BLUE, "test": plots.RED}


def test_loop_draws_the_steps_in_their_order():
    ax = plots.loop([("forget", "zero_grad()"), ("move", "step()")], "10 times")
    boxes = [text for text in ax.texts if text.get_bbox_patch()]
    assert [(text.get_position(), text.get_text()) for text in boxes] == [((0, 0), "zero_grad()"), ((1, 0), "step()")]
    assert {"forget", "move", "10 times"} <= {text.get_text() for text in ax.texts}


def test_heatmap_writes_each_value_in_its_square():
    values = np.array([[1.0, 20.0], [300.0, 4.0], [5.0, 6.0]])
    ax = plots.heatmap(values, fmt="{:.1f}")
    written = {tuple(map(int, text.get_position())): text.get_text() for text in ax.texts}
    assert written == {(c, r): f"{values[r, c]:.1f}" for r in range(3) for c in range(2)}
    assert np.array_equal(ax.images[0].get_array(), values)


def test_heatmap_writes_light_on_dark_and_dark_on_light():
    ax = plots.heatmap([[0.0, 1.0]], cmap="gray")
    assert [text.get_color() for text in ax.texts] == ["white", "black"]


def test_right_and_wrong_differ_by_more_than_colour():
    axes = plots.digits(np.zeros((2, 28, 28)), columns=2)[0]
    for ax, right in zip(axes, (True, False)):
        plots.mark(ax, right)
        assert ax.axison and ax.spines["left"].get_visible()
    right, wrong = (ax.spines["left"] for ax in axes)
    assert right.get_linestyle() != wrong.get_linestyle() and right.get_linewidth() < wrong.get_linewidth()


@pytest.mark.parametrize(
    "draw",
    [
        lambda ax: plots.loss_curve([0], [1], [0], [1], ax),
        lambda ax: plots.heatmap([[1]], ax),
        lambda ax: plots.wall([[[1]]], 2, ax=ax),
        lambda ax: plots.loop([("move", "step()")], "again", ax),
    ],
)
def test_helpers_draw_into_the_axes_that_they_are_given(draw):
    _, axes = plt.subplots(1, 2)
    assert draw(axes[1]) is axes[1]
    assert not axes[0].has_data() and axes[1].has_data() and len(plt.get_fignums()) == 1


def test_style_can_be_set_twice():
    plots.style()
    once = dict(matplotlib.rcParams)
    plots.style()
    assert dict(matplotlib.rcParams) == once and once["image.cmap"] == "gray"


def test_progress_bar_is_silent_outside_a_notebook(capsys):
    with plots.ProgressBar() as bar:
        bar(0.5)
    assert capsys.readouterr() == ("", "")


def test_progress_bar_shows_the_fraction_and_ends_empty(monkeypatch):
    shown = []

    class Handle:
        def update(self, bundle, raw):
            shown.append(bundle)

    monkeypatch.setattr(plots, "get_ipython", lambda: object())
    monkeypatch.setattr(plots, "display", lambda bundle, raw, display_id: shown.append(bundle) or Handle())
    with plots.ProgressBar() as bar:
        bar(0.25)
    assert shown[0] == shown[-1] == {"text/html": "", "text/plain": ""}
    assert 'value="0.250"' in shown[1]["text/html"] and "25%" in shown[1]["text/html"]


def test_a_chain_shows_each_value_and_each_known_slope():
    ax = plots.chain([("x", 2.0, None), ("loss", 4.0, 1)], {1: ("w", 0.5, 24)})
    assert [text.get_text() for text in ax.texts if text.get_text()] == [
        *("x", "2", "loss", "4", "slope 1", "w", "0.5", "slope 24"),
    ]


def test_a_chain_shows_the_factors_by_which_slopes_go_back():
    ax = plots.chain([("x", 2.0, None), ("loss", 4.0, 1)], {1: ("w", 0.5, 24)}, rates={1: (3, 2)})
    assert {"× 3", "× 2"} <= {text.get_text() for text in ax.texts}
