"""02_network: the misconceptions that the checkers know, right answers in other styles, and probes for the mutants."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from mnist_helpers.exercises.chapter_02 import exercises, random_tensors  # noqa: F401


def conv(image, kernel, **options):
    return F.conv2d(image[None, None], kernel[None, None], **options)[0, 0]


def pool(image, **options):
    return F.max_pool2d(image[None], 2, **options)[0]


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
    },
    "max_pool": {
        "averaged": lambda image: F.avg_pool2d(image[None], 2)[0],
        "added up": lambda image: F.avg_pool2d(image[None], 2, divisor_override=1)[0],
        "smallest": lambda image: -pool(-image),
        "begun with zeros": lambda image: pool(image).clamp(min=0),
        "without signs": lambda image: pool(image.abs()),
        "every other pixel": lambda image: image[::2, ::2],
        "overlapping": lambda image: pool(image, stride=1),
        "reshape that cuts no squares": lambda image: image.reshape(
            image.shape[0] // 2, image.shape[1] // 2, 2, 2
        ).amax(dim=(2, 3)),
        "transposed": lambda image: pool(image).T,
        "rows only": lambda image: image.reshape(-1, 2, image.shape[1]).amax(dim=1),
        "columns only": lambda image: image.reshape(len(image), -1, 2).amax(dim=2),
        "one number for the image": lambda image: image.max(),
        "last row kept": lambda image: pool(image, ceil_mode=True),
        "first row left out": lambda image: pool(image[image.shape[0] % 2 :, image.shape[1] % 2 :]),
        "zeros as partners": lambda image: pool(F.pad(image, (0, image.shape[1] % 2, 0, image.shape[0] % 2))),
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
    "conv_layer": {
        "bias forgotten": lambda images, weight, bias: F.conv2d(images, weight),
        "bias subtracted": lambda images, weight, bias: F.conv2d(images, weight, -bias),
        "bias for each channel in": lambda images, weight, bias: F.conv2d(images, weight, weight.shape[1] * bias),
        "bias along the columns": lambda images, weight, bias: F.conv2d(images, weight) + bias,
        "channels averaged": lambda images, weight, bias: F.conv2d(images, weight / weight.shape[1], bias),
        "patches averaged": lambda images, weight, bias: F.conv2d(images, weight / weight[0].numel(), bias),
        "first channel only": lambda images, weight, bias: F.conv2d(images[:, :1], weight[:, :1], bias),
        "channels overwritten": lambda images, weight, bias: F.conv2d(images[:, -1:], weight[:, -1:], bias),
        "channels not summed": lambda images, weight, bias: torch.stack(
            [F.conv2d(images[:, [c]], weight[:, [c]]) for c in range(weight.shape[1])], dim=2
        ),
        "flipped": lambda images, weight, bias: F.conv2d(images, weight.flip(2, 3), bias),
        "kernels transposed": lambda images, weight, bias: F.conv2d(images, weight.transpose(2, 3), bias),
        "maps transposed": lambda images, weight, bias: F.conv2d(images, weight, bias).transpose(2, 3),
        "border added": lambda images, weight, bias: F.conv2d(images, weight, bias, padding=1),
        "one image only": lambda images, weight, bias: F.conv2d(images[0], weight, bias),
        "first image for all": lambda images, weight, bias: F.conv2d(images[:1].expand_as(images), weight, bias),
        "batch mixed": lambda images, weight, bias: F.conv2d(images.sum(dim=0), weight, bias),
        "batch and channels swapped": lambda images, weight, bias: F.conv2d(images, weight, bias).transpose(0, 1),
        "maps added up": lambda images, weight, bias: F.conv2d(images, weight, bias).sum(dim=1),
        "batch flattened": lambda images, weight, bias: F.conv2d(images, weight, bias).flatten(0, 1),
        "square images only": lambda images, weight, bias: F.conv2d(images[..., : images.shape[2]], weight, bias),
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


def looped_pool(image):
    pooled = np.zeros((len(image) // 2, len(image[0]) // 2))
    for row, number in np.ndindex(*pooled.shape):
        pooled[row, number] = max(image[2 * row + i, 2 * number + j] for i in (0, 1) for j in (0, 1))
    return pooled


def sliced_pool(image):
    pairs = torch.maximum(image[:-1:2], image[1::2])
    return torch.maximum(pairs[:, :-1:2], pairs[:, 1::2]).double()


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


def unfolded_layer(images, weight, bias):
    products = weight.flatten(1) @ F.unfold(images, weight.shape[2:])  # [N, channels_out, places]
    return products.unflatten(2, (images.shape[2] - weight.shape[2] + 1, -1)) + column(bias)


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
    "convolve": [flat_windows, every_product, weight_by_weight, conv],
    "max_pool": [looped_pool, sliced_pool, lambda image: pool(image).tolist()],
    "flat_features": [
        flattened_by_torch,
        lambda kernel1, kernel2: 20.0 * int(int((29 - kernel1) / 2 - kernel2 + 1) / 2) ** 2,
    ],
    "conv_layer": [four_loops, einsum_layer, unfolded_layer, F.conv2d],
}

SIZES = [(7, 7), (6, 9), (9, 6), (5, 5)]
LAYERS = [((3, 2, 6, 6), (4, 2, 3, 3), (4,)), ((2, 1, 5, 7), (3, 1, 2, 2), (3,)), ((1, 3, 6, 5), (1, 3, 1, 1), (1,))]

# exercise: what a function gives on many inputs; two functions with equal results behave alike
PROBES = {
    "output_size": lambda function: [function(size, kernel) for size in range(8, 30) for kernel in range(1, 9)],
    "parameter_count": lambda function: [
        function(i, o, kernel) for i in (1, 2, 3, 10) for o in (1, 2, 5, 20) for kernel in range(1, 7)
    ],
    "convolve": lambda function: [
        function(*random_tensors(size, kernel)) for size in SIZES for kernel in [(3, 3), (2, 2), (1, 1), (2, 4), (5, 3)]
    ],
    "max_pool": lambda function: [
        function(*random_tensors((rows, columns))) for rows in range(2, 8) for columns in range(2, 8)
    ],
    "flat_features": lambda function: [function(one, other) for one in range(1, 10) for other in range(1, 10)],
    "conv_layer": lambda function: [function(*random_tensors(*shapes)) for shapes in LAYERS],
}
