"""Every defect that a stored notebook could have is put into a sound one, and must be reported.

A data set that was changed by one byte is in test_data.py.
"""

import base64
import copy
import inspect
import io
import os
import re
import shutil
import subprocess
import sys

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from PIL import Image

from mnist_helpers import network
from mnist_helpers._support import provenance
from tests.notebooks import listed_texts, notebook_checks, prose_numbers, stored_outputs

OPENING = """# A small notebook

You will do little, learn less and need nothing. It runs for 2 s."""
NBVAL_SUPPORT = [f"notebooks/{name}.py" for name in ("__init__", "stored_outputs")]  # what conftest.py imports
NBVAL_SUPPORT += [f"support/{name}.py" for name in ("__init__", "pins")]
ALT = "A line that rises from the lower left corner to a peak and falls again"
FIGURE = "import matplotlib.pyplot as plt\nfig, ax = plt.subplots(figsize=(3, 2))\nax.plot([1, 2, 4, 3]);"
HTML = "from IPython.display import HTML\nHTML('<div><p>Run this cell.</p></div>')"
PROGRESS = """from mnist_helpers.plots import ProgressBar
with ProgressBar() as bar:
    bar(0.5)"""
SOURCES = {  # cell id: source
    "count": "print('60,000 images')",
    "shape": "[64, 1, 28, 28]",
    "probability": "print('Probability: 0.934')",
    "accuracy": "print('Accuracy: 9700/10000')",
    "accuracy-now": "print('Accuracy: 9701/10000')",
    "choice": HTML,
    "progress": PROGRESS,
    "figure": FIGURE,
    "turned": FIGURE,
    "emptied": "print('Digit:', 5)",
    "drawn-anew": FIGURE,
}
EXEMPTIONS = r"""
[[band]]
notebook = "small"
cell = ["probability", "accuracy", "accuracy-now"]
reason = "training differs from processor to processor"
pattern = 'Accuracy: (\d+)/10000'
low = 9620
high = 9790

[[band]]
notebook = "small"
cell = "probability"
reason = "training differs from processor to processor"
pattern = 'Probability: (\S+)'
low = 0.9
high = 1.0

[[choice]]
notebook = "small"
cell = "choice"
reason = "the address holds a free port"
pattern = '(<iframe .*?</iframe>|<p>Run this cell.*?</p>)'

[[figure]]
notebook = "small"
cell = "drawn-anew"
reason = "training differs from processor to processor"
"""


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    cells = [new_markdown_cell(OPENING, id="opening")]
    for cell_id, source in SOURCES.items():
        cells += [new_markdown_cell("A cell:", id=f"before-{cell_id}"), new_code_cell(source, id=cell_id)]
    notebook = new_notebook(cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
    NotebookClient(notebook, kernel_name="python3").execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.source == FIGURE:
            cell.metadata.mystnb = {"image": {"alt": ALT}}
    notebook.metadata.made_with = {"outputs": provenance.fingerprint(notebook)}
    return notebook


@pytest.fixture
def small(executed):
    """A small notebook without a flaw, and its cells by id."""
    notebook = copy.deepcopy(executed)
    return notebook, {cell.id: cell for cell in notebook.cells}


def png_of(cell):
    return next(output for output in cell.outputs if "image/png" in output.get("data", {}))


def turn(cell):
    output = png_of(cell)
    image, turned = Image.open(io.BytesIO(base64.b64decode(output.data["image/png"]))), io.BytesIO()
    image.rotate(180).save(turned, "png")
    output.data["image/png"] = base64.b64encode(turned.getvalue()).decode()


def run_nbval(folder, notebooks):
    """Run the course's conftest.py over notebooks in a folder of their own; returns {(folder, cell id): verdict}."""
    for room in ("notebooks", "support"):
        (folder / "tests" / room).mkdir(parents=True)
    for name in ["conftest.py", *(f"tests/{file}" for file in ("__init__.py", *NBVAL_SUPPORT))]:
        shutil.copy(notebook_checks.ROOT / name, folder / name)
    (folder / "tests" / "exemptions.toml").write_text(EXEMPTIONS)
    for name, notebook in notebooks.items():
        (folder / name).mkdir()
        nbformat.write(notebook, folder / name / "small.ipynb")
    command = "-m pytest --nbval --nbval-current-env -rA -p no:cacheprovider --color=no --rootdir . -c"
    run = subprocess.run(
        [sys.executable, *command.split(), os.devnull, *notebooks], cwd=folder, capture_output=True, text=True
    )
    verdicts = re.findall(r"^(PASSED|FAILED) (\w+)/small.ipynb::Cell (\d+)", run.stdout, re.M)
    return {(name, list(SOURCES)[int(number)]): verdict for verdict, name, number in verdicts}, run.stdout


def test_nbval_notices_every_stored_output_that_is_no_longer_true(small, tmp_path):
    sound, altered = small[0], copy.deepcopy(small[0])
    cells = {cell.id: cell for cell in altered.cells}
    cells["count"].outputs[0].text = "60,001 images\n"
    cells["shape"].outputs[0].data["text/plain"] = "[64, 1, 28, 27]"
    cells["probability"].outputs[0].text = "Probability: 0.951\n"
    cells["accuracy"].outputs[0].text = "Accuracy: 9320/10000\n"
    cells["accuracy-now"].source = "print('Accuracy: 9801/10000')"
    cells["choice"].source = HTML.replace("<p>Run this cell.</p>", '<iframe src="http://127.0.0.1:1/"></iframe>')
    del png_of(cells["figure"]).data["image/png"]
    turn(cells["turned"])
    cells["emptied"].outputs = []
    turn(cells["drawn-anew"])

    verdicts, report = run_nbval(tmp_path, {"sound": sound, "altered": altered})

    may_differ = {"probability", "choice", "progress", "drawn-anew"}
    expected = {("sound", cell_id): "PASSED" for cell_id in SOURCES}
    expected |= {("altered", cell_id): "PASSED" if cell_id in may_differ else "FAILED" for cell_id in SOURCES}
    assert verdicts == expected, report
    assert "unhandled" not in report
    assert "9320 in the stored output ('Accuracy: 9320/10000') is outside the band 9620 to 9790" in report
    assert "9801 in the fresh output ('Accuracy: 9801/10000') is outside the band 9620 to 9790" in report


def test_number_out_of_band_fails_even_when_stored_and_fresh_agree():
    band = stored_outputs.Exemption("band", "small", "accuracy", "training", r"Accuracy: (\d+)", 9620, 9790)
    assert stored_outputs.hide_in_text("Accuracy: 9700", [band], "stored") == ("Accuracy: <may differ>", [])
    assert len(stored_outputs.hide_in_text("Accuracy: 9320", [band], "stored")[1]) == 1


def test_swapped_digits_are_noticed_and_rounding_is_not(images):
    row = np.hstack([np.kron(image[0] > 0, np.ones((4, 4))) for image in images[:6]]) * 254.0
    swapped = np.hstack([row[:, :112], row[:, 224:336], row[:, 112:224], row[:, 336:]])
    rounded = row + (np.random.default_rng(0).random(row.shape) < 0.2)
    taller = np.vstack([row, np.zeros((3, 672))])
    picture, *others = (Image.fromarray(np.uint8(values)).convert("RGB") for values in (row, swapped, rounded, taller))
    assert [bool(stored_outputs.figure_problem(picture, other, exempt=False)) for other in others] == [
        True,
        False,
        True,
    ]
    assert not any(stored_outputs.figure_problem(picture, other, exempt=True) for other in others)


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (lambda n, c: None, None),
        (lambda n, c: c["before-count"].update(id="after-count"), "no longer has the cell before-count"),
        (lambda n, c: n.cells.append(new_markdown_cell("The end.", id="end")), "has the cell end, which is new"),
        (lambda n, c: c["turned"].metadata.mystnb.image.update(alt=f"{ALT}."), "the cell turned has another alt text"),
        (lambda n, c: c["before-count"].update(source="Two of 60,001, `3` times."), "(60000 in the list, 60001 there)"),
        (lambda n, c: c["before-count"].update(source="Three of 60,000."), "(two in the list, three there)"),
        (lambda n, c: c["before-count"].update(source="Two in 60\u202f000."), None),
    ],
)
def test_another_id_alt_text_or_number_is_noticed(small, change, finding):
    small[1]["before-count"].source = "Two of 60,000."
    listed = listed_texts.entries("small", small[0])
    change(*small)
    found = "\n".join(listed_texts.findings(listed, listed_texts.entries("small", small[0])))
    assert finding in found if finding else not found


def test_another_number_on_a_page_is_noticed():
    page = "# Sizes\n\n| a | 3.3 GB |\n\n## And so on\nTwo `3`s.\n\n## And so on\n7 of ten."
    listed = listed_texts.page_entries("README", page)
    assert listed == ["README sizes 3.3", "README and-so-on two 7 ten"]
    for old, new, finding in (("3.3", "3.2", "heading sizes has"), ("7", "8", "heading and-so-on"), ("`3`", "`4`", "")):
        found = list(listed_texts.findings(listed, listed_texts.page_entries("README", page.replace(old, new))))
        assert [finding in each for each in found] == [True] * bool(finding)


def test_the_command_that_lists_the_ids_finds_its_modules():
    plain = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-c", "import tests.notebooks.listed_texts"]
    subprocess.run(command, cwd=notebook_checks.ROOT, env=plain, check=True)


def test_two_alt_texts_that_changed_places_are_noticed(small):
    notebook, cells = small
    images = [cells[name].metadata.mystnb.image for name in ("figure", "turned")]
    images[0].alt = "Another text, of the first figure alone"
    listed = listed_texts.entries("small", notebook)
    images[0].alt, images[1].alt = images[1].alt, images[0].alt
    assert len(list(listed_texts.findings(listed, listed_texts.entries("small", notebook)))) == 2


def findings(notebook):
    return [finding for check in notebook_checks.CHECKS for finding in check(notebook)]


def test_sound_notebook_has_no_findings(small):
    assert findings(small[0]) == []


def new_stream(name, text):
    return nbformat.v4.new_output("stream", name=name, text=text)


QUESTION = "**Predict:** how many images are there?"


def reveal(cell):
    cell.metadata.tags = ["reveal"]
    return cell


NOT_ONE_RUN = "not those of one run"
STATIC_DEFECTS = {
    "output cleared, count kept": (lambda n, c: c["count"].update(outputs=[]), NOT_ONE_RUN),
    "number edited inside its band": (lambda n, c: c["probability"].outputs[0].update(text="0.951"), NOT_ONE_RUN),
    "exempt figure replaced": (lambda n, c: turn(c["drawn-anew"]), NOT_ONE_RUN),
    "run out of order": (lambda n, c: c["shape"].update(execution_count=7), "execution count"),
    "not run": (lambda n, c: c["count"].update(execution_count=None, outputs=[]), "execution count"),
    "stored stderr": (lambda n, c: c["count"].outputs.append(new_stream("stderr", "W")), "stored stderr"),
    "stored error": (lambda n, c: c["count"].outputs.append(nbformat.v4.new_output("error")), "stored an error"),
    "absolute path": (lambda n, c: c["count"].outputs.append(new_stream("stdout", "in /home/me/a")), "one machine"),
    "path in the prose": (lambda n, c: c["opening"].update(source=OPENING + " See /tmp/digits."), "one machine"),
    "count and percentage disagree": (
        lambda n, c: c["count"].outputs.append(new_stream("stdout", "9700 of 10000 correct, 97.77%")),
        "'9700 of 10000 correct, 97.77%': the count and the percentage disagree",
    ),
    "count and percentage in the prose": (
        lambda n, c: c["opening"].update(source=OPENING + " It reads 9,700 of 10,000 digits (98 %)."),
        "the count and the percentage disagree",
    ),
    "path of Windows": (lambda n, c: c["count"].outputs.append(new_stream("stdout", "in C:\\a")), "one machine"),
    "widget metadata": (lambda n, c: n.metadata.update(widgets={}), "metadata.widgets"),
    "another kernel": (lambda n, c: n.metadata.kernelspec.update(name="conda-env"), "not named python3"),
    "twice the same id": (lambda n, c: c["shape"].update(id="count"), "id of its own"),
    "figure without alt": (lambda n, c: c["figure"].metadata.pop("mystnb"), "says nothing"),
    "file name as alt": (lambda n, c: c["figure"].metadata.mystnb.image.update(alt="x" * 20 + ".png"), "says nothing"),
    "figure removed": (lambda n, c: c["figure"].update(outputs=[]), "no figure is stored"),
    "heavy figure": (lambda n, c: png_of(c["figure"]).data.update({"image/png": "A" * 300_000}), "the limit"),
    "long cell": (lambda n, c: c["count"].update(source="1\n" * 26), "26 lines"),
    "prose missing": (lambda n, c: n.cells.pop(3), "no prose before it"),
    "time missing": (lambda n, c: c["opening"].update(source=OPENING.replace("2 s", "a while")), "how long"),
    "install": (lambda n, c: c["count"].update(source="%pip install torch"), "installs"),
    "nbval evaded by tag": (lambda n, c: c["count"].metadata.update(tags=["nbval-skip"]), "evades"),
    "nbval evaded by comment": (lambda n, c: c["count"].update(source="# NBVAL_IGNORE_OUTPUT\n1"), "evades"),
    "a question without an answer": (lambda n, c: c["before-turned"].update(source=QUESTION), "has no answer"),
    "an answer without a question": (lambda n, c: reveal(c["turned"]), "no Predict comes before it"),
    "a second answer": (
        lambda n, c: [c["before-count"].update(source=QUESTION), reveal(c["count"]), reveal(c["probability"])],
        "no Predict comes before it",
    ),
    "an answer without output": (
        lambda n, c: [c["before-count"].update(source=QUESTION), reveal(c["count"]).update(outputs=[])],
        "shows no output",
    ),
    "a hidden heading": (
        lambda n, c: [
            c["before-count"].update(source=QUESTION),
            *[reveal(c[name]) for name in ("count", "before-shape", "shape")],
            c["before-shape"].update(source="## Shapes"),
        ],
        "hides a heading",
    ),
    "a hidden lead": (
        lambda n, c: [c["before-count"].update(source=QUESTION), reveal(c["count"]), reveal(c["before-shape"])],
        "only leads to the next cell",
    ),
}


@pytest.mark.parametrize("defect", STATIC_DEFECTS)
def test_stored_defect_is_found(small, defect):
    damage, finding = STATIC_DEFECTS[defect]
    damage(*small)
    assert finding in "\n".join(findings(small[0]))


@pytest.mark.parametrize(
    "original, altered, differs",
    [
        ("", "", False),
        ("self.fc1 = ", "self.fc1: nn.Module = ", False),
        ("The report's shallow CNN", "Another docstring", False),
        ("F.relu(self.fc1(x))", "F.tanh(self.fc1(x))", True),
        ("nn.Linear(320, 50)", "nn.Linear(320, 51)", True),
        ("class Net", "class Network", True),
    ],
)
def test_taught_code_may_differ_in_docstrings_and_annotations_only(original, altered, differs):
    helpers = inspect.getsource(network)
    taught = inspect.getsource(network.Net).replace(original, altered)
    notebook = new_notebook(cells=[new_code_cell("%matplotlib inline"), new_code_cell(taught)])
    assert bool(notebook_checks.taught_code_findings(notebook, "Net", helpers)) == differs


@pytest.mark.parametrize(
    "sentence, known",
    [
        ("The set has 60,000 images of 28x28, or 60\u202f000.", True),
        ("The set has 60,001 images.", False),
        ("It gets 97.03 % right, that is 97 % or 0.97, an error of \N{MINUS SIGN}0.5.", True),
        ("It gets 97.04 % right.", False),
        ("It gets 98 % right.", False),
        ("The report has 96.71 %.", True),
        ("See `12345`, $x_{123}$, [link](https://a.b/1234) and 04_training.", True),
        ("Version 9.3.3 needs Python 3.11 to 3.14.", True),
        ("```\n4321\n```\nA loss of 2.3.", True),
        ("A loss of 2.31.", False),
        ("Sixty thousand images, of which twenty-eight are twos. (twenty minutes) Ten of one.", True),
        ("Sixty-one thousand images.", False),
        ("Sixteen bytes.", False),
    ],
)
def test_prose_number_must_be_shown_or_known(sentence, known):
    text = "60,000 images of 28x28\nAccuracy: 9703/10000 (97%)\n-0.5 2.3026"
    cell = new_code_cell("1 + 1", outputs=[new_stream("stdout", text)])
    notebook = new_notebook(cells=[new_markdown_cell(sentence), cell])
    facts = {("small", prose_numbers.Decimal("96.71")): "the report"} if "96.71" in sentence else {}
    assert bool(list(prose_numbers.notebook_number_findings("small", notebook, facts))) != known


@pytest.mark.parametrize(
    ("word", "number", "between", "found"),
    [
        ("9703", "9703", 3, False),
        ("9703", "9703", 4, True),
        ("9700", "9700", 4, False),
        ("forty", "40", 3, False),
        ("forty", "40", 4, True),
    ],
)
def test_a_precise_number_that_only_a_distant_cell_shows_is_noticed(word, number, between, found):
    cells = [new_code_cell("1", outputs=[new_stream("stdout", number)])]
    cells += [new_code_cell("0") for _ in range(between)]
    place, summary = (new_markdown_cell(f"It reads {word}.", id=name) for name in ("result", "summary"))
    findings = list(prose_numbers.far_findings("small", new_notebook(cells=[*cells, place]), {}))
    assert [finding.split(" (")[0] for finding in findings] == [f"small states {number}"] * found
    assert not list(prose_numbers.far_findings("small", new_notebook(cells=[*cells, summary]), {}))


def test_fact_that_the_prose_no_longer_states_is_found():
    facts = {("small", prose_numbers.Decimal("96.71")): "the report"}
    assert list(prose_numbers.number_findings("small", "No number here.", set(), facts))


@pytest.mark.parametrize(
    "change, problem",
    [
        ({}, None),
        ({"notebook": "another"}, "no such cell"),
        ({"cell": "another"}, "no such cell"),
        ({"reason": ""}, "no reason"),
        ({"pattern": "Accuracy"}, "no group"),
        ({"pattern": r"Loss: (\d+)"}, "catches nothing"),
        ({"high": 9650}, "outside the band"),
        ({"kind": "figure"}, "no figure"),
    ],
)
def test_stale_exemption_is_found(small, change, problem):
    entry = {"kind": "band", "notebook": "small", "cell": "accuracy", "reason": "training differs"}
    entry |= {"pattern": r"Accuracy: (\d+)", "low": 9620, "high": 9790} | change
    found = list(notebook_checks.exemption_findings([stored_outputs.Exemption(**entry)], {"small": small[0]}))
    assert not found if problem is None else problem in found[0]
