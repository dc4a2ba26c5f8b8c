"""ONNX Runtime is imported by one module only, after its telemetry is switched off."""

import os
import subprocess
import sys

import pytest

from mnist_helpers._support.paths import COURSE
from tests.support.sources import all_sources, imported_modules

ALLOWED = "mnist_helpers/onnx_file.py"


def imports_onnxruntime(source):
    return any(module.split(".")[0] == "onnxruntime" for module in imported_modules(source))


def test_one_module_imports_onnx_runtime():
    assert [name for name, source in all_sources() if imports_onnxruntime(source)] == [ALLOWED]


@pytest.mark.parametrize(
    "source, found",
    [
        ("import onnxruntime as ort", True),
        ("def f():\n    from onnxruntime.quantization import QuantType", True),
        ("import numpy, onnxruntime.capi", True),
        ("from mnist_helpers.onnx_file import onnxruntime", False),
        ("import onnx", False),
    ],
)
def test_each_kind_of_import_is_found(source, found):
    assert imports_onnxruntime(source) == found


def test_the_variable_is_set_before_onnx_runtime_is_imported():
    code = """
import os, sys
class Finder:
    def find_spec(self, name, *rest):
        if name == "onnxruntime":
            print(os.environ.get("ORT_DISABLE_TELEMETRY"))
sys.meta_path.insert(0, Finder())
import mnist_helpers.onnx_file
"""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ORT_")}
    done = subprocess.run([sys.executable, "-c", code], cwd=COURSE, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr


def test_make_and_conda_set_the_variable_for_every_kernel():
    assert "export ORT_DISABLE_TELEMETRY := 1\n" in (COURSE / "Makefile").read_text()
    assert '\n  ORT_DISABLE_TELEMETRY: "1"' in (COURSE / "environment.yml").read_text()
