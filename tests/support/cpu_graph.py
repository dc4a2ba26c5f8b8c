"""A CUDA graph without a GPU: it records torch's operators on the processor, and replays them into the same tensors.

As on a GPU, a replay runs no Python, reads numbers as they were at the capture, tensors where they lay, and a capture
may neither read a value back nor change anything. What only a GPU can show (streams, memory, speed) is left out.
"""

import contextlib
import itertools
from functools import partial

import torch
from torch.optim import SGD, AdamW
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mnist_helpers import cuda_graph

READS_BACK = {torch.ops.aten._local_scalar_dense.default, torch.ops.aten.is_nonzero.default}


def tensors(tree):
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor)]


def chooses_by_truth(indices):
    """Return whether an index holds truth values: how many of them are true is read back from a GPU."""
    return any(index is not None and index.dtype == torch.bool for index in indices)


class Graph(TorchDispatchMode):
    """Stands in for torch.cuda.CUDAGraph; while it is entered, it records."""

    recording, replays = False, 0

    def __init__(self):
        super().__init__()
        self.calls, self.before = [], {}

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        if function in READS_BACK or function is torch.ops.aten.index.Tensor and chooses_by_truth(arguments[1]):
            raise RuntimeError("operation not permitted when stream is capturing")
        given = tensors((arguments, options))
        for tensor in given:  # whatever it may change is put back when the capture ends
            self.before.setdefault(tensor.untyped_storage().data_ptr(), (tensor, tensor.untyped_storage().clone()))
        result = function(*arguments, **(options or {}))
        storages = {tensor.untyped_storage().data_ptr() for tensor in given}
        fresh = [tensor.untyped_storage().data_ptr() not in storages for tensor in tensors(result)]
        self.calls.append((function, arguments, options or {}, tensors(result), fresh))
        return result

    def __exit__(self, *error):
        super().__exit__(*error)
        for tensor, content in self.before.values():
            tensor.untyped_storage().copy_(content)

    def replay(self):
        Graph.replays += 1
        with torch.no_grad():
            for function, arguments, options, results, fresh in self.calls:
                again = tensors(function(*arguments, **options))
                for kept, found in itertools.compress(zip(results, again), fresh):
                    kept.copy_(found)


class Stream:
    def wait_stream(self, other):
        pass

    def is_capturing(self):
        return Graph.recording


class OnGPU(torch.Tensor):
    """A tensor that says that it is on a GPU; what is computed from it is an ordinary one."""

    is_cuda = True
    __torch_function__ = torch._C._disabled_torch_function_impl


@contextlib.contextmanager
def graph(recorded, stream=None):
    Graph.recording, random_state = True, torch.get_rng_state()
    try:
        with recorded:
            yield
    finally:
        Graph.recording = False
        torch.set_rng_state(random_state)


def made_with(kind, fixed, parameters, **options):
    return kind(parameters, **options | fixed)


def pretend(monkeypatch):
    """Let torch.cuda capture on the processor, with the optimizers that recipes.make_optimizer makes on a GPU.

    Counts replays from zero.
    """
    for kind, options in [(AdamW, {"fused": True, "capturable": True}), (SGD, {"fused": True})]:
        monkeypatch.setattr(torch.optim, kind.__name__, partial(made_with, kind, options))
    monkeypatch.setattr(Graph, "replays", 0)
    stand_ins = {
        "CUDAGraph": Graph,
        "graph": graph,
        "Stream": Stream,
        "stream": lambda stream: contextlib.nullcontext(),
        "current_stream": Stream,
        "device": lambda device: contextlib.nullcontext(),
        "get_rng_state": torch.get_rng_state,
        "set_rng_state": torch.set_rng_state,
    }
    for name, stand_in in stand_ins.items():
        monkeypatch.setattr(torch.cuda, name, stand_in)
    monkeypatch.setattr(cuda_graph, "is_capturing", lambda: Graph.recording)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda check_available=False: torch.device("cuda"))
    monkeypatch.setattr(torch.accelerator, "current_stream", Stream)  # optimizers ask it
