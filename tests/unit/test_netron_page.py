"""Netron's page as a browser asks for it."""

import http.client
import os
import re
import socket
import sys
from types import SimpleNamespace
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from mnist_helpers.widgets import netron_page
from tests.support.refusal import refused


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "net & more.onnx"
    path.write_bytes(bytes(range(256)))
    return path


@pytest.fixture(scope="module")
def url(model):
    return netron_page.serve(model)


def get(url, path):
    """Ask for a path as it is: urlopen would tidy it up."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    connection.putrequest("GET", path)
    connection.endheaders()
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content


def test_page_neither_expires_nor_calls_out(url):
    page = urlopen(url).read().decode()
    assert '<meta name="date"' not in page
    assert re.findall(r'<meta name="version" content="(.*?)"', page) == ["0.0.0"]
    assert re.findall(r'http-equiv="Content-Security-Policy" content="(.*?);', page) == ["default-src 'self'"]
    assert page.index('src="quiet.js"') < page.index("index.js")
    assert page == urlopen(url + "index.html?query").read().decode()


def test_page_keeps_cookies_out(url):
    script = urlopen(url + "quiet.js").read().decode()
    assert 'Object.defineProperty(document, "cookie"' in script and "consent=1" in script


def test_every_script_and_style_of_the_page_is_served(url):
    page = urlopen(url).read().decode()
    names = re.findall(r'<(?:script|link)[^>]*(?:src|href)="([^"]+)"', page)
    assert "quiet.js" in names
    for name in names:
        assert not name.startswith(("http:", "https:", "//"))
        assert get(url, f"/{name}")[0] == 200


def test_shapes_are_written_in_brackets_that_most_fonts_have(url, tmp_path, model):
    netron_page.write(tmp_path / "netron", [model])
    for script in (get(url, "/view.js")[1], (tmp_path / "netron" / "view.js").read_bytes()):
        assert b"`\\u27e8${content}\\u27e9`" in script and b"u3008" not in script


def test_model_is_served_as_it_is(url, model):
    with urlopen(url + "model.onnx") as answer:
        assert answer.read() == model.read_bytes()


def test_model_that_was_exported_again_is_served_anew(tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(b"old")
    url = netron_page.serve(path)
    path.write_bytes(b"new")
    assert netron_page.serve(path) == url
    assert urlopen(url + "model.onnx").read() == b"new"


def test_server_listens_on_this_machine_alone(url):
    assert urlsplit(url).hostname == "127.0.0.1"
    assert get(url, "/")[0] == 200
    with pytest.raises(OSError):  # a server on all addresses would answer here too
        socket.create_connection(("127.0.0.2", urlsplit(url).port), timeout=2)


@pytest.mark.parametrize(
    "path",
    [
        "/../../../../../../../../etc/passwd",
        "/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/..%2f..%2f..%2f..%2f..%2f..%2f..%2fetc/passwd",
        "//etc/passwd",
        "/../__init__.py",
        "/../torch/__init__.py",
        "/__pycache__/",
        "/nothing",
    ],
)
def test_nothing_else_of_the_disk_is_served(path, url):
    status, content = get(url, path)
    assert b"root:" not in content and b"Directory listing" not in content
    if "__init__" not in path or "torch" in path:  # a path that is cut down to Netron's own folder is harmless
        assert status == 404


def test_missing_model_is_refused(tmp_path):
    with refused(str(tmp_path / "net.onnx"), "is not there", "export it"):
        netron_page.serve(tmp_path / "net.onnx")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no pipes among its files")
def test_pipe_in_the_place_of_a_model_is_refused(tmp_path):
    os.mkfifo(tmp_path / "net.onnx")
    with refused(str(tmp_path / "net.onnx"), "it is a pipe", "export it"):
        netron_page.serve(tmp_path / "net.onnx")


def test_frame_has_a_title_and_shows_the_page(model, url, recwarn):
    frame = netron_page.show(model, height=321).data
    assert f'src="{url}?url=model.onnx"' in frame and 'height="321"' in frame
    assert 'title="Netron showing net &amp; more.onnx"' in frame
    assert not recwarn.list  # IPython warns about a bare iframe, and the notebook would store it


@pytest.fixture
def proxied(monkeypatch):
    """What a stand-in for Google Colab was asked to show."""
    asked = []
    output = SimpleNamespace(serve_kernel_port_as_iframe=lambda port, **options: asked.append((port, options)))
    monkeypatch.setitem(sys.modules, "google.colab", SimpleNamespace(output=output))
    return asked


def status(port, host):
    """Return the status of an answer to a request that names another host."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/model.onnx", headers={"Host": host})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def test_in_colab_the_frame_leads_through_its_proxy_whose_name_is_answered(proxied, tmp_path):
    (tmp_path / "net.onnx").write_bytes(b"model")
    assert netron_page.show(tmp_path / "net.onnx", height=300) is None
    ((port, options),) = proxied
    assert options == {"path": "/?url=model.onnx", "height": "300"}
    assert status(port, "8080-m-s-abc-a.us-west1.colab.googleusercontent.com") == 200
    assert status(port, "two words") == 421


def test_elsewhere_no_other_name_is_answered(url):
    assert status(urlsplit(url).port, "8080-m-s-abc-a.us-west1.colab.googleusercontent.com") == 421
