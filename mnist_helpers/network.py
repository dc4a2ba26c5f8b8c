"""The network of the lab report, and the table of its layers."""

import pandas as pd
import torch
import torch.nn.functional as F
from torch import nn

from mnist_helpers.data import check_batch


class Net(nn.Module):
    """The report's shallow CNN: images [N, 1, 28, 28] in, log-probabilities [N, 10] out, 21,840 parameters.

    Raises CourseError for a batch of another shape or dtype.
    """

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 10, kernel_size=5)
        self.conv2 = nn.Conv2d(10, 20, kernel_size=5)
        self.conv2_drop = nn.Dropout2d()
        self.fc1 = nn.Linear(320, 50)
        self.fc1_drop = nn.Dropout()
        self.fc2 = nn.Linear(50, 10)

    def forward(self, images):
        check_batch(images)  # [N, 1, 28, 28]
        x = F.relu(F.max_pool2d(self.conv1(images), 2))  # [N, 10, 12, 12]
        x = F.relu(F.max_pool2d(self.conv2_drop(self.conv2(x)), 2))  # [N, 20, 4, 4]
        x = x.flatten(1)  # [N, 320]
        x = self.fc1_drop(F.relu(self.fc1(x)))  # [N, 50]
        return F.log_softmax(self.fc2(x), dim=1)  # [N, 10]


def layer_table(model: nn.Module, images: torch.Tensor) -> pd.DataFrame:
    """Run `images` through `model` once and list its layers in the order in which they ran.

    One row a layer: its name and kind, the shape of its output for one image, its parameters, and the multiply-adds
    that it does for one image (each weight is used once at every output position).
    """
    rows = []

    def record(name):
        def hook(layer, inputs, output):
            weights = layer.weight.numel() if hasattr(layer, "weight") else 0
            positions = output[0, 0].numel()
            rows.append(
                {
                    "layer": name,
                    "kind": type(layer).__name__,
                    "output shape": list(output.shape[1:]),
                    "parameters": sum(p.numel() for p in layer.parameters()),
                    "multiply-adds": weights * positions,
                }
            )

        return hook

    leaves = [(name, layer) for name, layer in model.named_modules() if not list(layer.children())]
    handles = [layer.register_forward_hook(record(name)) for name, layer in leaves]
    with torch.inference_mode():
        model(images)
    for handle in handles:
        handle.remove()
    return pd.DataFrame(rows).set_index("layer")
