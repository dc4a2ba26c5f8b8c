"""Train the report's network as chapter 03 does and export it, as models/report_net.onnx, for the pages of the site.

The file says how it was made, and how many of the 10,000 test images ONNX Runtime reads right with it.
"""

from pathlib import Path

from mnist_helpers import data, export, provenance
from mnist_helpers.training import train_report_net

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "models" / "report_net.onnx"
SEED = 1


def main():
    model, history = train_report_net(SEED, log=print)
    images, labels = data.load("test")
    made_with = {"command": "python tools/train_model.py", "seed": str(SEED), **provenance.made_with()}
    correct = f"{history.test_correct[-1]} of {len(labels)}"
    export.to_onnx(model.cpu(), images, TARGET, metadata=made_with | {"test images read right": correct})
    print("written:", TARGET.relative_to(ROOT))


if __name__ == "__main__":
    main()
