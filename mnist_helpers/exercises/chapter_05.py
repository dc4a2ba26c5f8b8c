"""Exercises of 05_predictions: predicted class, confusion matrix, precision and recall, inverting, rejection, TTA."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from mnist_helpers.data import MEAN, STD
from mnist_helpers.exercises.core import Chapter, NotYet, array, random_numbers, same

exercises = Chapter("chapter_05")


def random_classes(count, seed):
    """Return reproducible random classes 0 to 9."""
    return torch.randint(0, 10, (count,), generator=torch.Generator().manual_seed(seed))


@exercises.add(
    "You need the place of the largest number of each row, not the number itself.",
    "argmax gives the place. Its dim says along which dimension to search: the classes are dimension 1.",
)
def predicted(log_probs):
    return log_probs.argmax(dim=1)


LOG_PROBS = random_numbers(5, 10, seed=4).log_softmax(dim=1)


@predicted.checker
def check_predicted(ask):
    """Check five images, a single one, and ten images, where a wrong dimension does not change the shape."""
    largest, places = LOG_PROBS.max(dim=1)
    wrong = [
        (LOG_PROBS.argmax(dim=0), "You got ten answers for five images: you searched along the images. Use dim=1."),
        (LOG_PROBS.argmax(), "That is one number for the whole batch. Each row has its own answer: use dim=1."),
        (largest, "That is the largest log-probability of each row. The class is its place: argmax, not max."),
        (largest.exp(), "That is the confidence, the largest probability of each row. The class is its place."),
        (
            LOG_PROBS.argmin(dim=1),
            "That is the least likely class of each image. The likeliest has the largest number.",
        ),
        ((largest, places), "max(dim=1) gives two things, the numbers and their places. Return the places alone."),
        (places[:, None], "The classes are right, but one a row: [5, 1]. Return [5], without keepdim."),
        (places + 1, "The classes are counted from 0: the first column is class 0."),
        (np.eye(10)[places], "You marked the class in each row. Return its number."),
    ]
    same(ask(LOG_PROBS), places, wrong)
    same(ask(LOG_PROBS[:1]), places[:1], otherwise="Right for five images, but not for a single one: return [1].")
    each = torch.tensor([3, 9, 0, 7, 1, 8, 5, 2, 6, 4])
    sure = (9 * torch.eye(10)[each]).log_softmax(dim=1)
    same(ask(sure), each, otherwise="Right for five images, but not for ten that show one class each.")


@exercises.add(
    "Start with 10 by 10 zeros and go through the pairs of label and prediction.",
    "Each pair adds 1 to one square. Which of the two is the row?",
    "for label, prediction in zip(labels, predictions): matrix[label, prediction] += 1",
)
def confusion(labels, predictions):
    matrix = torch.zeros(10, 10, dtype=torch.int64)
    for label, prediction in zip(labels, predictions):
        matrix[label, prediction] += 1
    return matrix


SOME_LABELS = torch.tensor([3, 3, 3, 5, 5, 0, 8, 3, 1, 5, 8])
SOME_PREDICTIONS = torch.tensor([3, 5, 5, 5, 3, 0, 3, 3, 1, 5, 1])


def counted(labels, predictions):
    """Return the confusion matrix computed by NumPy's histogram2d."""
    return np.histogram2d(labels.numpy(), predictions.numpy(), bins=10, range=[[0, 10], [0, 10]])[0]


@confusion.checker
def check_confusion(ask):
    """Check eleven images with missing classes and repeated pairs, then many images, one image and a frequent pair."""
    right = counted(SOME_LABELS, SOME_PREDICTIONS)
    same(ask(SOME_LABELS, SOME_PREDICTIONS), right, _wrong_matrices(right))
    many = random_classes(500, seed=1), random_classes(500, seed=2)
    same(ask(*many), counted(*many), otherwise="Right for a few images, but not for 500 that show all classes.")
    single = torch.tensor([9]), torch.tensor([2])
    same(ask(*single), counted(*single), otherwise="For a single 9, read as 2, row 9 should have a 1 in column 2.")
    often = torch.full((300,), 7), torch.full((300,), 1)
    reason = (
        "For three hundred 7s, read as 1, row 7 should have 300 in column 1: does your matrix hold small numbers only?"
    )
    same(ask(*often), counted(*often), otherwise=reason)


def _wrong_matrices(right):
    occurring, rows = [0, 1, 3, 5, 8], right.sum(axis=1, keepdims=True)
    columns = right.sum(axis=0, keepdims=True)
    return [
        (right.T, "Rows and columns have changed places: the row is the true class, the column the predicted one."),
        (right / 11, "You divided by the number of images. Return the counts."),
        (right / np.maximum(rows, 1), "You divided each row by its sum. Return the counts."),
        (right / np.maximum(columns, 1), "You divided each column by its sum. Return the counts."),
        (
            right > 0,
            "Pairs that occur twice count once in your matrix: matrix[labels, predictions] += 1 adds to a square once.",
        ),
        (
            right[np.ix_(occurring, occurring)],
            "The classes that no image here has are missing. Make it 10 by 10, whatever the labels are.",
        ),
        (right[:9, :9], "Your matrix ends at the largest class of these images, 8. Make it 10 by 10."),
        (right.flatten(), "The counts are right, but in one row of 100. Give it the shape [10, 10]."),
        (np.diag(np.diag(right)), "You counted the right answers only. The mistakes belong beside the diagonal."),
        (right - np.diag(np.diag(right)), "You counted the mistakes only. The right answers belong on the diagonal."),
        (np.diag(right), "That is how many of each class are right, the diagonal. The mistakes are missing."),
    ]


@exercises.add(
    "Both divide the same number, the digit's square on the diagonal, but by different sums.",
    "Recall divides by all images that show the digit, its row. Precision divides by all answers that name it, its "
    "column.",
    "The column's sum is matrix[:, digit].sum(). Where it is 0, do not divide: the precision is 0.0.",
)
def precision_recall(matrix, digit):
    right = matrix[digit, digit]
    answers = matrix[:, digit].sum()
    precision = right / answers if answers > 0 else 0.0
    recall = right / matrix[digit].sum()
    return precision, recall


def random_matrix(seed):
    """Return the confusion matrix of an inaccurate network, in the format of scikit-learn."""
    labels = torch.cat([torch.arange(10), random_classes(400, seed)])
    predictions = torch.where(random_numbers(410, seed=seed) > 0, labels, random_classes(410, seed + 1))
    return counted(labels, predictions).astype(np.int64)


def rates(matrix, digit):
    """Return precision and recall; the precision is 0 if the digit was never predicted."""
    hits, answers, images = (float(n) for n in (matrix[digit, digit], sum(matrix[:, digit]), sum(matrix[digit])))
    return hits / max(answers, 1.0), hits / images


@precision_recall.checker
def check_precision_recall(ask):
    """Check all digits of a matrix, then a digit never found, one never predicted, and one that is the only class."""
    matrix = random_matrix(seed=1)
    same(ask(matrix, 3), rates(matrix, 3), _wrong_rates(matrix, 3))
    for digit in range(10):
        reason = f"Right for the digit 3, but not for {digit}: is a digit written into it?"
        same(ask(matrix, digit), rates(matrix, digit), otherwise=reason)
    never_found, never_predicted = random_matrix(seed=2), random_matrix(seed=3)
    never_found[6, 6], never_predicted[:, 4] = 0, 0
    same(ask(never_found, 6), (0, 0), otherwise="No 6 was read as 6 in this matrix: both are 0.0.")
    _check_never_predicted(ask, never_predicted, 4)
    alone = np.diag(np.arange(1, 11))
    alone[0, 1] = 1
    reason = "Of this matrix's two 0s one was found, and the one answer 0 was right: precision 1, recall one half."
    same(ask(alone, 0), (1, 0.5), otherwise=reason)


def _check_never_predicted(ask, matrix, digit):
    case = f"The digit {digit} was never predicted in this matrix"
    try:
        found = ask(matrix, digit)
    except NotYet as error:
        raise NotYet(f"{case}: return a precision of 0.0 then. Here {error}") from None
    if np.isnan(array(found)).any():
        raise NotYet(f"{case}, and 0 / 0 gave nan. Look before you divide, and return a precision of 0.0 then.")
    same(found, (0, 0), otherwise=f"{case}, nor was it found: precision and recall are both 0.0.")


def _wrong_rates(matrix, digit):
    hits, answers, images = matrix[digit, digit], matrix[:, digit].sum(), matrix[digit].sum()
    precision, recall = rates(matrix, digit)
    accuracy, all_images = np.trace(matrix) / matrix.sum(), matrix.sum()
    return [
        ((recall, precision), "The two have changed places: precision divides by the column, recall by the row."),
        ((accuracy, accuracy), "That is the accuracy over all classes, twice. Look at the digit's row and column."),
        ((hits / all_images, hits / all_images), "You divided by all images. Each of the two has a sum of its own."),
        ((1 - precision, 1 - recall), "These are the shares of the mistakes. Divide the square on the diagonal."),
        (
            (hits / (answers - hits), hits / (images - hits)),
            "You divided by the mistakes. The right answers are part of both sums: the whole column, the whole row.",
        ),
        ((precision, precision), "The precision is right, but came twice. Recall divides by the row of the digit."),
        ((recall, recall), "The recall is right, but came twice. Precision divides by the column of the digit."),
        ((precision, accuracy), "The precision is right. The second is the accuracy over all classes, not the recall."),
        ((answers, images), "These are the two sums to divide by. Which number is divided?"),
        ((100 * precision, 100 * recall), "These are per cent. Return shares between 0 and 1."),
        ((0, 0), "Both are 0, but some were right: does a // or an int() cut the shares off?"),
        (precision, "That is the precision. Return the recall with it: precision, recall."),
        (recall, "That is the recall. Return the precision before it: precision, recall."),
    ]


@exercises.add(
    "A thick digit may cover more than half of the picture, and the middle of a 0 is paper. Where is paper for sure?",
    "Collect the four sides of the border: picture[0], picture[-1], picture[:, 0] and picture[:, -1]. A digit may "
    "touch one of them, but most of them together is paper.",
    "If the border's median is above 127 the paper is light: return 255 - picture.",
)
def light_on_black(picture):
    border = torch.cat([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
    return 255 - picture if border.median() > 127 else picture


def drawn(kind, paper, ink):
    """Return a picture uint8 [H, W] of one digit, with one row of intermediate grey values."""
    mask = torch.zeros(20, 16)
    if kind == "thin 0":
        mask[4:16, 4:12] = 1
        mask[6:14, 6:10] = 0
    elif kind == "thick 1":
        mask[1:19, 2:14] = 1
    elif kind == "thick 0":
        mask[1:19, 1:15] = 1
        mask[8:12, 6:10] = 0
    else:  # a 7 whose bar touches the upper edge
        mask[:3, :12] = 1
        mask[3:17, 9:12] = 1
    mask[10] *= 0.6
    return (paper + (ink - paper) * mask).to(torch.uint8)


def all_pictures():
    """Return pictures by name, each on light and on dark paper, with different grey values."""
    pictures = {}
    for number, kind in enumerate(["thin 0", "thick 1", "thick 0", "7"]):
        name = f"a {kind}" if kind != "7" else "a 7 that touches the upper side of the border,"
        pictures[f"{name} on light paper"] = drawn(kind, 240 - 20 * number, 10 + 9 * number)
        pictures[f"{name} on dark paper"] = drawn(kind, 8 * number, 251 - 14 * number)
    for turns, side in enumerate(["left", "lower", "right"], start=1):
        name = f"a stroke along the {side} side of the border,"
        pictures[f"{name} on light paper"] = torch.rot90(drawn("7", 255, 5 + turns), turns)
        pictures[f"{name} on dark paper"] = torch.rot90(drawn("7", 9 + turns, 255), turns)
    return pictures


PICTURES = all_pictures()


@light_on_black.checker
def check_light_on_black(ask):
    """Check thin and thick digits and some that touch the border: first the values, then which were inverted."""
    decisions = {}
    for name, picture in PICTURES.items():
        answer = ask(picture)
        decisions[name] = not np.array_equal(array(answer), picture.numpy())
        if decisions[name]:
            same(answer, 255 - picture, _wrong_inversions(picture), f"Neither {name} nor its inverse came back.")
    should = {name: "light paper" in name for name in PICTURES}
    if all(decisions[name] != should[name] for name in PICTURES):
        raise NotYet("You invert where the paper is dark. It is the other way round: light paper is to become black.")
    for rule, reason in WRONG_RULES:
        if decisions == {name: rule(picture) for name, picture in PICTURES.items()}:
            raise NotYet(reason)
    for name in PICTURES:
        if decisions[name] != should[name]:
            raise NotYet(f"You {'inverted' if decisions[name] else 'did not invert'} {name}: what is its paper like?")


def _wrong_inversions(picture):
    exact, scaled = picture.double(), picture.double() / 255
    wrapped = (
        "1 - x inverts numbers between 0 and 1. These are whole numbers 0 to 255, and in uint8 what falls below 0 "
    )
    return [
        (1 - picture, wrapped + "begins again at 255."),
        (1 - exact, "1 - x inverts numbers between 0 and 1. These go up to 255, and your answer falls below 0."),
        (1 - scaled, "Your answer has numbers between 0 and 1. Return 0 to 255, as they came."),
        (scaled, "Your answer has numbers between 0 and 1. Return 0 to 255, as they came."),
        (-exact, "You turned the sign. Inverting turns 0 into 255 and 255 into 0."),
        (-picture, "You subtracted from 256 (in uint8, -x does the same). The largest number is 255."),
        (
            exact.max() - exact,
            "You subtracted from the picture's largest number. Subtract from 255, whatever the picture holds.",
        ),
        (255 * (picture > 127), "You made black and white of it. The greys between should stay greys."),
        (255 * (picture <= 127), "You made black and white of it. The greys between should stay greys, inverted."),
        (picture.flip(0), "You turned the picture upside down. Light and dark should change places, not the rows."),
        (picture.flip(1), "You mirrored the picture. Light and dark should change places, not the columns."),
        (picture.T, "Rows and columns have changed places. They should stay where they are."),
    ]


def _border_spots():
    """Yield rules that look at a single corner or side only."""
    for row in (0, -1):
        for column in (0, -1):
            yield lambda picture, row=row, column=column: picture[row, column] > 127
    for side in range(4):
        yield lambda picture, side=side: torch.rot90(picture, side)[0].double().mean() > 127


WRONG_RULES = [
    (lambda picture: False, "You never invert: dark ink on light paper should come back inverted."),
    (lambda picture: True, "You always invert: a picture that is light on black already should stay as it is."),
    (
        lambda picture: picture.double().mean() > 127,
        "You judged by the whole picture, but a thick digit covers more than half of it. Where is paper for sure?",
    ),
    (
        lambda picture: picture[picture.shape[0] // 2, picture.shape[1] // 2] > 127,
        "You took the middle of the picture for paper: in a 0 it is, in a 1 it is ink. Look at the border.",
    ),
    (
        lambda picture: picture[picture.shape[0] // 2, picture.shape[1] // 2] < 127,
        "You took the middle of the picture for ink: in a 1 it is, in a 0 it is paper. Look at the border.",
    ),
    *[
        (
            spot,
            "You looked at one corner or side of the border, and a digit may touch it there. Look at all four sides.",
        )
        for spot in _border_spots()
    ],
]


@exercises.add(
    "Put the images in the order of their confidence, the surest first. How many of them are kept?",
    "confidence.argsort(descending=True) gives that order; all but share * len(right) are kept, from its start.",
    "right[kept].float().mean() is the share of the kept answers that are right.",
)
def refuse(confidence, right, share):
    most_sure_first = confidence.argsort(descending=True)
    refused = round(share * len(right))
    kept = most_sure_first[: len(right) - refused]
    return right[kept].float().mean()


def answers_of_any_kind(count, seed):
    """Return different confidences in random order, and which answers are right, more often for high confidences."""
    generator = torch.Generator().manual_seed(seed)
    confidence = torch.linspace(0.15, 0.99, count)[torch.randperm(count, generator=generator)]
    return confidence, torch.rand(count, generator=generator) < confidence


def accuracy_of_kept(confidence, right, share):
    """Return the accuracy of the answers that are kept, computed with Python lists."""
    pairs = sorted(zip(confidence.tolist(), right.tolist()))[round(share * len(right)) :]
    return sum(is_right for _, is_right in pairs) / len(pairs)


@refuse.checker
def check_refuse(ask):
    """Check a quarter of twenty answers, then no rejection, other shares and other numbers of answers."""
    confidence, right = answers_of_any_kind(20, seed=103)
    same(ask(confidence, right, 0.25), accuracy_of_kept(confidence, right, 0.25), _wrong_refusals(confidence, right))
    found = ask(confidence, right, 0.0)
    if np.isnan(array(found)).any():
        raise NotYet("For a share of 0, nan came out: was nothing kept? A slice [:-0] is [:0], with nothing in it.")
    reason = "Right for a share of 0.25, but not for 0: nobody is refused then."
    same(found, accuracy_of_kept(confidence, right, 0.0), otherwise=reason)
    for count, share in [(20, 0.5), (20, 0.75), (20, 0.05), (200, 0.1), (8, 0.125)]:
        case = answers_of_any_kind(count, seed=count)
        reason = (
            f"Right for a share of 0.25 of 20 answers, but not for {share} of {count}: is a number written into it?"
        )
        same(ask(*case, share), accuracy_of_kept(*case, share), otherwise=reason)


def _wrong_refusals(confidence, right):
    """Return the results of known mistakes for 20 answers and a share of 0.25, with explanations."""
    correct, order = right.double(), confidence.argsort(descending=True)
    kept, refused = order[:15], order[15:]
    refuse_five = "A share of 0.25 means the 5 least confident of these 20 answers, however confident they are."
    return [
        (correct[order[5:]].mean(), "You refused the most confident answers: the sort goes the other way."),
        (correct[refused].mean(), "That is the accuracy of the 5 answers that are refused. Which ones are kept?"),
        (correct[order[:5]].mean(), "You kept a share of 0.25, the surest 5 of 20. It is the share to be refused."),
        (correct[confidence > 0.25].mean(), f"You compared the confidence with the share. {refuse_five}"),
        (correct[confidence > 0.75].mean(), f"You compared the confidence with 1 - share. {refuse_five}"),
        (correct[kept].sum() / 20, "You divided by all 20 answers. Only 15 are kept."),
        (correct[:15].mean(), "You kept the first 15 as they came. Sort by confidence first."),
        (correct[5:].mean(), "You kept the last 15 as they came. Sort by confidence first."),
        (correct.mean(), "That is the accuracy of all answers: nothing was refused."),
        (1 - correct[kept].mean(), "That is the share of the mistakes among the kept answers."),
        (correct[kept].sum(), "That is how many of the kept answers are right. Return their share."),
        (100 * correct[kept].mean(), "That is the accuracy in per cent. Return a share between 0 and 1."),
        (confidence[kept].mean(), "That is the mean confidence of the kept answers. How many of them are right?"),
        (right[kept], "That says which of the kept answers are right. Return their share, a single number."),
    ]


@exercises.add(
    "Shift an image by cutting 28 by 28 pixels out of a larger one, which has one more pixel of background all around.",
    "F.pad(images, (1, 1, 1, 1), value=images.min().item()) is the larger one; padded[:, :, 0:28, 1:29] is the digit "
    "moved down by one pixel.",
    "For each of the five cuts model(cut).exp() gives probabilities, in eval mode; torch.stack(...).mean(dim=0) is "
    "their mean.",
)
def average_over_shifts(model, images):
    model.eval()
    padded = F.pad(images, (1, 1, 1, 1), value=images.min().item())  # [N, 1, 30, 30]
    corners = [(1, 1), (0, 1), (2, 1), (1, 0), (1, 2)]  # the first one is the unshifted image
    with torch.inference_mode():
        log_probs = [model(padded[:, :, row : row + 28, column : column + 28]) for row, column in corners]
    return torch.stack(log_probs).exp().mean(dim=0)


class Tiny(nn.Module):
    """A network of two layers with fixed weights. In train mode it drops half of the pixels, always the same ones."""

    def __init__(self):
        super().__init__()
        self.weight1 = nn.Parameter(0.1 * random_numbers(784, 20, seed=4))
        self.weight2 = nn.Parameter(0.3 * random_numbers(20, 10, seed=4))

    def forward(self, images):
        pixels = images.flatten(1)
        if self.training:
            pixels = 2 * pixels * (torch.arange(784) % 2)
        return F.log_softmax(F.relu(pixels @ self.weight1) @ self.weight2, dim=1)  # [N, 10]


def inked_images(count, background=-MEAN / STD):
    """Return images [N, 1, 28, 28], about half ink and half background, with ink at the edges too."""
    return background + random_numbers(count, 1, 28, 28, seed=count).clamp(min=0)


STEPS = {"stay": (0, 0), "up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}


def moved(images, down, right, fill=None):
    """Return shifted images. The gaps are filled with `fill`, or wrapped around if `fill` is None."""
    images = images.roll((down, right), (2, 3))
    for dimension, steps in ((2, down), (3, right)):
        if steps and fill is not None:
            images.narrow(dimension, 0 if steps > 0 else 28 + steps, abs(steps)).fill_(fill)
    return images


def probabilities_of(model, images, steps=None, fill=...):
    """Return the probabilities [S, N, 10] of the images shifted by each step. `fill` defaults to the darkest value."""
    fill = images.min().item() if fill is ... else fill
    with torch.inference_mode():
        return torch.stack([model(moved(images, *step, fill)) for step in steps or STEPS.values()]).exp()


@average_over_shifts.checker
def check_average_over_shifts(ask):
    """Check a model given in train mode, then in eval mode with a single image and with another background."""
    model, images = Tiny(), inked_images(4)
    found = ask(model.train(), images)
    model.eval()
    same(found, probabilities_of(model, images).mean(dim=0), _wrong_averages(model, images), _explain_average(found))
    single = inked_images(1)
    same(
        ask(model, single),
        probabilities_of(model, single).mean(dim=0),
        otherwise="Right for four images, but not for a single one: return [1, 10].",
    )
    other = inked_images(3, background=0.7)
    constant = (
        (probabilities_of(model, other, fill=fill).mean(dim=0), f"{reason} Take the background from images.min().")
        for fill, reason in [
            (-MEAN / STD, "Here the background is 0.7, and you filled in -0.4242, the black of normalised images."),
            (0, "Here the background is 0.7, and you filled in 0."),
        ]
    )
    reason = "Right for normalised images, but not where the background is 0.7. Take it from images.min()."
    same(ask(model, other), probabilities_of(model, other).mean(dim=0), constant, reason)


def _explain_average(found):
    """Return the explanation for a wrong answer that no known mistake explains."""
    found = array(found)
    if found.shape == (4, 10) and not np.allclose(found.sum(axis=1), 1, atol=1e-3):
        return "Each row should be probabilities that add up to 1, and yours do not: exp first, then the mean of five."
    return (
        "Look at the steps one by one: eval mode, the five copies, one pixel each, images.min() coming in at the edge, "
        "exp, mean over the copies."
    )


def _wrong_averages(model, images):
    """Yield the results of known mistakes, so that they are not all computed if the answer is right."""
    right = probabilities_of(model, images)  # [5, 4, 10]
    geometric = right.log().mean(dim=0)
    mean_picture = torch.stack([moved(images, *step, images.min().item()) for step in STEPS.values()]).mean(dim=0)
    pictures = "You averaged the five pictures. Give each to the model, and average the probabilities."
    yield from _wrong_edges(model, images)
    yield from _wrong_copies(model, images)
    yield from _wrong_means(*right)
    yield from [
        (geometric, "You averaged log-probabilities and returned them. Turn each into probabilities first, with exp."),
        (geometric.exp(), "You averaged log-probabilities, then took exp. Take exp first: the mean of probabilities."),
        (geometric.softmax(dim=1), "You averaged log-probabilities, then made probabilities of them. Take exp first."),
        (right.log().sum(dim=0), "You added up log-probabilities. Take exp first, then the mean."),
        (right.softmax(dim=2).mean(dim=0), "You applied softmax to probabilities: exp is all that is needed."),
        (model(mean_picture).exp(), pictures),
        (right, "These are the probabilities of each copy, [5, N, 10]. Average over the copies."),
        (right.mean(dim=(0, 1)), "You averaged over the images as well. Average over the copies alone: [N, 10]."),
        (right.mean(dim=1), "You averaged over the images. Average over the five copies of each image: [N, 10]."),
        (right.mean(dim=0).argmax(dim=1), "These are the predictions. Return the probabilities, [N, 10]."),
    ]


def _wrong_means(itself, *shifted):
    """Return the results of averaging too few copies or dividing by the wrong number, with explanations."""
    four = sum(shifted)
    no_probabilities = "Your rows do not add up to 1."
    return [
        (itself, "These are the probabilities of the images as they are. Do your copies differ from them?"),
        (four / 4, "The image itself is missing: average five pictures, not four."),
        (four / 5, f"{no_probabilities} You divided by 5, but added up four: the image itself is missing."),
        (
            four,
            f"{no_probabilities} You added up the probabilities of four copies: take the mean, with the image itself.",
        ),
        (four + itself, f"{no_probabilities} You added up the five probabilities: take their mean."),
        ((four + itself) / 4, f"{no_probabilities} There are five pictures, the image and four copies: divide by 5."),
    ]


def _wrong_edges(model, images):
    """Return the results of filling the edge with another value than the background, with explanations."""
    replicated = F.pad(images, (1, 1, 1, 1), mode="replicate")
    corners = [(1 - down, 1 - right) for down, right in STEPS.values()]
    cuts = torch.stack([model(replicated[:, :, row : row + 28, column : column + 28]) for row, column in corners])
    by_fill = [
        (None, "What leaves the image at one edge comes in at the other: roll wraps around. Fill in images.min()."),
        (0, "0 came in at the edge. In normalised images 0 is a grey; the background is images.min()."),
        (images.mean().item(), "The mean, a grey, came in at the edge; the background is images.min()."),
        (images.max().item(), "The brightest value came in at the edge. The background is the darkest, images.min()."),
    ]
    filled = [(probabilities_of(model, images, fill=fill).mean(dim=0), reason) for fill, reason in by_fill]
    repeated = "The pixels at the edge were repeated, and ink grows out of the picture there. Fill in images.min()."
    return [*filled, (cuts.exp().mean(dim=0), repeated)]


def _wrong_copies(model, images):
    """Return the results of other copies than the four, or of a model in train mode, with explanations."""
    around = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
    diagonal = [(down, right) for down, right in around if down and right]
    by_steps = [
        (around, "You took nine pictures, those shifted along the diagonals too. Take the image and four copies."),
        ([(0, 0), *diagonal], "Your copies are shifted along the diagonals: up, down, left or right, one at a time."),
        ([(0, 0), (-1, 0), (1, 0)], "The copies shifted to the left and to the right are missing."),
        ([(0, 0), (0, -1), (0, 1)], "The copies shifted up and down are missing."),
        ([(2 * down, 2 * right) for down, right in STEPS.values()], "Your copies are shifted by two pixels, not one."),
    ]
    background, piled = images.min().item(), [images]
    for name in ("up", "down", "left", "right"):
        piled.append(moved(piled[-1], *STEPS[name], background))
    in_order = "Each of your copies is a shift of the copy before it. Begin each with the image as it came."
    averages = [
        *[(probabilities_of(model, images, steps).mean(dim=0), reason) for steps, reason in by_steps],
        (torch.stack([model(copy) for copy in piled]).exp().mean(dim=0), in_order),
    ]
    in_train_mode = probabilities_of(model.train(), images).mean(dim=0)
    model.eval()
    reason = "The model came in train mode and you left it there, with dropout on: call model.eval() first."
    return [*averages, (in_train_mode, reason)]
