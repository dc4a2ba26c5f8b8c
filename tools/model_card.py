"""Write docs/model_card.md, the model card of models/digits.onnx.

The numbers come from the metadata of the file and from benchmarks/results: best.json (five seeds) and deployment.json
(classes, mistakes, parity).
"""

import json
import statistics
from collections import Counter

from mnist_helpers import onnx_file
from mnist_helpers._support.paths import COURSE as ROOT
from mnist_helpers._support.paths import RESULTS
from mnist_helpers.predict import MODEL

CARD = ROOT / "docs" / "model_card.md"
TEXT = """# Model card: digits.onnx

<!-- Written by tools/model_card.py from the results files; a test compares them. Edit the template there. -->

A small convolutional network that reads one handwritten digit. [Draw a digit](draw.md) and the command
`python -m mnist_helpers.predict` use it, and [chapter 09](../notebooks/09_deployment.ipynb) shows how it was packed.

## What it takes and gives

- **Input** `images`: `uint8` [N, 28, 28], 0 to 255, light ink on black, any number of images. Each digit is fitted
  into 20 × 20 pixels with its centre of mass in the middle, as MNIST's were. `mnist_helpers.drawing.find_digits` finds
  the digits in a photo and prepares them so. The file itself normalises (mean {mean}, standard deviation {std}).
- **Output** `probabilities`: `float32` [N, 10], of the classes 0 to 9. The logits are divided by a temperature of
  {temperature}, which makes the confidence honest.
- **Threshold** {threshold}, in the metadata: `predict` prints a question mark for digits with a lower confidence.
- {kilobytes} kB, opset {opset}, no other file needed. PyTorch and ONNX Runtime differ by {difference} at most over the
  10,000 test images, and no prediction differs.
- `models/SHA256SUMS` holds the file's digest. `predict` compares it and refuses a damaged file; `sha256sum -c
  SHA256SUMS` does the same by hand.
- Licence: {licence}. MNIST, which it learnt from, is usually passed on under CC BY-SA 3.0.

## How it was made

- **Data**: the 60,000 training images of MNIST: digits of American census workers and high-school students, collected
  by NIST around 1990, scanned and prepared by one method. The writers of the 10,000 test images are others.
- **Training**: recipe "best" of chapter 07, {epochs} epochs with shifted, turned and resized copies, label smoothing
  {smoothing}, averaged weights. It looks at each digit at five places, a pixel apart, and averages the probabilities.
- **Pictures that are no digits**: {then_epochs} more epochs with outlier exposure
  ([Hendrycks and others](https://arxiv.org/abs/1812.04606)), each of {then_pictures}.
  The label of such a picture is a tenth for each digit, so that the network learns to be unsure of it. They are
  letters, scribbles, spots, parts of photographs, halves of digits, digits on their side and digits that touch. The
  shipped weights are {then_share} of those after these epochs and the rest of those before
  ([Wortsman and others](https://arxiv.org/abs/2109.01903)), which keeps the accuracy.
- **Seed** {seed}, chosen before the results of the five seeds were known. Made with torch {torch} on {date} by
  `python tools/train_model.py`; the file itself says all this, too.

## How well it reads

Right answers of the 10,000 test images in five trainings of the recipe that differ in their seed alone, before the
pictures that are no digits. The test images decided nothing: an earlier version of the recipe was once tested on them,
and what changed after that was decided on validation images. The weights after the pictures that are no digits were
tested, too (9959 right), before they were mixed with the earlier ones; the share was chosen on validation images.

| seed | {seeds} |
|---|{rule}|
| right | {correct} |

Mean {mean_accuracy} %, standard deviation {deviation} percentage points. The shipped network goes on from seed {seed}
and reads {right} right:

| digit | test images | read right | recall |
|---|---|---|---|
{classes}

Human reviewers found 15 of the test labels to be wrong ([Northcutt and others](https://arxiv.org/abs/2103.14749)), so
that the last tenth of a per cent is partly a matter of opinion.

## Where it fails

- **Its {mistakes} mistakes on the test set**, most often: {pairs}. Of {surest} of them it was more than 90 % sure.
- **Pictures.** Of a hundred pictures of each kind, made from test digits (`benchmarks/reading.py`):

| pictures | right | refused | wrong |
|---|---|---|---|
{reading}

- **Letters and photographs of other things.** Few of them get a digit: see the last rows of the table. Their fonts and
  photographs are others than those that it has learnt from, but the alphabet is the same, and what looks like a digit
  (a letter O, l or S, an upright stroke) is read as one. Of the shapes
  made for validation, {letters} of the letters and {photographs} of those from photographs reach the threshold; before
  outlier exposure, {letters_before} and {photographs_before} did (`benchmarks/calibration.py`).
- **Other hands.** A 1 with a long flag and a crossed 7, as they are written in Europe, are rare in its data: it
  read such a 1, drawn for the course's tests, with far less confidence than the others. It was not measured on
  children's writing, on digits of other scripts, or on today's writers.
- **Other preparation.** If you prepare the 28 × 28 pixels yourself, dark ink on white and digits that are turned or far
  off the centre may be misread without a warning.

| the 10,000 test digits | read right |
|---|---|
{changed}

## What it must not be used for

It is made for teaching. Do not use it where a wrong digit harms someone: cheques and amounts of money, postal codes,
exam marks, medical forms, votes, identity papers. It has not been tested on such data, and an attacker can find a
picture that it misreads.
"""


def results(name: str) -> dict:
    """Return the content of a results file of benchmarks/."""
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def class_rows(card: dict) -> str:
    """Return the table rows with the recall of each digit."""
    counts = zip(card["images_by_class"], card["correct_by_class"])
    return "\n".join(
        f"| {digit} | {images} | {right} | {100 * right / images:.1f} % |"
        for digit, (images, right) in enumerate(counts)
    )


def common_mistakes(card: dict, least: int = 2) -> str:
    """Return the kinds of mistakes that occur at least `least` times, the most frequent first."""
    counts = Counter((label, prediction) for _, label, prediction, _ in card["mistakes"])
    frequent = sorted((kind for kind in counts if counts[kind] >= least), key=lambda kind: (-counts[kind], kind))
    return ", ".join(f"{label} read as {prediction} ({counts[label, prediction]})" for label, prediction in frequent)


def render() -> str:
    """Return the text of the card."""
    model, best, deployment = onnx_file.read_onnx(MODEL), results("best"), results("deployment")
    fields = training_fields({entry.key: entry.value for entry in model.metadata_props})
    return TEXT.format(
        kilobytes=round(MODEL.stat().st_size / 1000),
        opset=model.opset_import[0].version,
        difference=f"{deployment['parity']['best']['largest_difference']:.7f}",
        **fields,
        **seed_fields(best),
        **mistake_fields(deployment["card"], best["test_images"]),
        **outlier_fields(results("calibration")["thresholds"], fields["threshold"]),
        reading=reading_rows(results("reading")["conditions"]),
    )


def outlier_fields(thresholds: dict[str, dict], threshold: str) -> dict[str, str]:
    """Return the fields of TEXT that say how many letters and photographs reach the threshold, now and before."""
    after, before = (thresholds[name][threshold] for name in ("with outlier exposure", "recipe best"))
    return {
        f"{kind}s{when}": f"{100 * found[kind]:.1f} %"
        for when, found in {"": after, "_before": before}.items()
        for kind in ("letter", "photograph")
    }


def reading_rows(conditions: dict[str, dict[str, int]]) -> str:
    """Return the table rows of the benchmark of pictures."""
    return "\n".join(
        f"| {name.replace('_', ' ')} | {n['right']} | {n['refused']} | {n['wrong']} |" for name, n in conditions.items()
    )


def training_fields(metadata: dict[str, str]) -> dict[str, str]:
    """Return the fields of TEXT that describe how the network was trained."""
    recipe, then = json.loads(metadata["recipe"]), json.loads(metadata["then"])
    fields = {
        key: metadata[key] for key in ("mean", "std", "licence", "seed", "torch", "date", "temperature", "threshold")
    }
    return fields | {
        "epochs": recipe["epochs"],
        "smoothing": recipe["label_smoothing"],
        "then_epochs": then["epochs"],
        "then_share": f"{100 * float(metadata['share of the weights then']):.0f} %",
        "then_pictures": metadata["pictures in an epoch then"],
        "right": metadata["test images read right"].split()[0],
    }


def seed_fields(best: dict) -> dict[str, str]:
    """Return the fields of TEXT that compare the five seeds."""
    percent = [100 * right / best["test_images"] for right in best["test_correct"].values()]
    return {
        "seeds": " | ".join(best["test_correct"]),
        "rule": "---|" * (len(percent) - 1) + "---",
        "correct": " | ".join(map(str, best["test_correct"].values())),
        "mean_accuracy": f"{statistics.mean(percent):.2f}",
        "deviation": f"{statistics.stdev(percent):.2f}",
    }


def mistake_fields(card: dict, test_images: int) -> dict[str, object]:
    """Return the fields of TEXT about accuracy by class, mistakes and changed images."""
    return {
        "classes": class_rows(card),
        "mistakes": len(card["mistakes"]),
        "pairs": common_mistakes(card),
        "changed": "\n".join(
            f"| {change} | {100 * right / test_images:.1f} % |"
            for change, right in card["correct_when_changed"].items()
        ),
        "surest": sum(confidence > 0.9 for *_, confidence in card["mistakes"]),
    }


if __name__ == "__main__":
    CARD.write_text(render(), encoding="utf-8")
    print("written:", CARD.relative_to(ROOT))
