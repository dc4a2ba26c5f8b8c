"""Run a check where the student's function can do no harm to the notebook's Python process.

On Linux the check runs in a forked copy of the process. Only the verdict and the printed text come back, so neither
`os._exit`, a crash in native code, nor a changed setting of torch reaches the notebook. A copy computes with one
thread: with more, torch's OpenMP can hang after a fork.

Elsewhere (macOS and Windows, or if CUDA was used), a fork is not safe: the check runs in the notebook's own process,
and settings are put back afterwards. There, a crash or `os._exit` still ends the kernel, and native code that never
returns cannot be stopped.
"""

import builtins
import contextlib
import faulthandler
import io
import json
import os
import random
import select
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from types import ModuleType

import numpy as np
import torch

from mnist_helpers._support.translation import say

State = tuple[str, str]  # a state and its reason, as `judging.verdict` returns them
MAX_PRINTED = 10_000  # characters of a student's own output that are shown
MAX_MEMORY = 4 * 1024**3  # bytes that a check may take on top of what the notebook has
GRACE = 1  # seconds after the time limit, for a function that ignores the alarm
ENDED = "your function ended Python, as os._exit does. Return a value instead. (The notebook was not touched.)"
CRASHED = "your function crashed Python with {signal}. (The notebook was not touched.)"
NO_GRADIENTS = "Autograd-and-Fork"  # in torch's error where an export came before the first gradient: threads started
WATCHED: list[ModuleType] = [builtins, random, np, torch, torch.nn.functional, torch.optim]


class Printed(io.StringIO):
    """The text that a student's function prints, cut after MAX_PRINTED characters. Closing it does nothing."""

    def write(self, text: str) -> int:
        room = MAX_PRINTED - self.tell()
        if room > 0:
            cut = f"\n{say('(more was printed; the rest is not shown)')}\n" if len(text) > room else ""
            super().write(text[:room] + cut)
        return len(text)

    def close(self) -> None:
        pass


def can_fork() -> bool:
    """Return whether a check may run in a copy of this process."""
    return sys.platform == "linux" and not torch.cuda.is_initialized()


def run(judge: Callable[[], State], seconds: float, too_slow: State, failed: Callable[[str], State]) -> State:
    """Return what `judge` returns, without any of its effects on this process.

    `too_slow` is returned if it is still at work GRACE after `seconds`; `failed` makes a verdict of a reason.
    """
    if can_fork():
        verdict = _run_in_copy(judge, seconds, too_slow, failed)
        if NO_GRADIENTS not in verdict[1]:
            return verdict
    with kept_state():
        return judge()


def _run_in_copy(judge: Callable[[], State], seconds: float, too_slow: State, failed: Callable[[str], State]) -> State:
    receiver, sender = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks with threads: see the head of this file
        process = os.fork()
    if not process:
        _be_the_copy(judge, sender)
    os.close(sender)
    try:
        message = _received(receiver, time.monotonic() + seconds + GRACE)
    finally:
        status = _ended(process)
        os.close(receiver)
    return _told(message, status, too_slow, failed)


def _told(message: bytes | None, status: int, too_slow: State, failed: Callable[[str], State]) -> State:
    """Return the verdict in the message, or say why there is none. Prints what the student's function printed."""
    if message is None:
        return too_slow
    try:
        state, reason, printed = json.loads(message)
    except ValueError:
        crashed = os.WIFSIGNALED(status)
        return failed(say(CRASHED, signal=signal.Signals(os.WTERMSIG(status)).name) if crashed else say(ENDED))
    if printed:
        print(printed, end="")
    if state is None:
        raise KeyboardInterrupt
    return state, reason


def _received(receiver: int, deadline: float) -> bytes | None:
    """Return all that the copy writes to its pipe, a line, or None if it is not there by the deadline."""
    message = b""
    while (left := deadline - time.monotonic()) > 0:
        if select.select([receiver], [], [], left)[0]:
            part = os.read(receiver, 65536)
            message += part
            if not part or part.endswith(b"\n"):
                return message
    return None


def _ended(process: int) -> int:
    """End the copy, with all that it started, and return its status."""
    for _ in range(20):  # it may be on its way out
        done, status = os.waitpid(process, os.WNOHANG)
        if done:
            break
        time.sleep(0.005)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process, signal.SIGKILL)
    if done:
        return status
    os.kill(process, signal.SIGKILL)  # it may have left its group
    return os.waitpid(process, 0)[1]


def _be_the_copy(judge: Callable[[], State], sender: int) -> None:
    """Judge in the copy of the process, send the verdict, and end. Never returns."""
    leave, write, dumps, printed = os._exit, os.write, json.dumps, Printed()  # a student may replace them
    message: list[str | None]
    try:
        os.setpgid(0, 0)
        _settle(printed)
        try:
            state, reason = judge()
            message = [state, reason, printed.getvalue()]
        except KeyboardInterrupt:
            message = [None, "", printed.getvalue()]
        content = dumps(message).encode() + b"\n"
        while content:
            content = content[write(sender, content) :]
    finally:  # whatever happens, the copy must not go on as a second notebook
        leave(0)


def _settle(printed: Printed) -> None:
    """Prepare the copy of the process: one thread, limited memory, no input, and output that is collected."""
    torch.set_num_threads(1)
    torch.set_num_threads = lambda nthreads: None  # more could hang after a fork
    _limit_memory()
    sys.stdout = sys.stderr = printed
    faulthandler.disable()  # a crash is told in one sentence
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    builtins.input = _no_input
    if shell := _shell():
        shell.ask_exit = _exit
        shell.display_pub.publish = lambda *_, **__: None


def _limit_memory() -> None:
    import resource  # not on Windows

    with open("/proc/self/statm", encoding="ascii") as file:
        size = int(file.read().split()[0]) * resource.getpagesize()
    most = resource.getrlimit(resource.RLIMIT_AS)[1]
    limit = size + MAX_MEMORY if most == resource.RLIM_INFINITY else min(size + MAX_MEMORY, most)
    resource.setrlimit(resource.RLIMIT_AS, (limit, most))


def _shell():
    """Return IPython's shell, or None outside notebooks."""
    module = sys.modules.get("IPython")
    return module.get_ipython() if module else None


def _exit() -> None:
    raise SystemExit


def _no_input(*_) -> str:
    raise EOFError(say("there is no input during a check"))


@contextlib.contextmanager
def kept_state() -> Iterator[None]:
    """Put settings and replaced functions back at the end of the block."""
    modules = [(module, dict(vars(module))) for module in WATCHED]
    streams = sys.stdin, sys.stdout, sys.stderr
    sys.stdout = sys.stderr = printed = Printed()
    builtins.input = _no_input
    shell = _shell()
    if shell:
        shell.ask_exit = _exit
    settings = torch.is_grad_enabled(), torch.get_default_dtype(), torch.get_num_threads(), torch.get_rng_state()
    others = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        sys.stdin, sys.stdout, sys.stderr = streams
        for module, names in modules:
            _put_back(module, names)
        if shell:
            del shell.ask_exit
        _put_settings_back(settings, others)
        print(printed.getvalue(), end="")


def _put_back(module: ModuleType, names: dict) -> None:
    """Give each name of the module its earlier value, where it has another one, and remove new names."""
    now = vars(module)
    for name in [name for name in now if name not in names]:
        if not isinstance(now[name], ModuleType):  # a submodule may have been imported
            del now[name]
    for name, value in names.items():
        if now.get(name) is not value:
            now[name] = value


def _put_settings_back(settings: tuple, others: tuple) -> None:
    grad, dtype, threads, state = settings
    torch.set_grad_enabled(grad)
    torch.set_default_dtype(dtype)
    torch.set_num_threads(threads)
    torch.set_rng_state(state)
    random.setstate(others[0])
    np.random.set_state(others[1])
