"""Training against calculation by hand, evaluation against scikit-learn, log lines against the report."""

import os

import pytest
import torch
from sklearn.metrics import accuracy_score, log_loss
from torch import nn

from mnist_helpers import training
from mnist_helpers.network import Net
from mnist_helpers.training import History, evaluate, predict, seed_all, train_epoch


def softmax_regression(inputs=784):
    return nn.Sequential(nn.Flatten(), nn.Linear(inputs, 10), nn.LogSoftmax(dim=1))


def sgd(model):
    return torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.5)


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_two_steps_of_sgd_with_momentum_equal_calculation_by_hand(images, labels):
    model = softmax_regression()
    weight, velocity = model[1].weight.detach().clone(), 0
    bias = model[1].bias.detach().clone()
    x, truth = images.flatten(1), nn.functional.one_hot(labels, 10)
    for _ in range(2):
        error = (x @ weight.T + bias).softmax(dim=1) - truth  # d loss / d logits, times 500
        velocity = 0.5 * velocity + torch.cat([error.T @ x, error.sum(dim=0)[:, None]], dim=1) / 500
        weight, bias = weight - 0.01 * velocity[:, :-1], bias - 0.01 * velocity[:, -1]

    optimizer = sgd(model)
    for _ in range(2):
        train_epoch(model, images, labels, optimizer, History(), batch_size=500)
    torch.testing.assert_close(model[1].weight.detach(), weight)
    torch.testing.assert_close(model[1].bias.detach(), bias)


def test_gradients_of_earlier_batches_are_forgotten(images, labels):
    results = []
    for left_over in (None, 1000.0):
        seed_all(0)
        model = softmax_regression()
        for parameter in model.parameters():
            parameter.grad = None if left_over is None else torch.full_like(parameter, left_over)
        train_epoch(model, images, labels, sgd(model), History())
        results.append(weights(model))
    assert torch.equal(*results)


def test_every_image_is_seen_once_an_epoch_in_a_new_order(images, labels):
    seen = []
    model = softmax_regression()
    model.register_forward_pre_hook(lambda model, batch: seen.append(batch[0].flatten(1)))
    for _ in range(2):
        train_epoch(model, images, labels, sgd(model), History())
    epochs = torch.cat(seen).split(500)
    assert [len(batch) for batch in seen[:8]] == [64] * 7 + [52]
    for epoch in epochs:
        assert torch.equal(epoch.sum(dim=1).sort().values, images.flatten(1).sum(dim=1).sort().values)
    assert not torch.equal(*epochs)


def test_dropout_and_gradients_are_on_in_training_and_off_in_evaluation(images, labels):
    modes = []
    model = Net()
    model.register_forward_pre_hook(lambda model, batch: modes.append((model.training, torch.is_grad_enabled())))
    train_epoch(model, images[:64], labels[:64], sgd(model), History())
    evaluate(model, images, labels)
    model.train()
    predict(model, images)
    assert modes == [(True, True), (False, False), (False, False)]


def test_evaluate_equals_scikit_learn(images, labels):
    model = Net()
    loss, correct = evaluate(model, images, labels)
    with torch.no_grad():
        probs = model.eval()(images).exp().double()
    probs /= probs.sum(dim=1, keepdim=True)
    assert correct == accuracy_score(labels, probs.argmax(dim=1), normalize=False)
    assert loss == pytest.approx(log_loss(labels, probs, labels=range(10)), abs=1e-6)


def test_evaluate_and_predict_leave_no_gradients(images, labels):
    model = Net()
    evaluate(model, images, labels)
    probs = predict(model, images)
    assert all(p.grad is None for p in model.parameters()) and not probs.requires_grad


def test_last_partial_batch_counts_by_its_size(test_set):
    images, labels = test_set[0][:1050], test_set[1][:1050]
    labels = torch.cat([labels[:1000], (labels[1000:] + 1) % 10])  # the last 50 are unlike the others
    model = Net()
    parts, whole = evaluate(model, images, labels, batch_size=1000), evaluate(model, images, labels, batch_size=1050)
    assert parts[1] == whole[1]
    assert parts[0] == pytest.approx(whole[0], abs=1e-6)


def test_predict_gives_one_row_of_probabilities_an_image(images):
    model = Net()
    probs = predict(model, images, batch_size=200)
    torch.testing.assert_close(probs, model(images).exp().detach())
    torch.testing.assert_close(probs.sum(dim=1), torch.ones(500))


def test_same_seed_gives_the_same_weights(images, labels):
    results = []
    for seed in (1, 1, 2):
        seed_all(seed)
        model = Net()
        train_epoch(model, images, labels, sgd(model), History())
        results.append(weights(model))
    assert torch.equal(results[0], results[1]) and not torch.equal(results[0], results[2])


def test_history_counts_examples_when_the_batch_does_not_divide_the_set(test_set):
    history, model = History(), softmax_regression()
    images, labels = test_set[0][:1000], test_set[1][:1000]
    for _ in range(2):
        train_epoch(model, images, labels, sgd(model), history)
    assert history.epochs == 2
    assert history.train_examples == [0, 640, 1000, 1640] and len(history.train_losses) == 4


def test_losses_are_recorded_and_told_as_often_as_asked(images, labels):
    history, model, told = History(), softmax_regression(), []
    options = {"batch_size": 50, "log_interval": 4}
    train_epoch(model, images, labels, sgd(model), history, on_record=told.append, **options)
    assert history.train_examples == [0, 200, 400]
    assert told == [history] * 3


def test_recorded_loss_is_the_loss_of_the_batch_before_its_step(images, labels):
    model, history = softmax_regression(), History()
    loss, _ = evaluate(model, images, labels)
    train_epoch(model, images, labels, sgd(model), history, batch_size=500)
    assert history.train_losses == [pytest.approx(loss, abs=1e-6)]


def test_log_lines_are_the_reports():
    assert training.train_line(1, 640, 60000, 2.295) == "Train Epoch: 1 [640/60000 (1%)]\tLoss: 2.295000"
    expected = "\nTest set: Avg. loss: 0.1018, Accuracy: 9671/10000 (97%)\n"
    assert training.test_line(0.1018, 9671, 10000) == expected


def test_report_recipe_is_the_reports(images, labels, monkeypatch):
    monkeypatch.setattr(training, "load", lambda split, device: (images, labels))
    ours, history = training.train_report_net(seed=3, epochs=2)
    seed_all(3)
    model = Net().to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.5)
    for _ in range(2):
        train_epoch(model, images, labels, optimizer, History(), batch_size=64)
    assert torch.equal(weights(ours), weights(model)) and history.epochs == 2
    assert history.test_examples == [0, 500, 1000]
    assert (history.test_losses[-1], history.test_correct[-1]) == evaluate(ours, images, labels)


@pytest.mark.parametrize("device, chosen", [(None, 0), ("cpu", 0), ("mps:0", 0), ("cuda:0", 1)])
def test_only_a_gpu_gets_kernels_that_repeat(device, chosen, monkeypatch):
    """The settings hold for the whole process, so a run on the processor must not make them."""
    calls = []
    monkeypatch.setattr(training, "choose_repeatable_kernels", lambda: calls.append(True))
    seed_all(1, device and torch.device(device))
    assert len(calls) == chosen


def test_kernels_that_repeat_are_torchs_settings_for_them(monkeypatch):
    settings = []
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    monkeypatch.setattr(torch, "use_deterministic_algorithms", settings.append)
    for name, before in (("deterministic", False), ("benchmark", True)):
        monkeypatch.setattr(torch.backends.cudnn, name, before)
    training.choose_repeatable_kernels()
    assert settings == [True] and os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    assert torch.backends.cudnn.deterministic and not torch.backends.cudnn.benchmark
