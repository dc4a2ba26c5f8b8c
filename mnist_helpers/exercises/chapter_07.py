"""Exercises of 07_improving: weight averaging, a repaired shift, label smoothing, an ensemble, batch norm."""

import torch
import torch.nn.functional as F
from torch import nn

from mnist_helpers._support.translation import say
from mnist_helpers.augment import BLACK
from mnist_helpers.exercises.comparing import same
from mnist_helpers.exercises.core import Chapter
from mnist_helpers.exercises.inputs import random_numbers
from mnist_helpers.exercises.judging import NotYet, PassedByReference

exercises = Chapter("chapter_07")


@exercises.add(
    "The new average is a mixture of two things, and their shares add up to 1.",
    "A decay of 0.99 means that nearly all of the old average stays.",
    "decay is the share of the old average. The weight has the share that is left.",
)
def ema(average, weight, decay):
    # a mixture: with shares that add up to 1 the average can neither grow nor shrink by itself
    return decay * average + (1 - decay) * weight


@ema.checker
def check_ema(ask):
    """Check three weights, a matrix with another decay, decay 0, which keeps nothing, and decay 1, which keeps all."""
    average, weight = torch.tensor([1.0, -2.0, 0.5]), torch.tensor([3.0, 1.0, -1.0])
    reason = "That is no mixture of the average and the weight with the shares decay and 1 - decay."
    same(ask(average, weight, 0.9), [1.2, -1.7, 0.35], _wrong_averages(average, weight, 0.9), reason)
    matrices = random_numbers(2, 3, seed=1), random_numbers(2, 3, seed=2)
    reason = "Right for a decay of 0.9, but not for 0.75: is a number written into it?"
    same(ask(*matrices, 0.75), matrices[0].lerp(matrices[1], 0.25), otherwise=reason)
    same(ask(*matrices, 0.0), matrices[1], otherwise="With a decay of 0 nothing is kept: the average is the weight.")
    same(ask(*matrices, 1.0), matrices[0], otherwise="With a decay of 1 all is kept: the average stays as it is.")


def _wrong_averages(average, weight, decay):
    kept, new = decay * average, (1 - decay) * weight
    return [
        (
            average.lerp(weight, decay),
            "The shares have changed places: the average keeps decay, the weight adds the rest.",
        ),
        ((average + weight) / 2, "That is the mean of both: then half of it is the latest weight. Where is the decay?"),
        (kept + weight, "You added all of the weight: what momentum does. The shares must add up to 1."),
        (kept + decay * weight, "Both got the share decay. The shares must add up to 1."),
        (average + new, "You kept all of the average, so it grows with every step. The shares must add up to 1."),
        (kept - new, "The share of the weight is added, not subtracted."),
        (kept, "The weight is missing: it adds its share, 1 - decay."),
        (new, "The old average is missing: it keeps its share, decay."),
        (average, "That is the old average: the weight has no share in it."),
        (weight, "That is the weight itself: nothing is averaged."),
        ((kept + new) / 2, "The two shares add up to 1 already: do not divide by 2."),
        ((kept.mean() + new.mean()), "You averaged over the weights of the layer. Each weight has its own average."),
    ]


@exercises.add(
    "Two faults. What is the value of an empty pixel? And which images come out for pixels = 0?",
    "Fill with BLACK in place of 0. And a slice that ends at -0 ends at the beginning: it is empty.",
    "torch.full_like makes a tensor full of one value. End the slice at images.shape[2] - pixels.",
)
def shift_down(images, pixels):
    # after normalisation an empty pixel is BLACK, about -0.424: 0 would be grey
    shifted = torch.full_like(images, BLACK)
    # the end is counted from the top, since [:-0] would be empty
    shifted[:, :, pixels:] = images[:, :, : images.shape[2] - pixels]
    return shifted


def some_digits(*shape, seed=4):
    """Return random normalised images of this shape, without two equal pixels."""
    return random_numbers(*shape, seed=seed)


@shift_down.checker
def check_shift_down(ask):
    """Check three shifts, none at all, and that the given images stay as they are."""
    for shape, pixels in [((2, 1, 6, 5), 2), ((3, 1, 28, 28), 1), ((1, 1, 4, 4), 3)]:
        images = some_digits(*shape)
        given = say("images of shape {shape} and a shift of {pixels}", shape=list(shape), pixels=pixels)
        same(ask(images, pixels), shifted_by_rows(images, pixels), _wrong_shifts(images, pixels), given=given)
    images = some_digits(2, 1, 6, 5)
    try:
        unmoved = ask(images, 0)
    except NotYet as problem:  # a slice that ends at -0 is empty and does not fit
        raise NotYet("Right for shifts of 1 to 3 pixels, but for a shift of 0 {problem}", problem=problem) from None
    same(unmoved, images, otherwise="A shift by 0 pixels leaves every image as it is.")
    passed = images.clone().as_subclass(PassedByReference)
    ask(passed, 2)
    if not torch.equal(images, passed):
        raise NotYet("The answer is right, but you changed the given images in place. Leave them as they are.")


def shifted_by_rows(images, pixels):
    """Return the images moved down by `pixels` rows, with black rows on top."""
    black = torch.full_like(images[:, :, :pixels], BLACK)
    return torch.cat([black, images[:, :, : images.shape[2] - pixels]], dim=2)


def _wrong_shifts(images, pixels):
    right = shifted_by_rows(images, pixels)
    zeros, wrapped = right.clone(), images.roll(pixels, dims=2)
    zeros[:, :, :pixels] = 0
    up = torch.cat([images[:, :, pixels:], torch.full_like(images[:, :, :pixels], BLACK)], dim=2)
    sideways = shifted_by_rows(images.transpose(2, 3), pixels).transpose(2, 3)
    doubled = right.clone()
    doubled[:, :, :pixels] = images[:, :, :pixels]
    return [
        (zeros, "The rows on top are 0, which is grey after normalisation. Fill them with BLACK."),
        (wrapped, "The rows that leave at the bottom come back on top. Fill the top with BLACK."),
        (up, "Your images move up. The rows on top are the ones to be filled."),
        (sideways, "Your images move to the right. Rows are the third dimension of [N, 1, H, W]."),
        (doubled, "The rows on top still show the old image. Fill them with BLACK."),
        (images, "Your images have not moved."),
    ]


@exercises.add(
    "What is the target of one image? Ten numbers that add up to 1.",
    "Each class gets epsilon / K, where K is the number of classes, and the right one 1 - epsilon on top of it.",
    "Multiply target and log-probabilities, add up over the classes, and take the mean over the images. Mind the sign.",
    stars=2,
)
def smoothed_loss(log_probs, labels, epsilon):
    images, classes = log_probs.shape
    target = torch.full((images, classes), epsilon / classes)  # every class gets its part of epsilon
    target[range(images), labels] += 1 - epsilon
    return -(target * log_probs).sum(dim=1).mean()


LOG_PROBS, FIVE_LABELS = (2 * random_numbers(5, 10, seed=5)).log_softmax(dim=1), torch.tensor([3, 0, 3, 9, 1])


@smoothed_loss.checker
def check_smoothed_loss(ask):
    """Compare with torch: five images with ten classes, one image with three, epsilon 0 and epsilon 1."""
    right = F.cross_entropy(LOG_PROBS, FIVE_LABELS, label_smoothing=0.3)
    reason = "Look at the target of a single image first: ten numbers, all positive, that add up to 1."
    same(ask(LOG_PROBS, FIVE_LABELS, 0.3), right, _wrong_losses(LOG_PROBS, FIVE_LABELS, 0.3), reason)
    single = torch.tensor([[2.0, 1.0, -1.0]]).log_softmax(dim=1), torch.tensor([2])
    reason = "Right for five images with ten classes, but not for one with three: is the 10 written into it?"
    same(ask(*single, 0.3), F.cross_entropy(*single, label_smoothing=0.3), otherwise=reason)
    reason = "With an epsilon of 0 nothing is smoothed: the loss is the negative log-likelihood."
    same(ask(LOG_PROBS, FIVE_LABELS, 0.0), F.nll_loss(LOG_PROBS, FIVE_LABELS), otherwise=reason)
    reason = "Right for an epsilon of 0.3, but not for 1, where all classes have the same share."
    same(ask(LOG_PROBS, FIVE_LABELS, 1.0), -LOG_PROBS.mean(), otherwise=reason)


def _wrong_losses(log_probs, labels, epsilon):
    """Return the results of known mistakes for five images with ten classes, with explanations."""
    losses = F.cross_entropy(log_probs, labels, label_smoothing=epsilon, reduction="none")  # [5]
    plain = F.nll_loss(log_probs, labels, reduction="none")
    others = -log_probs.sum(dim=1) - plain
    probabilities = log_probs.exp()
    target = (1 - epsilon) * F.one_hot(labels, 10) + epsilon / 10
    over_probabilities = -(target * probabilities).sum(dim=1).mean()
    smoothed = F.nll_loss(((1 - epsilon) * probabilities + epsilon / 10).log(), labels)
    by_target = [(*target_of(epsilon), reason) for target_of, reason in WRONG_TARGETS]
    return [
        *(((right * plain + other * others).mean(), reason) for right, other, reason in by_target),
        (losses.sum(), "You added up the losses of the images. Return their mean."),
        (losses, "That is one loss an image. Return their mean, a single number."),
        (-losses.mean(), "The sign is wrong: log-probabilities are negative, the loss is positive."),
        (losses.mean() / 10, "You averaged over the classes as well. Sum over the classes, mean over the images."),
        (smoothed, "You smoothed the network's probabilities. Smooth the target: what the loss asks for."),
        (over_probabilities, "You multiplied the target by probabilities. Take the log-probabilities, as they came."),
    ]


# For ten classes: the target of the right class, the target of the others, and the explanation
WRONG_TARGETS = [
    (lambda e: (1, 0), "Nothing is smoothed: that is the negative log-likelihood. Where is epsilon?"),
    (lambda e: (1 - e, e / 9), "You spread epsilon over the nine wrong classes. Spread it over all ten."),
    (
        lambda e: (1 - e, e / 10),
        "Your targets add up to less than 1: the right class gets epsilon / 10 too, on top of 1 - epsilon.",
    ),
    (
        lambda e: (1 - e, 0),
        "Your targets add up to less than 1: epsilon is taken from the right class, but no class gets it.",
    ),
    (
        lambda e: (1 - e + e / 10, e / 9),
        "Your targets add up to more than 1: each wrong class gets epsilon / 10, not epsilon / 9.",
    ),
    (
        lambda e: (1 + e / 10, e / 10),
        "Your targets add up to more than 1: the right class gives epsilon away, and gets epsilon / 10 back.",
    ),
    (
        lambda e: (1, e / 9),
        "Your targets add up to more than 1: the right class gives nothing away, and nine get epsilon / 9.",
    ),
    (
        lambda e: (1, e / 10),
        "Your targets add up to more than 1: the right class gives nothing away, and nine get epsilon / 10.",
    ),
    (
        lambda e: (1, e),
        "Your targets add up to more than 1: each class got all of epsilon. It is shared: epsilon / 10 each.",
    ),
    (
        lambda e: (1 - e, e),
        "Your targets add up to more than 1: each wrong class got all of epsilon. It is shared: epsilon / 10 each.",
    ),
    (lambda e: (e + (1 - e) / 10, (1 - e) / 10), "The shares have changed places: 1 - epsilon is spread in yours."),
    (lambda e: (e / 10, e / 10), "That is the spread part alone. The right class has 1 - epsilon on top of it."),
    (lambda e: (0, e / 10), "The wrong classes alone count here. The right one has most of the target."),
    (lambda e: (1 - e - e / 10, -e / 10), "You subtracted the spread part. Both parts are added."),
]


@exercises.add(
    "Each network gives log-probabilities. What has to happen to them before they are averaged?",
    "Switch each network to eval mode first. exp() turns log-probabilities into probabilities.",
    "torch.stack puts the probabilities of all networks into one tensor [networks, N, 10]. Average over its first "
    "dimension.",
    stars=2,
)
def ensemble(models, images):
    # in train mode dropout and batch normalisation would change the answers
    probabilities = [model.eval()(images).exp() for model in models]
    return torch.stack(probabilities).mean(dim=0)


class FixedNetwork(nn.Module):
    """Answers with stored log-probabilities [N, 10], and with other ones in train mode."""

    def __init__(self, log_probs: torch.Tensor):
        super().__init__()
        self.log_probs = log_probs

    def forward(self, images):
        log_probs = self.log_probs[: len(images)]
        return log_probs.flip(1) if self.training else log_probs


def fixed_networks(count: int, images: int, seed: int) -> list[FixedNetwork]:
    """Return networks in train mode that disagree about the images."""
    return [
        FixedNetwork((2 * random_numbers(images, 10, seed=seed + index)).log_softmax(dim=1)) for index in range(count)
    ]


def mean_of_probabilities(models):
    """Return the right answer, computed without the student's tools."""
    return sum(model.log_probs.double().exp() for model in models) / len(models)


@ensemble.checker
def check_ensemble(ask):
    """Check three networks and four images, a single network, and five."""
    models, images = fixed_networks(3, 4, seed=1), torch.zeros(4, 1, 28, 28)
    given = "three networks and four images"
    same(ask(models, images), mean_of_probabilities(models), _wrong_ensembles(models), given=given)
    for count, number in [(1, 2), (5, 3)]:
        models = fixed_networks(count, number, seed=20)
        reason = say(
            "Right for three networks and four images, but not for {count} and {number}.", count=count, number=number
        )
        same(ask(models, torch.zeros(number, 1, 28, 28)), mean_of_probabilities(models), otherwise=reason)


def _wrong_ensembles(models):
    log_probs = torch.stack([model.log_probs for model in models])  # [networks, N, 10]
    probabilities, votes = log_probs.exp(), F.one_hot(log_probs.argmax(dim=2), 10).double()
    answers = probabilities.mean(dim=0).argmax(dim=1)
    return [
        (probabilities.mean(dim=0).flip(1), "The networks answer in train mode. Switch each to eval mode first."),
        (log_probs.mean(dim=0).exp(), "You averaged the log-probabilities. Make probabilities of them first."),
        (log_probs.mean(dim=0), "You averaged the log-probabilities. Make probabilities of them first, with exp()."),
        (log_probs.mean(dim=0).softmax(dim=1), "You averaged the log-probabilities, then made probabilities of them."),
        (probabilities.sum(dim=0), "You added the probabilities up. Return their mean."),
        (probabilities.mean(dim=0).log(), "These are log-probabilities of the mean. Return the probabilities."),
        (probabilities[0], "That is the answer of the first network alone."),
        (probabilities[-1], "That is the answer of the last network alone."),
        (probabilities.max(dim=0).values, "You took the largest of the probabilities. Return their mean."),
        (votes.mean(dim=0), "These are the shares of the votes. Average the probabilities."),
        (answers, "These are the predicted digits. Return the mean probabilities, of shape [N, 10]."),
        (probabilities.mean(dim=1), "You averaged over the images. Average over the networks."),
        (probabilities, "These are the probabilities of each network. Return their mean over the networks."),
    ]


@exercises.add(
    "Which numbers belong to one channel? All images, all rows, all columns: dimensions 0, 2 and 3. In train mode they "
    "give the mean and the variance to use; in eval mode the running values are used.",
    "A [C] tensor meets [N, C, H, W] as mean[:, None, None]. The variance of x divides by n: var(..., correction=0).",
    "In train mode each running value keeps the share 1 - momentum and gets the share momentum from the batch. The "
    "running variance collects the one that divides by n - 1, which var computes by default.",
    stars=3,
)
def batch_norm(x, running_mean, running_var, training, momentum):
    mean, var = running_mean, running_var  # eval mode: a single image has no batch
    if training:
        mean, var = x.mean(dim=(0, 2, 3)), x.var(dim=(0, 2, 3), correction=0)
        running_mean = (1 - momentum) * running_mean + momentum * mean
        running_var = (1 - momentum) * running_var + momentum * x.var(dim=(0, 2, 3))
    normalised = (x - mean[:, None, None]) / torch.sqrt(var[:, None, None] + 1e-5)
    return normalised, running_mean, running_var


def channels(shape, seed):
    """Return maps of this shape whose channels differ in mean and scale, with running means and variances."""
    scale, mean = torch.tensor([2.0, 0.01, 0.5, 1.0, 3.0])[: shape[1]], torch.arange(1.0, 1 + shape[1])
    x = random_numbers(*shape, seed=seed) * scale[:, None, None] + mean[:, None, None]
    x = x + 0.3 * random_numbers(shape[0], 1, 1, 1, seed=seed)  # images differ in brightness
    return x, 0.5 * mean + 0.2, 0.4 * scale + 0.3


def torch_batch_norm(x, running_mean, running_var, training, momentum):
    """Return the normalised maps and the new running values computed by torch."""
    running_mean, running_var = running_mean.clone(), running_var.clone()
    normalised = F.batch_norm(x, running_mean, running_var, training=training, momentum=momentum)
    return normalised, running_mean, running_var


@batch_norm.checker
def check_batch_norm(ask):
    """Compare with torch: a batch in both modes, then a single image with another momentum."""
    batch = channels((4, 3, 5, 6), seed=1)
    _check_mode(ask, (*batch, True, 0.25), "In train mode", _wrong_in_train_mode(*batch, 0.25))
    _check_mode(ask, (*batch, False, 0.25), "In eval mode", _wrong_in_eval_mode(*batch, 0.25))
    case = "Right for one batch, but for a single image of two channels and a momentum of 0.1"
    single = channels((1, 2, 3, 4), seed=2)
    for training in (True, False):
        _check_mode(ask, (*single, training, 0.1), case, [[], [], []])


def _check_mode(ask, arguments, case, wrong):
    """Compare each of the three results, then check that the arguments were not changed in place."""
    passed = [value.clone().as_subclass(PassedByReference) for value in arguments[:3]]
    found, right = ask(*passed, *arguments[3:]), torch_batch_norm(*arguments)
    count = len(found) if isinstance(found, (tuple, list)) else 1
    if count != 3:
        raise NotYet("Return three things, the result, running_mean and running_var. Yours: {count}.", count=count)
    for name, one, other, mistakes in zip(["the result", "running_mean", "running_var"], found, right, wrong):
        same(one, other, mistakes, say("{case}, {name} is not right.", case=case, name=name))
    for name, before, after in zip(["x", "running_mean", "running_var"], arguments, passed):
        if not torch.equal(before, after):
            raise NotYet(
                "The answer is right, but you changed {name} in place. Leave it as it is: return new tensors.",
                name=name,
            )


def _wrong_in_train_mode(x, running_mean, running_var, momentum):
    """Return the known mistakes for each of the three results."""
    mean, var, divided_by_n = x.mean((0, 2, 3)), x.var((0, 2, 3)), x.var((0, 2, 3), correction=0)
    into_variance = [
        (divided_by_n, "your running variance takes the one that divides by n. Here it is n - 1, as in PyTorch."),
        (var.sqrt(), "your running variance takes the standard deviation. Take the variance, its square."),
        (divided_by_n.sqrt(), "your running variance takes the standard deviation. Take the variance, its square."),
        (x.var(), "your running variance takes that of all channels. Each channel has its own."),
    ]
    return (
        _wrong_maps(x, running_mean, running_var, momentum),
        _wrong_running(running_mean, mean, momentum, "mean"),
        [
            *_wrong_running(running_var, var, momentum, "variance"),
            *((running_var.lerp(one, momentum), say("In train mode", reason)) for one, reason in into_variance),
        ],
    )


def _normalised(x, mean, var):
    return (x - mean) / (var + 1e-5).sqrt()


def _wrong_maps(x, running_mean, running_var, momentum):
    """Yield the maps that known mistakes give in train mode, with explanations."""
    mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
    yield from _wrong_formulas(x, mean[:, None, None], var[:, None, None])
    new_mean, new_var = torch_batch_norm(x, running_mean, running_var, True, momentum)[1:]
    for one, other, reason in [
        (running_mean, running_var, "you used the running values. Use this batch's mean and variance."),
        (mean, running_var, "you used the running variance. Use this batch's."),
        (running_mean, var, "you used the running mean. Use this batch's."),
        (new_mean, new_var, "you used the new running values. Use this batch's mean and variance."),
        (mean, x.var((0, 2, 3)), "the maps are normalised by the variance that divides by n, not n - 1."),
    ]:
        yield _normalised(x, one[:, None, None], other[:, None, None]), say("In train mode", reason)
    for dims, reason in WRONG_DIMENSIONS:
        for correction in (0, 1):
            other = _normalised(x, x.mean(dims, keepdim=True), x.var(dims, correction=correction, keepdim=True))
            yield other, say("In train mode {reason} Average over dimensions 0, 2 and 3.", reason=reason)


def _wrong_formulas(x, mean, var):
    """Return the maps for wrong formulas with the right mean and variance, both [C, 1, 1]."""
    std, centred = (var + 1e-5).sqrt(), x - mean
    return [
        (maps, say("In train mode", reason))
        for maps, reason in [
            (centred / (var + 1e-5), "you divided by the variance. Divide by its square root."),
            (centred / (var.sqrt() + 1e-5), "you added 0.00001 to the standard deviation. Add it to the variance."),
            (centred / var.sqrt(), "0.00001 is missing: without it a channel without spread would divide by 0."),
            (centred * std, "you multiplied by the standard deviation. Divide by it."),
            (centred, "you subtracted the mean alone. Divide by the standard deviation too."),
            (x / std, "you divided by the standard deviation alone. Subtract the mean first."),
            (x - mean / std, "parentheses are missing: subtract first, then divide."),
            (-centred / std, "the sign is wrong: subtract the mean from x."),
            (x, "the maps came back as they were."),
        ]
    ]


WRONG_DIMENSIONS = [
    ((0, 1, 2, 3), "you normalised all channels together. Each channel has its own mean and variance."),
    ((2, 3), "you normalised each map of each image by itself. A channel's maps of all images belong together."),
    ((1, 2, 3), "you normalised each image by itself. A channel's maps of all images belong together."),
    ((0,), "you normalised each pixel by itself. All places of a channel belong together."),
    ((1,), "you normalised over the channels. Each channel has its own mean and variance."),
]


def _wrong_running(old, batch, momentum, name):
    swapped = "the shares of your running {name} have changed places: momentum is the share of the batch here."
    reasons = [
        (old, "the running {name} moves: by momentum towards this batch's {name}."),
        (batch, "you returned the {name} of this batch. The running one moves by momentum towards it."),
        (batch.lerp(old, momentum), swapped),
        ((old + batch) / 2, "your running {name} is the mean of both. Momentum is the share of the batch."),
        (old + momentum * batch, "your running {name} grows: the old one keeps the share 1 - momentum only."),
    ]
    return [(value, say("In train mode", reason, name=name)) for value, reason in reasons]


def _wrong_in_eval_mode(x, running_mean, running_var, momentum):
    in_train_mode, new_mean, new_var = torch_batch_norm(x, running_mean, running_var, True, momentum)
    mean, var = running_mean[:, None, None], running_var[:, None, None]
    batch = "In eval mode you used this batch's mean and variance. Use the running ones: a single image has no batch."
    root = "In eval mode you divided by the variance, running_var. Divide by its square root."
    still = "In eval mode nothing is collected: return the running values as they came."
    return (
        [
            (in_train_mode, batch),
            (_normalised(x, new_mean[:, None, None], new_var[:, None, None]), still),
            ((x - mean) / var, root),
            ((x - mean) / (var + 1e-5), root),
            (x, "In eval mode the maps came back as they were. Normalise them by the running values."),
        ],
        [(new_mean, still), (x.mean((0, 2, 3)), still)],
        [(new_var, still), (x.var((0, 2, 3)), still), (x.var((0, 2, 3), correction=0), still)],
    )
