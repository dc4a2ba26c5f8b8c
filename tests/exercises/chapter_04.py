"""04_training: the misconceptions that the checkers know, right answers in other styles, and probes for the mutants."""

import numpy as np
import torch
import torch.nn.functional as F

from mnist_helpers.exercises.chapter_04 import (
    FIVE_LABELS,
    LOGITS,
    TWO_BATCHES,
    Watched,
    WatchedSGD,
    answered,
    exercises,  # noqa: F401
    random_numbers,
)


def unstable_loss(logits, labels):
    powers = logits.exp()
    return -(powers / powers.sum(dim=1, keepdim=True)).log()[range(len(labels)), labels].mean()


def unstable_log_sum(logits, labels):
    return -(logits - logits.exp().sum(dim=1, keepdim=True).log())[range(len(labels)), labels].mean()


def shifted_by_the_batch(logits, labels):
    return unstable_log_sum(logits - logits.max(), labels)


def one_hot_mean(logits, labels):
    return -(F.one_hot(labels, logits.shape[1]) * logits.log_softmax(dim=1)).mean()


def damped(weight, gradient, velocity, learning_rate, momentum):
    velocity = momentum * velocity + (1 - momentum) * gradient
    return weight - learning_rate * velocity, velocity


def rate_in_velocity(weight, gradient, velocity, learning_rate, momentum):
    velocity = momentum * velocity + learning_rate * gradient
    return weight - velocity, velocity


def step_with(*calls, in_train_mode=True, result=lambda loss: loss.item(), loss_of=F.nll_loss):
    """A training step that makes these calls, in this order."""

    def train_step(model, optimizer, images, labels):
        model.train(model.training or in_train_mode)
        loss = None
        for call in calls:
            if call == "loss":
                loss = loss_of(model(images), labels)
            elif call == "backward":
                loss.backward()
            else:
                getattr(optimizer, call)()
        return result(loss)

    return train_step


def loss_after_the_step(model, optimizer, images, labels):
    step_with("zero_grad", "loss", "backward", "step")(model, optimizer, images, labels)
    with torch.no_grad():
        return F.nll_loss(model(images), labels).item()


def log_probs_of(model, images):
    with torch.inference_mode():
        return model.eval()(images)


def mean_of_batches(model, images, labels):
    batches = zip(images.split(64), labels.split(64))
    return np.mean([(log_probs_of(model, x).argmax(dim=1) == y).float().mean().item() for x, y in batches])


def eval_forgotten(model, images, labels):
    with torch.inference_mode():
        return (model(images).argmax(dim=1) == labels).float().mean().item()


# exercise: {misconception: what a student who holds it writes}
WRONG = {
    "mean_accuracy": {
        "mean of the batches' accuracies": lambda correct, sizes: np.mean(np.array(correct) / np.array(sizes)),
        "divided by the number of batches": lambda correct, sizes: sum(correct) / len(sizes),
        "per cent": lambda correct, sizes: 100 * sum(correct) / sum(sizes),
        "only the last batch": lambda correct, sizes: correct[-1] / sizes[-1],
        "only the first batch": lambda correct, sizes: correct[0] / sizes[0],
        "last batch taken for full": lambda correct, sizes: sum(correct) / (len(sizes) * sizes[0]),
        "one accuracy a batch": lambda correct, sizes: [c / s for c, s in zip(correct, sizes)],
        "count": lambda correct, sizes: sum(correct),
        "share of the wrong ones": lambda correct, sizes: 1 - sum(correct) / sum(sizes),
    },
    "loss_from_logits": {
        "softmax applied twice": lambda logits, labels: F.cross_entropy(logits.softmax(dim=1), labels),
        "nll of raw logits": lambda logits, labels: F.nll_loss(logits, labels),
        "logarithm forgotten": lambda logits, labels: F.nll_loss(logits.softmax(dim=1), labels),
        "sum in place of mean": lambda logits, labels: F.cross_entropy(logits, labels, reduction="sum"),
        "one loss an image": lambda logits, labels: F.cross_entropy(logits, labels, reduction="none"),
        "sign forgotten": lambda logits, labels: -F.cross_entropy(logits, labels),
        "softmax over the images": lambda logits, labels: F.nll_loss(logits.log_softmax(dim=0), labels),
        "softmax over the whole batch": lambda logits, labels: F.nll_loss(
            (logits.exp() / logits.exp().sum()).log(), labels
        ),
        "logarithm of the logits": lambda logits, labels: F.nll_loss(logits.log(), labels),
        "mean over all classes": lambda logits, labels: -logits.log_softmax(dim=1).mean(),
        "one-hot, mean over its zeros too": one_hot_mean,
        "base 10": lambda logits, labels: -logits.softmax(dim=1).log10()[range(len(labels)), labels].mean(),
        "base 2": lambda logits, labels: -logits.softmax(dim=1).log2()[range(len(labels)), labels].mean(),
        "overflow, softmax": unstable_loss,
        "overflow, logarithm of the sum": unstable_log_sum,
        "logarithm of a probability of 0": lambda logits, labels: F.nll_loss(logits.softmax(dim=1).log(), labels),
        "a small number against log(0)": lambda logits, labels: F.nll_loss(
            (logits.softmax(dim=1) + 1e-9).log(), labels
        ),
        "largest logit of the batch subtracted": shifted_by_the_batch,
        "ten classes written into it": lambda logits, labels: F.cross_entropy(logits, labels) * (logits.shape[1] / 10),
    },
    "sgd_step": {
        "plus in place of minus": lambda w, g, v, rate, momentum: (w + rate * (momentum * v + g), momentum * v + g),
        "old velocity used": lambda w, g, v, rate, momentum: (w - rate * v, momentum * v + g),
        "gradient alone used": lambda w, g, v, rate, momentum: (w - rate * g, momentum * v + g),
        "momentum ignored": lambda w, g, v, rate, momentum: (w - rate * g, v),
        "old velocity returned": lambda w, g, v, rate, momentum: (w - rate * (momentum * v + g), v),
        "learning rate inside the velocity": rate_in_velocity,
        "damped": damped,
        "momentum on the weight": lambda w, g, v, rate, momentum: (momentum * w - rate * g, v),
        "weight shrunk too": lambda w, g, v, rate, momentum: (
            momentum * w - rate * (momentum * v + g),
            momentum * v + g,
        ),
        "Nesterov": lambda w, g, v, rate, momentum: (
            w - rate * (g + momentum * (momentum * v + g)),
            momentum * v + g,
        ),
        "learning rate forgotten": lambda w, g, v, rate, momentum: (w - (momentum * v + g), momentum * v + g),
        "gradient subtracted from the velocity": lambda w, g, v, rate, momentum: (
            w + rate * (momentum * v - g),
            momentum * v - g,
        ),
        "velocity that points downhill": lambda w, g, v, rate, momentum: (
            w + (momentum * v - rate * g),
            momentum * v - rate * g,
        ),
        "changed places": lambda w, g, v, rate, momentum: (momentum * v + g, w - rate * (momentum * v + g)),
        "weight alone returned": lambda w, g, v, rate, momentum: w - rate * (momentum * v + g),
        "momentum written into it": lambda w, g, v, rate, momentum: (w - rate * (0.8 * v + g), 0.8 * v + g),
    },
    "train_step": {
        "zero_grad forgotten": step_with("loss", "backward", "step"),
        "step forgotten": step_with("zero_grad", "loss", "backward"),
        "backward forgotten": step_with("zero_grad", "loss", "step"),
        "left in eval mode": step_with("zero_grad", "loss", "backward", "step", in_train_mode=False),
        "step before backward": step_with("zero_grad", "loss", "step", "backward"),
        "zero_grad after backward": step_with("loss", "backward", "zero_grad", "step"),
        "loss after the step": loss_after_the_step,
        "sum in place of mean": step_with(
            "zero_grad", "loss", "backward", "step", loss_of=lambda p, y: F.nll_loss(p, y, reduction="sum")
        ),
        "sign of the loss": step_with("zero_grad", "loss", "backward", "step", loss_of=lambda p, y: -F.nll_loss(p, y)),
        "two steps": step_with("zero_grad", "loss", "backward", "step", "step"),
        "model not called": lambda model, optimizer, images, labels: 0.0,
        "log-probabilities returned": step_with(
            "zero_grad", "loss", "backward", "step", result=lambda loss: [loss.item()] * 10
        ),
        "sum returned": lambda model, optimizer, images, labels: (
            len(labels) * step_with("zero_grad", "loss", "backward", "step")(model, optimizer, images, labels)
        ),
    },
    "accuracy_of": {
        "eval forgotten": eval_forgotten,
        "argmax over the images": lambda model, images, labels: (
            (log_probs_of(model, images).argmax(dim=0) == labels).float().mean()
        ),
        "argmax over everything": lambda model, images, labels: (
            (log_probs_of(model, images).argmax() == labels).float().mean()
        ),
        "count in place of share": lambda model, images, labels: (
            log_probs_of(model, images).argmax(dim=1) == labels
        ).sum(),
        "per cent": lambda model, images, labels: (
            100 * (log_probs_of(model, images).argmax(dim=1) == labels).float().mean()
        ),
        "share of the wrong ones": lambda model, images, labels: (
            (log_probs_of(model, images).argmax(dim=1) != labels).float().mean()
        ),
        "whole-number division": lambda model, images, labels: (
            (log_probs_of(model, images).argmax(dim=1) == labels).sum() // len(labels)
        ),
        "least likely class": lambda model, images, labels: (
            (log_probs_of(model, images).argmin(dim=1) == labels).float().mean()
        ),
        "one answer an image": lambda model, images, labels: log_probs_of(model, images).argmax(dim=1) == labels,
        "not compared": lambda model, images, labels: log_probs_of(model, images).argmax(dim=1),
        "gradients recorded": lambda model, images, labels: (
            (model.eval()(images).argmax(dim=1) == labels).float().mean()
        ),
        "mean of unequal batches": mean_of_batches,
        "model not called": lambda model, images, labels: 0.6,
    },
    "choose": {
        "chosen by the test set": lambda validation, test: (np.argmax(test), max(test)),
        "the best test accuracy reported": lambda validation, test: (np.argmax(validation), max(test)),
        "validation accuracy reported": lambda validation, test: (np.argmax(validation), max(validation)),
        "chosen by the mean of both": lambda validation, test: (
            best := int(np.argmax(np.add(validation, test))),
            test[best],
        ),
        "mean of both reported": lambda validation, test: (
            best := int(np.argmax(validation)),
            (validation[best] + test[best]) / 2,
        ),
        "mean of all candidates reported": lambda validation, test: (np.argmax(validation), np.mean(test)),
        "changed places": lambda validation, test: (test[np.argmax(validation)], np.argmax(validation)),
        "index alone": lambda validation, test: np.argmax(validation),
        "accuracy alone": lambda validation, test: test[np.argmax(validation)],
        "counted from 1": lambda validation, test: (np.argmax(validation) + 1, test[np.argmax(validation)]),
    },
}


def counted(correct, sizes):
    right = total = 0
    for correct_in_batch, size in zip(correct, sizes):
        right += correct_in_batch
        total += size
    return torch.tensor(right / total)


def looped_loss(logits, labels):
    total = 0.0
    for row, label in zip(logits.double().tolist(), labels.tolist()):
        largest = max(row)
        total += largest + np.log(sum(np.exp(z - largest) for z in row)) - row[label]
    return total / len(labels)


def numpy_loss(logits, labels):
    shifted = logits.numpy() - logits.numpy().max(axis=1, keepdims=True)
    log_probs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -np.mean(log_probs[np.arange(len(labels)), labels.numpy()])


def in_place_step(weight, gradient, velocity, learning_rate, momentum):
    velocity.mul_(momentum).add_(gradient)
    weight -= learning_rate * velocity
    return [weight, velocity]


def numpy_step(weight, gradient, velocity, learning_rate, momentum):
    new = momentum * velocity.double().numpy() + gradient.double().numpy()
    return weight.double().numpy() - learning_rate * new, new


def looped_step(weight, gradient, velocity, learning_rate, momentum):
    pairs = zip(weight.flatten().tolist(), gradient.flatten().tolist(), velocity.flatten().tolist())
    rows = [(w - learning_rate * (momentum * v + g), momentum * v + g) for w, g, v in pairs]
    return tuple(torch.tensor(values).reshape(weight.shape) for values in zip(*rows))


def averaged_by_hand(model, optimizer, images, labels):
    model.train()
    log_probs = model(images)
    loss = -sum(log_probs[n, label] for n, label in enumerate(labels)) / len(labels)
    model.zero_grad(set_to_none=False)
    loss.backward()
    optimizer.step()
    return loss.detach().numpy()


def eval_loss_printed(model, optimizer, images, labels):
    loss = step_with("zero_grad", "loss", "backward", "step")(model, optimizer, images, labels)
    print(F.nll_loss(log_probs_of(model, images), labels))
    return loss


def gradients_set_by_hand(model, optimizer, images, labels):
    model.train()
    loss = F.nll_loss(model(images), labels)
    parameters = list(model.parameters())
    for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters)):
        parameter.grad = gradient
    optimizer.step()
    return loss.item()


def looped_accuracy(model, images, labels):
    model.eval()
    correct = 0
    with torch.no_grad():
        for image, label in zip(images, labels):
            correct += int(model(image[None])[0].argmax() == label)
    return correct / len(images)


def numpy_accuracy(model, images, labels):
    return np.mean(log_probs_of(model, images).numpy().argmax(axis=1) == labels.numpy())


def batched_accuracy(model, images, labels):
    batches = zip(images.split(64), labels.split(64))
    return sum((log_probs_of(model, x).argmax(dim=1) == y).sum() for x, y in batches) / len(labels)


def looped_choice(validation_accuracies, test_accuracies):
    best = 0
    for index, accuracy in enumerate(validation_accuracies):
        if accuracy > validation_accuracies[best]:
            best = index
    return [best, test_accuracies[best]]


RIGHT = {
    "mean_accuracy": [counted, lambda correct, sizes: np.average(np.divide(correct, sizes), weights=sizes)],
    "loss_from_logits": [looped_loss, numpy_loss, F.cross_entropy],
    "sgd_step": [in_place_step, numpy_step, looped_step],
    "train_step": [
        averaged_by_hand,
        eval_loss_printed,
        gradients_set_by_hand,
        step_with("loss", "zero_grad", "backward", "step"),
        step_with("loss", "backward", "step", "zero_grad"),
        step_with("zero_grad", "loss", "backward", "step", loss_of=F.cross_entropy, result=lambda loss: loss),
    ],
    "accuracy_of": [looped_accuracy, numpy_accuracy, batched_accuracy],
    "choose": [
        looped_choice,
        lambda validation, test: max(enumerate(test), key=lambda pair: validation[pair[0]]),
        lambda validation, test: (torch.tensor(validation).argmax(), np.array(test)[validation.index(max(validation))]),
    ],
}


def probe_train_step(function):
    model = Watched().eval()
    optimizer = WatchedSGD(model)
    values = []
    for batch in TWO_BATCHES:
        values += [function(model, optimizer, *batch), model.weight.detach().clone(), model.eval().calls[-1][0]]
    return values


def probe_accuracy_of(function):
    values = []
    for count, wrong in [(10, 4), (130, 2), (7, 0), (1, 1)]:
        model = Watched()
        values += [function(model, *answered(count, wrong)[:2]), *[value for call in model.calls for value in call]]
    return values


# exercise: what a function gives on many inputs; two functions with equal results behave alike
PROBES = {
    "mean_accuracy": lambda function: [
        function(correct, sizes) for correct, sizes in [([48, 56, 2], [64, 64, 10]), ([7], [10]), ([0, 0], [64, 3])]
    ],
    "loss_from_logits": lambda function: [
        function(logits, labels)
        for logits, labels in [
            (LOGITS, FIVE_LABELS),
            (random_numbers(10, 10, seed=3), torch.arange(10)),
            (random_numbers(1, 10, seed=3), FIVE_LABELS[:1]),
            (random_numbers(2, 3, seed=3), torch.tensor([2, 0])),
            (torch.tensor([[1000.0, 0.0], [-1000.0, -999.0]]), torch.tensor([1, 0])),
            (torch.tensor([[1.0, 2.0], [3.0, 4.0]]) * 1000, torch.tensor([1, 0])),
        ]
    ],
    "sgd_step": lambda function: [
        value
        for rate, momentum, seed in [(0.1, 0.8, 1), (0.01, 0.5, 2), (0.5, 0.0, 3), (1.0, 0.9, 4)]
        for value in function(*random_numbers(3, 2, 4, seed=seed), rate, momentum)
    ],
    "train_step": probe_train_step,
    "accuracy_of": probe_accuracy_of,
    "choose": lambda function: [
        value
        for validation, test in [([0.96, 0.97, 0.95], [0.95, 0.94, 0.96]), ([0.9], [0.8]), ([0.1, 0.2], [0.4, 0.3])]
        for value in function(validation, test)
    ],
}
