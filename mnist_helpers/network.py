"""The network of the lab report, the network of chapter 07, and a table of a network's layers."""

import contextlib
from collections.abc import Iterator

import pandas as pd
import torch
import torch.nn.functional as F
from torch import nn

from mnist_helpers.data import check_batch


class Net(nn.Module):
    """The report's shallow CNN with 21,840 parameters: maps images [N, 1, 28, 28] to log-probabilities [N, 10].

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


# One tuple per block: channels as a multiple of the width, kernel size, and whether to apply max-pooling
TWO_BLOCKS = ((1, 5, True), (2, 5, True))  # as in the report's network
FOUR_BLOCKS = ((1, 5, True), (2, 3, False), (2, 3, True), (4, 3, False))
FIVE_BLOCKS = ((1, 5, True), (2, 3, False), (2, 3, False), (2, 3, True), (4, 3, False))


def block(channels_in: int, channels_out: int, kernel: int, pool: bool, batch_norm: bool = True) -> nn.Sequential:
    """Return a convolution, optional max-pooling by 2, optional batch normalisation and a ReLU.

    The block maps [N, channels_in, S, S] to [N, channels_out, S', S']. With batch normalisation the convolution has no
    bias, since subtracting the mean would cancel it.
    """
    layers: list[nn.Module] = [nn.Conv2d(channels_in, channels_out, kernel, bias=not batch_norm)]
    layers += [nn.MaxPool2d(2)] * pool
    layers += [nn.BatchNorm2d(channels_out)] * batch_norm
    return nn.Sequential(*layers, nn.ReLU())


class ConvNet(nn.Module):
    """The network of chapter 07: maps images [N, 1, 28, 28] to log-probabilities [N, 10].

    `shape` lists the blocks, and `width` is the number of channels of the first block. `hidden` is the size of a fully
    connected layer after the blocks (0 for none). `dropout` is the probability of dropping an input of the last layer
    during training. Raises CourseError for a batch of another shape or dtype.
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
def eval_mode(model: nn.Module) -> Iterator[nn.Module]:
    """Set `model` to eval mode inside the context; on exit, restore the mode of each of its modules."""
    modes = {module: module.training for module in model.modules()}
    try:
        yield model.eval()
    finally:
        for module, mode in modes.items():
            module.training = mode


def layer_table(model: nn.Module, images: torch.Tensor) -> pd.DataFrame:
    """Run `images` through `model` once and return a table of its layers, in the order in which they run.

    Each row gives the name and kind of a layer, its output shape for one image, its number of parameters, and its
    multiply-adds for one image (each weight is used once at every output position). The mode of `model` is preserved.
    """
    rows = []
    names = {layer: name for name, layer in model.named_modules() if not list(layer.children())}

    def record(layer, inputs, output):
        rows.append({"layer": names[layer], **_layer_row(layer, output)})

    handles = [layer.register_forward_hook(record) for layer in names]
    with torch.inference_mode(), eval_mode(model):  # in train mode batch normalisation would update its statistics
        model(images)
    for handle in handles:
        handle.remove()
    return pd.DataFrame(rows).set_index("layer")


def _layer_row(layer: nn.Module, output: torch.Tensor) -> dict[str, object]:
    """Return what `layer_table` shows of a layer that computed `output`."""
    weight = getattr(layer, "weight", None)
    positions = output[0, 0].numel()
    return {
        "kind": type(layer).__name__,
        "output shape": list(output.shape[1:]),
        "parameters": sum(p.numel() for p in layer.parameters()),
        "multiply-adds": 0 if weight is None else weight.numel() * positions,
    }
