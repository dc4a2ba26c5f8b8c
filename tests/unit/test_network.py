"""The network against the report's own code."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mnist_helpers.network import TWO_BLOCKS, ConvNet, Net, block, layer_table
from mnist_helpers.training import predict
from tests.support.refusal import refused


class ReportNet(nn.Module):
    """The report's code to the letter, but for the dim that log_softmax has to be given today."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 10, kernel_size=5)
        self.conv2 = nn.Conv2d(10, 20, kernel_size=5)
        self.conv2_drop = nn.Dropout2d()
        self.fc1 = nn.Linear(320, 50)
        self.fc2 = nn.Linear(50, 10)

    def forward(self, x):
        x = F.relu(F.max_pool2d(self.conv1(x), 2))
        x = F.relu(F.max_pool2d(self.conv2_drop(self.conv2(x)), 2))
        x = x.view(-1, 320)
        x = F.relu(self.fc1(x))
        x = F.dropout(x, training=self.training)
        x = self.fc2(x)
        return F.log_softmax(x, dim=1)


@pytest.mark.parametrize("training", [False, True])
def test_forward_equals_the_reports(training, images):
    ours, theirs = Net().train(training), ReportNet().train(training)
    theirs.load_state_dict(ours.state_dict())
    torch.manual_seed(0)  # the same units are dropped in both
    expected = theirs(images.contiguous(memory_format=torch.contiguous_format))
    torch.manual_seed(0)
    torch.testing.assert_close(ours(images), expected, rtol=1e-5, atol=1e-5)


def test_same_seed_gives_the_weights_of_the_report():
    torch.manual_seed(1)
    ours = Net().state_dict()
    torch.manual_seed(1)
    theirs = ReportNet().state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs) and len(ours) == len(theirs)


def test_layer_table_adds_up_to_the_counts_done_by_hand(images):
    table = layer_table(Net(), images[:2])
    assert table.index.tolist() == ["conv1", "conv2", "conv2_drop", "fc1", "fc1_drop", "fc2"]
    shapes = [[10, 24, 24], [20, 8, 8], [20, 8, 8], [50], [50], [10]]
    assert table["output shape"].tolist() == shapes
    assert table["parameters"].tolist() == [10 * 25 + 10, 20 * 250 + 20, 0, 320 * 50 + 50, 0, 50 * 10 + 10]
    assert table["parameters"].sum() == 21_840
    multiply_adds = [24 * 24 * 10 * 25, 8 * 8 * 20 * 250, 0, 320 * 50, 0, 50 * 10]
    assert table["multiply-adds"].tolist() == multiply_adds


@pytest.mark.parametrize("mode", [True, False])
def test_layer_table_leaves_the_network_as_it_was(mode, images):
    model = ConvNet().train(mode)
    model.blocks[0].eval()  # a part whose mode differs
    before = copy.deepcopy(model.state_dict()), [layer.training for layer in model.modules()]
    layer_table(model, images[:1])
    assert not any(layer._forward_hooks for layer in model.modules())
    assert [layer.training for layer in model.modules()] == before[1]
    assert all(torch.equal(value, before[0][name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("seed", range(5))
def test_untrained_network_guesses(seed, images, labels):
    torch.manual_seed(seed)
    log_probs = Net().eval()(images)
    torch.testing.assert_close(log_probs.exp().sum(dim=1), torch.ones(500))
    assert F.nll_loss(log_probs, labels).item() == pytest.approx(math.log(10), abs=0.05)


@pytest.mark.parametrize("bad", [torch.zeros(1, 28, 28), torch.zeros(1, 1, 28, 28).double(), torch.zeros(2, 784)])
def test_batch_of_another_kind_is_refused(bad):
    with refused("a batch of images was expected"):
        Net()(bad)


# the network


@pytest.mark.parametrize("pool", [True, False])
def test_block_is_convolution_pooling_normalisation_relu(images, pool):
    layers = block(1, 3, 5, pool).train()
    assert layers[0].bias is None
    maps = F.conv2d(images, layers[0].weight)
    maps = F.max_pool2d(maps, 2) if pool else maps
    mean, var = maps.mean(dim=(0, 2, 3), keepdim=True), maps.var(dim=(0, 2, 3), correction=0, keepdim=True)
    torch.testing.assert_close(layers(images), ((maps - mean) / (var + 1e-5).sqrt()).clamp(min=0))


def test_convnet_has_the_size_of_the_report_when_it_has_its_shape(images):
    model = ConvNet(TWO_BLOCKS, width=10, hidden=50, batch_norm=False)
    assert sum(p.numel() for p in model.parameters()) == 21_840
    torch.testing.assert_close(predict(model, images).sum(dim=1), torch.ones(500))


def test_convnet_computes_what_the_report_does_with_its_weights(images):
    report, same = Net().eval(), ConvNet(TWO_BLOCKS, width=10, hidden=50, dropout=0.5, batch_norm=False).eval()
    same.load_state_dict(dict(zip(same.state_dict(), report.state_dict().values())))
    torch.testing.assert_close(same(images), report(images))


def test_dropout_acts_in_train_mode_only(images):
    model = ConvNet(dropout=0.5)
    assert not torch.equal(model.train()(images[:9]), model(images[:9]))
    assert torch.equal(model.eval()(images[:9]), model(images[:9]))


def test_convnet_refuses_what_is_no_batch(images):
    with refused("batch of images", "unsqueeze(0)"):
        ConvNet()(images[0])
