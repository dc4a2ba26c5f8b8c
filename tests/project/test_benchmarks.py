"""What the benchmarks print: Markdown tables, here of the committed results; and what they leave out says so."""

import json
from dataclasses import asdict, replace

import pandas as pd
import pytest
import torch

from mnist_helpers._support.paths import COURSE as ROOT
from mnist_helpers.recipes import RECIPES, Recipe
from tests.support import cpu_graph

FILES = {"recipe_seeds": "recipes"}  # the others have the module's name


@pytest.fixture
def benchmark():
    """Import a module of benchmarks/, and read its results file."""

    def load(name):
        path = ROOT / "benchmarks" / "results" / f"{FILES.get(name, name)}.json"
        return __import__(name), json.loads(path.read_text())

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


LEFT_OUT = {
    "without label smoothing": ["label_smoothing"],
    "without shift": ["shift"],
    "without average of weights": ["ema"],
    "batch 64": ["batch_size"],
    "width 10": ["width"],
    "without one cycle": ["one_cycle", "learning_rate"],
    "without batch norm": ["batch_norm", "learning_rate"],
    "without one cycle and average": ["one_cycle", "learning_rate", "ema"],
    "without label smoothing and shift": ["label_smoothing", "shift"],
}


def test_leave_one_out_differs_from_good_in_what_it_names_and_nothing_else(benchmark):
    recipe_seeds, _ = benchmark("recipe_seeds")
    good, report = asdict(RECIPES["good"]), asdict(Recipe())
    rows = recipe_seeds.plan()["leave_one_out"]
    assert {name: [field for field in good if row["recipe"][field] != good[field]] for name, row in rows.items()} == {
        name: sorted(fields, key=list(good).index) for name, fields in LEFT_OUT.items()
    }
    for name, fields in LEFT_OUT.items():  # what is left out is as in the report, the learning rate apart
        assert {rows[name]["recipe"][field] == report[field] for field in fields if field != "learning_rate"} == {True}


def test_sgd_differs_from_the_report_in_its_learning_rate_and_nothing_else(benchmark):
    recipe_seeds, _ = benchmark("recipe_seeds")
    for name, row in recipe_seeds.plan()["sgd"].items():
        recipe = Recipe(**row["recipe"])
        assert recipe == Recipe(learning_rate=recipe.learning_rate, one_cycle="one cycle" in name)
        assert f"SGD {recipe.learning_rate}" in name


@pytest.fixture
def recipe_seeds(benchmark, monkeypatch, tmp_path):
    """The module with its results file in an empty folder, four images and no training; `trained` lists the calls."""
    module, _ = benchmark("recipe_seeds")
    monkeypatch.setattr(module.results_file, "RESULTS", tmp_path)
    monkeypatch.setattr(module.data, "load", lambda name: (torch.zeros(4, 1, 28, 28), torch.tensor([0, 1, 2, 3])))
    monkeypatch.setattr(module.data, "split", lambda images, labels: ((images, labels), (images, labels)))
    monkeypatch.setattr(module, "STEPS", module.STEPS[:2])
    monkeypatch.setattr(module, "SGD", module.SGD[:1])
    monkeypatch.setattr(module, "LEAVE_ONE_OUT", module.LEAVE_ONE_OUT[:1])
    module.trained = []
    monkeypatch.setattr(module, "train", lambda recipe, images, labels, seed: module.trained.append(recipe) or seed)
    monkeypatch.setattr(module, "evaluate", lambda seed, images, labels: (0.0, 9900 + seed))
    right, wrong = torch.eye(10)[:4], torch.eye(10)[4:8]
    monkeypatch.setattr(module, "predict", lambda seed, images: right if seed > 3 else 0.4 * right + 0.6 * wrong)
    return module


def test_recipe_seeds_trains_only_the_rows_that_the_file_lacks(recipe_seeds, monkeypatch):
    recipe_seeds.main()
    assert len(recipe_seeds.trained) == 6 * 5  # report, AdamW, one of SGD, one of leave-one-out, two ensembles
    first = recipe_seeds.results_file.read_results("recipes")
    recipe_seeds.main()
    assert len(recipe_seeds.trained) == 30 and recipe_seeds.results_file.read_results("recipes") == first

    monkeypatch.setattr(recipe_seeds, "SGD", [("SGD 0.1", "report", {"learning_rate": 0.3})])
    monkeypatch.setattr(recipe_seeds.results_file, "made_with", lambda: first["made_with"] | {"threads": 99})
    recipe_seeds.main()
    assert recipe_seeds.trained[30:] == [Recipe(learning_rate=0.3)] * 5
    second = recipe_seeds.results_file.read_results("recipes")
    assert second["runs"] == [first["made_with"], first["made_with"] | {"threads": 99}]
    assert second["sgd"]["SGD 0.1"]["run"] == 1 and second["steps"] == first["steps"]

    monkeypatch.setattr(recipe_seeds.results_file, "made_with", lambda: first["made_with"] | {"torch": "0.4"})
    recipe_seeds.main()
    assert len(recipe_seeds.trained) == 35 + 30


def test_recipe_seeds_keeps_whole_rows_when_it_is_stopped(recipe_seeds, monkeypatch):
    with monkeypatch.context() as patch:

        def stop(model, images, labels):
            if len(recipe_seeds.trained) == 8:
                raise KeyboardInterrupt
            return 0.0, 9900

        patch.setattr(recipe_seeds, "evaluate", stop)
        with pytest.raises(KeyboardInterrupt):
            recipe_seeds.main()
    stored = recipe_seeds.results_file.read_results("recipes")
    assert list(stored["steps"]) == ["report"] and not stored["ensemble"]
    recipe_seeds.main()
    assert len(recipe_seeds.trained) == 8 + 25


def test_the_ensemble_predicts_the_largest_mean_probability(recipe_seeds):
    found = recipe_seeds.measure_ensemble(RECIPES["good"], "validation")
    assert found["each_correct"] == {"1": 0, "2": 0, "3": 0, "4": 4, "5": 4}  # most are wrong, but not sure of it
    assert found["together_correct"] == found["training_images"] == 4


def test_the_committed_rows_have_the_recipes_seeds_and_runs_that_they_name(benchmark):
    recipe_seeds, results = benchmark("recipe_seeds")
    for section, rows in recipe_seeds.plan().items():
        assert list(results[section]) == list(rows)
        for name, row in results[section].items():
            assert row["recipe"] == rows[name]["recipe"] and 0 <= row["run"] < len(results["runs"])
            assert list(row.get("validation_correct") or row["each_correct"]) == [str(n) for n in results["seeds"]]


def test_the_committed_seeds_of_the_short_recipes_are_of_these_and_fast_gpu_never_misses_99_per_cent(benchmark):
    fast_seeds, results = benchmark("fast_seeds")
    recipes = {name: asdict(recipe) for name, recipe in fast_seeds.COMPARED.items()}
    assert {name: row["recipe"] for name, row in results["rows"].items()} == recipes
    right = results["rows"]["fast-gpu"]["validation_correct"]
    assert len(right) == len(results["seeds"]) == 10 and min(right) >= 9900


def test_without_a_gpu_its_benchmark_ends_with_one_sentence_and_writes_nothing(monkeypatch):
    gpu = __import__("gpu")
    written = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(gpu.results_file, "write_results", lambda *_, **results: written.append(results))
    with pytest.raises(SystemExit, match=r"^[^.]+gpu\.py [^.]+ finds none; [^.]+\.$"):
        gpu.main()
    assert not written


@pytest.mark.slow  # half a minute, for a file that few change
def test_the_benchmark_of_gpus_runs_to_its_end_on_a_pretended_one(images, labels, monkeypatch, capsys):
    gpu = __import__("gpu")
    cpu_graph.pretend(monkeypatch)
    written, nothing = {}, lambda *arguments, **options: None
    machine = {"is_available": lambda: True, "get_device_name": lambda: "H100", "memory_allocated": lambda: 0}
    machine |= {"synchronize": nothing, "reset_peak_memory_stats": nothing, "max_memory_allocated": lambda: 5_000_000}
    for name, stand_in in machine.items():
        monkeypatch.setattr(torch.cuda, name, stand_in)
    for name in ("use_deterministic_algorithms", "autocast", "compile"):
        monkeypatch.setattr(torch, name, lambda *a, **o: a[0] if callable(a[0]) else lambda function: function)
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", False)
    small = {name: replace(recipe, epochs=1, batch_size=32) for name, recipe in RECIPES.items()}
    monkeypatch.setattr(gpu, "RECIPES", small)
    monkeypatch.setattr(gpu, "BATCH_SIZES", [32])
    monkeypatch.setattr(gpu, "SEEDS", [1])
    images, labels = images[:170], labels[:170]  # five full batches and a smaller one
    sets = (images.as_subclass(cpu_graph.OnGPU), labels), (images, labels)
    monkeypatch.setattr(gpu.data, "load", lambda *arguments: sets[0])
    monkeypatch.setattr(gpu.data, "split", lambda *arguments: sets)
    monkeypatch.setattr(gpu.subprocess, "run", nothing)
    monkeypatch.setattr(gpu.results_file, "write_results", lambda name, **results: written.update(results))
    gpu.main()
    said = capsys.readouterr().out
    assert "left out" not in said and "fast-gpu: 0 of 1 seeds reach 9900" in said
    ways = written["runs"].pop("fast")
    assert list(ways) == gpu.WAYS and len({found["correct"] for found in ways.values()}) == 1  # all train alike here
    assert list(written["runs"]) == ["fast-gpu", "good", "best", "report, batches of 32"]
    assert ways["captured"]["megabytes"] == 5 and written["goals"]["good"]["runs"][0]["seconds"] > 0
    assert cpu_graph.Graph.replays > 0


def test_the_benchmark_of_gpus_prints_a_row_a_recipe():
    gpu = __import__("gpu")
    runs = {name: {way: {"seconds": 0.5} for way in ("eager", "captured")} for name in ("fast", "good")}
    rows = rows_of(gpu.table(runs))
    assert list(rows)[2:] == ["fast", "good"] and rows[""] == ["eager", "captured"] and rows["good"] == ["0.5", "0.5"]
