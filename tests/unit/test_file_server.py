"""The servers of Netron's page and of the site, asked from another process: the files of one folder, nothing else."""

import contextlib
import os
import socket
import subprocess
import sys
import time

import pytest

from mnist_helpers._support.paths import COURSE as ROOT
from mnist_helpers.widgets.file_server import CONNECTIONS
from tests.support.links import make_link

NETRON = """
import sys
from pathlib import Path
from mnist_helpers.widgets import file_server, netron_page
netron_page.PACKAGE, file_server.FolderHandler.timeout = Path(sys.argv[1]), 3
print(netron_page.serve(Path(sys.argv[1]).parent / "net.onnx"), flush=True)
sys.stdin.read()
"""
SITE = """
import sys
import serve_site
from mnist_helpers.widgets import file_server
file_server.FolderHandler.timeout = 3
sys.argv[1:] = ["--folder", sys.argv[1], "--port", "0"]
serve_site.main()
"""
PROGRAMS = {"site": SITE, "netron": NETRON}


@contextlib.contextmanager
def server(program, folder):
    """Start a program that serves the folder; yields the port."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tools")])}
    words = [sys.executable, "-c", program, str(folder)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(words, env=environment, **pipes) as process:
        try:
            yield int(process.stdout.readline().split("127.0.0.1:")[1].split("/")[0])
        finally:
            process.kill()


@pytest.fixture(scope="module", params=["site", "netron"])
def served(request, tmp_path_factory):
    """A folder with a page and a link out of it, beside a secret, and the port that serves it."""
    tmp_path = tmp_path_factory.mktemp("around")
    folder = tmp_path / "served"
    (folder / "below").mkdir(parents=True)
    (tmp_path / "served_too").mkdir()  # its name begins like the folder's
    for secret in (tmp_path / "secret.txt", tmp_path / "served_too" / "secret.txt"):
        secret.write_text("the secret")
    (folder / "index.html").write_text("<script the page")
    (folder / "page.css").write_text("the style")
    make_link(folder / "link.txt", tmp_path / "secret.txt")
    make_link(folder / "link", tmp_path)
    (folder / "linked").mkdir()
    make_link(folder / "linked" / "index.html", tmp_path / "secret.txt")
    make_link(folder / "loop", folder / "loop")
    (tmp_path / "net.onnx").write_bytes(b"network")
    with server(PROGRAMS[request.param], folder) as port:
        yield folder, port


def ask(port, path, method="GET", host="Host: 127.0.0.1\r\n"):
    """Send a path as it is; returns the status and all that came back."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(f"{method} {path} HTTP/1.0\r\n{host}\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    return int(answer.split()[1]), answer


def test_the_folders_own_files_are_served(served):
    _, port = served
    assert ask(port, "/page.css")[0] == 200 and b"the style" in ask(port, "/page.css")[1]
    assert b"the page" in ask(port, "/")[1]


OUTSIDE = [
    "/../secret.txt",
    "/below/../../secret.txt",
    "/%2e%2e/secret.txt",
    "/..%2fsecret.txt",
    "/%2e%2e%2fsecret.txt",
    "/%252e%252e/secret.txt",
    "/..\\secret.txt",
    "/../served_too/secret.txt",
    "../secret.txt",
    "//SECRET",
    "/SECRET",
    "SECRET",
    "file://SECRET",
    "/link.txt",
    "/link/secret.txt",
    "/link/served_too/secret.txt",
    "/page.css%00",
    "/page.css%00/../../secret.txt",
    "/below",
    "/below/",
    "/link/",
    "/linked/",
    "/linked/index.html",
    "/loop",
    "/loop/",
]


@pytest.mark.parametrize("path", OUTSIDE)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_nothing_beside_the_folder_is_served(served, path, method):
    folder, port = served
    status, answer = ask(port, path.replace("SECRET", str(folder.parent / "secret.txt")), method)
    assert status in (301, 400, 404), answer  # 301: from a folder to its name with a slash
    assert b"the secret" not in answer and b"secret.txt</a>" not in answer


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "get", "BREW"])
def test_no_other_method_is_answered(served, method):
    status, answer = ask(served[1], "/page.css", method)
    assert status == 501 and b"the style" not in answer


@pytest.mark.parametrize("name", ["127.0.0.1", "127.0.0.1:PORT", "localhost:PORT", "LOCALHOST:9000", " 127.0.0.1 "])
def test_a_browser_of_this_machine_is_answered(served, name):
    host = f"Host: {name.replace('PORT', str(served[1]))}\r\n"
    assert ask(served[1], "/page.css", host=host)[0] == 200


@pytest.mark.parametrize("path", ["/", "/page.css", "/model.onnx", "/quiet.js"])
@pytest.mark.parametrize(
    "host",
    [
        "",
        "Host:\r\n",
        "Host: attacker.example\r\n",
        "Host: attacker.example:PORT\r\n",
        "Host: 127.0.0.1.attacker.example:PORT\r\n",
        "Host: localhost@attacker.example\r\n",
        "Host: 127.0.0.1:PORT\r\nHost: attacker.example\r\n",
        "Host: 127.0.0.1:PORT, attacker.example\r\n",
        "Host: 0.0.0.0:PORT\r\n",
    ],
)
def test_a_page_that_leads_its_own_name_here_is_refused(served, host, path):
    status, answer = ask(served[1], path, host=host.replace("PORT", str(served[1])))
    assert status == 421, answer
    assert not any(content in answer for content in (b"the page", b"the style", b"network", b"consent"))


@pytest.mark.integration
def test_connections_that_say_nothing_are_bounded_and_end(served):
    """Many connections are opened and left alone: those above the bound are closed, and the others after a while."""
    _, port = served
    with contextlib.ExitStack() as stack:
        silent = [
            stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
            for _ in range(CONNECTIONS + 8)
        ]
        for connection in silent[-8:]:
            with contextlib.suppress(ConnectionResetError):
                assert connection.recv(1) == b""
        assert all(connection.recv(1) == b"" for connection in silent[:CONNECTIONS])
    end = time.monotonic() + 10
    while ask(port, "/page.css")[0] != 200:
        assert time.monotonic() < end
