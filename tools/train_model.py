"""Create the ONNX files of models/. The metadata of the first and the last says how they were trained and tested.

    models/report_net.onnx   the report's network, trained as in chapter 04; on the site, chapter 02 shows it in Netron
    models/report_int8.onnx  the same in 8 bits, with the preparation inside: the file that chapter 09 writes and shows
    models/digits.onnx       the recipe "best" of chapter 07, which then also learns from pictures that are no digits
                             (mnist_helpers.outliers), for the drawing page and mnist_helpers.predict

The recipe's weights are loaded from artifacts/, where `make best` writes them. If they are missing, it is trained,
which takes ten minutes. Seed 1 was chosen before the results of the five seeds were known. The temperature
(benchmarks/calibration.py) and the threshold (benchmarks/reading.py --split validation) come from validation images.
"""

import copy
import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from mnist_helpers import data, export
from mnist_helpers._support import provenance
from mnist_helpers._support.atomic_files import atomic_write
from mnist_helpers._support.checksums import write_sha256
from mnist_helpers._support.paths import ARTIFACTS, RESULTS
from mnist_helpers._support.paths import COURSE as ROOT
from mnist_helpers.augment import ShiftAverage
from mnist_helpers.calibration import Calibrated
from mnist_helpers.network import Net
from mnist_helpers.outliers import Sources, outliers, rewritten
from mnist_helpers.recipes import (
    RECIPES,
    all_batches,
    augment,
    build,
    make_optimizer,
    make_schedule,
    train,
    train_batch,
)
from mnist_helpers.training import evaluate, seed_all, train_report_net

REPORT_NET = ROOT / "models" / "report_net.onnx"
REPORT_INT8 = ROOT / "models" / "report_int8.onnx"
DIGITS = ROOT / "models" / "digits.onnx"
SEED = 1
THRESHOLD = 0.95  # at which at most 5 of 100 letters and of 100 shapes from photographs get a digit (validation)
# After the training on digits: some epochs on digits, digits written with other pens, and pictures of other things
EXPOSURE = replace(RECIPES["best"], epochs=5, learning_rate=0.003)
DIGITS_SEEN, REWRITTEN, OUTLIERS = 30_000, 8_000, 8_000  # pictures in each of these epochs
MIXED = 0.7  # the share of these epochs in the weights; the rest stays as it was before (chosen from 0.5, 0.7 and 1)


def make_report_net() -> Net:
    """Train the report's network, export it as in chapter 02, and return it."""
    model, history = train_report_net(SEED)
    images, labels = data.load("test")
    made_with = {"command": "python tools/train_model.py", "seed": str(SEED), **provenance.made_with()}
    correct = f"{history.test_correct[-1]} of {len(labels)}"
    export.to_onnx(model.cpu(), images, REPORT_NET, metadata=made_with | {"test images read right": correct})
    print("written:", REPORT_NET.relative_to(ROOT))
    return model


def make_report_int8(model: Net) -> None:
    """Write the report's network in 8 bits, as chapter 09 does."""
    about = {"classes": " ".join(map(str, range(10))), "mean": str(data.MEAN), "std": str(data.STD)}
    with tempfile.TemporaryDirectory() as folder:
        path = export.to_onnx_from_pixels(model, Path(folder, "report_digits.onnx"), about)
        export.to_int8(path, data.load_raw("train")[0][:512], REPORT_INT8)
    print("written:", REPORT_INT8.relative_to(ROOT))


def stored(name: str, make: Callable[[], ShiftAverage]) -> ShiftAverage:
    """Return the network of the recipe "best" with the weights in artifacts/NAME.pt. If missing, make them first."""
    path = ARTIFACTS / f"{name}.pt"
    if not path.is_file():
        print(f"{path.name} is not in artifacts/, so the network is trained now, which takes minutes.")
        model = make()
        with atomic_write(path) as file:
            torch.save(model.state_dict(), file)
        return model
    print(f"Loading the weights from artifacts/{path.name}.")
    model = ShiftAverage(build(RECIPES["best"])).to(memory_format=torch.channels_last)
    try:
        model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # torch and pickle raise many types
        reason = type(error).__name__
        sys.exit(f"{path} does not hold the recipe's network ({reason}); delete it to train the network anew.")
    return model


def best_network(held_out: bool = False) -> ShiftAverage:
    """Return the network of the recipe "best", trained on all training images, or without those for validation."""
    name = f"best_without_validation_seed_{SEED}" if held_out else f"best_seed_{SEED}"
    return stored(name, lambda: cast(ShiftAverage, train(RECIPES["best"], *training_images(held_out), SEED)))


def digits_network(held_out: bool = False) -> ShiftAverage:
    """Return the network that is shipped, before calibration, or the same without the images for validation."""
    name = f"digits_without_validation_seed_{SEED}" if held_out else f"digits_seed_{SEED}"
    return stored(name, lambda: exposed(best_network(held_out), *training_images(held_out)))


def training_images(held_out: bool) -> data.Pair:
    """Return the 60,000 training images and labels, or the first 50,000."""
    images, labels = data.load("train")
    return data.split(images, labels)[0] if held_out else (images, labels)


def exposed(model: ShiftAverage, images: torch.Tensor, labels: torch.Tensor) -> ShiftAverage:
    """Train a network on, with pictures that are no digits among the digits (outlier exposure)."""
    seed_all(SEED)
    start = copy.deepcopy(model.state_dict())
    images, targets = exposure(images, labels)
    network = model.model.train()
    optimizer = make_optimizer(EXPOSURE, network)
    schedule = make_schedule(EXPOSURE, optimizer, EXPOSURE.epochs * -(-len(images) // EXPOSURE.batch_size))
    average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(EXPOSURE.ema), use_buffers=True)
    for batch, batch_targets in all_batches(EXPOSURE, images, targets):
        train_batch(EXPOSURE, network, optimizer, augment(EXPOSURE, batch), batch_targets)
        schedule.step()
        average.update_parameters(network)
    return mixed(start, ShiftAverage(average.module))


def mixed(start: dict[str, torch.Tensor], model: ShiftAverage) -> ShiftAverage:
    """Replace the weights of a network by those on the way from `start` to them, as far as MIXED says.

    This forgets less of what was known at the start: Wortsman and others, "Robust fine-tuning of zero-shot models",
    arXiv 2109.01903.
    """
    after = {name: value for name, value in model.state_dict().items() if value.is_floating_point()}
    model.load_state_dict({name: start[name].lerp(value, MIXED) for name, value in after.items()}, strict=False)
    return model


def exposure(images: torch.Tensor, labels: torch.Tensor) -> data.Pair:
    """Return images to learn from [N, 1, 28, 28] and the probabilities [N, 10] that are expected for them."""
    raw, digits = (part[: -data.VALIDATION].numpy() for part in data.load_raw("train"))
    sources = Sources(raw, digits)
    written, meant = rewritten(REWRITTEN, SEED + 1, sources)
    others = outliers(OUTLIERS, SEED, sources)
    chosen = torch.randperm(len(images))[:DIGITS_SEEN]
    known = F.one_hot(torch.cat([labels[chosen], torch.from_numpy(meant)]), 10).float()
    prepared = data.normalise(torch.from_numpy(np.concatenate([written, others])))
    return torch.cat([images[chosen], prepared]), torch.cat([known, torch.full((len(others), 10), 0.1)])


def metadata(correct: int, count: int, temperature: float) -> dict[str, str]:
    """Return the metadata of models/digits.onnx."""
    return {
        "what": "reads one handwritten digit; trained on MNIST",
        "input": "images: uint8 [N, 28, 28], 0 to 255, light ink on black, prepared as MNIST was "
        "(mnist_helpers.drawing does it); normalised inside",
        "output": "probabilities: float32 [N, 10]",
        "classes": " ".join(map(str, range(10))),
        "mean": str(data.MEAN),
        "std": str(data.STD),
        "temperature": str(temperature),
        "threshold": str(THRESHOLD),
        "test images read right": f"{correct} of {count}",
        "how measured": "on the 10,000 test images of MNIST; the recipe was chosen on images held out of the others",
        "recipe": json.dumps(asdict(RECIPES["best"])),
        "then": json.dumps(asdict(EXPOSURE)),
        "share of the weights then": str(MIXED),
        "pictures in an epoch then": f"{DIGITS_SEEN:,} digits, {REWRITTEN:,} digits written with other pens "
        f"and {OUTLIERS:,} pictures that are no digits",
        "seed": str(SEED),
        "licence": "MIT",
        "model card": "docs/model_card.md",
        "command": "python tools/train_model.py",
        **provenance.made_with(),
    }


def shipped_network() -> Calibrated:
    """Return the network that is shipped, with the temperature that was fitted on validation images."""
    return Calibrated(digits_network(), json.loads((RESULTS / "calibration.json").read_text())["temperature"])


def make_digits() -> None:
    """Export the network that is shipped to models/digits.onnx."""
    model, (images, labels) = shipped_network(), data.load("test")
    _, correct = evaluate(model, images, labels)
    export.to_onnx_from_pixels(model, DIGITS, metadata(correct, len(labels), model.temperature))
    print(f"written: {DIGITS.relative_to(ROOT)}, {correct} of {len(labels)} right")


if __name__ == "__main__":
    make_report_int8(make_report_net())
    make_digits()
    write_sha256(ROOT / "models", REPORT_NET.name, REPORT_INT8.name, DIGITS.name)
