"""The servers of Netron's page and of the site give the files of one folder and nothing else."""

import socket

import pytest
import serve_site

from mnist_helpers.widgets import netron_page

# no path out of a served folder


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
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "link").symlink_to(tmp_path)
    if request.param == "site":
        with serve_site.serving(folder) as url:
            yield folder, int(url.rstrip("/").rpartition(":")[2])
    else:
        (tmp_path / "net.onnx").write_bytes(b"network")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(netron_page, "PACKAGE", folder)
            yield folder, int(netron_page.serve(tmp_path / "net.onnx").rstrip("/").rpartition(":")[2])


def ask(port, path, method="GET"):
    """Send a path as it is; returns the status and all that came back."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(f"{method} {path} HTTP/1.0\r\n\r\n".encode())
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
]


@pytest.mark.parametrize("path", OUTSIDE)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_nothing_beside_the_folder_is_served(served, path, method):
    folder, port = served
    status, answer = ask(port, path.replace("SECRET", str(folder.parent / "secret.txt")), method)
    assert status in (301, 400, 404), answer  # 301: from a folder to its name with a slash
    assert b"the secret" not in answer and b"secret.txt</a>" not in answer


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_no_other_method_is_answered(served, method):
    assert ask(served[1], "/page.css", method)[0] == 501
