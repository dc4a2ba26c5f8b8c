"""What runs in a process of its own, because it may raise an exception, hang or crash.

`start` gives this file to `python -` as its input, in the folder of the notebooks, so that modules are found as a
notebook finds them. The process prints a JSON object for each answer.
"""

from __future__ import annotations

import ast
import importlib
import json
import subprocess
import sys
from collections.abc import Callable
from subprocess import PIPE, Popen
from typing import Any

OUTPUT = sys.stdout  # in a probe, what imported modules print goes to stderr
LIMIT = 120  # seconds for a probe, which needs 5 to 20 if nothing is wrong
KERNEL_LIMIT = 60
MODULES = {"scikit-learn": "sklearn", "pillow": "PIL", "ipython": "IPython"}


def start(*task: str) -> Popen[str]:
    """Start a probe: "imports" and the packages, or "kernel" and the name of a kernel."""
    from mnist_helpers._support.paths import COURSE, NOTEBOOKS  # not at the top: a probe must not import the course

    folder = NOTEBOOKS if NOTEBOOKS.is_dir() else COURSE
    command = [sys.executable, "-", *task]
    with open(__file__, "rb") as source:
        return Popen(command, stdin=source, stdout=PIPE, stderr=PIPE, cwd=folder, encoding="utf-8", errors="replace")


def wait(process: Popen[str]) -> dict[str, Any]:
    """Return the answers of a probe after its end; "ended" says how it ended."""
    try:
        output, errors = process.communicate(timeout=LIMIT)
        ended = errors.strip().split("\n")[-1] or f"exit code {process.returncode}"
    except subprocess.TimeoutExpired:
        process.kill()
        output, ended = process.communicate()[0], f"not finished after {LIMIT} s"
    answers = {"ended": ended}
    for line in output.splitlines():
        if line.startswith("{") and line.endswith("}"):
            answers.update(json.loads(line))
    return answers


def answer(**values: Any) -> None:
    print(json.dumps(values), file=OUTPUT, flush=True)


def imports(*packages: str) -> None:
    """Import each package, then compute with torch; "trying" tells what a crash interrupted."""
    errors: dict[str, str] = {}
    for package in packages:
        answer(trying=package, errors=errors)
        try:
            importlib.import_module(MODULES.get(package, package))
        except BaseException as error:  # a broken package may raise anything, even SystemExit
            errors[package] = f"{type(error).__name__}: {error}"
    if "torch" in packages and "torch" not in errors:
        answer(trying="torch", errors=errors)
        answer(torch=torch_facts(sys.modules["torch"]))
    answer(trying=None, errors=errors, imported=len(packages) - len(errors))


def torch_facts(torch: Any) -> dict[str, Any]:
    """Return the threads, torch's CUDA version, the GPUs, and why the first cannot compute, or not capture a step."""
    properties = [torch.cuda.get_device_properties(number) for number in range(torch.cuda.device_count())]
    gpus = [f"{gpu.name} ({gpu.total_memory / 1e9:.0f} GB)" for gpu in properties]
    device = "cuda" if gpus else "mps" if torch.backends.mps.is_available() else "cpu"
    facts = {"threads": torch.get_num_threads(), "cuda": torch.version.cuda, "gpus": gpus}
    facts["error"] = failure(lambda: torch.ones(2, device=device).sum().item())
    facts["capture_error"] = failure(lambda: capture(torch)) if gpus else None
    return facts | {"gpus": ["mps"] if device == "mps" else gpus}


def failure(task: Callable[[], Any]) -> str | None:
    """Return the error that the task raises, as text, or None."""
    try:
        task()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


def capture(torch: Any) -> None:
    """Replay an addition from a CUDA graph, as chapter 08 does with a training step; raise an error if that fails."""
    total = torch.zeros(2, device="cuda")
    total += 1  # loads the kernel, which a capture could not
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        total += 1
    graph.replay()
    if total.tolist() != [2, 2]:
        raise RuntimeError(f"2 was expected from a captured addition, but it gave {total.tolist()}")


def kernel(name: str) -> None:
    """Start the kernel, and ask which interpreter it runs and where it finds the course's helpers."""
    from jupyter_client.kernelspec import get_kernel_spec
    from jupyter_client.manager import run_kernel

    helpers = "getattr(importlib.util.find_spec('mnist_helpers'), 'origin', None)"
    facts = f"{{'executable': sys.executable, 'prefix': sys.prefix, 'helpers': {helpers}}}"
    answer(program=get_kernel_spec(name).argv[0])
    client: Any
    with run_kernel(kernel_name=name, startup_timeout=KERNEL_LIMIT) as client:
        asked = {"user_expressions": {"facts": facts}, "reply": True, "timeout": KERNEL_LIMIT}
        reply = client.execute("import importlib.util, sys", **asked)
    answer(facts=ast.literal_eval(reply["content"]["user_expressions"]["facts"]["data"]["text/plain"]))


if __name__ == "__main__":
    sys.stdout = sys.stderr
    task = imports if sys.argv[1] == "imports" else kernel
    task(*sys.argv[2:])
