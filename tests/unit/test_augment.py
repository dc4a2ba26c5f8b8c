"""Shifts, rotations and scaling against torchvision, and averaging over shifted copies."""

import pytest
import torch
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as transforms

from mnist_helpers import data
from mnist_helpers.augment import BLACK, ShiftAverage, affine, random_affine, random_shift, shift
from mnist_helpers.network import Net
from mnist_helpers.recipes import Recipe, augment
from mnist_helpers.training import predict, seed_all

# augmentation


def test_shift_moves_ink_and_fills_with_black(images):
    moved = shift(images[:3], torch.tensor([2, -1, 0]), torch.tensor([0, 3, -2]), reach=3)
    assert torch.equal(moved[0, :, 2:], images[0, :, :-2]) and (moved[0, :, :2] == BLACK).all()
    assert torch.equal(moved[1, :, :-1, 3:], images[1, :, 1:, :-3])
    assert (moved[1, :, -1:] == BLACK).all() and (moved[1, :, :, :3] == BLACK).all()
    assert torch.equal(moved[2, :, :, :-2], images[2, :, :, 2:])


def test_black_is_what_an_empty_pixel_becomes():
    empty = data.normalise(torch.zeros(1, 28, 28, dtype=torch.uint8))
    torch.testing.assert_close(empty, torch.full_like(empty, BLACK))


def test_random_shift_reaches_all_nine_places_equally_often(images):
    dot = torch.full((9000, 1, 28, 28), BLACK)
    dot[:, :, 14, 14] = 1
    seed_all(0)
    places = random_shift(dot, 1).flatten(1).argmax(dim=1)
    expected = [14 * 28 + 14 + 28 * down + right for down in (-1, 0, 1) for right in (-1, 0, 1)]
    found, counts = places.unique(return_counts=True)
    assert found.tolist() == expected and (counts - 1000).abs().max() < 150  # five standard deviations


@pytest.mark.parametrize("degrees, scale", [(10, 1.0), (-25, 1.0), (0, 1.2), (0, 0.8), (15, 0.9)])
def test_affine_agrees_with_torchvision(images, degrees, scale):
    turned = affine(images, torch.full([500], float(degrees)), torch.full([500], scale))
    options = {"translate": [0, 0], "shear": [0, 0], "interpolation": InterpolationMode.BILINEAR}
    # torchvision counts clockwise here; its black is subtracted first, since it blends the fill at the border otherwise
    expected = transforms.affine(images - BLACK, angle=-degrees, scale=scale, **options) + BLACK
    torch.testing.assert_close(turned, expected, atol=1e-3, rtol=0)


def test_a_quarter_turn_is_rot90(images):
    quarter = affine(images, torch.full([500], 90.0), torch.ones(500))
    torch.testing.assert_close(quarter, torch.rot90(images, 1, dims=(2, 3)), atol=1e-3, rtol=0)


def test_random_affine_stays_in_its_bounds_and_differs_from_image_to_image(images, monkeypatch):
    asked = []
    monkeypatch.setattr("mnist_helpers.augment.affine", lambda images, *rest: asked.extend(rest))
    random_affine(images, 10, 0.1)
    degrees, scale = asked
    assert -10 <= degrees.min() < -9 and 9 < degrees.max() <= 10
    assert 0.9 <= scale.min() < 0.91 and 1.09 < scale.max() <= 1.1
    assert torch.corrcoef(torch.stack([degrees, scale]))[0, 1].abs() < 0.2


@pytest.mark.parametrize("change", [{"shift": 2}, {"degrees": 10.0}, {"scale": 0.1}])
def test_augmentation_leaves_the_images_that_it_was_given(images, change):
    before = images.clone()
    changed = augment(Recipe(**change), images)
    assert torch.equal(images, before) and not torch.equal(changed, images)
    assert augment(Recipe(), images) is images


# test-time averaging


def test_shift_average_is_the_mean_probability_of_five_places(images):
    model = Net()
    places = [(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)]
    shifted = [shift(images, torch.full([500], down), torch.full([500], right), 1) for down, right in places]
    expected = torch.stack([predict(model, batch) for batch in shifted]).mean(dim=0)
    torch.testing.assert_close(predict(ShiftAverage(model), images), expected)
