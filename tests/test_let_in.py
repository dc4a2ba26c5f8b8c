"""Nothing is let in: no code from a file, no path out of a served folder, no stranger into JupyterLab.

What each loader refuses besides is in test_checkpoints.py, test_train.py and test_predict.py; Netron's page has
test_netron_page.py.
"""

import ast
import contextlib
import io
import re
import shlex
import socket
import subprocess
import sys

import nbformat
import pytest
import serve_site
import torch
import train_model

from mnist_helpers import CourseError, checkpoints
from mnist_helpers.network import Net
from mnist_helpers.trainer import run as runs
from mnist_helpers.trainer import session as train
from mnist_helpers.widgets import netron_page
from tests.notebook_checks import ROOT
from tests.test_checkpoints import Mischief

# no code from a file


def resume(path):
    with contextlib.redirect_stderr(io.StringIO()) as said:
        assert train.main(["--resume", "--output", str(path.parent)]) == 2
    raise CourseError(said.getvalue())


def weights_of_train_model(path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train_model, "WEIGHTS", path)
        patch.setattr(train_model, "ROOT", path.parent)
        train_model.best_network()


LOADERS = {
    "chapter 04": lambda path: checkpoints.load(path, Net()),
    "train --resume": resume,
    "runs.load_model": runs.load_model,
    "tools/train_model.py": weights_of_train_model,
}


@pytest.mark.parametrize("name", LOADERS)
def test_code_in_a_file_of_artifacts_is_refused_and_not_run(name, tmp_path):
    path, done = tmp_path / "checkpoint.pt", tmp_path / "done"
    torch.save({"model": Mischief(done), "recipe": {}}, path)
    with pytest.raises((CourseError, SystemExit), match="could run code|UnpicklingError"):
        LOADERS[name](path)
    assert not done.exists()
    torch.load(path, weights_only=False)  # the file is as bad as it was meant to be
    assert done.exists()


# What runs code that stands in the file it reads: these never, and torch.load only with weights_only=True
NEVER = {"pickle.load", "pickle.loads", "pickle.Unpickler", "dill.load", "dill.loads", "cloudpickle.load"}
NEVER |= {"cloudpickle.loads", "joblib.load", "pandas.read_pickle", "shelve.open", "marshal.load", "marshal.loads"}
NEVER |= {"torch.jit.load", "torch.hub.load", "yaml.load", "yaml.unsafe_load", "yaml.full_load"}


def full_names(tree):
    """What each imported name stands for: {"np": "numpy", "load": "torch.load"}."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((name.asname or name.name.split(".")[0], name.asname and name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((name.asname or name.name, f"{node.module}.{name.name}") for name in node.names)


def unsafe_loads(source):
    """List the names of the code's calls, or other uses, that could run what a file holds."""
    tree = ast.parse(source)
    names = {short: full or short for short, full in full_names(tree)}
    checked = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            if given.get("weights_only") == "True":
                checked.add(node.func)
            if given.get("allow_pickle", "False") != "False":
                yield ast.unparse(node)
        if isinstance(node, (ast.Attribute, ast.Name)):
            first, *rest = ast.unparse(node).split(".")
            name = ".".join([names.get(first, ""), *rest])
            if name in NEVER or (name == "torch.load" and node not in checked):
                yield ast.unparse(node)


def committed_sources():
    """Yield the name and the code of every committed Python file, and of every code cell of the notebooks."""
    listed = subprocess.run(["git", "ls-files", "*.py", "*.ipynb"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("This is no git repository, so what is committed is not known.")
    for name in listed.stdout.splitlines():
        if name.endswith(".py"):
            yield name, (ROOT / name).read_text(encoding="utf-8")
            continue
        for cell in nbformat.read(ROOT / name, as_version=4).cells:
            if cell.cell_type == "code":
                yield f"{name}, {cell.id}", re.sub(r"^\s*[%!].*", "pass", cell.source, flags=re.MULTILINE)


def test_no_committed_code_runs_what_a_file_holds():
    sources = dict(committed_sources())
    assert len(sources) > 200
    found = {name: list(unsafe_loads(source)) for name, source in sources.items()}
    here = found.pop("tests/test_let_in.py", ["torch.load"])
    assert {name: uses for name, uses in found.items() if uses} == {}
    assert here == ["torch.load"]  # the one above, which shows that the file is bad


@pytest.mark.parametrize(
    "source, found",
    [
        ("import torch\ntorch.load(path, weights_only=True)", False),
        ("import torch\ntorch.load(path)", True),
        ("import torch\ntorch.load(path, weights_only=False)", True),
        ("import torch\ntorch.load(path, weights_only=safe)", True),
        ("import torch as t\nt.load(path)", True),
        ("from torch import load\nload(path)", True),
        ("from torch import load as read\nread(path)", True),
        ("import torch\nread = torch.load", True),
        ("import pickle\npickle.loads(content)", True),
        ("import pickle\npickle.dumps(content)", False),
        ("from pickle import load as read\nread(file)", True),
        ("import pickle\npickle.Unpickler(file).load()", True),
        ("import numpy as np\nnp.load(path, allow_pickle=True)", True),
        ("import numpy as np\nnp.load(path)", False),
        ("import yaml\nyaml.safe_load(text)", False),
        ("import yaml\nyaml.load(text)", True),
        ("import torch.nn.functional as F\nimport torch\ntorch.load(path)", True),
        ("import json\njson.load(file)", False),
    ],
)
def test_unsafe_loads_are_found(source, found):
    assert bool(list(unsafe_loads(source))) == found


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


# no stranger in JupyterLab, and nothing broken among the packages


def lab_options(makefile):
    """The options that `make lab` gives to JupyterLab."""
    recipe = re.search(r"^lab:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)[1]
    return shlex.split(re.sub(r"\$\([^)]*\)", "", recipe.replace("\\\n", " ")))


def opens_a_door(options):
    """List the options that would let others in: without a token, from another address, past its checks."""
    doors = "token|password|disable_check_xsrf|allow_origin|allow_remote_access|allow_unauthenticated|_class|--config"
    doors = [option for option in options if re.search(doors, option)]
    return doors + [option for option in options if option.startswith("--ip") and option != "--ip=127.0.0.1"]


def test_jupyterlab_keeps_its_token_and_this_machine():
    options = lab_options((ROOT / "Makefile").read_text(encoding="utf-8"))
    assert "jupyterlab" in options and "--ip=127.0.0.1" in options
    assert opens_a_door(options) == []


@pytest.mark.parametrize(
    "option",
    [
        "--IdentityProvider.token=''",
        "--ServerApp.token=''",
        "--ServerApp.password=",
        "--ip=0.0.0.0",
        "--ServerApp.allow_origin='*'",
        "--ServerApp.disable_check_xsrf=True",
    ],
)
def test_an_open_door_is_noticed(option):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    altered = makefile.replace("--ip=127.0.0.1", f"--ip=127.0.0.1 {option}")
    assert opens_a_door(lab_options(altered))


def test_installed_packages_fit_each_other():
    done = subprocess.run([sys.executable, "-m", "pip", "check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
