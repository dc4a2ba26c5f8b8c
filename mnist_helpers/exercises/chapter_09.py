"""Exercises of 09_deployment: parity, quantisation, fixed batches, integer products, an export."""

import tempfile
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from mnist_helpers import CourseError
from mnist_helpers._support.translation import say
from mnist_helpers.exercises.comparing import array, same
from mnist_helpers.exercises.core import Chapter
from mnist_helpers.exercises.inputs import random_numbers
from mnist_helpers.exercises.judging import NotYet
from mnist_helpers.onnx_file import InferenceSession, open_session

exercises = Chapter("chapter_09")


def random_array(*shape, seed):
    """Return reproducible random numbers from a normal distribution, float64."""
    return np.random.default_rng(seed).normal(size=shape)


def random_probabilities(count, seed):
    """Return rows of ten random probabilities."""
    return np.random.default_rng(seed).dirichlet(np.ones(10), count)


@exercises.add(
    "Two questions: how far apart are any two numbers at most, and in how many rows is the largest number elsewhere?",
    "abs makes a difference positive, max finds the largest; argmax(axis=1) gives the prediction of each row.",
    "Compare the two argmax arrays with !=, and count the True in the result with sum.",
)
def parity(one, other):
    # abs, because 0.1 less counts as much as 0.1 more; the largest, because one bad image hides in a mean
    return np.abs(one - other).max(), (one.argmax(axis=1) != other.argmax(axis=1)).sum()


ONE = random_probabilities(40, seed=1)
OTHER = ONE.copy()
OTHER[:, :3] -= [0.06, 0.02, 0.04]  # lower only: without abs, another difference is the largest
OTHER[7:10] = np.roll(ONE[7:10], 1, axis=1) * 0.5


@parity.checker
def check_parity(ask):
    """Check forty rows with three changed predictions, in both orders, and two equal arrays."""
    for one, other in [(ONE, OTHER), (OTHER, ONE)]:
        right = np.abs(one - other).max(), (one.argmax(1) != other.argmax(1)).sum()
        same(ask(one, other), right, _wrong_parities(one, other, *right), "", "40 images")
    same(ask(ONE, ONE), (0, 0), (), "", "two equal arrays")


def _wrong_parities(one, other, largest, changed):
    shown = "For 40 images, {expected} was expected, but your function returned {found}."
    expected = f"[{largest:.4g}, {changed}]"
    signed = "0.1 less counts as much as 0.1 more. Take the absolute value of the differences."
    mean = np.abs(one - other).mean()
    reasons = [
        ((changed, largest), "Both are right, but the difference comes first."),
        ((largest, 40 - changed), "That is the number of predictions that stay the same."),
        ((largest, (one != other).sum()), "You counted numbers that differ. Count images whose prediction changes."),
        ((largest, (one != other).any(1).sum()), "You counted images with other numbers. Compare their predictions."),
        ((largest, (one.argmax(0) != other.argmax(0)).sum()), "A row is an image: its prediction is argmax(axis=1)."),
        ((largest, changed / 40), "Return the number of changed predictions, not their share."),
        ((mean, changed), "That is the mean difference. One bad image would hide in it."),
        (((one - other).max(), changed), signed),
        (((one - other).min(), changed), signed),
    ]
    pairs = [(pair, "[{:.4g}, {:.4g}]".format(*pair), reason) for pair, reason in reasons]
    return [(pair, say(shown, reason, expected=expected, found=found)) for pair, found, reason in pairs]


@exercises.add(
    "Divide by the scale, round, and add the zero point. What if the result does not fit into 0 to 255?",
    "np.rint rounds to the nearest integer. Cut off what is outside 0 to 255, then change the type.",
    "np.clip cuts off what doesn't fit. Do that while the numbers are still floats; .astype(np.uint8) comes last.",
    stars=2,
)
def quantise(values, scale, zero_point):
    # Clip before the type changes: 8 bits can't hold 256, which would become 0
    return np.clip(np.rint(values / scale) + zero_point, 0, 255).astype(np.uint8)


VALUES = np.array([-1.0, -0.26, -0.01, 0.0, 0.26, 0.37, 1.04, 2.4])


def _values(values, scale, zero_point):
    text = "the values {values}, scale {scale} and zero_point {zero_point}"
    return say(text, values=values.tolist(), scale=scale, zero_point=zero_point)


@quantise.checker
def check_quantise(ask):
    """Check values within the range, values beyond both ends, another scale and zero point, the shape and the dtype."""
    right = np.array([90, 97, 100, 100, 103, 104, 110, 124])
    nearest = "Take the nearest integer and add the zero point."
    same(ask(VALUES, 0.1, 100), right, (), nearest, _values(VALUES, 0.1, 100))
    beyond = np.array([-20.0, -10.04, 15.54, 15.6, 30.0])
    fit = "8 bits without a sign hold 0 to 255. Cut off what is outside before you change the type."
    same(ask(beyond, 0.1, 100), [0, 0, 255, 255, 255], (), fit, _values(beyond, 0.1, 100))
    same(ask(VALUES, 0.03, 3), [0, 0, 3, 3, 12, 15, 38, 83], (), "A scale of 0.1 was right.", _values(VALUES, 0.03, 3))
    square = ask(VALUES.reshape(2, 2, 2), 0.1, 100)
    same(square, right.reshape(2, 2, 2), (), "An array keeps its shape.", "values of the shape [2, 2, 2]")
    dtype = getattr(square, "dtype", type(square).__name__)
    if dtype not in (np.uint8, torch.uint8):
        raise NotYet("the numbers are right, but uint8 was expected and your function returned {dtype}.", dtype=dtype)


@exercises.add(
    "What is different about the last batch, and how can you make it `size` images long?",
    "Add empty images behind the last ones, and forget the answers to them.",
    "-len(images) % size images are missing. Make them with np.zeros, join with np.concatenate, and cut the answers.",
    stars=2,
)
def fixed_batches(run, images, size):
    missing = -len(images) % size  # what is missing to the next multiple of size
    padded = np.concatenate([images, np.zeros_like(images[:1]).repeat(missing, axis=0)])
    answers = [run(padded[start : start + size]) for start in range(0, len(padded), size)]
    return np.concatenate(answers)[: len(images)]  # without the answers to the padding


def pretended_file(size):
    """Return a function that answers exactly `size` images, like a file with a fixed batch."""

    def run(images):
        if np.shape(images) != (size, 28, 28):
            raise ValueError(
                say("the file takes {wanted}, but got {found}", wanted=[size, 28, 28], found=list(np.shape(images)))
            )
        means = np.asarray(images).mean(axis=(1, 2))
        return means[:, None] + np.arange(10)

    return run


PICTURES = np.random.default_rng(5).integers(0, 256, (10, 28, 28), dtype=np.uint8)


@fixed_batches.checker
def check_fixed_batches(ask):
    """Check numbers of images below, at and above multiples of the batch size."""
    for count, size in [(10, 4), (8, 4), (3, 4), (1, 1), (9, 5)]:
        expected = PICTURES[:count].mean(axis=(1, 2))[:, None] + np.arange(10)
        given = say("{count} images and a size of {size}", count=count, size=size)
        same(ask(pretended_file(size), PICTURES[:count], size), expected, (), "", given)


@exercises.add(
    "First find, for each of the two arrays, the scale that turns its largest absolute value into 127.",
    "The scale is the largest absolute value divided by 127. Divide by it and round with np.rint.",
    "Multiply the integers as int32: products of int8 do not fit into int8. Both scales belong in the result.",
    stars=3,
)
def whole_number_product(images, weight):
    # One scale for each array: the largest absolute value uses the whole range of 8 bits
    scales = [np.abs(values).max() / 127 for values in (images, weight)]
    whole = [np.rint(values / scale).astype(np.int32) for values, scale in zip((images, weight), scales)]
    return whole[0] @ whole[1].T * scales[0] * scales[1]


def rounded(values):
    """Return `values` rounded to multiples of their largest absolute value / 127."""
    step = np.abs(values).max() / 127
    return np.round(values / step) * step


ACTIVATIONS, WEIGHT = random_array(5, 64, seed=3), random_array(10, 64, seed=4) * 0.05


@whole_number_product.checker
def check_whole_number_product(ask):
    """Check small numbers that can be shown, a layer with ten outputs, negative arrays, and a single image."""
    images, weight = np.array([[1.0, -0.3]]), np.array([[1.9, 0.5], [-1.0, 4.0]])
    given = say("images = {images} and weight = {weight}", images=images.tolist(), weight=weight.tolist())
    right = rounded(images) @ rounded(weight).T
    scales = "The integers are [[127, -38]] and [[60, 16], [-32, 127]], with the scales 1 / 127 and 4 / 127."
    same(ask(images, weight), right, _wrong_products(images, weight, right, given), scales, given)
    layer = "images of the shape [5, 64] and a weight of the shape [10, 64]"
    right = rounded(ACTIVATIONS) @ rounded(WEIGHT).T
    reason = "Small arrays were right."
    same(ask(ACTIVATIONS, WEIGHT), right, _wrong_products(ACTIVATIONS, WEIGHT, right, layer), reason, layer)
    small, large = -np.abs(ACTIVATIONS[:2]) * 3, WEIGHT[:3] * 100
    negative = "The scale comes from the largest absolute value."
    same(ask(small, large), rounded(small) @ rounded(large).T, (), negative, "images with negative numbers only")
    if array(ask(ACTIVATIONS[:1], WEIGHT)).shape != (1, 10):
        raise NotYet("Five images were right. For one image, the shape [1, 10] was expected.")


def _signed_product(images, weight):
    """Return the product if the scales come from the largest values instead of the largest absolute values."""
    steps = [values.max() / 127 for values in (images, weight)]
    whole = [np.rint(values / step) for values, step in zip((images, weight), steps)]
    return whole[0] @ whole[1].T * steps[0] * steps[1]


def _wrong_products(images, weight, right, given):
    """Return results that show without doubt what went wrong, with explanations."""
    steps = [np.abs(values).max() / 127 for values in (images, weight)]
    first = "For {given}, {expected:.4g} was expected at index [0, 0], but your function returned {found:.4g} there."
    results = [
        (images @ weight.T, "That is the exact product. Round both arrays to integers first."),
        (_signed_product(images, weight), "Take the largest absolute value: a negative number may be the largest."),
        (right / (steps[0] * steps[1]), "Those are the integers. Multiply them by both scales."),
        (right / steps[1], "The weight's scale is missing."),
        (right / steps[0], "The images' scale is missing."),
    ]
    shown = {"given": given, "expected": right[0, 0]}
    return [(result, say(first, reason, found=result[0, 0], **shown)) for result, reason in results]


@exercises.add(
    "Three steps: export, run the file, compare. In which mode must the model be when you export it?",
    "torch.onnx.export takes the model, a tuple with example images and the path. dynamic_shapes=({0: 'batch'},) asks "
    "for a dynamic batch, and an example of two images shows that it is not always one.",
    "session.run(None, {session.get_inputs()[0].name: images.numpy()}) returns a list with one array. Compare it with "
    "model(images) in eval mode and without gradients.",
    stars=3,
    seconds=60,
)
def export_and_compare(model, images, path):
    model.eval()  # dropout must not get into the file
    options = {"dynamic_shapes": ({0: "batch"},), "external_data": False, "verbose": False}
    example = torch.zeros(2, *images.shape[1:])  # an example of one image could fix the batch
    torch.onnx.export(model, (example,), path, **options)
    session = InferenceSession(path, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {session.get_inputs()[0].name: images.numpy()})
    with torch.inference_mode():
        return np.abs(found - model(images).numpy()).max()


class SmallNet(nn.Module):
    """A network with dropout, whose exported file gives other numbers: the last differs most, by `planted`.

    The first differs almost as much, with the other sign.
    """

    def __init__(self, planted: float):
        super().__init__()
        self.register_buffer("fault", planted * torch.linspace(-0.9, 1, 10))
        self.layer = nn.Linear(16, 10)
        self.dropout = nn.Dropout2d(0.5)  # ONNX Runtime would remove nn.Dropout
        with torch.no_grad():
            self.layer.weight.copy_(random_numbers(10, 16, seed=7))
            self.layer.bias.copy_(random_numbers(10, seed=8))

    def forward(self, images):
        maps = F.avg_pool2d(images, 7).reshape(-1, 16, 1, 1)
        outputs = self.layer(self.dropout(maps).flatten(1))
        return outputs + self.fault if torch.compiler.is_exporting() else outputs


FEW = random_numbers(3, 1, 28, 28, seed=9)


@export_and_compare.checker
def check_export_and_compare(ask):
    """Check the returned difference and the file, for networks of which a number is far too low or far too high."""
    with tempfile.TemporaryDirectory() as folder:
        for planted in (-0.25, 0.125):
            path = Path(folder, f"small_{planted}.onnx")
            model = SmallNet(planted)
            difference = ask(model, FEW, path)
            if not path.is_file():
                raise NotYet(
                    "the file {name} was expected in the folder of `path`, but your function wrote none.",
                    name=path.name,
                )
            _check_exported(path, model.eval())
            fault = say("a model whose file gives outputs that differ by up to {planted}", planted=abs(planted))
            reason = "The file is right. Compare the outputs number by number, without sign, and take the largest."
            same(difference, abs(planted), (), reason, fault)


def _check_exported(path, model):
    """Raise NotYet unless the file gives the model's outputs in eval mode for one, three and five images."""
    try:
        session = open_session(path)
    except CourseError as error:
        raise NotYet("the file that your function wrote can't be used: {error}", error=str(error)) from None
    for images in (FEW, FEW[:1], FEW.repeat(2, 1, 1, 1)[:5]):
        try:
            (found,) = session.run(None, {session.get_inputs()[0].name: images.numpy()})
        except Exception:
            raise NotYet(
                "your file refuses a batch of {images} images: its batch is not dynamic.", images=len(images)
            ) from None
        with torch.inference_mode():
            expected = (model(images) + model.fault).numpy()
        given = say("a batch of {images} images", images=len(images))
        same(found, expected, (), "Your file's outputs are not those of the model in eval mode.", given)
