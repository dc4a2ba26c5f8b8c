"""05_predictions: the misconceptions that the checkers know, right answers in other styles, probes for the mutants."""

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.metrics import confusion_matrix, precision_score, recall_score

from mnist_helpers.exercises.chapter_05 import (
    LOG_PROBS,
    PICTURES,
    SOME_LABELS,
    SOME_PREDICTIONS,
    Tiny,
    answers_of_any_kind,
    exercises,  # noqa: F401
    inked_images,
    random_classes,
    random_matrix,
    random_numbers,
)


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


def only_if(rule, invert=lambda picture: 255 - picture):
    """Invert the pictures for which the rule holds."""
    return lambda picture: invert(picture) if rule(picture) else picture


def light_border(picture):
    return np.median(np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])) > 127


def accuracy_of(choose):
    """The accuracy of the answers that `choose` takes out of all, the surest first, given how many to refuse."""

    def refuse(confidence, right, share):
        chosen = choose(confidence.argsort(descending=True), round(share * len(right)))
        return right[chosen].float().mean()

    return refuse


def kept(confidence, share):
    return confidence.argsort(descending=True)[: len(confidence) - round(share * len(confidence))]


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
    "confusion": {
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
    },
    "precision_recall": {
        "swapped": lambda matrix, digit: fractions(matrix.T, digit),
        "accuracy twice": lambda matrix, digit: [np.trace(matrix) / matrix.sum()] * 2,
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
            np.trace(matrix) / matrix.sum(),
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
    "light_on_black": {
        "never inverts": lambda picture: picture,
        "always inverts": lambda picture: 255 - picture,
        "inverts the dark paper": only_if(lambda picture: not light_border(picture)),
        "1 - x on uint8": only_if(light_border, lambda picture: 1 - picture),
        "1 - x on floats": only_if(light_border, lambda picture: 1 - picture.float()),
        "scaled to 0..1": only_if(light_border, lambda picture: 1 - picture / 255),
        "sign turned": only_if(light_border, lambda picture: -picture.float()),
        "subtracted from 256": only_if(light_border, lambda picture: 256 - picture.int()),
        "subtracted from the largest": only_if(light_border, lambda picture: picture.max() - picture),
        "black and white": lambda picture: 255 * (only_if(light_border)(picture) > 127),
        "turned upside down": only_if(light_border, lambda picture: picture.flip(0)),
        "mirrored": only_if(light_border, lambda picture: picture.flip(1)),
        "transposed": only_if(light_border, lambda picture: picture.T),
        "mean of all": only_if(lambda picture: picture.float().mean() > 127),
        "middle is paper": only_if(lambda picture: picture[len(picture) // 2, len(picture[0]) // 2] > 127),
        "middle is ink": only_if(lambda picture: picture[len(picture) // 2, len(picture[0]) // 2] < 127),
        "one corner": only_if(lambda picture: picture[0, 0] > 127),
        "brightest pixel of the border": only_if(
            lambda picture: max(picture[0].max(), picture[-1].max(), picture[:, 0].max(), picture[:, -1].max()) > 127
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
        "not sorted, the first refused": accuracy_of(lambda order, refused: slice(refused, None)),
        "nothing refused": lambda confidence, right, share: right.float().mean(),
        "share of the mistakes": lambda confidence, right, share: (~right[kept(confidence, share)]).float().mean(),
        "count": lambda confidence, right, share: right[kept(confidence, share)].sum(),
        "per cent": lambda confidence, right, share: 100 * right[kept(confidence, share)].float().mean(),
        "mean confidence": lambda confidence, right, share: confidence[kept(confidence, share)].mean(),
        "one answer each": lambda confidence, right, share: right[kept(confidence, share)],
        "[:-0] is empty": accuracy_of(lambda order, refused: order[:-refused]),
        "five written into it": accuracy_of(lambda order, refused: order[: len(order) - min(5, refused)]),
        "the edge refused too": lambda confidence, right, share: (
            right[confidence > confidence.quantile(share)].float().mean()
        ),
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
    rows, columns = np.indices(matrix.shape)
    labels, predictions = np.repeat(rows, matrix.flatten()), np.repeat(columns, matrix.flatten())
    options = {"labels": [digit], "average": "macro", "zero_division": 0}
    return precision_score(labels, predictions, **options), recall_score(labels, predictions, **options)


def rates_by_torch(matrix, digit):
    matrix = torch.from_numpy(matrix).float()
    precision = matrix[digit, digit] / matrix[:, digit].sum()
    return torch.stack([torch.nan_to_num(precision), matrix[digit, digit] / matrix[digit].sum()])


def by_corners(picture):
    corners = [int(picture[row, column]) for row in (0, -1) for column in (0, -1)]
    return ~picture if sum(corners) / 4 > 127 else picture


def looped_inversion(picture):
    if light_border(picture):
        return np.array([[255 - int(value) for value in row] for row in picture], dtype=np.uint8)
    return picture.numpy()


def float_inversion(picture):
    values = picture.double()
    border = torch.cat([values[0], values[-1], values[1:-1, 0], values[1:-1, -1]])
    return (255 - values) if border.mean() > values.flatten().sort().values[[0, -1]].mean() else values


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
    "confusion": [
        by_bincount,
        numpy_confusion,
        listed_confusion,
        lambda labels, predictions: confusion_matrix(labels, predictions, labels=range(10)),
        lambda labels, predictions: F.one_hot(labels, 10).float().T @ F.one_hot(predictions, 10).float(),
    ],
    "precision_recall": [fractions, looped_rates, rates_by_scikit_learn, rates_by_torch],
    "light_on_black": [by_corners, looped_inversion, float_inversion],
    "refuse": [looped_refusal, refusal_by_mask, refusal_by_quantile],
    "average_over_shifts": [
        averaged(),
        rolled_and_filled,
        one_by_one,
        averaged(result=lambda log_probs: log_probs.double().softmax(dim=2).mean(dim=0)),
    ],
}


def probe_light_on_black(function):
    """The checker's pictures and random ones: paper of another size with some ink anywhere."""
    pictures = list(PICTURES.values())
    for seed in range(20):
        paper, ink = ((255, 0), (0, 255), (200, 60), (40, 180))[seed % 4]
        picture = torch.full((12 + seed, 25 - seed // 2), paper, dtype=torch.uint8)
        picture[random_numbers(*picture.shape, seed=seed) > 0.8] = ink
        pictures.append(picture)
    return [function(picture) for picture in pictures]


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
    "confusion": lambda function: [
        function(labels, predictions)
        for labels, predictions in [
            (SOME_LABELS, SOME_PREDICTIONS),
            (random_classes(300, seed=5), random_classes(300, seed=6)),
            (torch.tensor([0]), torch.tensor([9])),
        ]
    ],
    "precision_recall": lambda function: [
        value
        for seed in range(3)
        for matrix in (random_matrix(seed), np.tril(random_matrix(seed), k=-1) + np.eye(10, dtype=int)[::-1])
        for digit in range(10)
        for value in function(matrix, digit)
    ],
    "light_on_black": probe_light_on_black,
    "refuse": lambda function: [
        function(*answers_of_any_kind(count, seed=count + 1), share)
        for count, share in [(20, 0.25), (20, 0.0), (40, 0.5), (20, 0.95), (100, 0.03), (3, 0.0)]
    ],
    "average_over_shifts": probe_average_over_shifts,
}
