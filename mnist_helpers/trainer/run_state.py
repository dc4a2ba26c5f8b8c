"""Compare the state in a checkpoint with the run that is to continue from it, before anything of it is used."""

from typing import Any

import torch

from mnist_helpers._support.torch_files import OWN_SETTINGS, fits_optimizer, is_finite, same_structure

NUMPY_KEYS = 624  # numbers in the state of NumPy's generator, whose position among them NumPy does not check
ROUNDING = 1e-6  # of a learning rate that a GPU keeps in 32 bits
MOVING = {"last_epoch": 0, "_step_count": 0, "_last_lr": []}  # what changes in a schedule from step to step


def networks_fit(state: dict[str, Any], expected: dict[str, Any]) -> bool:
    """Return whether weights and statistics have the right shapes, and are finite."""
    names = ("model", "average")
    return all(same_structure(state[name], expected[name]) and is_finite(state[name]) for name in names)


def optimizer_fits(state: dict[str, Any], expected: dict[str, Any], optimizer: torch.optim.Optimizer) -> bool:
    """Return whether the optimizer has the settings of the run, and finite numbers for each weight."""
    settings = [[group | OWN_SETTINGS for group in each["optimizer"]["param_groups"]] for each in (state, expected)]
    return fits_optimizer(state["optimizer"], optimizer) and settings[0] == settings[1]


def with_own_settings(state: dict[str, Any], optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Return the state of an optimizer on any device with the settings that `optimizer` needs on its own."""
    groups = [
        saved | {name: own[name] for name in OWN_SETTINGS.keys() & own.keys()} | {"lr": _own_rate(saved["lr"], own)}
        for saved, own in zip(state["param_groups"], optimizer.param_groups)
    ]
    return state | {"param_groups": groups}


def _own_rate(rate: Any, group: dict[str, Any]) -> Any:
    """Return a saved learning rate for a group of weights: a tensor stays one on a GPU, where steps are captured."""
    on_gpu = isinstance(rate, torch.Tensor) and group["fused"]
    return rate.to(group["params"][0].device) if on_gpu else float(rate)


def schedule_fits(state: dict[str, Any], expected: dict[str, Any]) -> bool:
    """Return whether the schedule is that of the run at this step, and the optimizer has its learning rates."""
    step, schedule, groups = state["step"], state["schedule"], state["optimizer"]["param_groups"]
    rates, last = ([float(rate) for rate in found] for found in ([g["lr"] for g in groups], schedule["_last_lr"]))
    peaks = [group.get("max_lr", group["initial_lr"]) for group in groups]
    return (
        same_structure(schedule | MOVING, expected["schedule"] | MOVING)
        and schedule | MOVING == expected["schedule"] | MOVING
        and (schedule["last_epoch"], schedule["_step_count"], last) == (step, step + 1, rates)
        and all(abs(rate) <= peak * (1 + ROUNDING) for rate, peak in zip(rates, peaks))
    )


def history_fits(history: dict[str, list], examples: list[int], epochs: int) -> bool:
    """Return whether all losses that were recorded are there, and the results of all epochs or of none."""
    losses, correct = history["epoch_losses"], history["epoch_correct"]
    return (
        history["examples"] == examples
        and [type(loss) for loss in history["losses"] + losses] == [float] * len(examples + losses)
        and [type(number) for number in correct] == [int] * len(losses)
        and len(losses) in (0, epochs)
        and is_finite(history)
    )


def random_state_fits(state: dict[str, Any], expected: dict[str, Any]) -> bool:
    """Return whether the states of the random generators can be restored; that of a device may be another's."""
    own, others = dict(state["random_state"]), dict(expected["random_state"])
    device = own.pop("device")
    others.pop("device")
    order = not state["step"] or same_structure(state["order_state"], others["cpu"])
    position = own["numpy"][1]
    return (
        order
        and same_structure(own, others)
        and 0 <= position <= NUMPY_KEYS
        and (device is None or same_structure(device, torch.empty(device.shape, dtype=torch.uint8)))
    )
