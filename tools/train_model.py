"""Create the two ONNX files of models/. Their metadata says how they were trained and gives the test accuracy.

    models/report_net.onnx   the report's network, trained as in chapter 04; Netron shows it on the site
    models/digits.onnx       the recipe "best" of chapter 07, for the drawing page and mnist_helpers.predict

The second network is loaded from the weights that `make best` writes to artifacts/. If they are missing, it is trained,
which takes ten minutes. Seed 1 was chosen before the results of the five seeds were known. Its temperature
(benchmarks/calibration.py) and its threshold (benchmarks/reading.py --split validation) come from validation images.
"""

import json
import sys
from dataclasses import asdict

import torch
from torch import nn

from mnist_helpers import data, export
from mnist_helpers._support import provenance
from mnist_helpers._support.checksums import write_sha256
from mnist_helpers._support.paths import COURSE as ROOT
from mnist_helpers._support.paths import RESULTS
from mnist_helpers.augment import ShiftAverage
from mnist_helpers.calibration import Calibrated
from mnist_helpers.recipes import RECIPES, build, train
from mnist_helpers.training import evaluate, train_report_net

REPORT_NET = ROOT / "models" / "report_net.onnx"
DIGITS = ROOT / "models" / "digits.onnx"
SEED = 1
THRESHOLD = 0.95  # 0.98 refuses more letters, but also more digits
WEIGHTS = ROOT / "artifacts" / f"best_seed_{SEED}.pt"


def make_report_net():
    """Train the report's network and export it as in chapter 02."""
    model, history = train_report_net(SEED)
    images, labels = data.load("test")
    made_with = {"command": "python tools/train_model.py", "seed": str(SEED), **provenance.made_with()}
    correct = f"{history.test_correct[-1]} of {len(labels)}"
    export.to_onnx(model.cpu(), images, REPORT_NET, metadata=made_with | {"test images read right": correct})
    print("written:", REPORT_NET.relative_to(ROOT))


def best_network() -> nn.Module:
    """Return the network of the recipe "best" with seed 1, loaded from artifacts/ or trained."""
    recipe = RECIPES["best"]
    if not WEIGHTS.is_file():
        print(f"{WEIGHTS.relative_to(ROOT)} does not exist, so the network is trained now, which takes ten minutes.")
        return train(recipe, *data.load("train"), SEED)
    print(f"Loading the weights from {WEIGHTS.relative_to(ROOT)}.")
    model = ShiftAverage(build(recipe)).to(memory_format=torch.channels_last)
    try:
        model.load_state_dict(torch.load(WEIGHTS, map_location="cpu", weights_only=True))
    except Exception as error:  # torch and pickle raise many types
        reason = type(error).__name__
        sys.exit(f"{WEIGHTS} does not hold the recipe's network ({reason}); delete it to train the network anew.")
    return model


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
        "seed": str(SEED),
        "licence": "MIT",
        "model card": "docs/model_card.md",
        "command": "python tools/train_model.py",
        **provenance.made_with(),
    }


def shipped_network() -> Calibrated:
    """Return the network of the recipe "best" with the temperature that was fitted on validation images."""
    return Calibrated(best_network(), json.loads((RESULTS / "calibration.json").read_text())["temperature"])


def make_digits() -> None:
    """Export the network that is shipped to models/digits.onnx."""
    model, (images, labels) = shipped_network(), data.load("test")
    _, correct = evaluate(model, images, labels)
    export.to_onnx_from_pixels(model, DIGITS, metadata(correct, len(labels), model.temperature))
    print(f"written: {DIGITS.relative_to(ROOT)}, {correct} of {len(labels)} right")


if __name__ == "__main__":
    make_report_net()
    make_digits()
    write_sha256(ROOT / "models", REPORT_NET.name, DIGITS.name)
