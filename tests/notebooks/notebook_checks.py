"""What can be seen in a stored notebook without running it; every check yields its findings, one sentence each."""

import ast
import base64
import re
import statistics
from pathlib import Path

import nbformat
import predictions
from IPython.core.inputtransformer2 import TransformerManager
from notebook_cells import alt_text

from mnist_helpers._support import provenance
from mnist_helpers._support.paths import COURSE as ROOT
from tests.notebooks import stored_outputs

FOLDER = ROOT / "notebooks"
FIGURES = {"image/png", "image/jpeg", "image/svg+xml"}
WITHOUT_INPUT = {"remove-cell", "remove-input", "hide-cell", "hide-input"}
LARGEST_PNG = 150_000  # bytes
SHARE = re.compile(r"\b(\d+)(?: of |/)(\d+)\b(?:[^\d%\n]|'\d'|\d(?=s)){0,30}?[(, ](\d+(?:\.\d+)?) ?%")
MACHINE_PATH = re.compile(r"(?<![\w./])/(home|root|tmp|Users)\b|\b[A-Z]:\\|" + re.escape(str(ROOT)))


def read(path):
    """Read a notebook as it is: nbformat.read would add cell ids that are missing."""
    return nbformat.v4.reads(Path(path).read_text(encoding="utf-8"))


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def prose(notebook):
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def lines(cell):
    return [line for line in cell.source.splitlines() if line.strip()]


def where(cell):
    return f"cell {cell.get('id')} ({(lines(cell) or ['empty'])[0].strip()[:50]})"


def tags(cell):
    return set(cell.metadata.get("tags", []))


def texts(cell, *kinds):
    """What a code cell printed, and its results of these kinds (the starts of MIME types)."""
    for output in cell.outputs:
        yield output.get("text", "")
        yield from (text for mime, text in output.get("data", {}).items() if mime.startswith(kinds))


def mimes(cell):
    return {mime for output in cell.outputs for mime in output.get("data", {})}


def format_findings(notebook):
    ids = [cell.get("id") for cell in notebook.cells]
    if None in ids or len(set(ids)) < len(ids) or notebook.nbformat_minor < 5:
        yield "Every cell needs an id of its own (notebook format 4.5)."
    if notebook.metadata.get("kernelspec", {}).get("name") != "python3":
        yield "The kernel is not named python3."
    if "widgets" in notebook.metadata:
        yield "metadata.widgets is stored: renderers break on it."


def order_findings(notebook):
    """nbval compares nothing in a cell without execution count, and does not look at the counts of the others."""
    for number, cell in enumerate(code_cells(notebook), start=1):
        counts = {cell.execution_count, *(o.execution_count for o in cell.outputs if "execution_count" in o)}
        if counts != {number}:
            yield f"{where(cell)} has execution count {counts}, but is number {number}: run the notebook top to bottom."


def run_findings(notebook):
    """What a run stored, nobody has changed, not even within a band: a number, a figure, an output that was cleared."""
    if notebook.metadata.get("made_with", {}).get("outputs") != provenance.fingerprint(notebook):
        yield "The outputs are not those of one run of tools/run_notebooks.py; `make run NOTEBOOKS=...` makes one."


def output_findings(notebook):
    for cell in code_cells(notebook):
        for output in cell.outputs:
            if output.output_type == "error" or output.get("name") == "stderr":
                yield f"{where(cell)} has stored {output.get('name', 'an error')}."
        if found := MACHINE_PATH.search("\n".join([cell.source, *texts(cell, "text/", "image/svg")])):
            yield f"{where(cell)} holds a path of one machine: {found.group()}"
        if any("widget" in mime for mime in mimes(cell)):
            yield f"{where(cell)} has stored a widget, which is blank without a kernel."


def prose_path_findings(notebook):
    if found := MACHINE_PATH.search(prose(notebook)):
        yield f"The prose holds a path of one machine: {found.group()}"


def share_findings(notebook):
    """A count, its whole and a percentage that stand together agree: 9,686 of 10,000 correct, 96.86 %."""
    shown = [text for cell in code_cells(notebook) for text in texts(cell, "text/plain", "text/markdown")]
    for text in [prose(notebook), *shown]:
        text = re.sub(r"(?<=\d),(?=\d{3}\b)", "", text)
        for found in SHARE.finditer(text):
            part, whole, percent = (float(number) for number in found.groups())
            decimals = len(found[3].partition(".")[2])
            if not whole or abs(100 * part / whole - percent) > 0.51 * 10**-decimals:
                yield f"{found[0]!r}: the count and the percentage disagree."


def evasion_findings(notebook):
    """Exemptions belong into exemptions.toml, where their reasons are."""
    for cell in code_cells(notebook):
        marks = {tag for tag in tags(cell) if tag.startswith("nbval") or tag == "raises-exception"}
        marks |= set(re.findall(r"#\s*(NBVAL_\w+|PYTEST_VALIDATE_\w+)", cell.source))
        if marks:
            yield f"{where(cell)} evades the comparison by {marks}: list what may differ in tests/exemptions.toml."
        if re.search(r"^\s*[!%]+\s*(pip|conda|mamba|apt)", cell.source, re.M):
            yield f"{where(cell)} installs something."


def figure_findings(notebook):
    for cell in code_cells(notebook):
        alt = alt_text(cell)
        if mimes(cell) & FIGURES and not _describes(alt):
            yield f"{where(cell)} has a figure whose alt text (metadata mystnb.image.alt) says nothing: {alt!r}."
        if alt is not None and not mimes(cell) & FIGURES:
            yield f"{where(cell)} has alt text, but no figure is stored."
        if any("<img" in text and "alt=" not in text for text in texts(cell, "text/html")):
            yield f"{where(cell)} shows an <img> without alt text."
        for output in cell.outputs:
            size = len(base64.b64decode(output.get("data", {}).get("image/png", "")))
            if size > LARGEST_PNG:
                yield f"{where(cell)} stores a PNG of {size:,} bytes; {LARGEST_PNG:,} is the limit."
    for alt, target in re.findall(r"!\[(.*?)\]\((.*?)\)", prose(notebook), re.S):
        if not _describes(alt):
            yield f"The picture {target} in the prose has an alt text that says nothing: {alt!r}."


def _describes(alt):
    return bool(alt) and len(alt) >= 20 and not re.search(r"\.(png|svg|jpe?g)$", alt.strip())


def size_findings(notebook):
    sizes = [len(lines(cell)) for cell in code_cells(notebook)]
    shown = sorted(len(lines(cell)) for cell in code_cells(notebook) if "taught-code" not in tags(cell))
    large = shown[int(0.9 * (len(shown) - 1))]
    if statistics.median(sizes) > 4:
        yield f"The median code cell has {statistics.median(sizes)} lines; 4 is the limit."
    if large > 12:
        yield f"One code cell in ten has {large} lines or more; 12 is the limit."
    if max(sizes) > 25:
        yield f"A code cell has {max(sizes)} lines; 25 is the limit."


def prose_findings(notebook):
    before = None
    for cell in notebook.cells:
        if cell.cell_type == "code" and before != "markdown" and not tags(cell) & WITHOUT_INPUT:
            yield f"{where(cell)} has no prose before it."
        before = cell.cell_type
    opening = ""
    for cell in notebook.cells:
        if cell.cell_type != "markdown":
            break
        opening += cell.source + "\n"
    if not opening.startswith("# "):
        yield "The notebook does not open with a title."
    for word in ("You will", "learn", "need"):
        if not re.search(rf"\b{word}\b", opening, re.I):
            yield f"The opening does not say what you will do, learn and need: {word!r} is missing."
    if not re.search(r"\d\s*(s|seconds?|minutes?)\b", opening):
        yield "The opening does not say how long the notebook runs."


def prediction_findings(notebook):
    """Every question marked *Predict* has an answer, which pages can hide, and nothing else is hidden."""
    separated = predictions.separate(notebook)
    question = None
    for before, cell in zip([None, *separated.cells], separated.cells):
        if predictions.is_answer(cell):
            yield from _answer_findings(cell, before is None or not predictions.is_answer(before), question)
            question = None
        elif cell.cell_type == "markdown" and predictions.QUESTION in cell.source:
            if question:
                yield f"{where(question)} has no answer: give the cells that show it the tag {predictions.TAG}."
            question = cell
    if question:
        yield f"{where(question)} has no answer: give the cells that show it the tag {predictions.TAG}."
    hidden = {cell.id for cell in separated.cells if predictions.is_answer(cell)}
    for cell in notebook.cells:
        if predictions.is_answer(cell) and cell.id not in hidden:
            yield f"{where(cell)} has the tag {predictions.TAG}, but only leads to the next cell."


def _answer_findings(cell, first, question):
    if first and not question:
        yield f"{where(cell)} has the tag {predictions.TAG}, but no Predict comes before it."
    if first and cell.cell_type == "code" and not cell.outputs:
        yield f"{where(cell)} begins an answer, but shows no output."
    if cell.cell_type == "markdown" and re.search(r"^#|\*\*Predict", cell.source, re.M):
        yield f"{where(cell)} hides a heading or a question with the answer."


CHECKS = [
    format_findings,
    order_findings,
    run_findings,
    output_findings,
    prose_path_findings,
    share_findings,
    evasion_findings,
    figure_findings,
    size_findings,
    prose_findings,
    prediction_findings,
]


def taught_code_findings(notebook, name, module_source):
    """Compare what a notebook defines as `name` with the module's definition, but for docstrings and annotations."""
    plain = TransformerManager().transform_cell
    taught = [code for cell in code_cells(notebook) for code in _definitions(plain(cell.source), name)]
    (kept,) = _definitions(module_source, name)
    if not taught:
        return [f"{name} is not defined in the notebook."]
    return [f"{name} differs from the helper module's:\n{code}\n\n{kept}" for code in taught if code != kept]


def _definitions(source, name):
    found = [node for node in ast.parse(source).body if getattr(node, "name", None) == name]
    return [ast.unparse(_Bare().visit(node)) for node in found]


class _Bare(ast.NodeTransformer):
    """Leave out docstrings and annotations."""

    def visit_FunctionDef(self, node):
        node.returns = None
        return self.visit_ClassDef(node)

    def visit_ClassDef(self, node):
        self.generic_visit(node)
        if ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
        return node

    def visit_arg(self, node):
        return ast.arg(node.arg)

    def visit_AnnAssign(self, node):
        return ast.copy_location(ast.Assign([node.target], node.value), node) if node.value else None


def exemption_findings(exemptions, notebooks):
    """Hold every exemption against the stored outputs; `notebooks` maps names to notebooks."""
    for exemption in exemptions:
        notebook = notebooks.get(exemption.notebook)
        cells = {cell.get("id"): cell for cell in code_cells(notebook)} if notebook else {}
        for cell_id in exemption.cells:
            problems = _exemption_problems(exemption, cells[cell_id]) if cell_id in cells else ["no such cell."]
            yield from (f"{exemption.kind} of {exemption.notebook}, {cell_id}: {problem}" for problem in problems)


def _exemption_problems(exemption, cell):
    if len(exemption.reason) < 10:
        yield "there is no reason."
    if exemption.kind == "figure":
        if not mimes(cell) & FIGURES:
            yield "the cell has stored no figure."
        return
    if not re.compile(exemption.pattern).groups:
        yield "the pattern has no group, so nothing may differ."
    hidden, problems = stored_outputs.hide(cell.outputs, [exemption], "stored")
    if hidden == cell.outputs and not problems:
        yield "the pattern catches nothing in the stored output."
    yield from problems
