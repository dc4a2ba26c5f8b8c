"""Exercises of 02_network: sizes, parameters, repairing a forward pass, a convolution, building a network, a layer."""

import functools

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from mnist_helpers import data
from mnist_helpers._support.translation import say
from mnist_helpers.exercises.comparing import array, same
from mnist_helpers.exercises.core import Chapter
from mnist_helpers.exercises.judging import NotYet, describe_error

exercises = Chapter("chapter_02")


def random_tensors(*shapes):
    """Return reproducible random tensors of these shapes, with values of both signs."""
    generator = torch.Generator().manual_seed(2)
    return [torch.randn(shape, generator=generator) for shape in shapes]


@functools.cache
def real_digits(count=12):
    """Return the first images of the test set, normalised, [count, 1, 28, 28]."""
    return data.load("test")[0][:count].clone()


def ask_with(ask, given, *tensors):
    """Call `ask`, and if it raises NotYet, add a description of the arguments to the message."""
    try:
        return ask(*tensors)
    except NotYet as error:
        raise NotYet("For {given}, {error}", given=given, error=error) from None


class NoConvolution(TorchDispatchMode):
    """Note whether torch computed a convolution inside the context, under whatever name it was called."""

    used = False

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.used = self.used or "convolution" in str(function)
        return function(*args, **(kwargs or {}))


def ask_without_convolution(ask, given, *tensors):
    """Call `ask` as `ask_with` does. Raises NotYet if the answer comes from torch's own convolution."""
    with NoConvolution() as watch:
        answer = ask_with(ask, given, *tensors)
    if watch.used:
        raise NotYet("Your function calls torch's convolution. Write the loops and the sum yourself.")
    return answer


@exercises.add(
    "Put the window at the left end. By how many pixels can you move it until it touches the right end?",
    "You can move it by the size of the image minus the size of the kernel. Its first place counts as well.",
)
def output_size(size, kernel):
    return size - kernel + 1  # + 1, since the first place needs no move


@output_size.checker
def check_output_size(ask):
    """Check kernel size 5 and input size 28, an even kernel, another size, and the largest and smallest kernel."""
    wrong = {
        23: "For size 28 and kernel 5 you said 23, which is one too few: the place where the kernel begins counts too.",
        28: "For size 28 and kernel 5 you said 28. The kernel has to fit into the image, so the map is smaller.",
        32: "For size 28 and kernel 5 you said 32, which is larger than the image. A map is never larger.",
        576: "For size 28 and kernel 5 you said 576, the number of places in the whole image. We want the height only.",
    }
    same(ask(28, 5), 24, wrong, given="size 28 and kernel 5")
    for size, kernel, right in [(28, 4, 25), (12, 3, 10), (9, 9, 1), (9, 1, 9)]:
        same(ask(size, kernel), right, given=say("size {size} and kernel {kernel}", size=size, kernel=kernel))


@exercises.add(
    "Think of one map that comes out. How many weights lie on the image at one place, over all channels in?",
    "One map needs a kernel for each channel in, and a single bias. Then count the maps that come out.",
)
def parameter_count(channels_in, channels_out, kernel):
    one_map = channels_in * kernel * kernel + 1  # one bias for a map, however many channels come in
    return channels_out * one_map


@parameter_count.checker
def check_parameter_count(ask):
    """Check the report's conv2 and other sizes, including 1."""
    wrong = {
        5000: "You counted the weights. Each map that comes out also has a bias.",
        251: "That is right for one map. 20 of them come out.",
        5001: "That is one bias for all maps. Each of the 20 that come out has its own.",
        5200: "A map that comes out has one bias, not one for each channel in.",
        520: "A map that comes out has 25 weights for each channel in.",
    }
    for given, right in {(10, 20, 5): 5020, (1, 10, 5): 260, (20, 10, 5): 5010, (3, 8, 1): 32, (3, 2, 4): 98}.items():
        words = "{channels} channels in, {maps} out and a kernel of {kernel}"
        words = say(words, channels=given[0], maps=given[1], kernel=given[2])
        same(ask(*given), right, wrong if right == 5020 else (), given=words)


@exercises.add(
    "Follow the height of an image of 28 by 28: convolution, pooling, convolution, pooling.",
    "A convolution takes kernel - 1 rows off. A pooling halves their number and rounds down, as // does.",
    "At the end, height and width are equal. How many maps come out of conv2, and how many numbers has each?",
    stars=2,
)
def flat_features(kernel1, kernel2):
    height = (28 - kernel1 + 1) // 2  # // because a last row without a partner is left out
    height = (height - kernel2 + 1) // 2
    return 20 * height * height  # 20 maps, as wide as high


def report_maps(kernel1, kernel2, pool1=2, pool2=2):
    """Return the input of `flatten` in the report's network with other kernel and pooling sizes, computed by torch."""
    x = F.conv2d(torch.zeros(1, 1, 28, 28), torch.zeros(10, 1, kernel1, kernel1))
    x = F.conv2d(F.max_pool2d(x, pool1), torch.zeros(20, 10, kernel2, kernel2))
    return F.max_pool2d(x, pool2)[0]


@flat_features.checker
def check_flat_features(ask):
    """Check kernel sizes for which every pooling divides evenly, and sizes for which it rounds down."""
    answers = [ask(5, 7), ask(9, 3)]
    if array(answers).shape == (2,):
        wrong = [([count(5, 7), count(9, 3)], reason) for count, reason in WRONG_COUNTS]
        given = "kernels of 5 and 7, and then for kernels of 9 and 3"
        same(answers, [report_maps(5, 7).numel(), report_maps(9, 3).numel()], wrong, given=given)
    elif array(answers[0]).size == 3:
        raise NotYet("That is the shape of the maps. flatten writes all their numbers in one row: how many are there?")
    else:
        raise NotYet("Return one number: how many numbers flatten writes in a row for one image.")
    halves = {
        605: "Max-pooling makes 5 rows of 11, not 5.5. Round down: // does that.",
        720: "You rounded up. Max-pooling leaves out a last row without a partner: 11 rows become 5.",
    }
    rows = "28 rows become 26, then 13, then 11, and 5 after rounding down."
    same(ask(3, 3), 500, halves, rows, given="kernels of 3 and 3")
    for kernels in [(4, 4), (4, 5), (2, 2), (1, 1), (5, 5)]:
        same(
            ask(*kernels),
            report_maps(*kernels).numel(),
            given=say("kernels of {first} and {second}", first=kernels[0], second=kernels[1]),
        )


WRONG_COUNTS = [
    (lambda k1, k2: 320, "320 fits two kernels of 5. With other kernels the maps have another size."),
    (lambda k1, k2: report_maps(k1, k2, pool2=1).numel(), "The second max-pooling is missing: it halves once more."),
    (lambda k1, k2: report_maps(k1, k2, pool1=1).numel(), "The first max-pooling is missing: it halves before conv2."),
    (lambda k1, k2: report_maps(k1, k2, 1, 1).numel(), "Both max-poolings are missing: each halves height and width."),
    (lambda k1, k2: report_maps(k1, k2)[0].numel(), "You counted the numbers of one map. conv2 makes 20 maps."),
    (lambda k1, k2: report_maps(k1, k2)[:10].numel(), "10 maps come out of conv1, but conv2 makes 20 of them."),
    (lambda k1, k2: report_maps(k1, k2)[:, 0].numel(), "A map has a height and a width, and you counted one of them."),
    (lambda k1, k2: report_maps(k1 + 1, k2 + 1).numel(), "A kernel takes kernel - 1 off: the + 1 is missing."),
    (lambda k1, k2: report_maps(k2, k1).numel(), "The kernels have changed places: kernel1 belongs to conv1."),
    (lambda k1, k2: report_maps(k1, k1).numel(), "You used kernel1 in both layers. conv2 has kernel2."),
    (lambda k1, k2: report_maps(k2, k2).numel(), "You used kernel2 in both layers. conv1 has kernel1."),
    (lambda k1, k2: report_maps(5, k2).numel(), "Your conv1 has a kernel of 5, whatever kernel1 is."),
    (lambda k1, k2: report_maps(k1, 5).numel(), "Your conv2 has a kernel of 5, whatever kernel2 is."),
]


class Layers(nn.Module):
    """The layers of the chapter's network without its forward."""

    def __init__(self, hidden=50):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 10, kernel_size=5), nn.Conv2d(10, 20, kernel_size=5)
        self.fc1, self.fc2 = nn.Linear(320, hidden), nn.Linear(hidden, 10)


def seeded_layers(hidden=50):
    """Return Layers with reproducible random weights, leaving the global random state unchanged."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return Layers(hidden)


def passed(net, images, relu=(True, True, True, False), last=F.log_softmax, dim=1):
    """Return what the layers of `net` make of `images`; `relu` says after which of the four layers a ReLU stands."""
    first, second, third, fourth = (F.relu if wanted else nn.Identity() for wanted in relu)
    x = first(F.max_pool2d(net.conv1(images), 2))
    x = second(F.max_pool2d(net.conv2(x), 2)).flatten(1)
    return last(fourth(net.fc2(third(net.fc1(x)))), dim=dim)


@exercises.add(
    "Begin with the error: which shape should x have after flatten, and which one has it?",
    "Compare the place of each ReLU with the class Net. Then add up the ten probabilities of one image.",
    "flatten must keep the batch, the logits may be negative, and dim names the direction in which probabilities add "
    "up to 1. The batch is dimension 0.",
    stars=2,
)
def repaired(net, images):
    x = F.relu(F.max_pool2d(net.conv1(images), 2))
    x = F.relu(F.max_pool2d(net.conv2(x), 2))
    x = x.flatten(1)  # one row for each image: flatten() would put all images into one row
    x = F.relu(net.fc1(x))  # without it, fc1 and fc2 in a row are no more than one layer
    x = net.fc2(x)  # logits: a ReLU here would hide how unlikely a digit is
    return F.log_softmax(x, dim=1)  # dim 0 would share the probability among the images


@repaired.checker
def check_repaired(ask):
    """Check several real digits, and a single one, against the chapter's network."""
    net, images = seeded_layers(), real_digits()
    for batch in (images, images[:1]):
        given = say("{count} digits", count=len(batch)) if len(batch) > 1 else "a batch of one digit"
        same(ask_with(ask, given, net, batch), passed(net, batch), _wrong_passes(net, batch), given=given)


def _wrong_passes(net, images):
    """Return the results of faults that were left in, or made, with explanations."""
    misplaced, both, none = (True, True, False, True), (True, True, True, True), (True, True, False, False)
    across = "The probabilities of an image do not add up to 1, but those of a digit over all images do: look at dim."
    logits = "The ReLU after fc2 is still there: it sets all negative logits to 0."
    ways = [
        ({"relu": misplaced, "dim": 0}, say(across, "There is a fault besides.")),
        ({"relu": both, "dim": 0}, say(across, "The ReLU after fc2 is still there as well.")),
        ({"relu": none, "dim": 0}, say(across, "And there is no ReLU after fc1.")),
        ({"dim": 0}, across),
        ({"relu": misplaced}, "One ReLU is in the wrong line: in Net it comes after another layer."),
        ({"relu": both}, logits),
        ({"relu": none}, "There is no ReLU after fc1."),
        ({"last": F.softmax}, "These are probabilities. Net returns their logarithms."),
        ({"last": lambda x, dim: x}, "These are the logits. Net returns the logarithms of probabilities."),
    ]
    return [(passed(net, images, **options), reason) for options, reason in ways]


@exercises.add(
    "Begin with the cell above that fills `edges`. Which of its numbers belong to the image, which to the kernel?",
    "Exercise 1 gives the number of rows of the map, and the number of its columns in the same way.",
    "The 3 of the chapter's patch is the height of the kernel in one place and its width in the other.",
    stars=2,
)
def convolve(image, kernel):
    rows, columns = kernel.shape  # no number is written in, so that every size works
    feature_map = torch.zeros(image.shape[0] - rows + 1, image.shape[1] - columns + 1)
    for row in range(feature_map.shape[0]):
        for column in range(feature_map.shape[1]):
            patch = image[row : row + rows, column : column + columns]
            feature_map[row, column] = (patch * kernel).sum()
    return feature_map


def convolved(image, kernel, **options):
    """Return the feature map computed by torch in float64."""
    return F.conv2d(image[None, None].double(), kernel[None, None].double(), **options)[0, 0]


@convolve.checker
def check_convolve(ask):
    """Check square shapes, an even kernel, rectangular images and kernels, and the largest and smallest kernel."""
    image, kernel = random_tensors((7, 7), (3, 3))
    given = "an image of 7 by 7 and a kernel of 3 by 3"
    answer = ask_without_convolution(ask, given, image, kernel)
    same(answer, convolved(image, kernel), _wrong_maps(image, kernel), given=given)
    for shapes in [((6, 6), (2, 2)), ((5, 8), (3, 3)), ((6, 7), (2, 3)), ((3, 4), (3, 4)), ((2, 3), (1, 1))]:
        image, kernel = random_tensors(*shapes)
        (height, width), (rows, columns) = shapes
        given = "an image of {height} by {width} and a kernel of {rows} by {columns}"
        given = say(given, height=height, width=width, rows=rows, columns=columns)
        same(ask_without_convolution(ask, given, image, kernel), convolved(image, kernel), given=given)


def _wrong_maps(image, kernel):
    """Return the results of known mistakes for a square image and kernel, with explanations."""
    right = convolved(image, kernel)
    as_large = "Your map is as large as the image: leave out the places where the kernel does not fit."
    return [
        (convolved(image, kernel.flip(0, 1)), "You flipped the kernel. Deep learning lays it on as it is."),
        (convolved(image, kernel.T), "Rows and columns of the kernel have changed places."),
        (convolved(image.T, kernel), "Rows and columns of the image have changed places: image[row, column]."),
        (right.T, "Rows and columns of the map have changed places: the row comes first."),
        (convolved(image, kernel, padding=1), "You put a border around the image. The kernel stays inside the image."),
        (F.pad(right, (0, 2, 0, 2)), as_large),
        (F.pad(right, (1, 1, 1, 1)), as_large),
        (right[:-1, :-1], "The last row and the last column are missing: 7 - 3 + 1 places in a row of 7, not 7 - 3."),
        (right[::3, ::3], "Your kernel jumps by its own width. It moves on by one pixel at a time."),
        (right / kernel.numel(), "You averaged the products of each patch. Add them up."),
    ]


@exercises.add(
    "Write a class with nn.Module behind its name, as Net is written: __init__ makes the layers, forward uses them.",
    "A weight finds its layer by name: conv2.weight belongs to the attribute conv2. Dropout has no weights.",
    "At the end of build_net, return an object of your class. A class becomes an object by a pair of parentheses.",
    stars=3,
    seconds=10,
)
def build_net(hidden):
    class MyNet(nn.Module):
        def __init__(self):
            super().__init__()  # first: it prepares the list in which nn.Module keeps the layers
            self.conv1 = nn.Conv2d(1, 10, 5)
            self.conv2 = nn.Conv2d(10, 20, 5)
            self.drop_maps = nn.Dropout2d()
            self.fc1 = nn.Linear(20 * 4 * 4, hidden)  # 28 -> 24 -> 12 -> 8 -> 4
            self.drop = nn.Dropout()
            self.fc2 = nn.Linear(hidden, 10)

        def forward(self, images):
            x = F.max_pool2d(self.conv1(images), 2).relu()
            x = F.max_pool2d(self.drop_maps(self.conv2(x)), 2).relu()
            x = self.drop(self.fc1(x.flatten(1)).relu())
            return F.log_softmax(self.fc2(x), dim=1)

    return MyNet()


@build_net.checker
def check_build_net(ask):
    """Load given weights, compare the answers to real digits in eval mode, and look for dropout in train mode."""
    for hidden in (50, 20):
        net, model = ask(hidden), seeded_layers(hidden)
        _check_is_module(net)
        _check_parameters(net, model, hidden)
        net.load_state_dict(model.state_dict(), strict=False)  # the names were compared; other buffers may be there
        with torch.no_grad():
            found, again = _run(net.eval(), real_digits()), _run(net, real_digits())
            if not torch.equal(found, again):
                raise NotYet("In eval mode your network answers differently each time, but dropout should be off.")
            given = say("12 digits and hidden = {hidden}, with weights that the checker has loaded", hidden=hidden)
            same(found, passed(model, real_digits()), _wrong_nets(model, real_digits()), given=given)
            _check_dropout(net, hidden)


def _check_is_module(net):
    """Raise NotYet unless `net` is a network that the student wrote."""
    if isinstance(net, type):
        raise NotYet(
            "your function returned the class {name}. Put parentheses after the name to make an object of it.",
            name=net.__name__,
        )
    if not isinstance(net, nn.Module):
        raise NotYet("your function returned {kind}, but an nn.Module was expected.", kind=type(net).__name__)
    if "Net" in (kind.__qualname__ for kind in type(net).__mro__):
        raise NotYet("This is the Net of the chapter. Write a class of your own, under another name.")


def _check_parameters(net, model, hidden):
    """Raise NotYet unless `net` has parameters of the same names and shapes as `model`."""
    found, expected = ({name: list(p.shape) for name, p in module.named_parameters()} for module in (net, model))
    for name in expected:
        if name not in found:
            raise NotYet(
                "A parameter {name} was expected. Your network has {names}.",
                name=name,
                names=", ".join(found) or "none",
            )
        if found[name] != expected[name]:
            raise NotYet(
                "With hidden = {hidden}, {name} should have the shape {expected}, but your network's has the shape "
                "{found}.",
                hidden=hidden,
                name=name,
                expected=expected[name],
                found=found[name],
            )
    if extra := found.keys() - expected.keys():
        raise NotYet("Your network has parameters that Net lacks: {names}.", names=", ".join(sorted(extra)))


def _run(net, images):
    """Return the network's answer. Raises NotYet if it fails."""
    try:
        answer = net(images)
        if answer is None:
            raise NotYet("forward returned None: is there a return at its end?")
        return torch.as_tensor(array(answer))
    except NotYet:
        raise
    except Exception as error:
        raise NotYet("your network stopped with", describe_error(error)) from None


def _wrong_nets(model, images):
    """Return the answers of networks with known faults, with explanations."""
    ways = [
        ({"relu": (False, True, True, False)}, "There is no ReLU after conv1."),
        ({"relu": (True, False, True, False)}, "There is no ReLU after conv2."),
        ({"relu": (False, False, True, False)}, "There is no ReLU after conv1 and conv2."),
        ({"relu": (False, False, False, False)}, "There is no ReLU at all."),
    ]
    return _wrong_passes(model, images) + [(passed(model, images, **options), reason) for options, reason in ways]


def _check_dropout(net, hidden):
    """Raise NotYet unless whole maps of conv2, and numbers of fc1, are dropped in train mode.

    All weights are set so that the first logit is 1 for every image, or 0 where the first map is dropped.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for parameter in net.parameters():
            parameter.zero_()
        net.fc2.weight[0] = 1 / hidden
        net.conv2.bias.fill_(1)
        net.fc1.weight[:, :16] = 1 / 16  # the first map
        first = _run(net.train(), torch.zeros(400, 1, 28, 28))
        dropped = ((first[:, 0] - first[:, 1]).abs() < 1e-6).double().mean()
        net.fc1.weight.zero_()
        net.fc1.bias.fill_(1)
        second = _run(net, torch.zeros(400, 1, 28, 28))
    if not 0.35 < dropped < 0.65:
        raise NotYet(
            "In train mode a map of conv2 should be dropped as a whole for about half of the images. {dropped:.0%} "
            "were dropped: Dropout2d does that.",
            dropped=dropped,
        )
    if second[:, 0].std() < 1e-6:
        raise NotYet("In train mode no number is dropped after fc1: Dropout does that.")


@exercises.add(
    "Write a loop for each image and one for each map that comes out. What remains is exercise 5 with channels.",
    "At one place, the patch of image n is images[n, :, row : row + kernel, column : column + kernel]. Which part of "
    "weight belongs to map c?",
    "Patch and weight[c] have one shape, so multiply them and add up all products. What is added once, at the end?",
    stars=3,
)
def conv_layer(images, weight, bias):
    kernel = weight.shape[-1]
    height, width = images.shape[2] - kernel + 1, images.shape[3] - kernel + 1
    maps = torch.zeros(len(images), len(weight), height, width)
    for n in range(len(images)):
        for c in range(len(weight)):
            for row in range(height):
                for column in range(width):
                    patch = images[n, :, row : row + kernel, column : column + kernel]  # all channels in
                    maps[n, c, row, column] = (patch * weight[c]).sum() + bias[c]  # the bias comes once
    return maps


def layer(images, weight, bias=None, **options):
    """Return the output of a convolution layer computed by torch in float64."""
    return F.conv2d(images.double(), weight.double(), None if bias is None else bias.double(), **options)


@conv_layer.checker
def check_conv_layer(ask):
    """Check as many output channels as columns, where a bias along the wrong dimension raises no error; then others."""
    tensors = random_tensors((3, 2, 6, 6), (4, 2, 3, 3), (4,))
    given = "images [3, 2, 6, 6], weight [4, 2, 3, 3] and bias [4]"
    answer = ask_without_convolution(ask, given, *tensors)
    same(answer, layer(*tensors), _wrong_batches(*tensors) + _wrong_layers(*tensors), given=given)
    for shapes in [
        ((2, 3, 5, 8), (2, 3, 2, 2), (2,)),
        ((1, 1, 4, 4), (1, 1, 3, 3), (1,)),
        ((1, 3, 3, 3), (5, 3, 3, 3), (5,)),
        ((4, 3, 2, 2), (2, 3, 1, 1), (2,)),
    ]:
        tensors = random_tensors(*shapes)
        given = dict(zip(("images", "weight", "bias"), map(list, shapes)))
        given = say("images {images}, weight {weight} and bias {bias}", **given)
        same(ask_without_convolution(ask, given, *tensors), layer(*tensors), given=given)


def _wrong_layers(images, weight, bias):
    """Return the results of known mistakes with channels, bias and kernels, with explanations."""
    right, plain, column = layer(images, weight, bias), layer(images, weight), bias[:, None, None].double()
    first, last = (layer(images[:, c : c + 1], weight[:, c : c + 1], bias) for c in (0, weight.shape[1] - 1))
    apart = torch.stack([layer(images[:, [c]], weight[:, [c]]) for c in range(weight.shape[1])], dim=2)
    not_added = "The channels in are still apart: each map is the sum over all of them."
    return [
        (plain, "The bias is missing: add bias[c] to every number of map c."),
        (plain - column, "You subtracted the bias. Add it."),
        (plain + weight.shape[1] * column, "The bias came in once for each channel in. Add it once, to the sum."),
        (plain + bias, "The bias went along the columns: bias[c] belongs to the whole of map c."),
        (plain / weight.shape[1] + column, "You averaged over the channels in. Add them up."),
        (layer(images, weight / weight[0].numel(), bias), "You averaged the products of a patch. Add them up."),
        (first, "Only the first channel in is used. Add up over all of them."),
        (last, "Only the last channel in is left. Add up over all of them."),
        (apart, not_added),
        (apart + column[:, None], not_added),
        (layer(images, weight.flip(2, 3), bias), "You flipped the kernels. Deep learning lays them on as they are."),
        (layer(images, weight.transpose(2, 3), bias), "Rows and columns of the kernels have changed places."),
        (right.transpose(2, 3), "Rows and columns of the maps have changed places."),
        (layer(images, weight, bias, padding=1), "You put a border around the images. The kernels stay inside."),
    ]


def _wrong_batches(images, weight, bias):
    """Return the results of known mistakes with the batch dimension, with explanations."""
    right = layer(images, weight, bias)
    mixed = layer(images.sum(dim=0, keepdim=True), weight, bias)
    one = "You returned the maps of one image. The batch has N of them, and each has its own maps."
    added = "You added up the images of the batch. Each image has maps of its own."
    return [
        *((maps, one) for maps in (right[0], right[:1], right[-1], right[-1:])),
        (right[:1].expand_as(right), "All images have the maps of the first one: use images[n] for image n."),
        *((maps, added) for maps in (mixed[0], mixed, mixed.expand_as(right))),
        (right.transpose(0, 1), "Batch and channels have changed places: [N, channels_out, height, width]."),
        (right.sum(dim=1), "You added up the maps. Only the channels in are added up; channels_out maps come out."),
        (right.flatten(0, 1), "The maps of all images follow each other. Keep the batch: [N, channels_out, ...]."),
    ]
