"""Netron's own page without cookies, tracking or expiry, served only to this machine."""

import functools
import html
import re
import shutil
import threading
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

import netron
from IPython.display import HTML

from mnist_helpers import CourseError
from mnist_helpers._support import colab
from mnist_helpers._support.regular_files import read_file
from mnist_helpers._support.translation import say
from mnist_helpers.widgets.file_server import OWN_NAME, FolderHandler, FolderServer

PACKAGE = Path(netron.__file__).parent
# Netron asks for consent unless it finds this cookie. Overriding document.cookie also prevents real cookies.
COOKIE_SCRIPT = b'Object.defineProperty(document, "cookie", { get: () => "consent=1", set: () => {} });\n'
# With this policy, the browser blocks all requests to other servers
POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; frame-src 'none'"
# Colab leads its visitor to the server under a name of its own. No browser runs on that machine, and its proxy lets in
# nobody else.
NAME_IN_COLAB = re.compile(r"[\w.:-]+")
LARGEST = 500_000_000  # bytes of a model
PRELOADED = ("onnx-metadata.json", "pytorch-metadata.json", "tflite-metadata.json")  # requested at each start of Netron


def index_page() -> bytes:
    """Return Netron's index.html without network access. With ?url=model.onnx it opens that file.

    Without a date the page does not expire, and as version 0.0.0 it does not look for updates or send telemetry.
    """
    page = (PACKAGE / "index.html").read_text(encoding="utf-8")
    page = re.sub(r'<meta name="date" .*?>\n?', "", page)
    page = re.sub(r'(<meta name="version" content=)".*?"', r'\1"0.0.0"', page)
    page = re.sub(r'(http-equiv="Content-Security-Policy" content=)".*?"', rf'\1"{POLICY}"', page)
    return page.replace("<script ", '<script src="quiet.js"></script>\n<script ', 1).encode()


def view_script() -> bytes:
    """Return Netron's view.js with brackets around shapes that most fonts have, ⟨10×1×5×5⟩, instead of Chinese ones."""
    script = (PACKAGE / "view.js").read_text(encoding="utf-8")
    return script.replace(r"\u3008", r"\u27e8").replace(r"\u3009", r"\u27e9").encode()


def write(folder: Path, models: Iterable[Path]) -> None:
    """Write the page as static files for any web server, with the ONNX files `models`; open it as index.html?url=NAME.

    Files that are only needed for formats other than ONNX are left out. Raises CourseError if a model cannot be read.
    """
    contents = {model.name: _read(model) for model in models}
    folder.mkdir(parents=True)
    for source in sorted(PACKAGE.iterdir()):
        if source.suffix in (".js", ".css", ".png", ".ico") or source.name in PRELOADED:
            shutil.copyfile(source, folder / source.name)
    (folder / "index.html").write_bytes(index_page())
    (folder / "view.js").write_bytes(view_script())
    (folder / "quiet.js").write_bytes(COOKIE_SCRIPT)
    for name, content in contents.items():
        (folder / name).write_bytes(content)


def _read(model: Path) -> bytes:
    try:
        return read_file(model, LARGEST)
    except FileNotFoundError:
        raise CourseError(
            say("{model} is not there, but an ONNX file was expected; export it first.", model=model)
        ) from None
    except OSError as error:
        raise CourseError(
            say(
                "{model} cannot be read ({reason}), but an ONNX file was expected; export it first.",
                model=model,
                reason=error.strerror,
            )
        ) from None


@functools.cache
def serve(model: Path) -> str:
    """Serve Netron's page with the ONNX file `model` on a free port of 127.0.0.1 until Python exits; return its URL.

    Raises CourseError if `model` cannot be read.
    """
    _read(model)
    pages = {"/": index_page, "/index.html": index_page, "/quiet.js": lambda: COOKIE_SCRIPT, "/view.js": view_script}
    generated = pages | {"/model.onnx": Path(model).read_bytes}

    class Handler(FolderHandler):
        hosts = NAME_IN_COLAB if colab.is_running() else OWN_NAME

        def do_GET(self):
            path = self.path.split("?")[0]
            if path not in generated:
                return super().do_GET()
            self.send_response(200)
            self.send_header("Content-Type", self.guess_type("index.html" if path == "/" else path))
            self.end_headers()
            self.wfile.write(generated[path]())

    server = FolderServer(functools.partial(Handler, directory=PACKAGE))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/"


def show(model: Path, height: int = 500) -> HTML | None:
    """Show the ONNX file `model` in Netron, in a frame of `height` pixels in the notebook.

    In Google Colab the frame leads through its proxy, as the browser runs on another machine than the kernel.
    """
    address = serve(model)
    if colab.is_running():
        from google.colab import output

        return output.serve_kernel_port_as_iframe(urlsplit(address).port, path="/?url=model.onnx", height=str(height))
    title = html.escape(say("Netron showing {name}", name=Path(model).name))
    frame = f'<iframe title="{title}" src="{address}?url=model.onnx" width="100%" height="{height}"></iframe>'
    return HTML(f"<div>{frame}</div>")  # IPython warns about a bare iframe
