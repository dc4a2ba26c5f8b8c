"""Serve the site on 127.0.0.1, for a browser on this machine, until Ctrl+C.

python tools/serve_site.py          # site/ on port 8000, or on a free port if 8000 is in use
"""

import argparse
import contextlib
import functools
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from mnist_helpers._support.paths import COURSE as ROOT
from mnist_helpers.widgets.file_server import FolderHandler, FolderServer


class Handler(FolderHandler):
    """Serve files with the MIME types that browsers require; some systems do not define all of them."""

    extensions_map = FolderHandler.extensions_map | {
        ".js": "text/javascript",
        ".mjs": "text/javascript",
        ".ipynb": "application/x-ipynb+json",
    }


def make_server(folder: Path, port: int = 0) -> FolderServer:
    """Return a server for `folder` on 127.0.0.1 and `port`, or on a free port if `port` is in use."""
    handler = functools.partial(Handler, directory=folder)
    try:
        return FolderServer(handler, port)
    except OSError:
        return FolderServer(handler)


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve `folder` on a free port during the block, and yield the URL."""
    with make_server(folder) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def main():
    parser = argparse.ArgumentParser(description="Serve the site for a browser on this machine.")
    parser.add_argument("--folder", type=Path, default=ROOT / "site")
    parser.add_argument("--port", type=int, default=8000)
    options = parser.parse_args()
    if not (options.folder / "index.html").is_file():
        sys.exit(f"There is no site in {options.folder}; build it with `make site`.")
    with make_server(options.folder, options.port) as server:
        print(f"The course: http://127.0.0.1:{server.server_port}/   (stop with Ctrl+C)", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()


if __name__ == "__main__":
    main()
