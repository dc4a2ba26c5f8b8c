"""The states of all random number generators that a run uses, as plain values and tensors."""

import random
from typing import Any

import numpy as np
import torch


def get_random_state(device: torch.device) -> dict[str, Any]:
    """Return the states of all random number generators: Python, NumPy, torch on the CPU and on `device`."""
    numpy = np.random.get_state(legacy=False)
    on_device = None if device.type == "cpu" else torch.get_device_module(device).get_rng_state(*_number(device))
    keys = torch.from_numpy(numpy["state"]["key"].astype(np.int64))
    rest = (numpy["state"]["pos"], numpy["has_gauss"], numpy["gauss"])
    return {"python": random.getstate(), "numpy": (keys, *rest), "cpu": torch.get_rng_state(), "device": on_device}


def set_random_state(state: dict[str, Any], device: torch.device) -> None:
    """Restore what `get_random_state` returned."""
    random.setstate(state["python"])
    keys, *rest = state["numpy"]
    np.random.set_state(("MT19937", keys.numpy().astype(np.uint32), *rest))
    torch.set_rng_state(state["cpu"])
    if state["device"] is not None and device.type != "cpu":
        torch.get_device_module(device).set_rng_state(state["device"], *_number(device))


def _number(device: torch.device) -> list[torch.device]:
    """Return the argument by which torch.cuda tells one GPU's state from another's; torch.mps knows one GPU only."""
    return [device] if device.type == "cuda" else []
