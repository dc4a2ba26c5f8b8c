"""Measure the numbers of chapter 09 and the model card: parity, speed, int8, and the mistakes of the shipped network.

Networks: the report's, trained as in chapter 04, and the one that is shipped (tools/train_model.py), called "best" in
the results. Parity, the export in train mode and the numbers of the card are measured on the test set and not used for
any decision. The accuracy of int8 is measured on the last 10,000 training images and calibrated on the first ones. The
networks were trained on all of them, so that only the difference between two files is meaningful. All speeds are
measured with one thread, since the thread pools of torch and ONNX Runtime would disturb each other. Takes two minutes.
"""

import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import pandas as pd
import results_file
import torch
from torchvision.transforms.functional import InterpolationMode, affine

from mnist_helpers import data, export, onnx_file
from mnist_helpers.calibration import Calibrated
from mnist_helpers.export import to_int8
from mnist_helpers.onnx_file import onnxruntime
from mnist_helpers.predict import Reader
from mnist_helpers.timing import interleaved, speedups
from mnist_helpers.training import predict, train_report_net

sys.path.append(str(Path(__file__).resolve().parents[1] / "tools"))
from train_model import shipped_network  # noqa: E402

ROUNDS = {1: 40, 1000: 8}
CALIBRATION = 512  # training images
OPTIMISATIONS = {
    "ONNX Runtime": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL,  # the default
    "ONNX Runtime, graph as it is": onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL,
}


def parity(model, path) -> dict:
    """Compare the outputs of the file with torch on all test images."""
    images, labels = data.load_raw("test")
    expected, found = predict(model, data.normalise(images)).numpy(), Reader(path).probabilities(images.numpy())
    return {
        "largest_difference": float(np.abs(found - expected).max()),
        "changed_predictions": int((found.argmax(1) != expected.argmax(1)).sum()),
        "test_correct": int((found.argmax(1) == labels.numpy()).sum()),
    }


def in_train_mode(model, folder) -> dict[str, list[int]]:
    """Export a network in train mode, and count its correct predictions in three runs over the test set.

    The optimisations of ONNX Runtime remove Dropout even if it is active in the file. The runs are therefore made with
    and without them, and with PyTorch.
    """
    images, labels = data.load("test")

    def count(answers) -> list[int]:
        return [int((answer.argmax(1) == labels.numpy()).sum()) for answer in answers]

    options = {"dynamic_shapes": ({0: "batch"},), "external_data": False, "verbose": False}
    torch.onnx.export(model.train(), (images[:2],), folder / "train.onnx", **options)
    with torch.inference_mode():
        right = {"PyTorch": count(model(images).numpy() for _ in range(3))}
    model.eval()
    for name, level in OPTIMISATIONS.items():
        settings = onnxruntime.SessionOptions()
        settings.graph_optimization_level = level
        session = onnxruntime.InferenceSession(folder / "train.onnx", settings, providers=["CPUExecutionProvider"])
        inputs = {session.get_inputs()[0].name: images.numpy()}
        right[name] = count(session.run(None, inputs)[0] for _ in range(3))
    return right


def times_faster(functions: dict, baseline: str) -> dict:
    """Compare functions for each batch size; return {size: {name: [times faster, lowest, highest]}}."""
    results = {}
    for size, rounds in ROUNDS.items():
        seconds = interleaved({name: function(size) for name, function in functions.items()}, rounds)
        table = speedups(seconds, baseline).drop(baseline)
        results[size] = {
            name: [round(float(value), 2) for value in row] for name, row in zip(table.index, table.values)
        }
    return results


def of_torch(model, images):
    """Return `make(size)`, which returns a function to time: it runs the network in PyTorch on `size` images."""

    @torch.inference_mode()
    def run(batch):
        for _ in range(repeats(len(batch))):
            model(data.normalise(batch)).exp()

    return lambda size: lambda: run(images[:size])


def of_onnx_runtime(path, images):
    """Do as `of_torch` does, for an ONNX file in ONNX Runtime on one thread."""
    reader = Reader(path, threads=1)

    def run(batch):
        for _ in range(repeats(len(batch))):
            reader.probabilities(batch)

    return lambda size: lambda: run(images[:size].numpy())


def repeats(size: int) -> int:
    """Return the runs per measurement. A single image takes too little time to be measured on its own."""
    return 20 if size == 1 else 1


def speed(model, path, images) -> dict:
    """Return how many times faster ONNX Runtime runs the file than PyTorch the network, for each batch size."""
    functions = {"PyTorch": of_torch(model, images), "ONNX Runtime": of_onnx_runtime(path, images)}
    return times_faster(functions, "PyTorch")


def int8(path, folder) -> dict:
    """Quantise a file statically and dynamically, and compare size, speed and predictions with the original."""
    images, labels = data.load_raw("train")
    held_out, labels = images[-data.VALIDATION :], labels[-data.VALIDATION :].numpy()
    files = {"float32": path, "int8 static": folder / "static.onnx", "int8 dynamic": folder / "dynamic.onnx"}
    to_int8(path, images[:CALIBRATION], files["int8 static"])
    # unsigned weights: products with signed weights may overflow on x86-64 processors without VNNI
    tools = onnx_file.quantization()
    tools.quantize_dynamic(onnx.load(path), files["int8 dynamic"], weight_type=tools.QuantType.QUInt8)
    answers = {name: Reader(file).probabilities(held_out.numpy()).argmax(1) for name, file in files.items()}
    results = {
        name: {
            "kilobytes": round(file.stat().st_size / 1000),
            "validation_correct": int((answers[name] == labels).sum()),
            "changed_predictions": int((answers[name] != answers["float32"]).sum()),
        }
        for name, file in files.items()
    }
    timed = times_faster({name: of_onnx_runtime(file, held_out) for name, file in files.items()}, "float32")
    for size, ratios in timed.items():
        for name, ratio in ratios.items():
            results[name][f"times_faster_{size}"] = ratio
    return results


def correct_when_changed(reader: Reader, images: torch.Tensor, labels: np.ndarray) -> dict[str, int]:
    """Count the correct predictions for inverted, shifted and rotated test digits, as in chapter 05."""

    def transformed(pixels=0, degrees=0):
        return affine(images, degrees, [pixels, 0], 1.0, 0.0, interpolation=InterpolationMode.BILINEAR)

    variants = {"inverted": 255 - images}
    variants |= {f"shifted by {pixels} pixels": transformed(pixels=pixels) for pixels in (4, 6)}
    variants |= {f"turned by {degrees} degrees": transformed(degrees=degrees) for degrees in (15, 30, 45)}
    answers = {name: reader.probabilities(variant.numpy()).argmax(1) for name, variant in variants.items()}
    return {name: int((answer == labels).sum()) for name, answer in answers.items()}


def card(path) -> dict:
    """Return the test results of the model card: accuracy by class and on changed images, and the mistakes."""
    images, labels = data.load_raw("test")
    reader = Reader(path)
    probabilities = reader.probabilities(images.numpy())
    predictions, confidence, labels = probabilities.argmax(1), probabilities.max(1), labels.numpy()
    (wrong,) = np.nonzero(predictions != labels)
    return {
        "images_by_class": np.bincount(labels).tolist(),
        "correct_by_class": np.bincount(labels[predictions == labels], minlength=10).tolist(),
        "mean_confidence": round(float(confidence.mean()), 4),
        "correct_when_changed": correct_when_changed(reader, images, labels),
        "mistakes": [[int(i), int(labels[i]), int(predictions[i]), round(float(confidence[i]), 3)] for i in wrong],
    }


def trained_networks() -> dict[str, torch.nn.Module]:
    """Return the report's network, and the shipped one with and without its average over five places."""
    report, best = train_report_net(seed=1)[0].eval(), shipped_network().eval()
    return {"report": report, "best": best, "best, one place": Calibrated(best.model.model, best.temperature).eval()}


def main():
    torch.set_num_threads(1)
    images, _ = data.load_raw("test")
    networks = trained_networks()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = {
            name: export.to_onnx_from_pixels(model, folder / f"{number}.onnx")
            for number, (name, model) in enumerate(networks.items())
        }
        results = {
            "operators": {name: export.operators(path) for name, path in paths.items()},
            "parity": {name: parity(model, paths[name]) for name, model in networks.items()},
            "exported_in_train_mode": in_train_mode(networks["report"], folder),
            "onnx_runtime_times_faster": {name: speed(model, paths[name], images) for name, model in networks.items()},
            "averaging_times_slower": averaging(paths, images),
            "int8": {name: int8(paths[name], folder) for name in ("report", "best")},
            "card": card(paths["best"]),
        }
    print(tables(results))
    print("written:", results_file.write_results("deployment", **results))


def averaging(paths, images) -> dict:
    """Return how many times slower the average over five positions is than a single one."""
    functions = {name: of_onnx_runtime(paths[name], images) for name in ("best", "best, one place")}
    ratios = times_faster(functions, "best")
    return {size: ratio["best, one place"] for size, ratio in ratios.items()}


def tables(results: dict) -> str:
    """Return the results as Markdown tables."""
    ratios = {
        f"{network}, batches of {size}": found["ONNX Runtime"]
        for network, sizes in results["onnx_runtime_times_faster"].items()
        for size, found in sizes.items()
    }
    files = {f"{network}, {file}": row for network, found in results["int8"].items() for file, row in found.items()}
    trap = {name: statistics.mean(found) for name, found in results["exported_in_train_mode"].items()}
    columns = ["times faster", "lowest", "highest"]
    parts = [
        pd.DataFrame.from_dict(results["parity"], orient="index").to_markdown(),
        "The report's network exported in train mode, right of 10000 (mean of three runs):",
        pd.Series(trap, name="right").round().to_markdown(),
        "ONNX Runtime against PyTorch:",
        pd.DataFrame(ratios, columns).T.to_markdown(),
        "One place against five, by images in a batch:",
        pd.DataFrame(results["averaging_times_slower"], columns).T.to_markdown(),
        pd.DataFrame(files).T.fillna("").to_markdown(),
    ]
    return "\n\n".join(parts)


if __name__ == "__main__":
    main()
