"""Several processes: each one's part of a step, and whole runs as torchrun starts them."""

import copy
import json
import os
import sys
import threading
from dataclasses import replace
from functools import partial

import pytest
import torch
import torch.distributed as dist
from torch import nn

from mnist_helpers import recipes
from mnist_helpers.network import ConvNet
from mnist_helpers.recipes import RECIPES
from mnist_helpers.trainer import cli as train
from mnist_helpers.trainer import session
from mnist_helpers.trainer.distributed import (
    ProcessGroup,
    SyncBatchNorm2d,
    SyncDropout,
    check_gpus,
    start,
    synchronise_layers,
)
from mnist_helpers.trainer.run import Run
from mnist_helpers.training import seed_all
from tests.support.trainer import (
    assert_refused,
    assert_same,
    command,
    start_pair,
    start_two,
    start_two_without_torchrun,
    state_of,
)

# several processes: their part of a step, in one


class Thread(ProcessGroup):
    """A process that is a thread: sums are formed through a list that all see."""

    table, barrier = {}, None

    def all_reduce_sum(self, values):
        Thread.table[self.rank] = values.clone()
        Thread.barrier.wait(60)
        values.copy_(sum(Thread.table[rank] for rank in range(self.size)))
        Thread.barrier.wait(60)
        return values


def together(size, work):
    """Let `work` be done by so many threads at once; returns their results in order."""
    Thread.barrier = threading.Barrier(size)
    results = [None] * size

    def one(rank):
        results[rank] = work(Thread(rank, size))

    threads = [threading.Thread(target=one, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


def normalise_in_shares(layer, x, target, size):
    """Return the outputs, the gradients of the input and the layers of `size` processes with a share of `x` each."""
    parts = [copy.deepcopy(layer) for _ in range(size)]

    def work(processes):
        mine = processes.shard(x).requires_grad_()
        part = SyncBatchNorm2d(parts[processes.rank], processes)
        y = part(mine)
        y.backward(processes.shard(target))
        return y.detach(), mine.grad, part

    return zip(*together(size, work))


@pytest.mark.parametrize("size", [1, 2, 3])
def test_batch_normalisation_of_shares_is_that_of_the_whole_batch(size):
    seed_all(1)
    layer = nn.BatchNorm2d(4).double()
    nn.init.normal_(layer.weight), nn.init.normal_(layer.bias)
    x, target = torch.randn(2, 11, 4, 5, 3, dtype=torch.float64) * 3 + 10  # 11 images: uneven shares
    outputs, gradients, layers = normalise_in_shares(layer, x, target, size)
    x.requires_grad_()
    expected = layer(x)
    expected.backward(target)
    close = partial(torch.testing.assert_close, rtol=1e-10, atol=1e-12)
    close(torch.cat(outputs), expected.detach())
    close(torch.cat(gradients), x.grad)
    for name, parameter in layer.named_parameters():
        close(sum(getattr(part, name).grad for part in layers), parameter.grad)
    for part in layers:
        close(part.state_dict(), layer.state_dict())
        torch.testing.assert_close(part.eval()(x), layer.eval()(x))


@pytest.mark.parametrize("layer", [nn.Dropout(0.3), nn.Dropout2d(0.5)])
def test_dropout_of_shares_is_that_of_the_whole_batch(layer):
    x = torch.rand(11, 4, 5, 3)
    seed_all(1)
    expected, drawn_next = layer(x), torch.rand(1)
    parts = []
    for rank in range(3):
        seed_all(1)
        processes = ProcessGroup(rank, 3)
        part = SyncDropout(layer, processes)
        parts.append(part(processes.shard(x)))
        assert torch.equal(torch.rand(1), drawn_next)  # the draws that follow are the same too
        assert torch.equal(part.eval()(x), x)
    assert torch.equal(torch.cat(parts), expected)


def test_shares_are_the_batch_in_order_and_differ_by_one_at_most():
    for size in (1, 2, 3, 7):
        for batch in range(size, 20):
            shares = [ProcessGroup(rank, size).shard(torch.arange(batch)) for rank in range(size)]
            assert torch.equal(torch.cat(shares), torch.arange(batch))
            assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_layers_of_a_whole_batch_are_replaced_and_keep_their_weights():
    model = recipes.build(replace(RECIPES["best"], dropout=0.2))
    weights, before = list(model.parameters()), model.state_dict()
    synchronise_layers(model, ProcessGroup())
    kinds = [type(layer) for layer in model.modules()]
    assert kinds.count(SyncBatchNorm2d) == 5 and kinds.count(SyncDropout) == 1
    assert nn.BatchNorm2d not in kinds and nn.Dropout not in kinds
    assert all(one is other for one, other in zip(model.parameters(), weights))
    assert_same(model.state_dict(), dict(before))


@pytest.mark.parametrize("name, local_rank, expected", [("cuda", None, 0), ("cuda", "1", 1), ("cuda:1", "0", 1)])
def test_a_gpu_is_set_by_its_index(name, local_rank, expected, monkeypatch):
    """torch.cuda.set_device refuses "cuda" alone: its own check of the argument runs here, without a GPU."""
    set_to = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: set_to.append(torch.cuda._get_device_index(device)))
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    if local_rank is not None:
        monkeypatch.setenv("LOCAL_RANK", local_rank)
    assert start(name)[1] == torch.device("cuda", expected)
    assert set_to == [expected]


@pytest.mark.parametrize(
    "device, gpus, processes, words",
    [
        ("cuda", 1, 2, "2 processes were started with --device cuda on a machine with 1 GPUs"),
        ("cuda", 0, 2, "with 0 GPUs"),
        ("cuda:0", 2, 2, "with --device cuda, or"),
        ("mps", 0, 2, "start at most 1, with --device mps"),
    ],
)
def test_two_processes_on_one_gpu_are_refused_before_anything_is_written(
    device, gpus, processes, words, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", str(processes))
    assert_refused(command(tmp_path / "new", "--device", device), tmp_path, capsys, words, "a GPU of its own")


@pytest.mark.parametrize("device, gpus", [("cuda", 2), ("cpu", 0), ("cpu", 1)])
def test_as_many_processes_as_gpus_are_not_refused(device, gpus, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    check_gpus(device)


@pytest.mark.integration
def test_two_processes_do_what_one_does(tmp_path):
    """Uneven shares, augmentation, dropout and batch normalisation. Gentle steps, which amplify rounding little."""
    choices = {"recipe": "best", "batch_size": 33, "epochs": 1}  # 15 batches of 33 and one of 5
    job = start_two(tmp_path / "two", "--learning-rate", "1e-5", **choices)
    train.main(command(tmp_path / "one", "--learning-rate", "1e-5", **choices))
    said, errors = job.communicate(timeout=300)
    assert job.returncode == 0, errors
    assert said.count("epoch 1 of 1") == 1 and "Warning" not in errors
    one, two = state_of(tmp_path / "one"), state_of(tmp_path / "two")
    for part in ("model", "average"):
        torch.testing.assert_close(two[part], one[part], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(two["history"]["losses"], one["history"]["losses"], rtol=1e-5, atol=0)
    assert two["history"]["examples"] == one["history"]["examples"]
    assert_same(two["random_state"], one["random_state"])  # as many numbers were drawn
    result = json.loads((tmp_path / "two/result.json").read_text())
    assert result["made_with"]["processes"] == 2 and "--nproc-per-node=2" in result["made_with"]["command"]


SUM = """
import torch
from mnist_helpers.trainer.distributed import start

group, device = start("cpu")
print(group.rank, group.size, group.all_reduce_sum(torch.tensor(group.rank + 1)).item())
group.leave()
"""


@pytest.mark.integration
def test_two_processes_meet_without_torchrun():
    """As on Windows: the variables set by hand, and the store without libuv."""
    jobs = start_pair([sys.executable, "-c", SUM])
    said = [job.communicate(timeout=60) for job in jobs]
    assert said == [("0 2 3\n", ""), ("1 2 3\n", "")]


@pytest.mark.slow
def test_two_processes_do_the_same_without_torchrun(tmp_path):
    """As those of the test above, which only meet, they train."""
    torchruns = start_two(tmp_path / "torchrun", epochs=1) if os.name != "nt" else None
    first, second = start_two_without_torchrun(tmp_path / "two", epochs=1)
    (said, errors), (silent, more_errors) = first.communicate(timeout=300), second.communicate(timeout=300)
    assert (first.returncode, second.returncode) == (0, 0), errors + more_errors
    assert "epoch 1 of 1" in said and silent == ""
    result = json.loads((tmp_path / "two/result.json").read_text())
    assert result["made_with"]["processes"] == 2 and "torchrun" not in result["made_with"]["command"]
    if torchruns:
        torchruns.communicate(timeout=300)
        assert_same(state_of(tmp_path / "two"), state_of(tmp_path / "torchrun"))


CLOSED = RuntimeError("[../third_party/gloo/gloo/transport/tcp/pair.cc:561] Connection closed by peer")


def pretend_two(monkeypatch):
    """Let the command take itself for the first of two processes, without a second one."""
    monkeypatch.setattr(session, "start", lambda device: (ProcessGroup(0, 2), torch.device("cpu")))
    monkeypatch.setattr(ProcessGroup, "distribute", lambda group, model: model)
    monkeypatch.setattr(dist, "all_reduce", lambda values: None)


def all_reduce_fails(monkeypatch, error):
    def fail(values):
        raise error

    monkeypatch.setattr(dist, "all_reduce", fail)


def layers_fail(monkeypatch, error):
    """Raise the error in the forward pass, as DistributedDataParallel does when its own communication fails."""

    def fail(module, x):
        raise error

    monkeypatch.setattr(ConvNet, "forward", fail)


def evaluation_fails(monkeypatch, error):
    """Raise the error between two steps, as NCCL does when a result is fetched."""

    def fail(run, images, labels):
        raise error

    monkeypatch.setattr(Run, "evaluate", fail)


LOST = [
    (evaluation_fails, dist.DistBackendError("NCCL communicator was aborted")),
    (all_reduce_fails, CLOSED),
    (all_reduce_fails, dist.DistNetworkError("Connection reset by peer")),
    (layers_fail, CLOSED),
    (layers_fail, dist.DistBackendError("NCCL communicator was aborted")),
]


@pytest.mark.parametrize("fail, error", LOST)
def test_the_end_of_another_process_is_told_in_one_sentence(fail, error, tmp_path, monkeypatch, capsys):
    pretend_two(monkeypatch)
    fail(monkeypatch, error)
    assert train.main(command(tmp_path)) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "Another process" in said and said.endswith("--resume\n")


def test_the_connection_ends_with_the_run(tmp_path, monkeypatch):
    """NCCL warns of one that nobody ended."""
    ended = []
    pretend_two(monkeypatch)
    monkeypatch.setattr(dist, "destroy_process_group", lambda: ended.append((tmp_path / "result.json").exists()))
    assert train.main(command(tmp_path)) == 0 and ended == [True]


@pytest.mark.parametrize("two", [False, True])
def test_an_error_of_another_kind_is_not_hidden(two, tmp_path, monkeypatch):
    if two:
        pretend_two(monkeypatch)
    layers_fail(monkeypatch, RuntimeError("a mistake in the code"))
    with pytest.raises(RuntimeError, match="a mistake"):
        train.main(command(tmp_path))


def test_an_error_of_one_process_alone_is_never_taken_for_that_of_another(tmp_path, monkeypatch):
    layers_fail(monkeypatch, CLOSED)
    with pytest.raises(RuntimeError, match="Connection closed"):
        train.main(command(tmp_path))
