"""Serve the site on 127.0.0.1, for a browser on this machine, until Ctrl+C.

python tools/serve_site.py          # site/ on port 8000, or on a free port if 8000 is in use
"""

import argparse
import contextlib
import functools
import gzip
import io
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from mnist_helpers._support.paths import COURSE as ROOT
from mnist_helpers.widgets.file_server import FolderHandler, FolderServer

COMPRESSED = {".html", ".js", ".mjs", ".css", ".svg", ".json", ".txt", ".bin", ".ipynb"}  # pictures are so already


@functools.lru_cache(maxsize=1000)
def compressed(file: Path, changed: int) -> bytes:
    """Return the content of a file, compressed by gzip; `changed`, its time, makes an older result invalid."""
    return gzip.compress(file.read_bytes(), mtime=0)


class Handler(FolderHandler):
    """Serve files compressed, with the MIME types that browsers require; some systems do not define all of them."""

    extensions_map = FolderHandler.extensions_map | {
        ".js": "text/javascript",
        ".mjs": "text/javascript",
        ".ipynb": "application/x-ipynb+json",
        ".bin": "application/octet-stream",
    }

    def send_head(self):
        file = self.asked_file()
        if file is not None and file.is_dir() and self.path.split("?")[0].endswith("/"):
            file /= "index.html"
        accepted = "gzip" in self.headers.get("Accept-Encoding", "")
        if file is None or not accepted or file.suffix not in COMPRESSED or not file.is_file():
            return super().send_head()
        content = compressed(file, file.stat().st_mtime_ns)
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(file))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Vary", "Accept-Encoding")
        self.send_header("Last-Modified", self.date_time_string(file.stat().st_mtime))
        self.end_headers()
        return io.BytesIO(content)


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
