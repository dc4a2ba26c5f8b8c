"""Run notebooks from top to bottom in fresh kernels and store their outputs.

    python tools/run_notebooks.py                             # all of notebooks/, in order
    python tools/run_notebooks.py notebooks/04_training.ipynb

If a cell fails, the program stops with exit code 1 and leaves the file of that notebook unchanged.
"""

import argparse
import asyncio
import contextlib
import os
import re
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from notebook_cells import without_outputs
from notebook_files import load, write

from mnist_helpers import CourseError
from mnist_helpers._support import provenance
from mnist_helpers._support.paths import NOTEBOOKS

KERNEL = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
# A page that is served by the kernel, and is gone when the kernel ends
LOCAL_FRAME = re.compile(r'<iframe\b[^>]*\bsrc="http://127\.0\.0\.1:\d+/[^"]*"[^>]*>\s*</iframe>')
WIDGET = "application/vnd.jupyter.widget-view+json"  # needs a running kernel; without it, the stored image is shown
PLACEHOLDER = "<p>Run this cell in JupyterLab: Netron opens here.</p>"


def follow(client: NotebookClient, name: str, cells: int, ended: threading.Event) -> None:
    """Print which cell is running until `ended` is set: one updated line in a terminal, else one line per slow cell."""
    start, shown, last = time.perf_counter(), 0, False
    while not last:
        last = ended.wait(0.2)
        number = client.code_cells_executed
        line = f"{name}  cell {number} of {cells}  {time.perf_counter() - start:.1f} s"
        if sys.stdout.isatty():
            print(f"\r{line}", end="\n" if last else "", flush=True)
        elif number > shown:
            print(line, flush=True)
            shown = number


def forward_interrupts(client: NotebookClient) -> None:
    """Make Ctrl+C interrupt the running cell, as in JupyterLab; nbclient would close its sockets while in use."""
    loop = asyncio.get_running_loop()
    manager: Any = client.km  # an AsyncKernelManager, whose methods are not typed as coroutines
    with contextlib.suppress(NotImplementedError):  # on Windows, nbclient does not handle Ctrl+C
        loop.add_signal_handler(signal.SIGINT, lambda: loop.create_task(manager.interrupt_kernel()))


def make_client(notebook: nbformat.NotebookNode, folder: Path) -> NotebookClient:
    """Return a client that runs `notebook` in a new kernel, with `folder` as working directory."""
    client: NotebookClient = NotebookClient(
        notebook,
        kernel_name=KERNEL["name"],
        extra_arguments=["--log-level=40"],  # errors only: warnings of the kernel would disturb the progress line
        resources={"metadata": {"path": str(folder)}},
        on_notebook_start=lambda **_: forward_interrupts(client),
        record_timing=False,
        coalesce_streams=True,
        store_widget_state=False,
        timeout=600,  # seconds a cell, as in `make test`
    )
    return client


def execute(notebook: nbformat.NotebookNode, path: Path) -> None:
    """Run `notebook` in the folder of `path` and store its outputs. Raises CourseError if a cell fails."""
    without_outputs(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    client = make_client(notebook, path.parent)
    ended, failure = threading.Event(), None
    thread = threading.Thread(target=follow, args=(client, path.name, len(code), ended))
    thread.start()
    try:
        with tempfile.TemporaryDirectory() as folder:  # the author's own progress is neither shown nor written
            own = {"MNIST_COURSE_PROGRESS": str(Path(folder, "progress.json")), "MNIST_COURSE_LANGUAGE": "en"}
            client.execute(env=os.environ | own)
    except Exception as error:  # nbclient's own types, or any error while the kernel starts or stops
        failure = error
    finally:
        ended.set()
        thread.join()
    if failure:
        cell = code[client.code_cells_executed - 1] if client.code_cells_executed else None
        raise CourseError(explain(path, cell, failure)) from None


def explain(path: Path, cell: nbformat.NotebookNode | None, error: Exception) -> str:
    """Return a message with the id and first line of the failed cell, and the error."""
    reason = str(error) or type(error).__name__
    if isinstance(error, CellExecutionError):
        reason = f"{error.ename}: {COLOURS.sub('', error.evalue)}".removesuffix(": ")
    where = f"cell {cell.id}, which starts with\n    {cell.source.strip().splitlines()[0]}" if cell else "its start"
    return f"{path} stopped at {where}\n{reason}\nThe file was not changed."


def clean(notebook: nbformat.NotebookNode) -> None:
    """Remove what is only valid during this run: widgets and their states, timings, frames with pages of the kernel."""
    notebook.metadata.pop("widgets", None)
    notebook.metadata.kernelspec = nbformat.from_dict(KERNEL)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            data.pop(WIDGET, None)
            if "text/html" in data:
                data["text/html"] = LOCAL_FRAME.sub(PLACEHOLDER, data["text/html"])


def run(path: Path) -> None:
    """Run the notebook at `path` and store its outputs. Raises CourseError if the file was edited meanwhile."""
    notebook, before = load(path), path.read_bytes()
    execute(notebook, path)
    if path.read_bytes() != before:
        raise CourseError(f"{path} was edited while it was running, so its outputs were not stored; run it again.")
    clean(notebook)
    notebook.metadata.made_with = provenance.made_with() | {"outputs": provenance.fingerprint(notebook)}
    write(notebook, path)


def main() -> None:
    """Run the notebooks named on the command line, or all of them."""
    parser = argparse.ArgumentParser(description="Run notebooks in fresh kernels and store their outputs.")
    parser.add_argument("notebooks", nargs="*", type=Path, metavar="NOTEBOOK", help="default: all of notebooks/")
    paths = parser.parse_args().notebooks or sorted(NOTEBOOKS.glob("*.ipynb"))
    if not paths:
        sys.exit(f"There is no notebook in {NOTEBOOKS}.")
    try:
        for path in paths:
            run(path)
    except CourseError as error:
        sys.exit(str(error))
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit(f"Interrupted: {path} was not changed.")


if __name__ == "__main__":
    main()
