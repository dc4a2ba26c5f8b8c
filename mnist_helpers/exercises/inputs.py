"""Inputs that the checkers of several chapters give to a student's function."""

import torch


def random_numbers(*shape: int, seed: int) -> torch.Tensor:
    """Return reproducible random numbers from a normal distribution, leaving the global random state unchanged."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))
