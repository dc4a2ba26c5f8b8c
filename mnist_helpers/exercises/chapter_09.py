"""Exercises of 09_deployment: parity, softmax, quantisation, the cost of rejection, an integer matrix product."""

import numpy as np

from mnist_helpers.exercises.core import Chapter, NotYet, array, same

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
    "The number of changed predictions is (one.argmax(axis=1) != other.argmax(axis=1)).sum().",
)
def parity(one, other):
    return np.abs(one - other).max(), (one.argmax(axis=1) != other.argmax(axis=1)).sum()


ONE = random_probabilities(40, seed=1)
OTHER = ONE.copy()
OTHER[:, :3] -= [0.06, 0.02, 0.04]  # lower only: without abs, another difference is the largest
OTHER[7:10] = np.roll(ONE[7:10], 1, axis=1) * 0.5


@parity.checker
def check_parity(ask):
    """Check forty rows with three changed predictions, in both orders, and two equal arrays."""
    difference = ONE - OTHER
    largest, changed = np.abs(difference).max(), (ONE.argmax(1) != OTHER.argmax(1)).sum()
    wrong = [
        ((changed, largest), "Both numbers are right, in the other order: the difference comes first."),
        ((largest, (ONE.argmax(1) == OTHER.argmax(1)).sum()), "You counted the predictions that are the same."),
        ((largest, changed / len(ONE)), "You returned the share of changed predictions. Return their number."),
        ((largest, (ONE.argmax(0) != OTHER.argmax(0)).sum()), "You searched along the images: a row is an image."),
        ((largest, (ONE != OTHER).sum()), "You counted numbers that differ. Only the class of each row matters there."),
        ((np.abs(difference).mean(), changed), "That is the mean difference. One bad image would hide in it."),
    ]
    signed = "The largest difference of two numbers has no sign: 0.1 less counts as much as 0.1 more. Use abs."
    for one, other in [(ONE, OTHER), (OTHER, ONE)]:
        wrong_sign = ((one - other).max(), changed), ((one - other).min(), changed)
        same(ask(one, other), (largest, changed), [*wrong, *((answer, signed) for answer in wrong_sign)])
    same(ask(ONE, ONE), (0, 0), otherwise="Two equal arrays differ by 0, and no prediction changes.")


@exercises.add(
    "exp(1000) is too large for any number. Does it matter by how much all logits of a row are shifted?",
    "Subtract each row's largest logit first: the probabilities stay the same, and no exponent is above 0.",
    "keepdims=True keeps the column, so that [N, 1] can be subtracted from [N, 10].",
)
def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


LOGITS = random_array(4, 10, seed=2)


def reference_softmax(logits):
    """Return the softmax by another formula, 1 / sum(exp(other - own)), to compare with."""
    with np.errstate(over="ignore"):
        return 1 / np.exp(logits[:, None, :] - logits[:, :, None]).sum(axis=2)


@softmax.checker
def check_softmax(ask):
    """Check ordinary logits, then large logits of both signs, for which a naive softmax overflows."""
    right = reference_softmax(LOGITS)
    powers = np.exp(LOGITS)
    wrong = [
        (powers / powers.sum(), "All numbers together add up to 1. Each row shall: use axis=1 and keepdims=True."),
        (powers / powers.sum(axis=0), "Each column adds up to 1. The ten numbers of an image are a row: axis=1."),
        (np.log(right), "Those are log-probabilities. Leave out the logarithm."),
        (powers, "Those are the powers. Divide each by the sum of its row, so that it adds up to 1."),
        (powers / powers.max(axis=1, keepdims=True), "Divide by the sum of the row, not by its largest power."),
        (LOGITS / LOGITS.sum(axis=1, keepdims=True), "Probabilities are not negative: raise e to each logit first."),
    ]
    same(ask(LOGITS), right, wrong)
    huge = [
        (LOGITS + 1000, "very large logits: exp(1000) is infinite. Subtract each row's largest first."),
        (LOGITS - 1000, "very negative logits: every exp(-1000) is 0. Subtract each row's largest, whatever its sign."),
        (LOGITS + [[1000], [0], [-1000], [500]], "rows of very different size: each row needs a shift of its own."),
        (LOGITS * 300, "rows that hold very large and very negative logits. Subtract the largest, not the smallest."),
    ]
    for logits, reason in huge:
        with np.errstate(all="ignore"):
            answer = ask(logits)
        same(answer, reference_softmax(logits), otherwise=f"Right for small logits, but not for {reason}")


@exercises.add(
    "Divide by the scale, add the zero point, and make a whole number of it. What if it does not fit into 0 to 255?",
    "Round to the nearest whole number (np.rint), then clip to 0 to 255, before the type is changed.",
    "np.clip(np.rint(values / scale) + zero_point, 0, 255).astype(np.uint8)",
)
def quantise(values, scale, zero_point):
    return np.clip(np.rint(values / scale) + zero_point, 0, 255).astype(np.uint8)


VALUES = np.array([-1.0, -0.26, -0.01, 0.0, 0.26, 0.37, 1.04, 2.4])


@quantise.checker
def check_quantise(ask):
    """Check values within the range, values beyond both ends, another scale and zero point, and the dtype."""
    right = np.array([90, 97, 100, 100, 103, 104, 110, 124])
    same(ask(VALUES, 0.1, 100), right, _wrong_quantised(right))
    beyond = np.array([-20.0, -10.04, 15.54, 15.6, 30.0])
    wraps = (
        np.int64(np.rint(beyond / 0.1) + 100) % 256,
        "What does not fit wraps around: -100 becomes 156. Clip first.",
    )
    unclipped = (np.rint(beyond / 0.1) + 100, "8 bits hold 0 to 255: clip what does not fit.")
    signed = (np.clip(np.rint(beyond / 0.1) + 100, -128, 127), "8 bits without a sign hold 0 to 255, not -128 to 127.")
    same(ask(beyond, 0.1, 100), [0, 0, 255, 255, 255], [wraps, unclipped, signed])
    same(ask(VALUES, 0.03, 3), [0, 0, 3, 3, 12, 15, 38, 83], otherwise="Right for scale 0.1, but not for 0.03.")
    if getattr(ask(VALUES, 0.1, 100), "dtype", None) != np.uint8:
        raise NotYet("the numbers are right, but they take more than 8 bits each: return them as np.uint8.")


def _wrong_quantised(right):
    """Return the results of known mistakes for VALUES, scale 0.1 and zero point 100, with explanations."""
    return [
        (right - 100, "The zero point is missing: it is the whole number that stands for 0.0."),
        (np.int64(VALUES / 0.1 + 100), "You cut the decimals off. The nearest whole number is closer: np.rint."),
        (np.floor(VALUES / 0.1) + 100, "You rounded down. The nearest whole number is closer: np.rint."),
        (np.rint(VALUES * 0.1) + 100, "You multiplied by the scale. One step of the whole numbers is worth `scale`."),
        (np.rint((VALUES + 100) / 0.1), "The zero point is a whole number: add it after dividing by the scale."),
        (np.rint(VALUES / 0.1) - 100, "Add the zero point. Subtracting it is the way back."),
        (np.clip(np.rint(VALUES / 0.1) - 100, 0, 255), "Add the zero point. Subtracting it is the way back."),
        (np.clip(right - 100, 0, 255), "The zero point is missing: it is the whole number that stands for 0.0."),
        (VALUES / 0.1 + 100, "These are not whole numbers: round to the nearest one."),
        ((right - 100.0) * 0.1, "You went to whole numbers and back. Return the whole numbers."),
    ]


@exercises.add(
    "Each image costs something in one of two cases: it is refused, or it is kept and read wrongly.",
    "Where the confidence is below the threshold, a person is paid, whether or not the network was right.",
    "refused = confidence < threshold; the mistakes that are left are those of ~refused & ~right.",
)
def cost(confidence, right, threshold, of_refusal, of_mistake):
    refused = confidence < threshold
    return (refused * of_refusal + (~refused & ~right) * of_mistake).mean()


CONFIDENCE = np.array([0.99, 0.35, 0.8, 0.62, 0.91, 0.5, 0.97, 0.45, 0.7, 0.88])
RIGHT = np.array([True, False, True, False, True, True, False, True, True, True])


@cost.checker
def check_cost(ask):
    """Check a confidence equal to the threshold, other thresholds and costs, and all or no answers refused."""
    right = (3 * 1 + 2 * 10) / 10  # three lie below 0.62; of those at or above it, two are wrong
    wrong = [
        (right * 10, "That is the cost of all images together. Return it for one, on average."),
        (right * 10 / 7, "The average is over all images, the refused ones as well."),
        ((4 * 1 + 1 * 10) / 10, "An image at the threshold is kept: only those below it are refused."),
        ((3 * 1 + 3 * 10) / 10, "You pay for mistakes that were refused. The person has put them right."),
        ((7 * 1 + 1 * 10) / 10, "You refused the confident answers. Refuse those below the threshold."),
        ((2 * 1 + 2 * 10) / 10, "A refused image costs its fee even if the network was right: nobody knew."),
        (2 * 10 / 10, "Refusing is not free: each refused image costs `of_refusal`."),
        (3 * 1 / 10, "Mistakes that are left cost something, too: each `of_mistake`."),
        ((3 * 1 + 5 * 10) / 10, "You pay for the kept answers that were right. Only mistakes cost."),
    ]
    same(ask(CONFIDENCE, RIGHT, 0.62, 1, 10), right, wrong)
    other = "Right for ten answers, but not for other costs: `of_refusal` and `of_mistake` can be anything."
    same(ask(CONFIDENCE, RIGHT, 0.62, 3, 0.5), (3 * 3 + 2 * 0.5) / 10, otherwise=other)
    same(ask(CONFIDENCE, RIGHT, 0.9, 2, 7), (7 * 2 + 1 * 7) / 10, otherwise="Right for 0.62, but not for 0.9.")
    same(ask(CONFIDENCE, RIGHT, 0.0, 1, 10), 3, otherwise="With threshold 0 nothing is refused, and three are wrong.")
    same(ask(CONFIDENCE, RIGHT, 1.0, 1, 10), 1, otherwise="With threshold 1 all ten are refused: 1 each.")


@exercises.add(
    "First find, for each of the two arrays, a scale that lets its largest number without sign become 127.",
    "scale = abs(values).max() / 127; the whole numbers are rint(values / scale). No zero point is needed.",
    "Multiply the whole numbers as int32: products of int8 do not fit into int8. Both scales belong in the result.",
)
def whole_number_product(images, weight):
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
    """Check a layer with ten outputs, negative arrays, values of very different size, and a single image."""
    right = rounded(ACTIVATIONS) @ rounded(WEIGHT).T
    exact_scale = "not what scales of abs(values).max() / 127 give: one scale for each array, from its own numbers."
    reason = f"the shape is right, but the numbers are {exact_scale}"
    same(ask(ACTIVATIONS, WEIGHT), right, _wrong_products(right), reason)
    small, large = -np.abs(ACTIVATIONS[:2]) * 3, WEIGHT[:3] * 100
    same(
        ask(small, large),
        rounded(small) @ rounded(large).T,
        otherwise="Right for one layer, but not where all images are negative: the scale comes from abs(values).",
    )
    if array(ask(ACTIVATIONS[:1], WEIGHT)).shape != (1, 10):
        raise NotYet("Right for five images, but not for one: return [1, 10].")


def _wrong_products(right):
    """Return the results of known mistakes for ACTIVATIONS and WEIGHT, with explanations."""
    steps = [np.abs(values).max() / 127 for values in (ACTIVATIONS, WEIGHT)]
    cut = [np.trunc(values / step) * step for values, step in zip((ACTIVATIONS, WEIGHT), steps)]
    whole = [np.rint(values / step) for values, step in zip((ACTIVATIONS, WEIGHT), steps)]
    wraps = (np.int8(whole[0]) @ np.int8(whole[1]).T) * steps[0] * steps[1]
    return [
        (ACTIVATIONS @ WEIGHT.T, "That is the exact product, in floats. Round both arrays to whole numbers first."),
        (right.T, "The shape is [10, 5]: images come first. Multiply images by weight.T."),
        (right / (steps[0] * steps[1]), "Those are whole numbers: multiply by both scales to come back."),
        (right / steps[1], "The weight's scale is missing in the result: each array has one."),
        (right / steps[0], "The images' scale is missing in the result: each array has one."),
        (cut[0] @ cut[1].T, "You cut the decimals off. The nearest whole number is closer: np.rint."),
        (wraps, "The sums do not fit into 8 bits and wrap around. Multiply as int32."),
        (rounded(ACTIVATIONS) @ WEIGHT.T, "The weight was not rounded to whole numbers."),
        (ACTIVATIONS @ rounded(WEIGHT).T, "The images were not rounded to whole numbers."),
    ]
