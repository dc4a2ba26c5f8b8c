"""The process that runs students' functions. Started by `referee`, with a copy of the course that has no exercises.

    python sandbox.py   # serves on file descriptor 0, which is a socket

It imports the chapters' libraries once, then forks a process for each answer: without network, with limits, and without
a way to the checkers, which live in another process.
"""

import contextlib
import copy
import itertools
import json
import linecache
import os
import signal
import socket
import sys
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from grading import peers, walls

MAX_ITEMS = 10_000  # taken from a generator
MAX_WORDS = 300  # characters of an error's message
CELL = "<cell of {}>"


class Convolutions(TorchDispatchMode):
    """Notes whether torch computed a convolution inside the context."""

    used = False

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.used = self.used or "convolution" in str(function)
        return function(*args, **(kwargs or {}))


class Sandbox(peers.Peer):
    """The end of the socket that has the student's function."""

    def serve_load(self, imports: list[str], cells: list[list[str]], name: str):
        """Run the course's imports, then imports and definitions of the student's cells; return an error as text."""
        names: dict = {"__name__": "__main__"}
        for line in imports:
            with contextlib.suppress(Exception):
                exec(line, names)
        for title, source in cells:
            file = CELL.format(title)
            linecache.cache[file] = (len(source), None, source.splitlines(True), file)
            try:
                exec(compile(source, file, "exec"), names)
            except (Exception, SystemExit) as error:
                if title == name:
                    return f"the cell stopped with {described(error)}"
        self.function: Any = names.get(name)
        return None if callable(self.function) else f"{name} is no function"

    def serve_ask(self, arguments: list, references: list[int], watch: bool, random_state: torch.Tensor | None):
        """Call the student's function. Returns [kind, value or text, what else happened]."""
        if random_state is not None:
            torch.set_rng_state(random_state)
        before = [copy.deepcopy(arguments[place]) for place in references]
        with Convolutions() if watch else contextlib.nullcontext() as convolutions:
            kind, value = self._called(arguments)
        enabled = torch.is_grad_enabled()
        changed = [
            [place, arguments[place]]
            for place, old in zip(references, before)
            if not torch.equal(old, arguments[place])
        ]
        states = [[n, peers.state_of(m)] for n, m in self.borrowed.items() if isinstance(m, torch.nn.Module)]
        files = [[name, path.read_bytes()] for name, path in self.paths.items() if small_file(path)]
        return [kind, value, [enabled, changed, states, files, bool(convolutions and convolutions.used)]]

    def _called(self, arguments: list) -> tuple[str, object]:
        try:
            result = self.function(*arguments)
            if isinstance(result, Iterator) and not isinstance(result, peers.RemoteIterator):
                result = list(itertools.islice(result, MAX_ITEMS))
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            return "not yet", f"your function stopped with {described(error)}"
        return "value", result


def small_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink() and path.stat().st_size <= peers.MAX_FILE


def described(error: BaseException) -> str:
    """Return the type and message of the error, and the last line of the student's code.

    `judging.describe_error` does the same outside the sandbox.
    """
    try:
        words = str(error).splitlines()[:1]
    except Exception:
        words = []
    what = ": ".join([type(error).__name__, *(line[:MAX_WORDS] for line in words)])
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(CELL[:9])]
    if not frames:
        return f"{what}."
    number = frames[-1].lineno or 0
    line = linecache.getline(frames[-1].filename, number).strip()
    return f"{what}, in line {number} of its cell" + (f": {line}" if line else ".")


def nursery(control: socket.socket, folder: Path, readable: list[str]) -> None:
    """Fork a process for each socket that comes, and answer with its number, until the referee ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        content, descriptors, *_ = socket.recv_fds(control, 1, 1)
        if not content:
            return
        process = os.fork()
        if not process:
            control.close()
            keeper(socket.socket(fileno=descriptors[0]), folder, readable)
        os.close(descriptors[0])
        control.sendall(process.to_bytes(4, "big"))


def keeper(stream: socket.socket, folder: Path, readable: list[str]) -> None:
    """Make the walls that need a process of their own, and start the process that runs the function. Never returns."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    walls.end_with_parent()
    work = folder / str(os.getpid())  # the referee removes it
    work.mkdir()
    walls.separate()
    process = os.fork()
    if process:
        stream.close()
        os.waitpid(process, 0)
        os._exit(0)
    try:
        walls.end_with_parent()
        os.chdir(work)
        tempfile.tempdir = str(work)
        walls.silence()
        walls.limit()
        walls.close(work, readable)
        Sandbox(stream, trusting=True, folder=work).answer_requests()
    finally:
        os._exit(0)


def main() -> None:
    """Import the libraries that the referee names, say which walls there are, and wait for answers to run."""
    control = socket.socket(fileno=os.dup(0))
    options = json.loads(sys.argv[1])
    torch.set_num_threads(1)  # a process with torch's threads cannot be forked
    torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 0.1)  # imports what torch imports late
    for line in options["imports"]:
        with contextlib.suppress(Exception):
            exec(line, {})
    sys.path[:] = [entry for entry in sys.path if not entry or Path(entry) not in map(Path, options["hidden"])]
    told = json.dumps(walls.tried()).encode() + b"\n"
    control.sendall(told)
    nursery(control, Path(options["folder"]), options["readable"])


if __name__ == "__main__":
    main()
