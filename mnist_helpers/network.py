"""The network of the lab report, the table of its layers, and the network of chapter 05."""

import contextlib
from collections.abc import Iterator

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


# One row a block: its channels as a multiple of the width, the side of its kernel, and whether it pools
TWO_BLOCKS = ((1, 5, True), (2, 5, True))  # the shape of the report's network
FOUR_BLOCKS = ((1, 5, True), (2, 3, False), (2, 3, True), (4, 3, False))
FIVE_BLOCKS = ((1, 5, True), (2, 3, False), (2, 3, False), (2, 3, True), (4, 3, False))


def block(channels_in: int, channels_out: int, kernel: int, pool: bool, batch_norm: bool = True) -> nn.Sequential:
    """Convolution, max-pooling by 2 where `pool`, batch normalisation, ReLU: [N, in, S, S] to [N, out, S', S'].

    The convolution has no bias where batch normalisation follows, which would subtract it at once.
    """
    layers = [nn.Conv2d(channels_in, channels_out, kernel, bias=not batch_norm)]
    layers += [nn.MaxPool2d(2)] * pool
    layers += [nn.BatchNorm2d(channels_out)] * batch_norm
    return nn.Sequential(*layers, nn.ReLU())


class ConvNet(nn.Module):
    """The network of chapter 05: images [N, 1, 28, 28] in, log-probabilities [N, 10] out.

    `shape` lists the blocks, `width` the channels of the first; `hidden` is the size of a fully connected layer after
    them (0 for none), and `dropout` the share of numbers dropped before the last layer while it trains. Raises
    CourseError for a batch of another shape or dtype.
    """

    def __init__(self, shape=FOUR_BLOCKS, width=16, hidden=0, dropout=0.0, batch_norm=True):
        super().__init__()
        channels, side, blocks = 1, 28, []
        for multiple, kernel, pool in shape:
            blocks.append(block(channels, multiple * width, kernel, pool, batch_norm))
            channels, side = multiple * width, (side - kernel + 1) // (2 if pool else 1)
        features = channels * side * side
        between = [nn.Linear(features, hidden), nn.ReLU()] if hidden else []
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Sequential(*between, nn.Dropout(dropout), nn.Linear(hidden or features, 10))

    def forward(self, images):
        check_batch(images)  # [N, 1, 28, 28]
        x = self.blocks(images)  # [N, 4 * width, 2, 2] with four blocks, [N, 4 * width, 1, 1] with five
        return F.log_softmax(self.head(x.flatten(1)), dim=1)  # [N, 10]


@contextlib.contextmanager
def in_eval_mode(model: nn.Module) -> Iterator[nn.Module]:
    """Put `model` into eval mode for the block; afterwards each of its parts is in the mode in which it was."""
    modes = {part: part.training for part in model.modules()}
    try:
        yield model.eval()
    finally:
        for part, mode in modes.items():
            part.training = mode


def layer_table(model: nn.Module, images: torch.Tensor) -> pd.DataFrame:
    """Run `images` through `model` once and list its layers in the order in which they ran.

    One row a layer: its name and kind, the shape of its output for one image, its parameters, and the multiply-adds
    that it does for one image (each weight is used once at every output position). The mode of `model` stays.
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
    with torch.inference_mode(), in_eval_mode(model):  # in train mode batch normalisation would change its statistics
        model(images)
    for handle in handles:
        handle.remove()
    return pd.DataFrame(rows).set_index("layer")
