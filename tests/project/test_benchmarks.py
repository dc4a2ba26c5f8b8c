"""What the benchmarks print: Markdown tables, here of the committed results; and what they leave out says so."""

import json

import pandas as pd
import pytest
import torch

from mnist_helpers._support.paths import COURSE as ROOT


@pytest.fixture
def benchmark(monkeypatch):
    """Import a module of benchmarks/, and read the results file of the same name."""

    def load(name):
        monkeypatch.syspath_prepend(ROOT / "benchmarks")
        return __import__(name), json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text())

    return load


def rows_of(markdown):
    """The cells of a Markdown table, by row; refuses lines that are no row, or rows that differ in their cells."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in markdown.splitlines()]
    assert all(line.startswith("|") and line.endswith("|") for line in markdown.splitlines())
    assert len({len(row) for row in rows}) == 1 and set("".join(rows[1])) <= set(":-")
    return {row[0]: row[1:] for row in rows}


def test_speed_prints_each_variant_with_what_it_changes_and_its_ratio(benchmark):
    speed, results = benchmark("speed")
    seconds = pd.DataFrame(results["seconds"])
    rows = rows_of(speed.table(seconds))
    assert list(rows)[2:] == list(results["after"])
    ratio = seconds["report"].median() / seconds["channels_last"].median()
    assert rows["channels_last"][:2] == ["one tensor", f"{ratio:.2f}"]
    assert rows["report"] == ["", "1", "1", "1"]


def test_processes_prints_a_row_a_batch_size(benchmark):
    processes, results = benchmark("processes")
    rows = rows_of(processes.table(results["times_faster"]))
    found = results["times_faster"]["64"]
    assert list(rows)[2:] == ["64", "128", "512"]
    assert [float(cell) for cell in rows["64"]] == [found[name] for name in rows["images in a step"]]


def test_deployment_prints_five_tables(benchmark):
    deployment, results = benchmark("deployment")
    parts = deployment.tables(results).split("\n\n")
    parity, trap, runtime, averaging, int8 = (rows_of(part) for part in parts if part.startswith("|"))
    assert parity["report"][1:] == ["0", str(results["parity"]["report"]["test_correct"])]
    assert runtime["report, batches of 1"][0] == str(
        results["onnx_runtime_times_faster"]["report"]["1"]["ONNX Runtime"][0]
    )
    assert list(averaging)[2:] == ["1", "1000"]
    assert int8["report, float32"][0] == str(results["int8"]["report"]["float32"]["kilobytes"])
    found = results["exported_in_train_mode"]
    assert {name: [float(cell) for cell in row] for name, row in list(trap.items())[2:]} == {
        name: [round(sum(right) / 3)] for name, right in found.items()
    }


def test_speed_leaves_out_what_a_machine_cannot_do_and_says_so(benchmark, monkeypatch, capsys):
    speed, _ = benchmark("speed")

    def no_compiler(model):
        raise RuntimeError("no C++ compiler")

    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    monkeypatch.setattr(torch, "compile", no_compiler)
    functions = speed.variants(torch.zeros(64, 1, 28, 28), torch.zeros(64, dtype=torch.int64))
    assert list(functions) == [name for name in speed.AFTER if name not in ("bf16", "torch.compile")]
    said = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in said] == ["bf16", "torch.compile"] and "RuntimeError" in said[1]
