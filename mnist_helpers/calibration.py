"""Make a network's confidence honest, and choose from which confidence on to answer. Taught in chapter 10.

Temperature scaling: Guo and others, "On Calibration of Modern Neural Networks", arXiv 1706.04599.
"""

import torch
import torch.nn.functional as F
from torch import nn


class Calibrated(nn.Module):
    """A network whose logits are divided by a temperature: above 1 it is less confident, below 1 more.

    Maps images [N, 1, 28, 28] to log-probabilities [N, 10], as `model` does. The answers stay the same.
    """

    def __init__(self, model: nn.Module, temperature: float):
        super().__init__()
        self.model, self.temperature = model, temperature

    def forward(self, images):
        return F.log_softmax(self.model(images) / self.temperature, dim=1)  # [N, 10]


def fit_temperature(log_probs: torch.Tensor, labels: torch.Tensor) -> float:
    """Return the temperature with the smallest negative log-likelihood: of 0.20, 0.21 and so on, to 2.99.

    `log_probs` [N, 10] and `labels` [N] are of images that the network has not learnt from.
    """
    candidates = torch.arange(0.2, 3.0, 0.01)
    losses = torch.stack([F.cross_entropy(log_probs / temperature, labels) for temperature in candidates])
    return round(candidates[losses.argmin()].item(), 2)


def risk_and_coverage(confidence: torch.Tensor, right: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return thresholds, the share of answers that each lets through (coverage) and the share of these that are wrong.

    `confidence` [N] belongs to answers that are right or not (`right`, bool [N]). All results have the shape [N]; the
    thresholds fall.
    """
    order = confidence.argsort(descending=True)
    answered = torch.arange(1, len(order) + 1)
    return confidence[order], answered / len(order), (~right[order]).cumsum(0) / answered
