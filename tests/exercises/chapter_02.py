"""02_network: the misconceptions that the checkers know, right answers in other styles, and probes for the mutants."""

from collections import OrderedDict
from types import SimpleNamespace

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from mnist_helpers.exercises.chapter_02 import Layers, exercises, random_tensors, real_digits, seeded_layers  # noqa: F401
from mnist_helpers.network import Net


def conv(image, kernel, padding=0, stride=1):
    """A convolution that the checkers do not take for torch's own."""
    image = F.pad(image, [padding] * 4)
    windows = image.unfold(0, kernel.shape[0], stride).unfold(1, kernel.shape[1], stride)
    return (windows * kernel).sum(dim=(2, 3))


def unfolded(images, weight, bias=None, padding=0):
    images = F.pad(images, [padding] * 4)
    products = weight.flatten(1) @ F.unfold(images, weight.shape[2:])  # [N, channels_out, places]
    maps = products.unflatten(2, (images.shape[2] - weight.shape[2] + 1, -1))
    return maps if bias is None else maps + column(bias)


def half(size, kernel):
    return (size - kernel + 1) // 2


def always_square(image, kernel):
    size = len(image) - len(kernel) + 1
    return conv(image, kernel)[:size, :size]


def odd_kernels_only(image, kernel):
    height, width = (image.shape[n] - 2 * (kernel.shape[n] // 2) for n in (0, 1))
    return conv(image, kernel)[:height, :width]


def column(bias):
    return bias[:, None, None]


def forward(net, images, relus=(1, 1, 1, 0), dim=1, last=F.log_softmax, flat=lambda x: x.flatten(1)):
    """The chapter's forward with faults: `relus` says after which layers a ReLU stands."""
    first, second, third, fourth = (F.relu if relu else (lambda x: x) for relu in relus)
    x = second(F.max_pool2d(net.conv2(first(F.max_pool2d(net.conv1(images), 2))), 2))
    return last(fourth(net.fc2(third(net.fc1(flat(x))))), dim=dim)


class Plain(nn.Module):
    """A network with the layers of Net, and with what a student may have changed."""

    def __init__(self, hidden, drop_maps=nn.Dropout2d, drop=nn.Dropout, sizes=(5, 320), **faults):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 10, sizes[0]), nn.Conv2d(10, 20, 5)
        self.fc1, self.fc2 = nn.Linear(sizes[1], hidden), nn.Linear(hidden, 10)
        self.drop_maps, self.drop, self.faults = drop_maps(), drop(), faults

    def forward(self, images):
        layers = SimpleNamespace(
            conv1=self.conv1,
            conv2=lambda x: self.drop_maps(self.conv2(x)),
            fc1=self.fc1,
            fc2=lambda x: self.fc2(self.drop(x)),
        )
        return forward(layers, images, **self.faults)


class OtherNames(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 10, 5), nn.Conv2d(10, 20, 5)


class AlwaysDropping(Plain):
    def forward(self, images):
        return F.dropout(super().forward(images))


class NothingReturned(Plain):
    def forward(self, images):
        super().forward(images)


class OneLayerMore(Plain):
    def __init__(self, hidden):
        super().__init__(hidden)
        self.fc3 = nn.Linear(10, 10)


def changed_net(hidden):
    net = Net()
    net.fc1, net.fc2 = nn.Linear(320, hidden), nn.Linear(hidden, 10)
    return net


# exercise: {misconception: what a student who holds it writes}
WRONG = {
    "output_size": {
        "the + 1 forgotten": lambda size, kernel: size - kernel,
        "minus 1 in place of plus 1": lambda size, kernel: size - kernel - 1,
        "halved, as by pooling": lambda size, kernel: size // 2,
        "pooled as well": lambda size, kernel: (size - kernel + 1) // 2,
        "as large as the image": lambda size, kernel: size,
        "side by side": lambda size, kernel: size // kernel,
        "kernel counted twice": lambda size, kernel: size - 2 * kernel + 1,
        "taken off at both ends": lambda size, kernel: size - 2 * (kernel - 1),
        "all places in the image": lambda size, kernel: (size - kernel + 1) ** 2,
        "wrong sign": lambda size, kernel: size + kernel - 1,
        "a kernel of 3 written into it": lambda size, kernel: size - 2,
        "odd kernels only": lambda size, kernel: size - 2 * (kernel // 2),
        "a size of 28 written into it": lambda size, kernel: 28 - kernel + 1,
    },
    "parameter_count": {
        "bias forgotten": lambda i, o, kernel: o * i * kernel**2,
        "a bias for every weight": lambda i, o, kernel: 2 * o * i * kernel**2,
        "a bias for each pair of channels": lambda i, o, kernel: o * i * (kernel**2 + 1),
        "a bias for each channel in": lambda i, o, kernel: i * (o * kernel**2 + 1),
        "one bias in all": lambda i, o, kernel: o * i * kernel**2 + 1,
        "channels in forgotten": lambda i, o, kernel: o * (kernel**2 + 1),
        "one map only": lambda i, o, kernel: i * kernel**2 + 1,
        "channels out forgotten": lambda i, o, kernel: i * (kernel**2 + 1),
        "kernel not squared": lambda i, o, kernel: o * (i * kernel + 1),
        "as a fully connected layer": lambda i, o, kernel: o * (i + 1),
        "a kernel of 5 written into it": lambda i, o, kernel: o * (i * 25 + 1),
    },
    "flat_features": {
        "the old 320": lambda kernel1, kernel2: 320,
        "second pooling forgotten": lambda kernel1, kernel2: 20 * (half(28, kernel1) - kernel2 + 1) ** 2,
        "first pooling forgotten": lambda kernel1, kernel2: 20 * half(28 - kernel1 + 1, kernel2) ** 2,
        "no pooling": lambda kernel1, kernel2: 20 * (28 - kernel1 - kernel2 + 2) ** 2,
        "channels forgotten": lambda kernel1, kernel2: half(half(28, kernel1), kernel2) ** 2,
        "channels of conv1": lambda kernel1, kernel2: 10 * half(half(28, kernel1), kernel2) ** 2,
        "height only": lambda kernel1, kernel2: 20 * half(half(28, kernel1), kernel2),
        "the + 1 forgotten": lambda kernel1, kernel2: 20 * (((28 - kernel1) // 2 - kernel2) // 2) ** 2,
        "kernels swapped": lambda kernel1, kernel2: 20 * half(half(28, kernel2), kernel1) ** 2,
        "kernel1 twice": lambda kernel1, kernel2: 20 * half(half(28, kernel1), kernel1) ** 2,
        "kernel2 twice": lambda kernel1, kernel2: 20 * half(half(28, kernel2), kernel2) ** 2,
        "conv1 left at 5": lambda kernel1, kernel2: 20 * half(12, kernel2) ** 2,
        "conv2 left at 5": lambda kernel1, kernel2: 20 * half(half(28, kernel1), 5) ** 2,
        "shape in place of its product": lambda kernel1, kernel2: (20, *2 * [half(half(28, kernel1), kernel2)]),
        "not rounded": lambda kernel1, kernel2: 20 * (((28 - kernel1 + 1) / 2 - kernel2 + 1) / 2) ** 2,
        "rounded up": lambda kernel1, kernel2: 20 * (-(-(-(-(28 - kernel1 + 1) // 2) - kernel2 + 1) // 2)) ** 2,
    },
    "repaired": {
        "the probabilities still add up over the images": lambda net, images: forward(net, images, dim=0),
        "the ReLU still after fc2": lambda net, images: forward(net, images, (1, 1, 0, 1)),
        "a ReLU added after fc1, the other one not removed": lambda net, images: forward(net, images, (1, 1, 1, 1)),
        "the ReLU removed, none added": lambda net, images: forward(net, images, (1, 1, 0, 0)),
        "only flatten repaired": lambda net, images: forward(net, images, (1, 1, 0, 1), dim=0),
        "ReLU added and dim left": lambda net, images: forward(net, images, (1, 1, 1, 1), dim=0),
        "ReLU removed and dim left": lambda net, images: forward(net, images, (1, 1, 0, 0), dim=0),
        "probabilities": lambda net, images: forward(net, images, last=F.softmax),
        "logits": lambda net, images: forward(net, images, last=lambda x, dim: x),
        "flattened with the channels last": lambda net, images: forward(
            net, images, flat=lambda x: x.permute(0, 2, 3, 1).flatten(1)
        ),
        "first image only": lambda net, images: forward(net, images[:1]),
    },
    "convolve": {
        "kernel flipped": lambda image, kernel: conv(image, kernel.flip(0, 1)),
        "kernel transposed": lambda image, kernel: conv(image, kernel.T),
        "image transposed": lambda image, kernel: conv(image.T, kernel),
        "map transposed": lambda image, kernel: conv(image, kernel).T,
        "border added": lambda image, kernel: conv(image, kernel, padding=1),
        "zeros where nothing fits": lambda image, kernel: F.pad(conv(image, kernel), (0, 2, 0, 2)),
        "last row and column lost": lambda image, kernel: conv(image, kernel)[:-1, :-1],
        "side by side": lambda image, kernel: conv(image, kernel, stride=3),
        "averaged": lambda image, kernel: conv(image, kernel) / kernel.numel(),
        "odd kernels only": odd_kernels_only,
        "square images only": always_square,
        "torch's own convolution": lambda image, kernel: F.conv2d(image[None, None], kernel[None, None])[0, 0],
    },
    "build_net": {
        "the chapter's class, with other layers put in": changed_net,
        "the class, not an object of it": lambda hidden: Plain,
        "its weights": lambda hidden: Net().state_dict(),
        "other names": OtherNames,
        "a kernel of 3": lambda hidden: Plain(hidden, sizes=(3, 320)),
        "another input of fc1": lambda hidden: Plain(hidden, sizes=(5, 500)),
        "50 written into it": lambda hidden: Plain(50),
        "too many hidden numbers": lambda hidden: Plain(hidden + 10),
        "one layer more": OneLayerMore,
        "no forward": Layers,
        "no return in forward": NothingReturned,
        "flattened into one row": lambda hidden: Plain(hidden, flat=torch.flatten),
        "no ReLU after conv1": lambda hidden: Plain(hidden, relus=(0, 1, 1, 0)),
        "no ReLU after conv2": lambda hidden: Plain(hidden, relus=(1, 0, 1, 0)),
        "no ReLU after fc1": lambda hidden: Plain(hidden, relus=(1, 1, 0, 0)),
        "no ReLU after convolutions": lambda hidden: Plain(hidden, relus=(0, 0, 1, 0)),
        "no ReLU": lambda hidden: Plain(hidden, relus=(0, 0, 0, 0)),
        "ReLU on the logits": lambda hidden: Plain(hidden, relus=(1, 1, 1, 1)),
        "probabilities": lambda hidden: Plain(hidden, last=F.softmax),
        "logits": lambda hidden: Plain(hidden, last=lambda x, dim: x),
        "probabilities over the images": lambda hidden: Plain(hidden, dim=0),
        "maps dropped too seldom": lambda hidden: Plain(hidden, drop_maps=lambda: nn.Dropout2d(0.1)),
        "numbers in place of maps dropped": lambda hidden: Plain(hidden, drop_maps=lambda: nn.Dropout(0.3)),
        "no dropout after fc1": lambda hidden: Plain(hidden, drop=nn.Identity),
        "dropout also in eval mode": AlwaysDropping,
    },
    "conv_layer": {
        "bias forgotten": lambda images, weight, bias: unfolded(images, weight),
        "bias subtracted": lambda images, weight, bias: unfolded(images, weight, -bias),
        "bias for each channel in": lambda images, weight, bias: unfolded(images, weight, weight.shape[1] * bias),
        "bias along the columns": lambda images, weight, bias: unfolded(images, weight) + bias,
        "channels averaged": lambda images, weight, bias: unfolded(images, weight / weight.shape[1], bias),
        "patches averaged": lambda images, weight, bias: unfolded(images, weight / weight[0].numel(), bias),
        "first channel only": lambda images, weight, bias: unfolded(images[:, :1], weight[:, :1], bias),
        "channels overwritten": lambda images, weight, bias: unfolded(images[:, -1:], weight[:, -1:], bias),
        "channels not summed": lambda images, weight, bias: torch.stack(
            [unfolded(images[:, [c]], weight[:, [c]]) for c in range(weight.shape[1])], dim=2
        ),
        "flipped": lambda images, weight, bias: unfolded(images, weight.flip(2, 3), bias),
        "kernels transposed": lambda images, weight, bias: unfolded(images, weight.transpose(2, 3), bias),
        "maps transposed": lambda images, weight, bias: unfolded(images, weight, bias).transpose(2, 3),
        "border added": lambda images, weight, bias: unfolded(images, weight, bias, padding=1),
        "one image only": lambda images, weight, bias: unfolded(images, weight, bias)[0],
        "first image for all": lambda images, weight, bias: unfolded(images[:1].expand_as(images), weight, bias),
        "batch mixed": lambda images, weight, bias: unfolded(images.sum(dim=0, keepdim=True), weight, bias)[0],
        "batch and channels swapped": lambda images, weight, bias: unfolded(images, weight, bias).transpose(0, 1),
        "maps added up": lambda images, weight, bias: unfolded(images, weight, bias).sum(dim=1),
        "batch flattened": lambda images, weight, bias: unfolded(images, weight, bias).flatten(0, 1),
        "torch's own convolution": F.conv2d,
        "square images only": lambda images, weight, bias: unfolded(images[..., : images.shape[2]], weight, bias),
    },
}


def counted_places(size, kernel):
    return len([start for start in range(size) if start + kernel <= size])


def flat_windows(image, kernel):
    windows = np.lib.stride_tricks.sliding_window_view(image.numpy().astype("float64"), tuple(kernel.shape))
    return (windows * kernel.numpy()).sum(axis=(2, 3))


def every_product(image, kernel):
    (height, width), (rows, columns) = image.shape, kernel.shape
    feature_map = []
    for top in range(height - rows + 1):
        feature_map.append([])
        for left in range(width - columns + 1):
            total = 0.0
            for row in range(rows):
                for number in range(columns):
                    total += image[top + row, left + number].item() * kernel[row, number].item()
            feature_map[-1].append(total)
    return feature_map


def weight_by_weight(image, kernel):
    height, width = image.shape[0] - kernel.shape[0] + 1, image.shape[1] - kernel.shape[1] + 1
    feature_map = torch.zeros(height, width, dtype=torch.float64)
    for (row, number), weight in np.ndenumerate(kernel.numpy()):
        feature_map += weight * image[row : row + height, number : number + width]
    return feature_map


def flattened_by_torch(kernel1, kernel2):
    net = nn.Sequential(
        *(nn.Conv2d(1, 10, kernel1), nn.MaxPool2d(2), nn.Conv2d(10, 20, kernel2), nn.MaxPool2d(2), nn.Flatten())
    )
    return net(torch.zeros(1, 1, 28, 28)).shape[1]


def four_loops(images, weight, bias):
    maps = [[0 for _ in weight] for _ in images]
    for n in range(len(images)):
        for c in range(len(weight)):
            summed = sum(torch.tensor(every_product(*pair)) for pair in zip(images[n], weight[c]))
            maps[n][c] = summed + bias[c]
    return torch.stack([torch.stack(row) for row in maps])


def einsum_layer(images, weight, bias):
    windows = np.lib.stride_tricks.sliding_window_view(images.numpy(), tuple(weight.shape[2:]), axis=(2, 3))
    return np.einsum("nihwrc,oirc->nohw", windows.astype("float64"), weight.numpy()) + bias.numpy()[:, None, None]


def from_logarithms(net, images):
    x = net.conv1(images).relu()
    x = net.conv2(nn.MaxPool2d(2)(x)).clamp(min=0)
    logits = net.fc2(torch.relu(net.fc1(F.max_pool2d(x, 2).reshape(len(images), -1))))
    return logits - logits.exp().sum(dim=1, keepdim=True).log()


def as_sequence(hidden):
    layers = OrderedDict(conv1=nn.Conv2d(1, 10, 5), relu1=nn.ReLU(), pool1=nn.MaxPool2d(2))
    layers |= OrderedDict(conv2=nn.Conv2d(10, 20, 5), drop1=nn.Dropout2d(), pool2=nn.MaxPool2d(2), relu2=nn.ReLU())
    layers |= OrderedDict(flatten=nn.Flatten(), fc1=nn.Linear(320, hidden), relu3=nn.ReLU(), drop2=nn.Dropout())
    return nn.Sequential(layers | OrderedDict(fc2=nn.Linear(hidden, 10), log_softmax=nn.LogSoftmax(dim=1)))


class ByFunctions(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 10, (5, 5)), nn.Conv2d(10, 20, 5)
        self.fc1, self.fc2 = nn.Linear(320, hidden), nn.Linear(hidden, 10)

    def forward(self, images):
        x = F.relu(F.max_pool2d(self.conv1(images), 2))
        x = F.relu(F.max_pool2d(F.dropout2d(self.conv2(x), training=self.training), 2)).view(-1, 320)
        return F.log_softmax(self.fc2(F.dropout(F.relu(self.fc1(x)), training=self.training)), dim=-1)


RIGHT = {
    "output_size": [
        counted_places,
        lambda size, kernel: F.conv1d(torch.zeros(1, 1, size), torch.zeros(1, 1, kernel)).shape[-1],
        lambda size, kernel: torch.tensor(size - (kernel - 1.0), dtype=torch.float64),
    ],
    "parameter_count": [
        lambda i, o, kernel: sum(parameter.numel() for parameter in nn.Conv2d(i, o, kernel).parameters()),
        lambda i, o, kernel: np.prod([i, o, kernel, kernel]) + o,
    ],
    "flat_features": [
        flattened_by_torch,
        lambda kernel1, kernel2: 20.0 * int(int((29 - kernel1) / 2 - kernel2 + 1) / 2) ** 2,
    ],
    "repaired": [forward, from_logarithms, lambda net, images: torch.cat([forward(net, x[None]) for x in images])],
    "convolve": [flat_windows, every_product, weight_by_weight, conv],
    "build_net": [Plain, as_sequence, ByFunctions],
    "conv_layer": [four_loops, einsum_layer, unfolded],
}

SIZES = [(7, 7), (6, 9), (9, 6), (5, 5)]
LAYERS = [((3, 2, 6, 6), (4, 2, 3, 3), (4,)), ((2, 1, 5, 7), (3, 1, 2, 2), (3,)), ((1, 3, 6, 5), (1, 3, 1, 1), (1,))]


def loaded(build):
    net = build(50)
    net.load_state_dict(seeded_layers(50).state_dict(), strict=False)
    torch.manual_seed(0)
    with torch.no_grad():
        return [net.eval()(real_digits()), net.train()(real_digits()), *map(len, build(20).parameters())]


# exercise: what a function gives on many inputs; two functions with equal results behave alike
PROBES = {
    "output_size": lambda function: [function(size, kernel) for size in range(8, 30) for kernel in range(1, 9)],
    "parameter_count": lambda function: [
        function(i, o, kernel) for i in (1, 2, 3, 10) for o in (1, 2, 5, 20) for kernel in range(1, 7)
    ],
    "flat_features": lambda function: [function(one, other) for one in range(1, 10) for other in range(1, 10)],
    "repaired": lambda function: [function(seeded_layers(), real_digits()[:count]) for count in (1, 5)],
    "convolve": lambda function: [
        function(*random_tensors(size, kernel)) for size in SIZES for kernel in [(3, 3), (2, 2), (1, 1), (2, 4), (5, 3)]
    ],
    "build_net": loaded,
    "conv_layer": lambda function: [function(*random_tensors(*shapes)) for shapes in LAYERS],
}
