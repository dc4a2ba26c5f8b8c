"""Two processes that call each other's functions, networks and optimizers over a socket, and exchange copies.

A function, generator, network or optimizer stays where it was made. The other side gets a stand-in, which asks its
owner at each call, also for gradients. So a checker's network notes for itself how a student's function uses it.
"""

import builtins
import contextlib
import inspect
import itertools
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from grading import wire

MAX_FILE = 32 * 1024**2  # bytes of a file that a student's function writes
MAX_GRAPHS = 50
SIMPLE = (bool, int, float, str, type(None))


class OtherSide(Exception):
    """Raised if the other process answers a call with an error."""


class Opaque:
    """Base class of what stands for a value that cannot be sent. Its class has the name of the value's class."""


class RemoteFunction:
    """Calls a function of the other process."""

    def __init__(self, peer: "Peer", number: int):
        self._peer, self._number = peer, number

    def __call__(self, *arguments):
        return self._peer.call_recording("call", self._number, arguments)


class RemoteIterator:
    """Takes values from a generator of the other process."""

    def __init__(self, peer: "Peer", number: int):
        self._peer, self._number = peer, number

    def __iter__(self):
        return self

    def __next__(self):
        found = self._peer.request("next", self._number)
        if not found:
            raise StopIteration
        return found[0]


class RemoteModule(nn.Module):
    """Has copies of the parameters of a network in the other process, which computes its outputs."""

    def forward(self, *arguments):
        return self._peer.call_recording("forward", self._number, arguments, state_of(self), self._all_parameters())

    def _all_parameters(self) -> list[nn.Parameter]:
        return [parameter for parameter in self.parameters() if parameter.requires_grad]

    def __deepcopy__(self, memo):
        return self


class RemoteOptimizer(torch.optim.SGD):
    """Stands for an optimizer in the other process, which takes the steps."""

    def bind(self, peer: "Peer", number: int) -> "RemoteOptimizer":
        self._peer, self._number = peer, number
        return self

    def step(self, closure=None):
        parameters = [parameter for group in self.param_groups for parameter in group["params"]]
        values = [(parameter.detach(), parameter.grad) for parameter in parameters]
        with torch.no_grad():
            for parameter, value in zip(parameters, self._peer.request("step", self._number, values)):
                parameter.copy_(value)

    def zero_grad(self, *arguments, **options):
        self._peer.request("zero_grad", self._number)
        super().zero_grad(*arguments, **options)

    def state_dict(self):
        return self._peer.request("state_dict", self._number)

    def load_state_dict(self, state_dict):
        self._peer.request("load_state_dict", self._number, state_dict)

    def __deepcopy__(self, memo):
        return self


class RemoteGradient(torch.autograd.Function):
    """Links an output that the other process computed to its inputs here, so that backward asks it for gradients."""

    @staticmethod
    def forward(ctx, peer, graph, output, *inputs):
        ctx.peer, ctx.graph = peer, graph
        return output.clone()

    @staticmethod
    def backward(ctx, gradient):
        return None, None, None, *ctx.peer.request("backward", ctx.graph, gradient)


def state_of(module: nn.Module) -> list:
    """Return the values of all parameters and buffers, and the mode of each part."""
    values = [[name, value.detach()] for name, value in [*module.named_parameters(), *module.named_buffers()]]
    needs = [parameter.requires_grad for parameter in module.parameters()]
    return [values, needs, [[name, part.training] for name, part in module.named_modules()]]


def set_state(module: nn.Module, state: list) -> None:
    """Give the network the values and modes that `state_of` returned for its stand-in."""
    (values, needs, modes), parts = state, dict(module.named_modules())
    own = dict([*module.named_parameters(), *module.named_buffers()])
    with torch.no_grad():
        for name, value in values:
            if name in own and own[name].shape == value.shape and not torch.equal(own[name], value):
                own[name].copy_(value)
    for parameter, needed in zip(module.parameters(), needs):
        parameter.requires_grad_(bool(needed))
    for name, training in modes:
        if name in parts:
            parts[name].training = bool(training)


class Peer:
    """One end of the socket.

    `trusting` says whether the other side is trusted, so that torch's own layers that it describes are built here.
    `folder` is where the other side's paths lie here, if it has any.
    """

    by_source: tuple[str, ...] = ()  # classes of networks that are built again there, from their source

    def __init__(self, stream: socket.socket, trusting: bool, folder: Path | None = None):
        self.stream, self.trusting, self.folder = stream, trusting, folder
        self.kept: dict[int, Any] = {}
        self.graphs: dict[int, tuple] = {}  # outputs that gradients may be asked for, with their inputs
        self.numbers = itertools.count()
        self.borrowed: dict[int, Any] = {}  # stand-ins here, by their number there
        self.paths: dict[str, Path] = {}
        # What the other side may ask for: all methods serve_NAME
        self.served: dict[str, Callable] = {
            name.removeprefix("serve_"): getattr(self, name) for name in dir(self) if name.startswith("serve_")
        }

    # Asking

    def request(self, operation: str, *values) -> Any:
        """Return the other side's answer, and serve it until the answer comes. Raises OtherSide for an error there."""
        self._send(["request", operation, torch.is_grad_enabled()], values)
        while True:
            header, value = self._receive()
            if header[0] == "answer":
                return value
            if header[0] == "error":
                raise self._error(*value)
            self._serve(header, value)

    def call_recording(self, operation, number, arguments, state=None, parameters=()):
        """Return what the function or network there returns, linked to the inputs that need gradients here."""
        inputs = [a for a in arguments if isinstance(a, torch.Tensor) and a.requires_grad]
        recording = torch.is_grad_enabled() and bool(inputs or parameters)
        value, graph = self.request(operation, number, list(arguments), state, recording)
        return RemoteGradient.apply(self, graph, value, *inputs, *parameters) if graph is not None else value

    def _error(self, name: str, message: str) -> Exception:
        kind: Any = getattr(builtins, str(name), None)
        known = isinstance(kind, type) and issubclass(kind, Exception)
        if self.trusting and known:
            return kind(str(message))
        return type(_identifier(name), (OtherSide,), {})(str(message)[:500])

    # Serving

    def answer_requests(self) -> None:
        """Answer requests until the other side ends."""
        with contextlib.suppress(EOFError, ConnectionError):
            while True:
                self._serve(*self._receive())

    def _serve(self, header, values) -> None:
        if header[0] != "request" or header[1] not in self.served:
            raise wire.WireError("that is no request")
        try:
            with torch.set_grad_enabled(bool(header[2])):
                found = self.served[header[1]](*values)
            self._send(["answer"], found)
        except Exception as error:
            self._send(["error"], [type(error).__name__, str(error)[:500]])

    def serve_call(self, number, arguments, _, recording):
        return self._recorded(self.kept[number], arguments, [], recording)

    def serve_forward(self, number, arguments, state, recording):
        module = self.kept[number]
        set_state(module, state)
        return self._recorded(module, arguments, [p for p in module.parameters() if p.requires_grad], recording)

    def _recorded(self, function, arguments, parameters, recording):
        """Call the function, and keep its output if gradients may be asked for."""
        inputs = [a for a in arguments if isinstance(a, torch.Tensor) and a.requires_grad]
        value = function(*arguments)
        if not (recording and isinstance(value, torch.Tensor) and value.requires_grad):
            return value, None
        graph = next(self.numbers)
        self.graphs[graph] = value, [*inputs, *parameters]
        for old in list(self.graphs)[:-MAX_GRAPHS]:
            del self.graphs[old]
        return value.detach(), graph

    def serve_backward(self, graph, gradient):
        output, inputs = self.graphs[graph]
        return list(torch.autograd.grad(output, inputs, gradient, allow_unused=True, retain_graph=True))

    def serve_next(self, number):
        return [value for value in [next(self.kept[number], self)] if value is not self]

    def serve_step(self, number, values):
        optimizer = self.kept[number]
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        for parameter, (value, gradient) in zip(parameters, values):
            parameter.data.copy_(value)
            parameter.grad = gradient
        with torch.enable_grad():
            optimizer.step()
        return [parameter.detach() for parameter in parameters]

    def serve_zero_grad(self, number):
        self.kept[number].zero_grad()

    def serve_state_dict(self, number):
        return self.kept[number].state_dict()

    def serve_load_state_dict(self, number, state):
        self.kept[number].load_state_dict(state)

    # Copies of values

    def _send(self, header, values) -> None:
        writer = wire.Writer(self._describe)
        content = writer.write(values)
        wire.send(self.stream, [header, content], writer.blocks)

    def _receive(self) -> tuple[list, Any]:
        (header, content), blocks = wire.receive(self.stream)
        return header, wire.Reader(blocks, self._made).read(content)

    def _describe(self, value: Any, write: Callable) -> list:
        """Return JSON for what stays here."""
        for number, stand_in in self.borrowed.items():
            if stand_in is value:
                return ["yours", number]
        if isinstance(value, type):
            return ["class", value.__name__]
        if isinstance(value, Path):
            self.paths[value.name] = value
            return ["path", value.name]
        if isinstance(value, nn.Module):
            return ["module", self._keep(value), self._parts(value), write(state_of(value))]
        if isinstance(value, torch.optim.Optimizer):
            return ["optimizer", self._keep(value), [self._place(p) for g in value.param_groups for p in g["params"]]]
        if isinstance(value, np.random.Generator) and not self.trusting:
            return ["random", type(value.bit_generator).__name__, write(value.bit_generator.state)]
        if isinstance(value, Iterator) and not self.trusting:
            return ["iterator", self._keep(value)]
        if callable(value) and not self.trusting:
            return ["function", self._keep(value)]
        if not self.trusting:
            raise wire.CannotSend(f"a value of the type {type(value).__name__} cannot be sent")
        return ["opaque", type(value).__name__]

    def _keep(self, value: Any) -> int:
        for number, kept in self.kept.items():
            if kept is value:
                return number
        self.kept[len(self.kept)] = value
        return len(self.kept) - 1

    def _place(self, parameter: nn.Parameter) -> list:
        """Return the number of the network that has this parameter, and the parameter's name there."""
        for number, module in self.kept.items():
            if isinstance(module, nn.Module):
                for name, own in module.named_parameters():
                    if own is parameter:
                        return [number, name]
        raise wire.WireError("an optimizer came without its network")

    def _parts(self, module: nn.Module) -> list:
        """Return [names of the classes, simple attributes, what it is, [[name, part], ...]].

        What it is: "torch" for torch's own layers, the source of a class in `by_source`, or nothing.
        """
        kind = type(module)
        what = "torch" if kind.__module__.startswith("torch.nn.") else ""
        what = inspect.getsource(kind) if kind.__name__ in self.by_source else what
        simple = [[key, value] for key, value in vars(module).items() if what and _is_simple(value)]
        parts = [[name, self._parts(part)] for name, part in module.named_children()]
        return [[base.__qualname__ for base in kind.__mro__], simple, what, parts]

    def _made(self, item: list, read: Callable) -> Any:
        """Return the stand-in for JSON that `_describe` wrote there."""
        kind, *rest = item
        if kind == "yours":
            return self.kept[rest[0]]
        if kind in ("class", "opaque"):
            base: tuple = (Opaque,) if kind == "opaque" else ()
            made = type(_identifier(rest[0]), base, {})
            return made() if kind == "opaque" else made
        if kind == "module":
            return self._borrow(rest[0], lambda: self._module(rest[0], rest[1], read(rest[2])))
        if self.trusting and kind == "random":
            generator = np.random.Generator(getattr(np.random, rest[0])())
            generator.bit_generator.state = read(rest[1])
            return generator
        if self.trusting and kind in ("path", "optimizer", "iterator", "function"):
            return getattr(self, f"_made_{kind}")(*rest)
        raise wire.WireError("that is no value")

    def _borrow(self, number: int, make: Callable) -> Any:
        """Return the stand-in with this number, made at its first coming."""
        if number not in self.borrowed:
            self.borrowed[number] = make()
        return self.borrowed[number]

    def _made_path(self, name):
        assert self.folder
        self.paths[name] = self.folder / Path(name).name
        return self.paths[name]

    def _made_function(self, number):
        return self._borrow(number, lambda: RemoteFunction(self, number))

    def _made_iterator(self, number):
        return self._borrow(number, lambda: RemoteIterator(self, number))

    def _made_optimizer(self, number, places):
        parameters = [dict(self.borrowed[module].named_parameters())[name] for module, name in places]
        return self._borrow(number, lambda: RemoteOptimizer(parameters, lr=1.0).bind(self, number))

    def _module(self, number: int, parts: list, state: list) -> nn.Module:
        """Build the stand-in of a network, with parameters and buffers of the same names and values."""
        (values, needs, modes), module = state, self._part(parts, root=True)
        for place, (name, tensor) in enumerate(values):
            path, _, last = str(name).rpartition(".")
            owner = module.get_submodule(path)
            if place < len(needs):
                owner.register_parameter(last, nn.Parameter(tensor, requires_grad=bool(needs[place])))
            else:
                owner.register_buffer(last, tensor)
        for name, training in modes:
            module.get_submodule(name).training = bool(training)
        if isinstance(module, RemoteModule):
            module.__dict__.update(_peer=self, _number=number)
        return module

    def _part(self, parts: list, root: bool) -> nn.Module:
        names, simple, what, children = parts
        if self.trusting and what:
            module = _layer(names[0], what, dict(simple))
        else:
            module = _named(names, RemoteModule if root else nn.Module)()
        for name, child in children:
            module.add_module(str(name), self._part(child, root=False))
        return module


def _layer(name: str, what: str, simple: dict) -> nn.Module:
    """Return a layer of torch, or of the class whose source is `what`, with these attributes and without parameters."""
    names = {"nn": nn, "torch": torch, "F": torch.nn.functional}
    if what != "torch":
        exec(what, names)
    kind: Any = getattr(nn, name) if what == "torch" else names[name]
    layer = kind.__new__(kind)
    nn.Module.__init__(layer)
    vars(layer).update({key: tuple(v) if isinstance(v, list) else v for key, v in simple.items()})
    return layer


def _named(names: list[str], base: type[nn.Module]) -> type[nn.Module]:
    """Return a class with these names in its order of inheritance, which checkers may look at."""
    kind = base
    for name in reversed([name for name in names if name not in ("object", "Module")]):
        kind = type(_identifier(name), (kind,), {"__qualname__": _identifier(name)})
    return kind


def _identifier(name: Any) -> str:
    return "".join(letter for letter in str(name)[:60] if letter.isalnum() or letter in "_.<>") or "value"


def _is_simple(value: Any) -> bool:
    return isinstance(value, SIMPLE) or (isinstance(value, (tuple, list)) and all(map(_is_simple, value)))
