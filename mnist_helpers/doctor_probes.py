"""What the doctor tries in a process of its own, since it may raise, hang or take the process with it.

The doctor gives this file to `python -` as its input, so that modules are found as a notebook finds them. Each line
of the output is a JSON object.
"""

import ast
import contextlib
import importlib.metadata
import importlib.util
import json
import sys
import tempfile

ANSWERS = sys.stdout  # what the imported modules print goes to stderr
PATIENCE = 40  # seconds for a kernel to start


def tell(**answer) -> None:
    print(json.dumps(answer), file=ANSWERS, flush=True)


def origin(module: str) -> str | None:
    """The file that `import module` would run, without running it."""
    spec = importlib.util.find_spec(module)
    return spec and spec.origin


def imports(pairs: list[str]) -> None:
    """Import each of "package=module", saying so before and after; then tell what torch sees of this machine."""
    for package, module in (pair.split("=") for pair in pairs):
        tell(package=package, origin=origin(module), home=str(importlib.metadata.distribution(package).locate_file("")))
        try:
            importlib.import_module(module)
            error = None
        except BaseException as raised:  # a broken package may raise anything, SystemExit among it
            error = f"{type(raised).__name__}: {raised}"
        tell(package=package, error=error)
    torch = sys.modules.get("torch")
    if hasattr(torch, "get_num_threads"):
        tell(threads=torch.get_num_threads(), openmp=openmp(), **gpu(torch))


def openmp() -> list[str]:
    """The OpenMP runtimes in this process, after all packages are in."""
    try:
        from threadpoolctl import threadpool_info
    except ImportError:  # scikit-learn brings it
        return []
    return [library["filepath"] for library in threadpool_info() if library["user_api"] == "openmp"]


def gpu(torch) -> dict:
    """The GPUs that torch can use, the CUDA version it was built for, and why the first of them cannot add."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    found = {"cuda": torch.version.cuda, "gpus": [torch.cuda.get_device_name(number) for number in range(count)]}
    device = "cuda" if count else "mps" if torch.backends.mps.is_available() else "cpu"
    if device == "mps":
        found["gpus"] = ["mps"]
    try:
        works = (torch.ones(2, device=device) + 1).sum().item() == 4
        return found | {"gpu_error": None if works else "1 + 1 is not 2 there"}
    except Exception as raised:
        return found | {"gpu_error": f"{type(raised).__name__}: {raised}"}


def kernel(name: str) -> None:
    """Start the kernel `name`, and ask it which environment it runs in and where it finds the helpers."""
    from jupyter_client.manager import KernelManager

    manager = KernelManager(kernel_name=name)
    tell(folder=manager.kernel_spec.resource_dir, argv=manager.kernel_spec.argv)
    with tempfile.TemporaryFile("w+") as said, contextlib.ExitStack() as ending:
        try:
            manager.start_kernel(stdout=said, stderr=said)
            ending.callback(manager.shutdown_kernel, now=True)
            tell(**ask(manager))
        except Exception as raised:
            said.seek(0)
            tell(start_error=said.read().strip() or f"{type(raised).__name__}: {raised}")


def ask(manager) -> dict:
    """Let the kernel compute the two expressions; returns their values by name."""
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=PATIENCE)
        questions = {
            "prefix": "__import__('sys').prefix",
            "helpers": "getattr(__import__('importlib.util').util.find_spec('mnist_helpers'), 'origin', '')",
        }
        reply = client.execute("", user_expressions=questions, reply=True, timeout=PATIENCE)["content"]
        values = reply["user_expressions"]
        return {name: ast.literal_eval(values[name]["data"]["text/plain"]) for name in questions}
    finally:
        client.stop_channels()


def browser() -> None:
    """Tell where Playwright looks for a Chromium of its own."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        tell(path=playwright.chromium.executable_path)


if __name__ == "__main__":
    sys.stdout = sys.stderr
    task, *words = sys.argv[1:]
    {"imports": lambda: imports(words), "kernel": lambda: kernel(*words), "browser": browser}[task]()
