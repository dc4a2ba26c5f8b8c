"""No loader runs code from a file, and no code of the course loads a file unsafely."""

import ast
import contextlib
import io

import pytest
import torch
import train_model

from mnist_helpers import CourseError, checkpoints
from mnist_helpers.network import Net
from mnist_helpers.trainer import cli as train
from mnist_helpers.trainer import run_checkpoint
from tests.support.sources import all_sources
from tests.support.untrusted import RunsCode

# no code from a file


def resume(path):
    with contextlib.redirect_stderr(io.StringIO()) as said:
        assert train.main(["--resume", "--output", str(path.parent)]) == 2
    raise CourseError(said.getvalue())


def weights_of_train_model(path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train_model, "ARTIFACTS", path.parent)
        train_model.stored(path.stem, lambda: pytest.fail("trained anew"))


LOADERS = {
    "chapter 05": lambda path: checkpoints.load(path, Net()),
    "train --resume": resume,
    "run_checkpoint.load_model": run_checkpoint.load_model,
    "tools/train_model.py": weights_of_train_model,
}


@pytest.mark.parametrize("name", LOADERS)
def test_code_in_a_file_of_artifacts_is_refused_and_not_run(name, tmp_path):
    path, done = tmp_path / "checkpoint.pt", tmp_path / "done"
    torch.save({"model": RunsCode(done), "recipe": {}}, path)
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


def test_no_committed_code_runs_what_a_file_holds():
    sources = dict(all_sources())
    assert len(sources) > 200
    found = {name: list(unsafe_loads(source)) for name, source in sources.items()}
    here = found.pop("tests/security/test_untrusted_files.py")
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
