"""Record the kernels of one training step on an NVIDIA GPU, and replay them: a CUDA graph. Taught in chapter 08.

`torch.cuda.make_graphed_callables` captures a network's forward and backward pass only; here the augmentation, the
optimizer and the average of the weights are in the graph as well.
"""

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel

from mnist_helpers import CourseError

WARM_UP = 3  # steps before the capture, as torch.cuda.make_graphed_callables makes them


def warm_up(step: Callable, inputs: Sequence[torch.Tensor], changed: Iterable[torch.Tensor], stream) -> None:
    """Call `step(*inputs)` a few times on `stream`, then restore the tensors `changed` and the GPU's random state.

    The first calls load kernels and allocate memory, which a capture forbids.
    """
    before = [(tensor, tensor.clone()) for tensor in changed]
    random_state = torch.cuda.get_rng_state()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(WARM_UP):
            step(*inputs)
    torch.cuda.current_stream().wait_stream(stream)
    for tensor, value in before:
        tensor.copy_(value)
    torch.cuda.set_rng_state(random_state)


def captured(step: Callable, examples: Sequence[torch.Tensor], changed: Iterable[torch.Tensor]) -> Callable:
    """Return a function that does what `step(*tensors)` does by replaying its kernels, captured here once.

    It takes tensors of the shapes and dtypes of `examples`, on the current GPU. `changed` are all tensors that a step
    changes; they exist already, and the capture leaves them as they are. The result is overwritten by the next call.
    """
    inputs = [example.clone() for example in examples]
    stream = torch.cuda.Stream()
    warm_up(step, inputs, changed, stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream):
        output = step(*inputs)

    def replay(*tensors):
        for buffer, tensor in zip(inputs, tensors):
            buffer.copy_(tensor)
        graph.replay()
        return output

    return replay


class CapturedStep:
    """A step of training, `step(images, labels)`, that is captured once and replayed for each full batch.

    Two kinds of batches go through `step` itself: the first of a run, which creates the optimizer's state, and the
    smaller one at the end of an epoch. So a run that was stopped and resumed computes what an undisturbed one does.
    """

    def __init__(self, step: Callable, model: nn.Module, optimizer: Optimizer, average: AveragedModel, batch_size: int):
        self.step, self.model, self.optimizer, self.average = step, model, optimizer, average
        self.batch_size = batch_size
        self.replay: Callable | None = None

    def __call__(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Update the weights and return the loss, which the next call overwrites."""
        if len(images) < self.batch_size:
            return self.step(images, labels)
        if self.replay is None:
            if not self.average.n_averaged:
                return self.step(images, labels)
            self.replay = self.capture(images, labels)
        return self.replay(images, labels)

    def capture(self, *batch: torch.Tensor) -> Callable:
        """Return the captured step. Raises CourseError, with what the GPU said, if it cannot be captured."""
        device = batch[0].device
        for group in self.optimizer.param_groups:  # a number would be captured as it is; the schedule fills a tensor
            group["lr"] = torch.as_tensor(group["lr"], dtype=torch.float32, device=device)
        try:
            with torch.cuda.device(device):
                return captured(self.step, batch, self.changed())
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            reason = str(error).partition("\n")[0]
            advice = "train with --no-graph, which launches the kernels one by one"
            raise CourseError(f"{device} cannot capture a step of this training ({reason}); {advice}.") from error

    def changed(self) -> list[torch.Tensor]:
        """Return all tensors that a step changes: weights and statistics, their averages, the optimizer's state."""
        kept = [value for state in self.optimizer.state.values() for value in state.values()]
        tensors = [*self.model.state_dict().values(), *self.average.state_dict().values(), *kept]
        return [tensor for tensor in tensors if isinstance(tensor, torch.Tensor)]


def is_capturing() -> bool:
    """Return whether kernels are recorded now, and not run."""
    return torch.cuda.is_initialized() and torch.cuda.is_current_stream_capturing()  # without a GPU, the latter fails


def update_average(average: AveragedModel, model: nn.Module) -> None:
    """Move `average` towards `model`: `average.update_parameters(model)`, which no graph can capture.

    It sends the GPU the counter of its calls, which is on the processor. The first call copies the weights; a captured
    step is never the first.
    """
    if not is_capturing():
        return average.update_parameters(model)
    pairs = zip(average.module.state_dict().values(), model.state_dict().values())
    means, values = zip(*(pair for pair in pairs if pair[0].is_floating_point()))
    average.multi_avg_fn(list(means), list(values), average.n_averaged)  # type: ignore[misc]
