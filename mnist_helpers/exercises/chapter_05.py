"""Exercises of 05_predictions: reading, repairing, refusing, calibrating, averaging, and centring a digit."""

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

from mnist_helpers._support.translation import say
from mnist_helpers.data import MEAN, STD
from mnist_helpers.exercises.comparing import array, same
from mnist_helpers.exercises.core import Chapter
from mnist_helpers.exercises.inputs import random_numbers
from mnist_helpers.exercises.judging import NotYet

exercises = Chapter("chapter_05")


def random_classes(count, seed):
    """Return reproducible random classes 0 to 9."""
    return torch.randint(0, 10, (count,), generator=torch.Generator().manual_seed(seed))


@exercises.add(
    "You need the position of the largest number in each row, not the number itself.",
    "argmax returns that position. Its argument dim is the dimension to search along. Which one holds the classes?",
)
def predicted(log_probs):
    return log_probs.argmax(dim=1)  # exp would not change which number is the largest


LOG_PROBS = random_numbers(5, 10, seed=4).log_softmax(dim=1)


@predicted.checker
def check_predicted(ask):
    """Check five images, a single one, and ten images, where a wrong dimension does not change the shape."""
    largest, places = LOG_PROBS.max(dim=1)
    wrong = [
        (
            LOG_PROBS.argmax(dim=0),
            "You got ten answers for five images. Search along the classes, which are dimension 1.",
        ),
        (LOG_PROBS.argmax(), "That is one number for the whole batch. Each row needs an answer of its own."),
        (largest, "That is the largest log-probability of each row. The class is its position."),
        (largest.exp(), "That is the confidence, the largest probability of each row. The class is its position."),
        (LOG_PROBS.argmin(dim=1), "That is the least likely class of each image. You need the most likely one."),
        (
            (largest, places),
            "max(dim=1) returns two things, the numbers and their positions. Return the positions only.",
        ),
        (places[:, None], "The classes are right, but the shape is [5, 1]. Return the shape [5]."),
        (places + 1, "Each class is too large by 1: the first column is class 0."),
        (np.eye(10)[places], "You marked the class in each row. Return its number."),
    ]
    same(ask(LOG_PROBS), places, wrong, given="five images")
    same(ask(LOG_PROBS[:1]), places[:1], otherwise="Right for five images, but not for a single one.")
    each = torch.tensor([3, 9, 0, 7, 1, 8, 5, 2, 6, 4])
    sure = (9 * torch.eye(10)[each]).log_softmax(dim=1)
    same(ask(sure), each, otherwise="Right for five images, but not for ten.")


@exercises.add(
    "A row holds all images of one true class; a column holds all answers that name one class.",
    "An answer is named too often if the sum of its column is larger than the sum of its row.",
    "Precision divides the number on the diagonal by the sum of its column, recall by the sum of its row.",
)
def read_matrix():
    eights_read_as_5 = 25  # row 8, column 5
    too_often = 5  # its column sums to 100, but its row to 80 only
    return eights_read_as_5, too_often, 60 / 100, 60 / 80


@read_matrix.checker
def check_read_matrix(ask):
    """Check the four answers one after the other, and name the first that is wrong."""
    found = array(ask())
    if found.shape != (4,):
        raise NotYet(
            "Return four numbers, one for each question; the shape of your answer is {shape}.", shape=list(found.shape)
        )
    _expect(found[0], 25, "The first answer", {10: "That is 5s that were read as 8. Which row holds the true 8s?"})
    as_often = "Compare the sum of each column with the sum of its row."
    _expect(found[1], 5, "The second answer", {wrong: as_often for wrong in (3, 8)})
    if np.allclose(found[2:], [0.75, 0.6], atol=0.005):
        raise NotYet("Precision and recall have changed places: precision divides by the column, recall by the row.")
    share = "Return a share between 0 and 1, not per cent."
    _expect(found[2], 0.6, "The precision", {0.75: "Precision divides by the column of the class.", 60: share})
    _expect(found[3], 0.75, "The recall", {0.6: "Recall divides by the row of the class.", 75: share})


def _expect(found, right, name, reasons):
    """Raise NotYet unless the number is right. The answer is not shown: it is there to be read from the table."""
    if not np.isclose(found, right, atol=0.005):
        reason = next((reason for value, reason in reasons.items() if np.isclose(found, value)), "")
        raise NotYet(say("{name}, {found:g}, is not right yet.", reason, name=name, found=found).rstrip())


@exercises.add(
    "Try it with ten images, then with eleven: which line depends on the number of images? What should its dim be?",
    "Rows are the true classes: which of the two indices comes first? And what does the last line do if the same pair "
    "occurs twice?",
    "matrix[a, b] += 1 with two tensors writes each square once, however often it is named. A loop over the pairs, or "
    "index_put_ with accumulate=True, counts every time.",
    stars=2,
)
def confusion(log_probs, labels):
    matrix = torch.zeros(10, 10, dtype=torch.int64)
    for label, prediction in zip(labels, log_probs.argmax(dim=1)):  # a loop, so that repeated pairs all count
        matrix[label, prediction] += 1
    return matrix


def certain(classes):
    """Return log-probabilities [N, 10] whose predictions are `classes`."""
    return (5 * F.one_hot(classes, 10).float() + random_numbers(len(classes), 10, seed=1).tanh()).log_softmax(dim=1)


SOME_LABELS = torch.tensor([3, 3, 3, 5, 5, 0, 8, 3, 1, 5, 8])
SOME_PREDICTIONS = torch.tensor([3, 5, 5, 5, 3, 0, 3, 3, 1, 5, 1])


def counted(labels, predictions):
    """Return the confusion matrix computed by NumPy's histogram2d."""
    return np.histogram2d(labels.numpy(), predictions.numpy(), bins=10, range=[[0, 10], [0, 10]])[0]


@confusion.checker
def check_confusion(ask):
    """Check eleven images with missing classes and repeated pairs, then many images, one image and a frequent pair."""
    right = counted(SOME_LABELS, SOME_PREDICTIONS)
    given = say(
        "the labels {labels} and predictions {predictions}",
        labels=SOME_LABELS.tolist(),
        predictions=SOME_PREDICTIONS.tolist(),
    )
    along_images = counted(SOME_LABELS[:10], certain(SOME_PREDICTIONS).argmax(dim=0))
    searched = "There are ten answers for eleven images: the largest number is searched along the images."
    wrong = [(along_images, searched), *_wrong_matrices(right)]
    same(ask(certain(SOME_PREDICTIONS), SOME_LABELS), right, wrong, given=given)
    many, guesses = random_classes(500, seed=1), random_classes(500, seed=2)
    reason = "Right for eleven images, but not for 500 that show all classes."
    same(ask(certain(guesses), many), counted(many, guesses), otherwise=reason)
    single = torch.tensor([9]), torch.tensor([2])
    same(ask(certain(single[1]), single[0]), counted(*single), given="a single 9 that is read as 2")
    often = torch.full((300,), 7), torch.full((300,), 1)
    same(ask(certain(often[1]), often[0]), counted(*often), given="three hundred 7s that are read as 1")


def _wrong_matrices(right):
    occurring, rows = [0, 1, 3, 5, 8], right.sum(axis=1, keepdims=True)
    return [
        (right.T, "Rows and columns have changed places: the row is the true class, the column the predicted one."),
        (right > 0, "Pairs that occur twice count only once in your matrix."),
        (
            (right > 0).T,
            "Two faults are left: rows and columns have changed places, and repeated pairs count only once.",
        ),
        (right / 11, "You divided by the number of images. Return the counts."),
        (right / np.maximum(rows, 1), "You divided each row by its sum. Return the counts."),
        (right[np.ix_(occurring, occurring)], "The classes that do not occur here are missing. Make it 10 by 10."),
        (right[:9, :9], "Your matrix ends at the largest class of these images, 8. Make it 10 by 10."),
        (right.flatten(), "The counts are right, but in one row of 100. Return the shape [10, 10]."),
        (np.diag(right), "These are the right answers of each class, the diagonal. The mistakes are missing."),
    ]


@exercises.add(
    "Both divide the same number, the digit's square on the diagonal, but by different sums.",
    "Recall divides by all images of the digit, which is its row. Precision divides by all answers that name it, which "
    "is its column.",
    "A column can add up to 0. Look at the sum before you divide by it.",
    stars=2,
)
def precision_recall(matrix, digit):
    right = matrix[digit, digit]
    answers = matrix[:, digit].sum()
    precision = right / answers if answers > 0 else 0.0  # never predicted: nothing to divide by
    recall = right / matrix[digit].sum()
    return precision, recall


def random_matrix(seed):
    """Return the confusion matrix [10, 10] of an inaccurate network, as a tensor of whole numbers."""
    labels = torch.cat([torch.arange(10), random_classes(400, seed)])
    predictions = torch.where(random_numbers(410, seed=seed) > 0, labels, random_classes(410, seed + 1))
    return torch.from_numpy(counted(labels, predictions)).long()


def rates(matrix, digit):
    """Return precision and recall; the precision is 0 if the digit was never predicted."""
    hits, answers, images = (float(n) for n in (matrix[digit, digit], sum(matrix[:, digit]), sum(matrix[digit])))
    return hits / max(answers, 1.0), hits / images


@precision_recall.checker
def check_precision_recall(ask):
    """Check all digits of a matrix, then a digit never found, one never predicted, and one that is the only class."""
    of = _with_tensor_or_array(ask)
    matrix = random_matrix(seed=1)
    given = "the digit 3, with {diagonal} on the diagonal, {row} in its row and {column} in its column"
    given = say(given, diagonal=matrix[3, 3], row=matrix[3].sum(), column=matrix[:, 3].sum())
    same(of(matrix, 3), rates(matrix, 3), _wrong_rates(matrix, 3), given=given)
    for digit in range(10):
        reason = say("Right for the digit 3, but not for {digit}.", digit=digit)
        same(of(matrix, digit), rates(matrix, digit), otherwise=reason)
    never_found, never_predicted = random_matrix(seed=2), random_matrix(seed=3)
    never_found[6, 6], never_predicted[:, 4] = 0, 0
    same(of(never_found, 6), (0, 0), otherwise="In this matrix no 6 was read as 6, so both are 0.")
    _check_never_predicted(of, never_predicted, 4)
    _check_one_of_two(of)


def _with_tensor_or_array(ask):
    """Return `ask` for a matrix and a digit: a function that stops with the tensor gets a NumPy array."""

    def of(matrix, digit):
        try:
            return ask(matrix, digit)
        except NotYet as error:
            if say("your function stopped with") not in str(error):
                raise
            return ask(matrix.numpy(), digit)

    return of


def _check_one_of_two(of):
    alone = torch.diag(torch.arange(1, 11))
    alone[0, 0], alone[0, 1] = 1, 1
    reason = "In this matrix one of two 0s was found, and the only answer 0 was right."
    same(of(alone, 0), (1, 0.5), otherwise=reason)


def _check_never_predicted(of, matrix, digit):
    case = say("The digit {digit} was never predicted in this matrix", digit=digit)
    try:
        found = of(matrix, digit)
    except NotYet as error:
        raise NotYet("{case}: return a precision of 0 then. Here {error}", case=case, error=error) from None
    if np.isnan(array(found)).any():
        raise NotYet("{case}, and 0 / 0 gave nan. Return a precision of 0 then.", case=case)
    same(found, (0, 0), otherwise=say("{case}, nor was it found: both are 0.", case=case))


def _wrong_rates(matrix, digit):
    hits, answers, images = (float(n) for n in (matrix[digit, digit], matrix[:, digit].sum(), matrix[digit].sum()))
    precision, recall = rates(matrix, digit)
    return [
        ((recall, precision), "The two have changed places: precision divides by the column, recall by the row."),
        ((1 - precision, 1 - recall), "These are the shares of the mistakes. Divide the number on the diagonal."),
        ((precision, precision), "The precision is right, but it came twice. Recall divides by the row of the digit."),
        ((recall, recall), "The recall is right, but it came twice. Precision divides by the column of the digit."),
        ((answers, images), "These are the two sums to divide by. Which number is divided?"),
        ((100 * precision, 100 * recall), "These are per cent. Return shares between 0 and 1."),
        (precision, "That is the precision. Return the recall with it: precision, recall."),
        (recall, "That is the recall. Return the precision before it: precision, recall."),
    ]


@exercises.add(
    "Put the answers in the order of their confidence. How many of them are kept?",
    "confidence.argsort(descending=True) lists the indices of the answers, the surest first. Keep the beginning of "
    "that list: all but share * len(right) of them.",
    "right[indices] picks the kept answers. Which share of them is True?",
    stars=2,
)
def refuse(confidence, right, share):
    most_sure_first = confidence.argsort(descending=True)
    refused = round(share * len(right))  # as a whole number: a slice takes no 10.0
    kept = most_sure_first[: len(right) - refused]
    return right[kept].float().mean()


def answers_of_any_kind(count, seed):
    """Return different confidences in random order, most of them close to 1, and which answers are right.

    The confidences are not evenly spaced: a share of the answers is not a share of the range of the confidences.
    """
    generator = torch.Generator().manual_seed(seed)
    evenly = torch.linspace(0.02, 1, count)[torch.randperm(count, generator=generator)]
    confidence = (0.99 - 0.75 * (1 - evenly) ** 3).mul(1e4).round() / 1e4
    return confidence, torch.rand(count, generator=generator) < 0.3 + 0.6 * evenly


def accuracy_of_kept(confidence, right, share):
    """Return the accuracy of the answers that are kept, computed with Python lists."""
    pairs = sorted(zip(confidence.tolist(), right.tolist()))[round(share * len(right)) :]
    return sum(is_right for _, is_right in pairs) / len(pairs)


SURE = [0.91, 0.30, 0.99, 0.57, 0.97, 0.20, 0.86, 0.33, 0.95, 0.78, 0.26, 0.98]
TWELVE = torch.tensor(SURE), torch.tensor([0, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1]) > 0


@refuse.checker
def check_refuse(ask):
    """Check a quarter of twelve answers, then no rejection, other shares and other numbers of answers."""
    confidence, right = TWELVE
    listed = ", ".join(f"{c:.2f} {say('right' if r else 'wrong')}" for c, r in zip(confidence, right))
    expected = accuracy_of_kept(confidence, right, 0.25)
    wrong = [(100 * expected, "That is the accuracy in per cent. Return a share between 0 and 1.")]
    same(
        ask(confidence, right, 0.25),
        expected,
        wrong,
        given=say("a share of 0.25 and twelve answers ({listed})", listed=listed),
    )
    found = ask(confidence, right, 0.0)
    if np.isnan(array(found)).any():
        raise NotYet("For a share of 0 the result is nan: nothing was kept, but nothing should be refused.")
    reason = "Right for a share of 0.25, but not for 0, where nothing is refused."
    same(found, accuracy_of_kept(confidence, right, 0.0), otherwise=reason)
    for count, share in [(20, 0.5), (20, 0.75), (20, 0.05), (200, 0.1), (8, 0.125)]:
        reason = say(
            "Right for a share of 0.25 of 12 answers, but not for {share} of {count}.", share=share, count=count
        )
        case = answers_of_any_kind(count, seed=count)
        same(ask(*case, share), accuracy_of_kept(*case, share), otherwise=reason)


@exercises.add(
    "Compute the loss of logits / T for each candidate T, and keep the T with the smallest loss.",
    "F.cross_entropy(logits / T, labels) is log_softmax and the negative log-likelihood in one. Collect the losses "
    "in a list.",
    "min(losses) is the smallest loss, and losses.index(...) tells where it stands: the same place in candidates.",
    stars=2,
)
def calibrate(logits, labels, candidates):
    losses = [F.cross_entropy(logits / temperature, labels).item() for temperature in candidates]
    return candidates[losses.index(min(losses))]  # a loss on held-out data does not reward too much confidence


def shy_logits(count, temperature, seed):
    """Return logits [N, 10] that are calibrated at about this temperature, and labels [N] drawn from them."""
    honest = 2 * random_numbers(count, 10, seed=seed)
    labels = torch.multinomial(honest.softmax(dim=1), 1, generator=torch.Generator().manual_seed(seed))[:, 0]
    return honest * temperature, labels


CANDIDATES = [1.5, 0.25, 1.0, 0.5, 2.0, 4.0]


def best_temperature(logits, labels, candidates):
    """Return the candidate with the smallest loss, computed with NumPy, and all losses."""
    losses = []
    for temperature in candidates:
        scaled = logits.double().numpy() / temperature
        log_sum = np.log(np.exp(scaled - scaled.max(axis=1, keepdims=True)).sum(axis=1)) + scaled.max(axis=1)
        losses.append((log_sum - scaled[np.arange(len(labels)), labels.numpy()]).mean())
    return candidates[int(np.argmin(losses))], losses


@calibrate.checker
def check_calibrate(ask):
    """Check a network that is too modest, one that is too sure, one that is honest, and candidates in no order."""
    for kind, temperature in [("too modest", 0.5), ("too sure", 2.0), ("honest", 1.0), ("far too sure", 4.0)]:
        logits, labels = shy_logits(400, temperature, seed=3)
        best, losses = best_temperature(logits, labels, CANDIDATES)
        listed = ", ".join(say("{loss:.3f} at {t:g}", loss=loss, t=t) for t, loss in zip(CANDIDATES, losses))
        found = ask(logits, labels, CANDIDATES)
        _check_one_temperature(found, losses)
        same(found, best, given=say("a network that is {kind}, with the losses {listed}", kind=kind, listed=listed))
    mixed = [3.0, 0.7, 1.4, 0.9, 5.0, 2.1]
    logits, labels = shy_logits(300, 1.4, seed=5)
    same(
        ask(logits, labels, mixed),
        best_temperature(logits, labels, mixed)[0],
        given=say("the candidates {candidates}", candidates=mixed),
    )
    few = [1.5, 3.0]
    logits, labels = shy_logits(300, 0.5, seed=6)
    same(
        ask(logits, labels, few),
        best_temperature(logits, labels, few)[0],
        given=say("the candidates {candidates}", candidates=few),
    )


def _check_one_temperature(found, losses):
    found = array(found)
    if found.shape == (len(CANDIDATES),):
        raise NotYet("That is a number for each candidate. Return the one candidate with the smallest loss.")
    if found.shape == () and np.isclose(found, min(losses), atol=1e-4):
        raise NotYet("That is the smallest loss. Return the temperature that gave it.")
    if found.shape == () and found == int(np.argmin(losses)) and found not in CANDIDATES:
        raise NotYet("That is the position of the best candidate. Return the candidate itself.")


@exercises.add(
    "Shift an image by cutting 28 by 28 pixels out of a larger one, which has one more pixel of background all around.",
    "F.pad(images, (1, 1, 1, 1), value=images.min().item()) is the larger one; padded[:, :, 0:28, 1:29] is the digit "
    "moved down by one pixel.",
    "Each of the five cuts goes through the model in eval mode. Turn the log-probabilities into probabilities before "
    "you take the mean of the five.",
    stars=3,
)
def average_over_shifts(model, images):
    model.eval()  # dropout off, or each look would be at another network
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
        (probabilities_of(model, other, fill=fill).mean(dim=0), say(reason, "Take the background from images.min()."))
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
        (four / 5, say(no_probabilities, "You divided by 5, but added up four: the image itself is missing.")),
        (
            four,
            say(
                no_probabilities, "You added up the probabilities of four copies: take the mean, with the image itself."
            ),
        ),
        (four + itself, say(no_probabilities, "You added up the five probabilities: take their mean.")),
        (
            (four + itself) / 4,
            say(no_probabilities, "There are five pictures, the image and four copies: divide by 5."),
        ),
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


@exercises.add(
    "Four steps: cut out the box of the ink, resize it, find its centre of mass, paste it into 28 by 28 zeros.",
    "ink.nonzero() lists the rows and columns of the ink; the smallest and the largest of each are the box. 20 divided "
    "by the longer side of the box is the scale of both sides.",
    "The centre of mass along the rows is the mean of the row numbers, each weighted by the ink in its row. That "
    "centre should land on row 14, so where must row 0 of the small digit go?",
    stars=3,
)
def centred(ink):
    rows, columns = ink.nonzero().T
    cut = ink[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    scale = 20 / max(cut.shape)  # one scale for both sides, so that the digit keeps its proportions
    height, width = round(cut.shape[0] * scale), round(cut.shape[1] * scale)
    small = F.interpolate(cut[None, None], size=(height, width), mode="area")[0, 0]
    centre_row = (small.sum(dim=1) * torch.arange(height)).sum() / small.sum()
    centre_column = (small.sum(dim=0) * torch.arange(width)).sum() / small.sum()
    top, left = round(14 - centre_row.item()), round(14 - centre_column.item())
    picture = torch.zeros(28, 28)
    picture[top : top + height, left : left + width] = small
    return picture


def ink_pictures():
    """Return pictures [H, W] of ink between 0 and 1 by name, large and small, tall and wide, off the middle."""
    tall, seven, small, wide, fading, thin = (torch.zeros(60, 60) for _ in range(6))
    tall[10:50, 30:36] = 1
    seven[2:10, 20:52] = 0.9
    seven[10:42, 42:52] = 0.6
    small[30:40, 4:6] = 1
    small[38:40, 4:12] = 1
    wide[20:28, 0:60] = 0.8
    wide[28:32, 0:15] = 0.8
    fading[5:45, 15:45] = torch.linspace(0.2, 1, 40)[:, None] * torch.linspace(1, 0.4, 30)
    thin[10:30, 10:14] = 1
    thin[29, 10:22] = 1
    return {
        "a tall stroke": tall,
        "a 7": seven[:44],
        "a small L": small[:, :20],
        "a wide stroke": wide[:40],
        "a digit that is brighter at the bottom": fading,
        "an L whose foot is one pixel high": thin,
    }


INK = ink_pictures()


@centred.checker
def check_centred(ask):
    """Check shape, size of the ink, centre of mass (within one pixel) and the ink itself, however it was resized."""
    for name, ink in INK.items():
        found = array(ask(ink))
        if found.shape != (28, 28):
            raise NotYet(
                "For {name}, a picture of shape [28, 28] was expected, but yours is {shape}.",
                name=name,
                shape=list(found.shape),
            )
        if np.isnan(found).any() or not (abs(found) > 0.02).any():
            raise NotYet("For {name}, your picture holds no ink.", name=name)
        _check_fit(name, found, fitted_ink(ink.numpy()))


def _check_fit(name, found, right):
    yours = ink_box(found)
    if right.shape != yours.shape:
        size, own = (say("{rows} rows and {columns} columns", rows=n, columns=m) for n, m in (right.shape, yours.shape))
        raise NotYet("For {name}, the ink should cover {size}, but yours covers {own}.", name=name, size=size, own=own)
    difference = abs(right - yours)
    if difference.mean() > 0.12:
        row, column = np.unravel_index(difference.argmax(), right.shape)
        raise NotYet(
            "For {name}, about {expected:.2f} was expected in row {row}, column {column} of the box of the ink, but "
            "yours is {found:.2f} there.",
            **{"name": name, "expected": right[row, column], "found": yours[row, column], "row": row, "column": column},
        )
    places = np.arange(28)
    row, column = (found.sum(axis=axis) @ places / found.sum() for axis in (1, 0))
    if max(abs(row - 14), abs(column - 14)) > 1:
        raise NotYet(
            "For {name}, the centre of mass should be at row 14, column 14, within a pixel, but it is at row "
            "{row:.1f}, column {column:.1f}.",
            **{"name": name, "row": row, "column": column},
        )


def fitted_ink(ink):
    """Return the box of the ink, resized by Pillow so that its longer side is 20."""
    box = ink_box(ink)
    size = [round(20 * length / max(box.shape)) for length in reversed(box.shape)]
    return np.asarray(Image.fromarray(np.float32(box)).resize(size, Image.Resampling.BOX))


def ink_box(picture):
    """Cut out the smallest rectangle that holds all ink."""
    rows, columns = np.nonzero(abs(picture) > 0.02)
    return picture[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
