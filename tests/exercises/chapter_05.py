"""05_predictions: the misconceptions that the checkers know, right answers in other styles, probes for the mutants."""

import functools

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from sklearn.metrics import confusion_matrix, precision_score, recall_score

from mnist_helpers.exercises.chapter_05 import (
    CANDIDATES,
    INK,
    LOG_PROBS,
    SOME_LABELS,
    SOME_PREDICTIONS,
    Tiny,
    answers_of_any_kind,
    certain,
    exercises,  # noqa: F401
    inked_images,
    random_classes,
    random_matrix,
    random_numbers,
    shy_logits,
)


def from_log_probs(count):
    """Give the function of labels and predictions what the exercise gives: log-probabilities and labels."""
    return functools.wraps(count)(lambda log_probs, labels: count(labels, log_probs.argmax(dim=1)))


def marks(labels, predictions):
    matrix = torch.zeros(10, 10)
    matrix[labels, predictions] += 1
    return matrix


def by_bincount(labels, predictions):
    return torch.bincount(10 * labels + predictions, minlength=100).reshape(10, 10)


def up_to_the_largest(labels, predictions):
    size = int(labels.max()) + 1
    return confusion_matrix(labels, predictions, labels=range(size))


def fractions(matrix, digit, precision_sum=None, recall_sum=None):
    """Precision and recall, with other sums to divide by."""
    right = matrix[digit, digit]
    answers, images = matrix[:, digit].sum(), matrix[digit].sum()
    precision_sum, recall_sum = precision_sum or answers, recall_sum or images
    return right / precision_sum if answers else 0.0, right / recall_sum


def unguarded(matrix, digit):
    with np.errstate(invalid="ignore"):
        return matrix[digit, digit] / matrix[:, digit].sum(), matrix[digit, digit] / matrix[digit].sum()


def accuracy_of(choose):
    """The accuracy of the answers that `choose` takes out of all, the surest first, given how many to refuse."""

    def refuse(confidence, right, share):
        chosen = choose(confidence.argsort(descending=True), round(share * len(right)))
        return right[chosen].float().mean()

    return refuse


def kept(confidence, share):
    return confidence.argsort(descending=True)[: len(confidence) - round(share * len(confidence))]


def of_losses(choose):
    """What `choose` takes, given the candidates, the losses at each and the labels."""

    def calibrate(logits, labels, candidates):
        losses = [F.cross_entropy(logits / temperature, labels).item() for temperature in candidates]
        return choose(candidates, losses)

    return calibrate


def argmin(values):
    return min(range(len(values)), key=values.__getitem__)


def by_accuracy(logits, labels, candidates):
    """The accuracy does not depend on the temperature, so that the first candidate is always the best."""
    accuracies = [((logits / t).argmax(dim=1) == labels).float().mean().item() for t in candidates]
    return candidates[accuracies.index(max(accuracies))]


def multiplied(logits, labels, candidates):
    losses = [F.cross_entropy(logits * temperature, labels).item() for temperature in candidates]
    return candidates[argmin(losses)]


def of_probabilities(logits, labels, candidates):
    """softmax before the division: probabilities are divided, not logits."""
    losses = [F.nll_loss((logits.softmax(dim=1) / t).log_softmax(dim=1), labels).item() for t in candidates]
    return candidates[argmin(losses)]


def centred_with(scale=None, mass=True, place=14, change=lambda small: small, box=True):
    """The digit fitted with other scales [rows, columns], centred by its box or its mass, and changed."""

    def centre(ink):
        rows, columns = np.nonzero(ink.numpy())
        cut = ink[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] if box else ink
        height, width = (scale or both_by_the_longer)(cut)
        small = change(F.interpolate(cut[None, None], size=(height, width), mode="bilinear", antialias=True)[0, 0])
        weight = small if mass else torch.ones_like(small)
        picture = torch.zeros(80, 80)  # with room around the 28x28 that are cut out of it
        top, left = (
            round(place - float((weight.sum(dim=1 - axis) * torch.arange(small.shape[axis])).sum() / weight.sum()))
            for axis in (0, 1)
        )
        picture[26 + top : 26 + top + small.shape[0], 26 + left : 26 + left + small.shape[1]] = small
        return picture[26:54, 26:54]

    return centre


def both_by_the_longer(cut):
    return [max(1, round(20 * side / max(cut.shape))) for side in cut.shape]


def shifted(images, down, right, fill):
    """The images on a sheet of `fill`, so many pixels lower and further to the right."""
    sheet = torch.full((len(images), 1, 32, 32), fill)
    sheet[:, :, 2 + down : 30 + down, 2 + right : 30 + right] = images
    return sheet[:, :, 2:30, 2:30]


CROSS = [(0, 0), (-1, 0), (1, 0), (0, -1), (0, 1)]


def averaged(
    steps=CROSS, fill=torch.min, move=shifted, result=lambda log_probs: log_probs.exp().mean(dim=0), mode=None
):
    """Test-time averaging with these steps, this value at the edge, this way to shift and to average."""

    def average_over_shifts(model, images):
        model.train(bool(mode))
        with torch.no_grad():
            return result(torch.stack([model(move(images, *step, float(fill(images)))) for step in steps]))

    return average_over_shifts


def rolled(images, down, right, fill):
    return images.roll((down, right), (2, 3))


def replicated(images, down, right, fill):
    padded = F.pad(images, (1, 1, 1, 1), mode="replicate")
    return padded[:, :, 1 - down : 29 - down, 1 - right : 29 - right]


def pictures_averaged(model, images):
    pictures = [shifted(images, *step, images.min().item()) for step in CROSS]
    return model.eval()(torch.stack(pictures).mean(dim=0)).exp()


def piled_up(model, images):
    model.eval()
    background, total, copies = images.min().item(), model(images).exp(), images
    for step in CROSS[1:]:
        copies = shifted(copies, *step, background)
        total = total + model(copies).exp()
    return total / 5


# exercise: {misconception: what a student who holds it writes}
WRONG = {
    "predicted": {
        "argmax over the images": lambda log_probs: log_probs.argmax(dim=0),
        "one number for the whole batch": lambda log_probs: log_probs.argmax(),
        "largest value in place of its place": lambda log_probs: log_probs.max(dim=1).values,
        "confidence": lambda log_probs: log_probs.exp().amax(dim=1),
        "argmin": lambda log_probs: log_probs.argmin(dim=1),
        "both things that max returns": lambda log_probs: log_probs.max(dim=1),
        "keepdim": lambda log_probs: log_probs.argmax(dim=1, keepdim=True),
        "counted from 1": lambda log_probs: log_probs.argmax(dim=1) + 1,
        "one-hot": lambda log_probs: F.one_hot(log_probs.argmax(dim=1), 10),
        "squeezed": lambda log_probs: log_probs.argmax(dim=1).squeeze(),
        "as many answers as classes where both are ten": lambda log_probs: log_probs.argmax(
            dim=0 if len(log_probs) == 10 else 1
        ),
    },
    "read_matrix": {
        "row and column changed places": lambda: (10, 5, 0.6, 0.75),
        "another number": lambda: (15, 5, 0.6, 0.75),
        "the class with most mistakes": lambda: (25, 8, 0.6, 0.75),
        "a class that is named as often as it occurs": lambda: (25, 3, 0.6, 0.75),
        "the count instead of the class": lambda: (25, 100, 0.6, 0.75),
        "precision and recall changed places": lambda: (25, 5, 0.75, 0.6),
        "recall twice": lambda: (25, 5, 0.75, 0.75),
        "per cent": lambda: (25, 5, 60, 75),
        "one of four": lambda: (25, 5, 0.6),
    },
    "confusion": {
        name: from_log_probs(count)
        for name, count in {
            "transposed": lambda labels, predictions: by_bincount(predictions, labels),
            "share of all images": lambda labels, predictions: by_bincount(labels, predictions) / len(labels),
            "share of each row": lambda labels, predictions: confusion_matrix(
                labels, predictions, labels=range(10), normalize="true"
            ),
            "share of each column": lambda labels, predictions: confusion_matrix(
                labels, predictions, labels=range(10), normalize="pred"
            ),
            "repeats lost": marks,
            "classes that occur only": confusion_matrix,
            "up to the largest class": up_to_the_largest,
            "not reshaped": lambda labels, predictions: by_bincount(labels, predictions).flatten(),
            "right answers only": lambda labels, predictions: by_bincount(labels, predictions) * torch.eye(10),
            "mistakes only": lambda labels, predictions: by_bincount(labels, predictions) * (1 - torch.eye(10)),
            "diagonal": lambda labels, predictions: by_bincount(labels, predictions).diag(),
            "too small a type": lambda labels, predictions: by_bincount(labels, predictions).to(torch.uint8),
            "transposed, repeats lost": lambda labels, predictions: marks(predictions, labels),
        }.items()
    }
    | {
        "argmax over the images": lambda log_probs, labels: listed_confusion(labels, log_probs.argmax(dim=0)),
    },
    "precision_recall": {
        "swapped": lambda matrix, digit: fractions(matrix.T, digit),
        "accuracy twice": lambda matrix, digit: [matrix.trace() / matrix.sum()] * 2,
        "divided by all images": lambda matrix, digit: fractions(matrix, digit, matrix.sum(), matrix.sum()),
        "beside the diagonal": lambda matrix, digit: 1 - np.array(fractions(matrix, digit)),
        "divided by the mistakes": lambda matrix, digit: fractions(
            matrix,
            digit,
            matrix[:, digit].sum() - matrix[digit, digit],
            matrix[digit].sum() - matrix[digit, digit],
        ),
        "precision twice": lambda matrix, digit: fractions(matrix, digit, recall_sum=matrix[:, digit].sum()),
        "recall twice": lambda matrix, digit: fractions(matrix, digit, matrix[digit].sum()),
        "accuracy in place of recall": lambda matrix, digit: (
            fractions(matrix, digit)[0],
            matrix.trace() / matrix.sum(),
        ),
        "sums in place of shares": lambda matrix, digit: (matrix[:, digit].sum(), matrix[digit].sum()),
        "per cent": lambda matrix, digit: 100 * np.array(fractions(matrix, digit)),
        "whole-number division": lambda matrix, digit: np.array(fractions(matrix, digit)) // 1,
        "precision alone": lambda matrix, digit: fractions(matrix, digit)[0],
        "recall alone": lambda matrix, digit: fractions(matrix, digit)[1],
        "one digit written into it": lambda matrix, digit: fractions(matrix, 3),
        "never predicted": unguarded,
        "never predicted counts as right": lambda matrix, digit: (
            fractions(matrix, digit) if matrix[:, digit].any() else (1.0, 0.0)
        ),
    },
    "refuse": {
        "the most confident refused": accuracy_of(lambda order, refused: order[refused:]),
        "accuracy of the refused ones": accuracy_of(lambda order, refused: order[len(order) - refused :]),
        "share kept": accuracy_of(lambda order, refused: order[:refused]),
        "share as a threshold": lambda confidence, right, share: right[confidence > share].float().mean(),
        "1 - share as a threshold": lambda confidence, right, share: right[confidence > 1 - share].float().mean(),
        "divided by all": lambda confidence, right, share: right[kept(confidence, share)].sum() / len(right),
        "not sorted": accuracy_of(lambda order, refused: slice(0, len(order) - refused)),
        "nothing refused": lambda confidence, right, share: right.float().mean(),
        "share of the mistakes": lambda confidence, right, share: (~right[kept(confidence, share)]).float().mean(),
        "count": lambda confidence, right, share: right[kept(confidence, share)].sum(),
        "per cent": lambda confidence, right, share: 100 * right[kept(confidence, share)].float().mean(),
        "mean confidence": lambda confidence, right, share: confidence[kept(confidence, share)].mean(),
        "one answer each": lambda confidence, right, share: right[kept(confidence, share)],
        "[:-0] is empty": accuracy_of(lambda order, refused: order[:-refused]),
        "five written into it": accuracy_of(lambda order, refused: order[: len(order) - min(5, refused)]),
        "a share of the range of the confidences": lambda confidence, right, share: (
            right[confidence >= confidence.min() + share * (confidence.max() - confidence.min())].float().mean()
        ),
        "argsort taken for ranks": lambda confidence, right, share: (
            right[confidence.argsort() >= round(share * len(right))].float().mean()
        ),
        "the edge refused too": lambda confidence, right, share: (
            right[confidence > confidence.quantile(share)].float().mean()
        ),
    },
    "calibrate": {
        "the largest loss": of_losses(lambda candidates, losses: candidates[losses.index(max(losses))]),
        "the loss": of_losses(lambda candidates, losses: min(losses)),
        "the position": of_losses(lambda candidates, losses: argmin(losses)),
        "all losses": of_losses(lambda candidates, losses: losses),
        "multiplied": multiplied,
        "by accuracy": by_accuracy,
        "probabilities divided": of_probabilities,
        "always 1": lambda logits, labels, candidates: 1.0,
    },
    "average_over_shifts": {
        "log-probabilities averaged": averaged(result=lambda log_probs: log_probs.mean(dim=0)),
        "exp after the mean": averaged(result=lambda log_probs: log_probs.mean(dim=0).exp()),
        "softmax after the mean": averaged(result=lambda log_probs: log_probs.mean(dim=0).softmax(dim=1)),
        "log-probabilities added up": averaged(result=lambda log_probs: log_probs.sum(dim=0)),
        "wrapped around": averaged(move=rolled),
        "filled with 0": averaged(fill=lambda images: 0),
        "filled with the mean": averaged(fill=torch.mean),
        "filled with the brightest": averaged(fill=torch.max),
        "edges repeated": averaged(move=replicated),
        "black of normalised images written into it": averaged(fill=lambda images: -0.1307 / 0.3081),
        "0 where the background is not black": averaged(fill=lambda images: images.min() if images.min() < 0 else 0),
        "eval forgotten": averaged(mode="train"),
        "unshifted forgotten": averaged(CROSS[1:]),
        "unshifted forgotten, divided by 5": averaged(
            CROSS[1:], result=lambda log_probs: log_probs.exp().sum(dim=0) / 5
        ),
        "sum of the four copies": averaged(CROSS[1:], result=lambda log_probs: log_probs.exp().sum(dim=0)),
        "divided by 4": averaged(result=lambda log_probs: log_probs.exp().sum(dim=0) / 4),
        "not shifted": averaged([(0, 0)]),
        "sum in place of mean": averaged(result=lambda log_probs: log_probs.exp().sum(dim=0)),
        "diagonals too": averaged([(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]),
        "diagonals in place of the sides": averaged([(0, 0), (-1, -1), (-1, 1), (1, -1), (1, 1)]),
        "up and down only": averaged(CROSS[:3]),
        "left and right only": averaged([(0, 0), (0, -1), (0, 1)]),
        "two pixels": averaged([(2 * down, 2 * right) for down, right in CROSS]),
        "each copy from the one before": piled_up,
        "pictures averaged": pictures_averaged,
        "softmax of probabilities": averaged(result=lambda log_probs: log_probs.exp().softmax(dim=2).mean(dim=0)),
        "not averaged": averaged(result=torch.exp),
        "averaged over everything": averaged(result=lambda log_probs: log_probs.exp().mean(dim=(0, 1))),
        "averaged over the images": averaged(result=lambda log_probs: log_probs.exp().mean(dim=1)),
        "predictions": averaged(result=lambda log_probs: log_probs.exp().mean(dim=0).argmax(dim=1)),
        "two mistakes at once": averaged(mode="train", fill=lambda images: 0),
        "two mistakes at once, no probabilities": averaged(CROSS[1:], result=lambda log_probs: log_probs.mean(dim=0)),
        "batch of one squeezed": averaged(result=lambda log_probs: log_probs.exp().mean(dim=0).squeeze()),
    },
    "centred": {
        "not resized": centred_with(scale=lambda cut: cut.shape),
        "filled up to 28": centred_with(scale=lambda cut: [round(28 * side / max(cut.shape)) for side in cut.shape]),
        "both sides 20": centred_with(scale=lambda cut: (20, 20)),
        "scaled by the rows alone": centred_with(
            scale=lambda cut: [min(28, round(20 * side / cut.shape[0])) for side in cut.shape]
        ),
        "the last row of the box lost": lambda ink: centred_with()(ink[: ink.nonzero()[:, 0].max()]),
        "the box in the middle": centred_with(mass=False),
        "the centre at 10": centred_with(place=10),
        "the whole picture squeezed": centred_with(scale=lambda cut: (28, 28), box=False, mass=False, place=13.5),
        "turned over": lambda ink: centred_with()(ink).T,
        "black and white": centred_with(change=lambda small: (small > 0).float()),
        "upside down": centred_with(change=lambda small: small.flip(0)),
        "no frame": lambda ink: centred_with()(ink)[4:24, 4:24],
        "ink inverted": lambda ink: 1 - centred_with()(ink),
        "0 to 255": lambda ink: 255 * centred_with()(ink),
        "nothing pasted": lambda ink: torch.zeros(28, 28),
    },
}


def looped_classes(log_probs):
    classes = []
    for row in log_probs.tolist():
        classes.append(row.index(max(row)))
    return classes


def numpy_confusion(labels, predictions):
    matrix = np.zeros((10, 10))
    np.add.at(matrix, (labels.numpy(), predictions.numpy()), 1)
    return matrix


def listed_confusion(labels, predictions):
    pairs = list(zip(labels.tolist(), predictions.tolist()))
    return [[pairs.count((row, column)) for column in range(10)] for row in range(10)]


def looped_rates(matrix, digit):
    right = answers = images = 0
    for row in range(len(matrix)):
        for column in range(len(matrix)):
            right += int(matrix[row][column]) if row == column == digit else 0
            answers += int(matrix[row][column]) if column == digit else 0
            images += int(matrix[row][column]) if row == digit else 0
    return [right / answers if answers else 0.0, right / images]


def rates_by_scikit_learn(matrix, digit):
    matrix = np.asarray(matrix)
    rows, columns = np.indices(matrix.shape)
    labels, predictions = np.repeat(rows, matrix.flatten()), np.repeat(columns, matrix.flatten())
    options = {"labels": [digit], "average": "macro", "zero_division": 0}
    return precision_score(labels, predictions, **options), recall_score(labels, predictions, **options)


def rates_of_numpy(matrix, digit):
    """What works on NumPy's arrays alone, and not on a tensor."""
    answers, images = matrix.astype(float).sum(axis=0), matrix.astype(float).sum(axis=1)
    precision = np.divide(matrix.diagonal(), answers, out=np.zeros(len(matrix)), where=answers > 0)
    return np.array([precision[digit], matrix[digit, digit] / images[digit]])


def rates_by_torch(matrix, digit):
    """Where no keyword of NumPy is used, and a tensor is returned."""
    matrix = matrix.clone().float()
    precision = matrix[digit, digit] / matrix[:, digit].sum()
    return torch.stack([torch.nan_to_num(precision), matrix[digit, digit] / matrix.sum(dim=1)[digit]])


def rates_of_mixed_kinds(matrix, digit):
    right = matrix[digit, digit].item()
    return np.float64(right / max(1, int(matrix[:, digit].sum()))), torch.tensor(right / int(matrix[digit].sum()))


def looped_refusal(confidence, right, share):
    pairs = sorted(zip(confidence.tolist(), right.tolist()), reverse=True)
    answers = [is_right for _, is_right in pairs[: int(round((1 - share) * len(pairs)))]]
    return answers.count(True) / len(answers)


def refusal_by_mask(confidence, right, share):
    keep = torch.ones(len(right), dtype=torch.bool)
    keep[confidence.topk(int(share * len(right)), largest=False).indices] = False
    return (right & keep).sum() / keep.sum()


def refusal_by_quantile(confidence, right, share):
    return np.mean(right.numpy()[confidence.numpy() >= np.quantile(confidence.numpy(), share)])


def refusal_by_ranks(confidence, right, share):
    ranks = confidence.argsort().argsort()  # 0 for the least sure
    return right[ranks >= round(share * len(right))].double().mean().item()


def calibration_by_hand(logits, labels, candidates):
    best = None
    for temperature in candidates:
        log_probs = torch.log_softmax(logits.double() / temperature, dim=1)
        loss = -sum(log_probs[n, label].item() for n, label in enumerate(labels.tolist())) / len(labels)
        if best is None or loss < best[0]:
            best = (loss, temperature)
    return best[1]


def centred_by_pillow(ink):
    rows, columns = np.nonzero(ink.numpy())
    box = Image.fromarray(ink.numpy()).crop((columns.min(), rows.min(), columns.max() + 1, rows.max() + 1))
    scale = 20 / max(box.size)
    small = np.asarray(box.resize([max(1, round(side * scale)) for side in box.size], Image.Resampling.LANCZOS))
    total, picture = small.sum(), np.zeros((28, 28))
    row = sum(n * small[n].sum() for n in range(len(small))) / total
    column = sum(n * small[:, n].sum() for n in range(small.shape[1])) / total
    top, left = int(13.5 - row + 0.5), int(13.5 - column + 0.5)  # the middle of 28 between 13 and 14
    picture[top : top + small.shape[0], left : left + small.shape[1]] = small
    return picture


def rolled_and_filled(model, images):
    model.eval()
    background = images.min()
    copies = [images] + [images.roll(step, dimension) for dimension in (2, 3) for step in (-1, 1)]
    copies[1][:, :, -1], copies[2][:, :, 0] = background, background
    copies[3][:, :, :, -1], copies[4][:, :, :, 0] = background, background
    return model(torch.cat(copies)).exp().reshape(5, -1, 10).mean(dim=0)


def one_by_one(model, images):
    model.eval()
    rows = []
    for image in images.numpy():
        padded = np.pad(image, ((0, 0), (1, 1), (1, 1)), constant_values=image.min())
        total = np.zeros(10)
        for row, column in [(1, 1), (0, 1), (1, 0), (2, 1), (1, 2)]:
            copy = torch.from_numpy(padded[None, :, row : row + 28, column : column + 28])
            total += model(copy)[0].detach().double().exp().numpy()
        rows.append(total / 5)
    return np.stack(rows)


RIGHT = {
    "predicted": [
        looped_classes,
        lambda log_probs: np.argmax(log_probs.numpy(), axis=-1),
        lambda log_probs: log_probs.exp().max(dim=1).indices.double(),
        lambda log_probs: [int(row.argmax()) for row in log_probs],
    ],
    "read_matrix": [lambda: [25.0, 5, 3 / 5, 3 / 4], lambda: torch.tensor([25, 5, 0.6, 0.75])],
    "confusion": [
        from_log_probs(by_bincount),
        from_log_probs(numpy_confusion),
        from_log_probs(listed_confusion),
        from_log_probs(lambda labels, predictions: confusion_matrix(labels, predictions, labels=range(10))),
        from_log_probs(lambda labels, found: F.one_hot(labels, 10).float().T @ F.one_hot(found, 10).float()),
        from_log_probs(
            lambda labels, found: torch.zeros(10, 10).index_put_(
                (labels, found), torch.ones(len(labels)), accumulate=True
            )
        ),
    ],
    "precision_recall": [
        fractions,
        looped_rates,
        rates_by_scikit_learn,
        rates_by_torch,
        rates_of_numpy,
        rates_of_mixed_kinds,
    ],
    "refuse": [looped_refusal, refusal_by_mask, refusal_by_quantile, refusal_by_ranks],
    "calibrate": [
        calibration_by_hand,
        lambda logits, labels, candidates: min(candidates, key=lambda t: F.cross_entropy(logits / t, labels)),
        lambda logits, labels, candidates: torch.tensor(candidates)[
            torch.stack([F.cross_entropy(logits / t, labels) for t in candidates]).argmin()
        ],
    ],
    "average_over_shifts": [
        averaged(),
        rolled_and_filled,
        one_by_one,
        averaged(result=lambda log_probs: log_probs.double().softmax(dim=2).mean(dim=0)),
    ],
    "centred": [centred_with(), centred_by_pillow, centred_with(place=13.5)],
}


def probe_average_over_shifts(function):
    values = []
    for mode, images in [(True, inked_images(4)), (False, inked_images(1)), (True, inked_images(2, background=0.5))]:
        values.append(function(Tiny().train(mode), images))
    return values


# exercise: what a function gives on many inputs; two functions with equal results behave alike
PROBES = {
    "predicted": lambda function: [
        function(log_probs)
        for log_probs in [LOG_PROBS, LOG_PROBS[:1], random_numbers(10, 10, seed=4), random_numbers(50, 10, seed=4)]
    ],
    "read_matrix": lambda function: [function()],
    "confusion": lambda function: [
        function(certain(predictions), labels)
        for labels, predictions in [
            (SOME_LABELS, SOME_PREDICTIONS),
            (random_classes(300, seed=5), random_classes(300, seed=6)),
            (torch.tensor([0]), torch.tensor([9])),
        ]
    ],
    "precision_recall": lambda function: [
        value
        for seed in range(3)
        for matrix in (random_matrix(seed), random_matrix(seed).tril(diagonal=-1) + torch.eye(10).long().flip(0))
        for digit in range(10)
        for value in function(matrix, digit)
    ],
    "refuse": lambda function: [
        function(*answers_of_any_kind(count, seed=count + 1), share)
        for count, share in [(20, 0.25), (20, 0.0), (40, 0.5), (20, 0.95), (100, 0.03), (3, 0.0)]
    ],
    "calibrate": lambda function: [
        function(*shy_logits(200, temperature, seed=8), candidates)
        for temperature in (0.4, 1.0, 2.5)
        for candidates in (CANDIDATES, CANDIDATES[::-1], [0.9, 3.1, 0.3])
    ],
    "average_over_shifts": probe_average_over_shifts,
    "centred": lambda function: [function(ink) for ink in INK.values()],
}
