"""Compare the state in a checkpoint with the run that is to continue from it, before anything of it is used."""

from typing import Any

import torch

from mnist_helpers._support.torch_files import fits_optimizer, is_finite, same_structure

NUMPY_KEYS = 624  # numbers in the state of NumPy's generator, whose position among them NumPy does not check
MOVING = {"last_epoch": 0, "_step_count": 0, "_last_lr": []}  # what changes in a schedule from step to step


def with_plain_rates(state: dict[str, Any]) -> dict[str, Any]:
    """Return a copy in which learning rates are numbers; after a captured step on a GPU they are tensors."""
    optimizer, schedule = state["optimizer"], state["schedule"]
    groups = [group | {"lr": _plain(group["lr"])} for group in optimizer["param_groups"]]
    return state | {
        "optimizer": optimizer | {"param_groups": groups},
        "schedule": schedule | {"_last_lr": [_plain(rate) for rate in schedule["_last_lr"]]},
    }


def _plain(rate: Any) -> Any:
    return rate.item() if isinstance(rate, torch.Tensor) else rate


def networks_fit(state: dict[str, Any], expected: dict[str, Any]) -> bool:
    """Return whether weights and statistics have the right shapes, and are finite."""
    names = ("model", "average")
    return all(same_structure(state[name], expected[name]) and is_finite(state[name]) for name in names)


def optimizer_fits(state: dict[str, Any], expected: dict[str, Any], optimizer: torch.optim.Optimizer) -> bool:
    """Return whether the optimizer has the settings of the run, and finite numbers for each weight."""
    settings = [[group | {"lr": 0} for group in each["optimizer"]["param_groups"]] for each in (state, expected)]
    return fits_optimizer(state["optimizer"], optimizer) and settings[0] == settings[1]


def schedule_fits(state: dict[str, Any], expected: dict[str, Any]) -> bool:
    """Return whether the schedule is that of the run at this step, and the optimizer has its learning rates."""
    step, schedule, groups = state["step"], state["schedule"], state["optimizer"]["param_groups"]
    rates = [group["lr"] for group in groups]
    return (
        same_structure(schedule, expected["schedule"])
        and schedule | MOVING == expected["schedule"] | MOVING
        and (schedule["last_epoch"], schedule["_step_count"], schedule["_last_lr"]) == (step, step + 1, rates)
        and all(abs(rate) <= _highest(group) for rate, group in zip(rates, groups))
    )


def _highest(group: dict[str, Any]) -> float:
    """Return the highest learning rate of a group of weights; a captured step rounds it to 32 bits."""
    return (1 + 1e-6) * group.get("max_lr", group["initial_lr"])


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
