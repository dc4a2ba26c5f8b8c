"""Change whole batches of normalised digits at random, and read each digit several times."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from mnist_helpers.data import MEAN, STD

BLACK = -MEAN / STD  # the value of an empty pixel once it is normalised; 0 would be grey
CORNERS = ((1, 1), (0, 1), (2, 1), (1, 0), (1, 2))  # where five windows of 28x28 begin in a padded image of 30x30


def shift(images: torch.Tensor, down: torch.Tensor, right: torch.Tensor, reach: int) -> torch.Tensor:
    """Move each of images [N, 1, H, W] by its own whole numbers of pixels, `down` and `right` [N], black behind it.

    None of them is larger than `reach` either way: looking for the largest would make a processor wait for its GPU.
    """
    padded = F.pad(images, [reach] * 4, value=BLACK)  # [N, 1, H + 2 reach, W + 2 reach]
    number = torch.arange(len(images), device=images.device)[:, None, None]
    rows = (reach - down)[:, None] + torch.arange(images.shape[2], device=images.device)  # [N, H]
    columns = (reach - right)[:, None] + torch.arange(images.shape[3], device=images.device)  # [N, W]
    return padded[number, 0, rows[:, :, None], columns[:, None, :]].unsqueeze(1)


def random_shift(images: torch.Tensor, pixels: int) -> torch.Tensor:
    """Move each of images [N, 1, H, W] by up to `pixels` up or down and left or right, all places equally likely."""
    down, right = torch.randint(-pixels, pixels + 1, (2, len(images)), device=images.device)
    return shift(images, down, right, reach=pixels)


def affine(images: torch.Tensor, degrees: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Turn each of images [N, 1, H, W] by `degrees` [N], anticlockwise, and make it `scale` [N] times as large.

    Values between pixels are interpolated (bilinear); what comes in from outside is black.
    """
    angle = torch.deg2rad(degrees)
    cosine, sine, zero = angle.cos() / scale, angle.sin() / scale, torch.zeros_like(angle)
    back = torch.stack([cosine, -sine, zero, sine, cosine, zero], dim=1).reshape(-1, 2, 3)
    grid = F.affine_grid(back, list(images.shape), align_corners=False)  # where each new pixel was: [N, H, W, 2]
    return F.grid_sample(images - BLACK, grid, align_corners=False) + BLACK


def random_affine(images: torch.Tensor, degrees: float, scale: float) -> torch.Tensor:
    """Turn each of images [N, 1, H, W] by up to `degrees` either way and change its size by up to the share `scale`."""
    turn, grow = torch.rand(2, len(images), device=images.device) * 2 - 1  # between -1 and 1
    return affine(images, degrees * turn, 1 + scale * grow)


class ShiftAverage(nn.Module):
    """Test-time averaging: the mean of a model's probabilities for a digit at five places, a pixel apart.

    Images [N, 1, 28, 28] in, log-probabilities [N, 10] out, as the model itself.
    """

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, images):
        padded = F.pad(images, [1] * 4, value=BLACK)  # [N, 1, 30, 30]
        views = [padded[:, :, row : row + 28, column : column + 28] for row, column in CORNERS]
        log_probs = torch.stack([self.model(view) for view in views])  # [5, N, 10]
        return log_probs.logsumexp(dim=0) - math.log(len(views))  # [N, 10]
