"""09_deployment: the misconceptions that the checkers know, right answers in other styles, probes for the mutants."""

import warnings

import numpy as np
import torch

from mnist_helpers import export
from mnist_helpers.exercises.chapter_09 import (
    ACTIVATIONS,
    ONE,
    OTHER,
    PICTURES,
    VALUES,
    WEIGHT,
    exercises,  # noqa: F401
    pretended_file,
    random_probabilities,
)
from mnist_helpers.onnx_file import InferenceSession


def parity_by_loop(one, other):
    largest, changed = 0.0, 0
    for row, found in zip(one, other):
        largest = max(largest, max(abs(a - b) for a, b in zip(row, found)))
        changed += int(np.argmax(row)) != int(np.argmax(found))
    return largest, changed


def whole(values, scale, zero_point):
    return np.rint(values / scale) + zero_point


def product(images, weight, rounding=np.rint, kind=np.int32, which=(0, 1), back=(0, 1), steps=127, size=np.abs):
    arrays, scales = [images, weight], [size(values).max() / steps for values in (images, weight)]
    for index in which:
        arrays[index] = rounding(arrays[index] / scales[index]).astype(kind)
    result = arrays[0] @ arrays[1].T
    for index in back:
        result = result * scales[index]
    return result


def padded(run, images, size, front=False):
    empty = np.zeros((-len(images) % size, 28, 28), dtype=images.dtype)
    whole_batches = np.concatenate([empty, images] if front else [images, empty])
    return np.concatenate([run(batch) for batch in np.split(whole_batches, len(whole_batches) // size)])


def overlapping(run, images, size):
    """Take the last batch from the end of the images, so that some are answered twice."""
    many = np.concatenate([images] * size)
    starts = [*range(0, len(images) - size, size), max(len(images) - size, 0)]
    return np.concatenate([run(many[start : start + size]) for start in starts])


DYNAMIC = {"dynamic_shapes": ({0: "batch"},)}


def one_at_a_time(run, images, size):
    return np.stack([run(np.stack([image] * size))[0] for image in images])


def exported(model, images, path, fixed=False, worst=np.max, size=np.abs, **options):
    options = {"verbose": False, "external_data": False} | ({} if fixed else DYNAMIC) | options
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, (images,), path, **options)
    session = InferenceSession(path, providers=["CPUExecutionProvider"])
    found = session.run(None, {session.get_inputs()[0].name: images.numpy()})[0]
    with torch.no_grad():
        return float(worst(size(found - model(images).numpy())))


def with_the_courses_export(model, images, path):
    export.to_onnx(model, images, path)
    return (export.run_onnx(path, images) - model.eval()(images)).abs().max()


WRONG = {
    "parity": {
        "the other order": lambda one, other: parity_by_loop(one, other)[::-1],
        "the same predictions counted": lambda a, b: (np.abs(a - b).max(), (a.argmax(1) == b.argmax(1)).sum()),
        "a share": lambda a, b: (np.abs(a - b).max(), (a.argmax(1) != b.argmax(1)).mean()),
        "along the images": lambda a, b: (np.abs(a - b).max(), (a.argmax(0) != b.argmax(0)).sum()),
        "images with other numbers": lambda a, b: (np.abs(a - b).max(), (a != b).any(1).sum()),
        "numbers that differ": lambda a, b: (np.abs(a - b).max(), (a != b).sum()),
        "the mean difference": lambda a, b: (np.abs(a - b).mean(), (a.argmax(1) != b.argmax(1)).sum()),
        "without abs": lambda a, b: ((a - b).max(), (a.argmax(1) != b.argmax(1)).sum()),
    },
    "quantise": {
        "without the zero point": lambda values, scale, zero: np.rint(values / scale),
        "cut off": lambda values, scale, zero: (values / scale + zero).astype(int),
        "multiplied": lambda values, scale, zero: np.rint(values * scale) + zero,
        "the zero point before the scale": lambda values, scale, zero: np.rint((values + zero) / scale),
        "the zero point subtracted": lambda values, scale, zero: np.clip(whole(values, scale, -zero), 0, 255),
        "not rounded": lambda values, scale, zero: values / scale + zero,
        "and back": lambda values, scale, zero: (whole(values, scale, zero) - zero) * scale,
        "wrapped": lambda values, scale, zero: whole(values, scale, zero).astype(int) % 256,
        "not clipped": whole,
        "with a sign": lambda values, scale, zero: np.clip(whole(values, scale, zero), -128, 127),
        "flattened": lambda values, scale, zero: (
            np.clip(whole(values, scale, zero), 0, 255).astype(np.uint8).reshape(-1)
        ),
        "too wide": lambda values, scale, zero: np.clip(whole(values, scale, zero), 0, 255).astype(int),
    },
    "fixed_batches": {
        "the rest forgotten": lambda run, images, size: np.concatenate(
            [np.zeros((0, 10)), *(run(images[i : i + size]) for i in range(0, len(images) - size + 1, size))]
        ),
        "answers to the padding": lambda run, images, size: padded(run, images, size),
        "padded in front": lambda run, images, size: padded(run, images, size, front=True)[: len(images)],
        "cut at the front": lambda run, images, size: padded(run, images, size)[-len(images) :],
        "the last batch again": lambda run, images, size: overlapping(run, images, size)[: len(images)],
        "a list of batches": lambda run, images, size: padded(run, images, size).reshape(-1, size, 10),
    },
    "whole_number_product": {
        "exact": lambda images, weight: images @ weight.T,
        "turned": lambda images, weight: product(images, weight).T,
        "no way back": lambda images, weight: product(images, weight, back=()),
        "the weight's scale missing": lambda images, weight: product(images, weight, back=(0,)),
        "the images' scale missing": lambda images, weight: product(images, weight, back=(1,)),
        "cut off": lambda images, weight: product(images, weight, rounding=np.trunc),
        "8 bits throughout": lambda images, weight: product(images, weight, kind=np.int8),
        "the images alone": lambda images, weight: product(images, weight, which=(0,), back=(0,)),
        "the weight alone": lambda images, weight: product(images, weight, which=(1,), back=(1,)),
        "255 steps": lambda images, weight: product(images, weight, steps=255),
        "the largest, with its sign": lambda images, weight: product(images, weight, size=np.asarray),
    },
    "export_and_compare": {
        "train mode, compared in eval mode": lambda model, images, path: (
            exported(model.train(), images, path) * 0 + model.fault.abs().max().item()
        ),
        "fixed batch": lambda model, images, path: exported(model.eval(), images, path, fixed=True),
        "nothing written": lambda model, images, path: 0.25,
        "not compared": lambda model, images, path: 0 * exported(model.eval(), images, path),
        "the mean difference": lambda model, images, path: exported(model.eval(), images, path, worst=np.mean),
        "without abs": lambda model, images, path: exported(model.eval(), images, path, size=np.asarray),
        "without abs, the other way round": lambda model, images, path: exported(
            model.eval(), images, path, size=np.negative
        ),
        "weights in another file": lambda model, images, path: exported(model.eval(), images, path, external_data=True),
        "an empty file": lambda model, images, path: path.write_bytes(b""),
        "the mean of both": lambda model, images, path: 0.5 * exported(model.eval(), images, path),
    },
}
RIGHT = {
    "parity": [
        parity_by_loop,
        lambda one, other: [float(abs(one - other).max()), int(np.sum(one.argmax(-1) != other.argmax(-1)))],
    ],
    "quantise": [
        lambda values, scale, zero: np.uint8(np.minimum(np.maximum(np.round(values / scale) + zero, 0), 255)),
        lambda values, scale, zero: np.rint(values / scale + zero).clip(0, 255).astype("uint8"),
        lambda values, scale, zero: ((torch.tensor(values) / scale).round() + zero).clamp(0, 255).to(torch.uint8),
    ],
    "fixed_batches": [
        one_at_a_time,
        lambda run, images, size: padded(run, images, size)[: len(images)],
        lambda run, images, size: torch.from_numpy(padded(run, images, size))[: len(images)],
    ],
    "whole_number_product": [
        product,
        lambda images, weight: product(images, weight, kind=np.int64),
        lambda images, weight: torch.from_numpy(product(images, weight, kind=np.float64)),
    ],
    "export_and_compare": [
        lambda model, images, path: exported(model.eval(), images, path),
        with_the_courses_export,
    ],
}
PROBES = {
    "parity": lambda function: [
        value for pair in [(ONE, OTHER), (OTHER, ONE), (ONE, ONE)] for value in function(*pair)
    ],
    "quantise": lambda function: [
        function(values, scale, zero)
        for values, scale, zero in [(VALUES, 0.1, 100), (VALUES * 20, 0.1, 100), (VALUES, 0.03, 7), (VALUES, 0.5, 0)]
    ],
    "fixed_batches": lambda function: [
        function(pretended_file(size), PICTURES[:count], size) for count, size in [(10, 4), (8, 4), (3, 4), (9, 5)]
    ],
    "whole_number_product": lambda function: [
        function(images, weight)
        for images, weight in [
            (ACTIVATIONS, WEIGHT),
            (-np.abs(ACTIVATIONS[:1]), WEIGHT * 7),
            (random_probabilities(3, seed=2), random_probabilities(4, seed=3)),
        ]
    ],
    "export_and_compare": lambda function: [0],  # an export takes longer than a probe may
}
