"""Temperature and refusal, against networks whose confidence is known."""

import pytest
import torch
from torch import nn

from mnist_helpers.calibration import Calibrated, fit_temperature, risk_and_coverage


def answers(temperature, count=4000):
    """Return log-probabilities that are honest once they are divided by `temperature`, and labels drawn from them."""
    generator = torch.Generator().manual_seed(1)
    honest = (3 * torch.randn(count, 10, generator=generator)).log_softmax(dim=1)
    labels = torch.multinomial(honest.exp(), 1, generator=generator).flatten()
    return (honest * temperature).log_softmax(dim=1), labels


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_the_temperature_is_found_again(temperature):
    assert fit_temperature(*answers(temperature)) == pytest.approx(temperature, rel=0.06)


def test_a_calibrated_network_gives_the_same_answers_and_honest_confidence():
    log_probs, labels = answers(0.5)
    calibrated = Calibrated(nn.Identity(), fit_temperature(log_probs, labels))(log_probs)
    assert torch.equal(calibrated.argmax(dim=1), log_probs.argmax(dim=1))
    right = (calibrated.argmax(dim=1) == labels).double().mean().item()
    assert calibrated.exp().max(dim=1).values.mean().item() == pytest.approx(right, abs=0.02)
    assert torch.allclose(calibrated.exp().sum(dim=1), torch.ones(len(labels)))


def test_risk_and_coverage_of_four_answers():
    confidence, right = torch.tensor([0.9, 0.6, 0.99, 0.7]), torch.tensor([True, False, True, True])
    thresholds, coverage, risk = risk_and_coverage(confidence, right)
    assert thresholds.tolist() == pytest.approx([0.99, 0.9, 0.7, 0.6])
    assert coverage.tolist() == [0.25, 0.5, 0.75, 1] and risk.tolist() == [0, 0, 0, 0.25]
