"""Train one network on several processes: each takes its part of every batch, and all make the same step."""

import contextlib
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from mnist_helpers import CourseError
from mnist_helpers.data import choose_device

TIMEOUT = timedelta(minutes=5)  # for a process that lives and does not answer


class PeerLost(Exception):
    """Another process of the run has ended, or does not answer."""


PEER_ERRORS = (PeerLost, dist.DistError)  # DistError: torch's own types, for NCCL and for the store


@dataclass
class ProcessGroup:
    """The processes of a run, and the place of this one. All draw the same random numbers, for the whole batch."""

    rank: int = 0
    size: int = 1
    batch: int = 0  # number of images in the last batch that was sharded

    def shard(self, whole: torch.Tensor) -> torch.Tensor:
        """Return this process's part of a batch [N, ...]: adjacent rows; the parts differ in length by one at most."""
        self.batch = len(whole)
        return whole[self.rank * self.batch // self.size : (self.rank + 1) * self.batch // self.size]

    def all_reduce_sum(self, values: torch.Tensor) -> torch.Tensor:
        """Return the sum over all processes. Raises PeerLost if one of them has ended or does not answer."""
        if self.size > 1:
            try:
                dist.all_reduce(values)
            except RuntimeError as error:  # plain from gloo, a DistError from NCCL
                raise PeerLost from error
        return values

    def leave(self) -> None:
        """End the connection to the other processes, once all have done their part. NCCL warns if nobody does."""
        if self.size > 1:
            dist.destroy_process_group()

    @contextlib.contextmanager
    def translate_lost_peer(self) -> Iterator[None]:
        """Raise PeerLost instead of gloo's RuntimeError for a lost process, outside `all_reduce_sum`.

        DistributedDataParallel communicates inside forward and backward, where layers raise RuntimeErrors too. gloo has
        no error type of its own (as of torch 2.14): only the path of its source in the message tells them apart.
        """
        try:
            yield
        except RuntimeError as error:
            if self.size > 1 and "gloo/transport" in str(error):
                raise PeerLost from error
            raise

    def combine_statistics(self, mean: torch.Tensor, var: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return mean [C] and variance [C] of the whole batch, from those of this process's part."""
        rows = mean.new_zeros(self.size, 2, len(mean))
        rows[self.rank] = torch.stack([mean, var])
        means, variances = self.all_reduce_sum(rows).unbind(dim=1)  # [size, C]
        ends = torch.arange(self.size + 1) * self.batch // self.size
        weights = ends.diff().to(mean) / self.batch  # [size]
        mean = weights @ means
        return mean, weights @ (variances + (means - mean) ** 2)

    def distribute(self, model: nn.Module) -> nn.Module:
        """Return `model` in a form in which its gradients are averaged over all processes."""
        if self.size == 1:
            return model
        synchronise_layers(model, self)
        if next(model.parameters()).is_cuda:
            model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
        with self.translate_lost_peer():
            return DistributedDataParallel(model)


def process_variables(size: int) -> list[dict[str, str]]:
    """Return the environment variables that connect `size` processes of this machine, for each of them.

    They start a run without torchrun, which does not work on Windows: there, PyTorch is built without libuv, for which
    torchrun asks (as of torch 2.14).
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(size)}
    shared["LOCAL_WORLD_SIZE"] = str(size)
    return [shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(size)]


def start(device_name: str) -> tuple[ProcessGroup, torch.device]:
    """Return the process group and this process's device; connect to the other processes that torchrun has started.

    Raises CourseError if the device does not exist, or if two processes would share a GPU.
    """
    rank, size = (int(os.environ.get(name, default)) for name, default in (("RANK", 0), ("WORLD_SIZE", 1)))
    check_gpus(device_name)
    device = choose_device(device_name)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    if size == 1:
        return ProcessGroup(), device
    if "OMP_NUM_THREADS" not in os.environ:  # torchrun sets it
        torch.set_num_threads(1)
    group = ProcessGroup(rank, size)
    with group.translate_lost_peer():
        init_process_group(device)
    return group, device


def check_gpus(device_name: str) -> None:
    """Raise CourseError if there are several processes on this machine, and not each can have a GPU of its own."""
    kind, _, index = device_name.partition(":")
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    gpus = {"cuda": torch.cuda.device_count(), "mps": 1}.get(kind, processes)
    if processes > 1 and (processes > gpus or (kind == "cuda" and index)):
        raise CourseError(
            f"{processes} processes were started with --device {device_name} on a machine with {gpus} GPUs, but each "
            f"needs a GPU of its own; start at most {gpus}, with --device {kind}, or choose --device cpu."
        )


def init_process_group(device: torch.device) -> None:
    """Connect to the other processes.

    Each restart uses keys of its own in the store, since torchrun keeps the addresses of processes that have ended.
    """
    store, rank, size = next(dist.rendezvous("env://"))
    store = dist.PrefixStore(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"), store)
    backend = "nccl" if device.type == "cuda" else "gloo"
    dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=TIMEOUT)


def synchronise_layers(model: nn.Module, group: ProcessGroup) -> None:
    """Replace dropout and batch normalisation in `model` with process-synchronised versions."""
    for name, layer in model.named_children():
        if isinstance(layer, nn.Dropout | nn.Dropout2d):
            setattr(model, name, SyncDropout(layer, group))
        elif isinstance(layer, nn.BatchNorm2d) and not layer.weight.is_cuda:
            setattr(model, name, SyncBatchNorm2d(layer, group))
        else:
            synchronise_layers(layer, group)


class SyncDropout(nn.Module):
    """Dropout that draws the mask of the whole batch and applies this process's part of it."""

    def __init__(self, like: nn.Dropout | nn.Dropout2d, group: ProcessGroup):
        super().__init__()
        self.p, self.group = like.p, group
        self.whole_maps = isinstance(like, nn.Dropout2d)

    def forward(self, x):
        if not self.training or not self.p:
            return x
        shape = [self.group.batch, *x.shape[1:]]
        if self.whole_maps:
            shape[2:] = [1] * len(shape[2:])
        mask = torch.empty(shape, device=x.device).bernoulli_(1 - self.p).div_(1 - self.p)
        return x * self.group.shard(mask)


class SyncBatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation by the statistics of the whole batch, on the CPU, which nn.SyncBatchNorm does not support."""

    def __init__(self, like: nn.BatchNorm2d, group: ProcessGroup):
        super().__init__(like.num_features, like.eps, like.momentum, dtype=like.weight.dtype)
        self.load_state_dict(like.state_dict())
        self.weight, self.bias = like.weight, like.bias  # the same objects, not copies: the optimizer updates these
        self.group = group

    def forward(self, x):
        if not self.training:
            return super().forward(x)
        y, mean, var, count = SyncNormalise.apply(x, self.weight, self.bias, self.eps, self.group)
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(var * count / (count - 1), self.momentum)
        return y


class SyncNormalise(torch.autograd.Function):
    """Normalise each channel by its mean and standard deviation over the whole batch.

    The gradient is written out: autograd would take twice as long.
    """

    @staticmethod
    def forward(context, x, weight, bias, eps, group):
        mean = x.mean(dim=(0, 2, 3))
        var = (x - mean[:, None, None]).square().mean(dim=(0, 2, 3))  # many times faster than torch.var on one thread
        mean, var = group.combine_statistics(mean, var)
        count = group.batch * x.shape[2] * x.shape[3]
        context.save_for_backward(x, weight, mean, (var + eps).rsqrt())
        context.count, context.group = count, group
        context.mark_non_differentiable(mean, var)
        return F.batch_norm(x, mean, var, weight, bias, training=False, eps=eps), mean, var, count

    @staticmethod
    def backward(context, dy, *others):
        x, weight, mean, scale = context.saved_tensors
        x_hat = (x - mean[:, None, None]) * scale[:, None, None]
        mine = torch.stack([dy.sum(dim=(0, 2, 3)), (dy * x_hat).sum(dim=(0, 2, 3))])  # [2, C]
        means = context.group.all_reduce_sum(mine.clone()) / context.count
        dx = (dy - means[0][:, None, None] - x_hat * means[1][:, None, None]) * (weight * scale)[:, None, None]
        return dx, mine[1], mine[0], None, None
