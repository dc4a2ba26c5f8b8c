"""Random augmentation of batches of normalised digits, and test-time augmentation."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from mnist_helpers.data import MEAN, STD

BLACK = -MEAN / STD  # the value of an empty pixel after normalisation; 0 would be grey
CORNERS = ((1, 1), (0, 1), (2, 1), (1, 0), (1, 2))  # (row, column) of five 28x28 windows in an image padded to 30x30


def shift(images: torch.Tensor, down: torch.Tensor, right: torch.Tensor, reach: int) -> torch.Tensor:
    """Shift each image of `images` [N, 1, H, W] by its own number of pixels and fill the gaps with black.

    `down` and `right` are integer tensors [N] with values from -reach to reach. `reach` is an argument since computing
    the largest shift would synchronise with the GPU.
    """
    padded = F.pad(images, [reach] * 4, value=BLACK)  # [N, 1, H + 2 reach, W + 2 reach]
    index = torch.arange(len(images), device=images.device)[:, None, None]
    rows = (reach - down)[:, None] + torch.arange(images.shape[2], device=images.device)  # [N, H]
    columns = (reach - right)[:, None] + torch.arange(images.shape[3], device=images.device)  # [N, W]
    return padded[index, 0, rows[:, :, None], columns[:, None, :]].unsqueeze(1)


def random_shift(images: torch.Tensor, pixels: int) -> torch.Tensor:
    """Shift each image of `images` [N, 1, H, W] by at most `pixels` in both directions, all shifts equally likely."""
    down, right = torch.randint(-pixels, pixels + 1, (2, len(images)), device=images.device)
    return shift(images, down, right, reach=pixels)


def affine(images: torch.Tensor, degrees: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Rotate each image of `images` [N, 1, H, W] anticlockwise by `degrees` [N] and scale it by `scale` [N].

    Values between pixels are interpolated (bilinear), and the area outside the image is black.
    """
    angle = torch.deg2rad(degrees)
    cosine, sine, zero = angle.cos() / scale, angle.sin() / scale, torch.zeros_like(angle)
    back = torch.stack([cosine, -sine, zero, sine, cosine, zero], dim=1).reshape(-1, 2, 3)
    grid = F.affine_grid(back, list(images.shape), align_corners=False)  # source position of each pixel: [N, H, W, 2]
    return F.grid_sample(images - BLACK, grid, align_corners=False) + BLACK


def random_affine(images: torch.Tensor, degrees: float, scale: float) -> torch.Tensor:
    """Rotate each image of `images` [N, 1, H, W] by at most `degrees`, and scale it by 1 - scale to 1 + scale."""
    rotation, growth = torch.rand(2, len(images), device=images.device) * 2 - 1  # between -1 and 1
    return affine(images, degrees * rotation, 1 + scale * growth)


class ShiftAverage(nn.Module):
    """Test-time augmentation: average a model's probabilities for a digit at five positions, one pixel apart.

    The five views go through the model as one batch. Maps images [N, 1, 28, 28] to log-probabilities [N, 10], as the
    model does.
    """

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, images):
        padded = F.pad(images, [1] * 4, value=BLACK)  # [N, 1, 30, 30]
        views = [padded[:, :, row : row + 28, column : column + 28] for row, column in CORNERS]
        log_probs = self.model(torch.cat(views)).reshape(len(views), -1, 10)  # [5, N, 10]
        return log_probs.logsumexp(dim=0) - math.log(len(views))  # [N, 10]
