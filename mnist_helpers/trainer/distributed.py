"""Several processes train one network: each takes its share of every batch, and together they make the same step."""

import os
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from mnist_helpers.data import choose_device

PATIENCE = timedelta(minutes=5)  # how long a process waits for one that lives and does not answer


@dataclass
class Processes:
    """This process among those of the run. Chance is drawn for the whole batch in each, so that all draw the same."""

    rank: int = 0
    size: int = 1
    batch: int = 0  # images in the batch that was shared last

    def shard(self, whole: torch.Tensor) -> torch.Tensor:
        """Return this process's part of a batch [N, ...]: neighbours, as many as the others have, or one more."""
        self.batch = len(whole)
        return whole[self.rank * self.batch // self.size : (self.rank + 1) * self.batch // self.size]

    def all_reduce_sum(self, values: torch.Tensor) -> torch.Tensor:
        """Return the sum over all processes, in each of them."""
        if self.size > 1:
            dist.all_reduce(values)
        return values

    def combine(self, mean: torch.Tensor, var: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return mean and variance of the whole batch, from those of the shares: each [C], in each process."""
        rows = mean.new_zeros(self.size, 2, len(mean))
        rows[self.rank] = torch.stack([mean, var])
        means, variances = self.all_reduce_sum(rows).unbind(dim=1)  # [size, C]
        ends = torch.arange(self.size + 1) * self.batch // self.size
        weights = ends.diff().to(mean) / self.batch  # [size]
        mean = weights @ means
        return mean, weights @ (variances + (means - mean) ** 2)

    def wrap(self, model: nn.Module) -> nn.Module:
        """Make `model` one that trains with the others: its gradients become the mean of all processes'."""
        if self.size == 1:
            return model
        replace_layers(model, self)
        if next(model.parameters()).is_cuda:
            model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
        return DistributedDataParallel(model)


def start(device_name: str) -> tuple[Processes, torch.device]:
    """Meet the other processes that torchrun has started, if it has; returns them and this process's device.

    Raises CourseError for a device that is not there.
    """
    rank, size = (int(os.environ.get(name, default)) for name, default in (("RANK", 0), ("WORLD_SIZE", 1)))
    device = choose_device(device_name)
    if device.type == "cuda":
        if device.index is None:  # set_device takes no device without one; each process has a GPU of its own
            device = choose_device(f"cuda:{os.environ.get('LOCAL_RANK', 0)}")
        torch.cuda.set_device(device)
    if size == 1:
        return Processes(), device
    if "OMP_NUM_THREADS" not in os.environ:  # torchrun sets it
        torch.set_num_threads(1)
    meet(device)
    return Processes(rank, size), device


def meet(device: torch.device) -> None:
    """Connect to the other processes. Each restart gets a notice board of its own: torchrun keeps the old one, with
    the addresses of processes that are gone.
    """
    board, rank, size = next(dist.rendezvous("env://"))
    board = dist.PrefixStore(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"), board)
    backend = "nccl" if device.type == "cuda" else "gloo"
    dist.init_process_group(backend, store=board, rank=rank, world_size=size, timeout=PATIENCE)


def replace_layers(model: nn.Module, processes: Processes) -> None:
    """Replace the layers of `model` that work on a whole batch by such that know the other processes."""
    for name, layer in model.named_children():
        if isinstance(layer, nn.Dropout | nn.Dropout2d):
            setattr(model, name, Dropout(layer, processes))
        elif isinstance(layer, nn.BatchNorm2d) and not layer.weight.is_cuda:
            setattr(model, name, BatchNorm(layer, processes))
        else:
            replace_layers(layer, processes)


class Dropout(nn.Module):
    """Dropout that draws the mask of the whole batch and applies this process's share of it."""

    def __init__(self, like: nn.Dropout | nn.Dropout2d, processes: Processes):
        super().__init__()
        self.p, self.processes = like.p, processes
        self.whole_maps = isinstance(like, nn.Dropout2d)

    def forward(self, x):
        if not self.training or not self.p:
            return x
        shape = [self.processes.batch, *x.shape[1:]]
        if self.whole_maps:
            shape[2:] = [1] * len(shape[2:])
        mask = torch.empty(shape, device=x.device).bernoulli_(1 - self.p).div_(1 - self.p)
        return x * self.processes.shard(mask)


class BatchNorm(nn.BatchNorm2d):
    """Batch normalisation by mean and variance of the whole batch on the CPU, where nn.SyncBatchNorm does not work."""

    def __init__(self, like: nn.BatchNorm2d, processes: Processes):
        super().__init__(like.num_features, like.eps, like.momentum, dtype=like.weight.dtype)
        self.load_state_dict(like.state_dict())
        self.weight, self.bias = like.weight, like.bias  # the same parameters, not copies: the optimizer has these
        self.processes = processes

    def forward(self, x):
        if not self.training:
            return super().forward(x)
        y, mean, var, count = Normalise.apply(x, self.weight, self.bias, self.eps, self.processes)
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(var * count / (count - 1), self.momentum)
        return y


class Normalise(torch.autograd.Function):
    """Subtract the mean of each channel over the whole batch and divide by its deviation; both depend on every image.

    The gradient is written out, since autograd's own way through the same lines takes twice as long.
    """

    @staticmethod
    def forward(context, x, weight, bias, eps, processes):
        mean = x.mean(dim=(0, 2, 3))
        var = (x - mean[:, None, None]).square().mean(dim=(0, 2, 3))  # many times faster than torch.var on one thread
        mean, var = processes.combine(mean, var)
        count = processes.batch * x.shape[2] * x.shape[3]
        context.save_for_backward(x, weight, mean, (var + eps).rsqrt())
        context.count, context.processes = count, processes
        context.mark_non_differentiable(mean, var)
        return F.batch_norm(x, mean, var, weight, bias, training=False, eps=eps), mean, var, count

    @staticmethod
    def backward(context, dy, *others):
        x, weight, mean, scale = context.saved_tensors
        x_hat = (x - mean[:, None, None]) * scale[:, None, None]
        mine = torch.stack([dy.sum(dim=(0, 2, 3)), (dy * x_hat).sum(dim=(0, 2, 3))])  # [2, C]
        means = context.processes.all_reduce_sum(mine.clone()) / context.count
        dx = (dy - means[0][:, None, None] - x_hat * means[1][:, None, None]) * (weight * scale)[:, None, None]
        return dx, mine[1], mine[0], None, None
