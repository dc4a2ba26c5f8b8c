"""Exercises of 02_network: output sizes, parameters, convolution, pooling, the size after flatten, a whole layer."""

import torch
import torch.nn.functional as F

from mnist_helpers.exercises.core import Chapter, NotYet, array, same

exercises = Chapter("chapter_02")


def random_tensors(*shapes):
    """Return reproducible random tensors of these shapes, with values of both signs."""
    generator = torch.Generator().manual_seed(2)
    return [torch.randn(shape, generator=generator) for shape in shapes]


def ask_with(ask, given, *tensors):
    """Call `ask`, and if it raises NotYet, add a description of the arguments to the message."""
    try:
        return ask(*tensors)
    except NotYet as error:
        raise NotYet(f"For {given}, {error}") from None


@exercises.add(
    "Put the window at the left end. By how many pixels can you move it until it touches the right end?",
    "By size - kernel pixels. The place where it began counts as well.",
)
def output_size(size, kernel):
    return size - kernel + 1


@output_size.checker
def check_output_size(ask):
    """Check kernel size 5 and input size 28, an even kernel, another size, and the largest and smallest kernel."""
    wrong = {
        23: "For size 28 and kernel 5 you said 23, which is one too few: the place where the kernel begins counts too.",
        14: "Half of the size is what max-pooling leaves. A kernel moves on by one pixel at a time.",
        12: "12 is left after max-pooling. The question is for the map that the convolution gives.",
        28: "The kernel must fit into the image, so the map is smaller than the image.",
        5: "You laid the kernels side by side. They overlap: a kernel moves on by one pixel at a time.",
        22: "Look at the sign of the 1: the place where the kernel begins is one more, not one less.",
        18: "You took the kernel's width off twice. It counts once.",
        19: "You took the kernel's width off twice. It counts once.",
        20: "You took kernel - 1 off at both ends. In all, kernel - 1 places are lost.",
        576: "That is the number of places in the whole image. One direction is asked for.",
        32: "The map is smaller than the image, yours is larger: look at the signs.",
        26: "26 fits a kernel of 3, but this one is 5 wide: is the 3 written into it?",
    }
    same(ask(28, 5), 24, wrong)
    wrong = {24: "Right for odd kernels only: a kernel of 4 takes 3 off the size, and yours takes 4."}
    same(ask(28, 4), 25, wrong, "Right for a kernel of 5, but not for one of 4.")
    same(ask(12, 3), 10, otherwise="Right for a size of 28, but not for 12: is the 28 written into it?")
    same(ask(9, 9), 1, otherwise="A kernel as large as the image fits in one place.")
    same(ask(9, 1), 9, otherwise="A kernel of 1 fits on every pixel.")


@exercises.add(
    "Count for one map that comes out first. How many weights lie on the image at one place, over all channels in?",
    "One map needs channels_in * kernel * kernel weights and one bias.",
)
def parameter_count(channels_in, channels_out, kernel):
    return channels_out * (channels_in * kernel * kernel + 1)


@parameter_count.checker
def check_parameter_count(ask):
    """Check the report's conv2 and other sizes, including 1."""
    wrong = {
        5000: "Right for the weights, but each map that comes out also has a bias.",
        10_000: "You gave every weight a bias of its own. There is one for each map that comes out.",
        5200: "You counted a bias for each pair of channels, in and out. There is one for each map that comes out.",
        5010: "You counted a bias for each channel in. There is one for each map that comes out.",
        5001: "You counted one bias in all. There is one for each map that comes out.",
        520: "Every map that comes out looks at all channels in, with other weights for each: channels_in is missing.",
        251: "That is one map only. How many come out?",
        260: "channels_out is missing: each map that comes out has kernels of its own.",
        1020: "A kernel has a height and a width: kernel * kernel weights.",
        220: "You counted one weight for each pair of channels. A kernel has kernel * kernel of them.",
    }
    same(ask(10, 20, 5), 5020, wrong)
    for given, right in {(1, 10, 5): 260, (20, 10, 5): 5010, (3, 8, 1): 32, (3, 2, 4): 98}.items():
        explanation = (
            f"Right for 10 channels in, 20 out and a kernel of 5, but not for {given}: is a number written into it?"
        )
        same(ask(*given), right, otherwise=explanation)


@exercises.add(
    "Begin with the cell above that fills `edges`. Which of its numbers belong to the image, which to the kernel?",
    "The map has image.shape[0] - kernel.shape[0] + 1 rows. The columns go by shape[1] in the same way.",
    "The patch is image[row : row + kernel.shape[0], column : column + kernel.shape[1]].",
)
def convolve(image, kernel):
    height = image.shape[0] - kernel.shape[0] + 1
    width = image.shape[1] - kernel.shape[1] + 1
    feature_map = torch.zeros(height, width)
    for row in range(height):
        for column in range(width):
            patch = image[row : row + kernel.shape[0], column : column + kernel.shape[1]]
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
    same(ask_with(ask, given, image, kernel), convolved(image, kernel), _wrong_maps(image, kernel))
    for shapes in [((6, 6), (2, 2)), ((5, 8), (3, 3)), ((6, 7), (2, 3)), ((3, 4), (3, 4)), ((2, 3), (1, 1))]:
        image, kernel = random_tensors(*shapes)
        given = "an image of {} by {} and a kernel of {} by {}".format(*shapes[0], *shapes[1])
        explanation = f"Right where all is square and odd, but not for {given}."
        same(ask_with(ask, given, image, kernel), convolved(image, kernel), otherwise=explanation)


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
    "A reshape and a maximum, as in the cell above, but with the sizes of this image in place of 13.",
    "Cut off what has no partner first: image[: 2 * rows, : 2 * columns], with rows = image.shape[0] // 2.",
    "Then .reshape(rows, 2, columns, 2).amax(dim=(1, 3)).",
)
def max_pool(image):
    rows, columns = image.shape[0] // 2, image.shape[1] // 2
    squares = image[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2)
    return squares.amax(dim=(1, 3))


def pooled(image, **options):
    """Return the pooled image computed by torch in float64."""
    return F.max_pool2d(image[None].double(), 2, **options)[0]


@max_pool.checker
def check_max_pool(ask):
    """Check an even size, with one square of negative numbers, and odd sizes."""
    (image,) = random_tensors((4, 6))
    image[:2, :2] = -image[:2, :2].abs()
    same(ask_with(ask, "an image of 4 by 6", image), pooled(image), _wrong_pools(image))
    for shape in [(5, 7), (6, 5), (3, 8), (3, 3)]:
        (image,) = random_tensors(shape)
        cut = [
            (pooled(image[shape[0] % 2 :, shape[1] % 2 :]), "Leave out the last row or column, not the first one."),
            (pooled(image, ceil_mode=True), "You kept the last row or column, which has no partner: it is left out."),
        ]
        given = f"an image of {shape[0]} by {shape[1]}, where a last row or column without a partner is left out"
        same(ask_with(ask, given, image), pooled(image), cut, f"Right for even sizes, but not for {given}.")


def _wrong_pools(image):
    """Return the results of known mistakes for an image of even size, with explanations."""
    right, mean = pooled(image), F.avg_pool2d(image[None].double(), 2)[0]
    in_a_row = image.reshape(*right.shape, 4).amax(dim=2)
    return [
        (mean, "You averaged the four numbers of each square. Keep the largest of them."),
        (4 * mean, "You added up the four numbers of each square. Keep the largest of them."),
        (-pooled(-image), "You kept the smallest number of each square. Keep the largest."),
        (right.relu(), "Where all four numbers are negative you return 0: begin with one of the four, not with 0."),
        (pooled(image.abs()), "You compared the numbers without their signs: 1 is larger than -2."),
        (image[::2, ::2], "You kept the upper left number of each square. Keep the largest, wherever it is."),
        (pooled(image, stride=1), "Your squares overlap. Each number belongs to one square: move on by 2."),
        (in_a_row, "Your squares are four numbers of one row. A reshape to (rows, 2, columns, 2) cuts real squares."),
        (right.T, "Rows and columns have changed places."),
        (image.reshape(-1, 2, image.shape[1]).amax(dim=1), "You pooled the rows only. Pool the columns as well."),
        (image.reshape(len(image), -1, 2).amax(dim=2), "You pooled the columns only. Pool the rows as well."),
        (image.amax(), "You kept the largest number of the whole image. Keep one for each square of 2 by 2."),
    ]


@exercises.add(
    "Follow the height of an image of 28 by 28: convolution, pooling, convolution, pooling.",
    "A convolution takes kernel - 1 off, a pooling halves and rounds down: //.",
    "Height and width are equal at the end, and there are 20 maps: 20 * height * height.",
)
def flat_features(kernel1, kernel2):
    height = (28 - kernel1 + 1) // 2
    height = (height - kernel2 + 1) // 2
    return 20 * height * height


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
        explanation = "conv1 of 5 and conv2 of 7 leave 20 maps of 3 by 3; conv1 of 9 and conv2 of 3, 20 maps of 4 by 4."
        same(answers, [report_maps(5, 7).numel(), report_maps(9, 3).numel()], wrong, explanation)
    elif array(answers[0]).size == 3:
        raise NotYet("That is the shape of the maps. flatten makes one row of numbers of them: how many are in it?")
    else:
        raise NotYet("One number is asked for: how many numbers flatten makes of one image.")
    halves = {
        605: "Half a row cannot be: max-pooling makes 5 rows of 11, not 5.5. Divide with // in place of /.",
        720: "You rounded up. Max-pooling leaves out a last row without a partner: 11 rows become 5.",
    }
    same(ask(3, 3), 500, halves, "Kernels of 3 and 3: 28 rows become 26, then 13, then 11, and 5 after rounding down.")
    for kernels in [(4, 4), (4, 5), (2, 2), (1, 1), (5, 5)]:
        explanation = f"Not right for kernels of {kernels[0]} and {kernels[1]}: round down after each pooling."
        same(ask(*kernels), report_maps(*kernels).numel(), otherwise=explanation)


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


@exercises.add(
    "Exercise 3 for a stack: at one place, the sum now runs over the channels in as well as over rows and columns.",
    "patches = images[:, None, :, row : row + kernel, column : column + kernel] is [N, 1, channels_in, kernel, kernel] "
    "and patches * weight is [N, channels_out, channels_in, kernel, kernel].",
    "Sum that over dim=(2, 3, 4), add bias, and put it into maps[:, :, row, column].",
)
def conv_layer(images, weight, bias):
    kernel = weight.shape[-1]
    height, width = images.shape[2] - kernel + 1, images.shape[3] - kernel + 1
    maps = torch.zeros(len(images), len(weight), height, width)
    for row in range(height):
        for column in range(width):
            patches = images[:, None, :, row : row + kernel, column : column + kernel]  # [N, 1, channels_in, k, k]
            maps[:, :, row, column] = (patches * weight).sum(dim=(2, 3, 4)) + bias
    return maps


def layer(images, weight, bias=None, **options):
    """Return the output of a convolution layer computed by torch in float64."""
    return F.conv2d(images.double(), weight.double(), None if bias is None else bias.double(), **options)


@conv_layer.checker
def check_conv_layer(ask):
    """Check as many output channels as columns, where a bias along the wrong dimension raises no error; then others."""
    tensors = random_tensors((3, 2, 6, 6), (4, 2, 3, 3), (4,))
    given = "images [3, 2, 6, 6], weight [4, 2, 3, 3] and bias [4]"
    same(ask_with(ask, given, *tensors), layer(*tensors), _wrong_batches(*tensors) + _wrong_layers(*tensors))
    for shapes in [
        ((2, 3, 5, 8), (2, 3, 2, 2), (2,)),
        ((1, 1, 4, 4), (1, 1, 3, 3), (1,)),
        ((1, 3, 3, 3), (5, 3, 3, 3), (5,)),
        ((4, 3, 2, 2), (2, 3, 1, 1), (2,)),
    ]:
        tensors = random_tensors(*shapes)
        given = "images {}, weight {} and bias {}".format(*map(list, shapes))
        explanation = f"Right for images [3, 2, 6, 6] and weight [4, 2, 3, 3], but not for {given}."
        same(ask_with(ask, given, *tensors), layer(*tensors), otherwise=explanation)


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
        (plain + bias, "The bias went along the columns: bias[c] belongs to the whole of map c, bias[:, None, None]."),
        (plain / weight.shape[1] + column, "You averaged over the channels in. Add them up."),
        (layer(images, weight / weight[0].numel(), bias), "You averaged the products of a patch. Add them up."),
        (first, "Only the first channel in is used. Add up over all of them."),
        (last, "Only the last channel in is left: does each one overwrite the one before? Add them up."),
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
