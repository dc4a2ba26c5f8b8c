"""Checks of the notebooks as they are stored; nothing is executed. What nbval compares is in conftest.py."""

import ast
import inspect

import pytest

from mnist_helpers import calibration, cuda_graph, export, network, recipes, timing, training
from tests.notebooks import listed_texts, notebook_checks, prose_numbers, stored_outputs

CHAPTERS = {  # missing ones fail, new ones join
    *("01_data", "02_network", "03_gradients", "04_training", "05_predictions", "06_experiments", "07_improving"),
    *("08_speed", "09_deployment", "10_pictures"),
}
NAMES = sorted(CHAPTERS | {path.stem for path in notebook_checks.FOLDER.glob("*.ipynb")})


@pytest.fixture(scope="module")
def notebooks():
    """The stored notebooks by name."""
    return {path.stem: notebook_checks.read(path) for path in notebook_checks.FOLDER.glob("*.ipynb")}


def expect_none(findings):
    found = "\n".join(findings)
    if found:
        pytest.fail(found, pytrace=False)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("check", notebook_checks.CHECKS, ids=lambda check: check.__name__)
def test_notebook_is_stored_as_it_should_be(notebooks, name, check):
    expect_none(check(notebooks[name]))


@pytest.mark.parametrize(
    "name, module, definition",
    [
        ("02_network", network, "Net"),
        ("04_training", training, "train_epoch"),
        ("04_training", training, "evaluate"),
        ("07_improving", network, "block"),
        ("07_improving", recipes, "train_batch"),
        ("07_improving", recipes, "train_step"),
        ("07_improving", recipes, "train"),
        ("08_speed", timing, "interleaved"),
        ("08_speed", timing, "speedups"),
        ("08_speed", cuda_graph, "warm_up"),
        ("08_speed", cuda_graph, "captured"),
        ("09_deployment", export, "FromPixels"),
        ("10_pictures", calibration, "risk_and_coverage"),
    ],
)
def test_taught_code_is_the_code_of_the_helpers(notebooks, name, module, definition):
    source = inspect.getsource(module)
    expect_none(notebook_checks.taught_code_findings(notebooks[name], definition, source))


def test_chapter_04_trains_with_the_functions_that_the_student_sees(notebooks):
    """Editing the loop must change the run, so what trains and tests is defined in the notebook, not imported."""
    code = "\n".join(cell.source for cell in notebook_checks.code_cells(notebooks["04_training"]))
    imports = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.ImportFrom)]
    names = [alias.name for node in imports if node.module == "mnist_helpers.training" for alias in node.names]
    assert sorted(names) == ["History", "seed_all", "test_line", "train_line"]


@pytest.mark.parametrize("definition", ["Shuffled", "train_on", "new_model"])
def test_taught_code_is_what_the_benchmark_of_speed_times(notebooks, definition):
    source = (notebook_checks.ROOT / "benchmarks" / "speed.py").read_text(encoding="utf-8")
    expect_none(notebook_checks.taught_code_findings(notebooks["08_speed"], definition, source))


def test_cells_have_the_ids_numbers_and_alt_texts_that_are_listed():
    listed = listed_texts.LIST.read_text(encoding="utf-8").splitlines()
    expect_none(listed_texts.findings(listed, listed_texts.all_entries()))


@pytest.mark.parametrize("name", NAMES)
def test_numbers_in_prose_are_shown_by_a_cell(notebooks, name):
    facts = prose_numbers.read_facts()
    expect_none(prose_numbers.notebook_number_findings(name, notebooks[name], facts))


@pytest.mark.parametrize("page", listed_texts.PAGES)
def test_numbers_on_the_pages_are_shown_by_a_notebook(notebooks, page):
    text = (notebook_checks.ROOT / f"{page}.md").read_text(encoding="utf-8")
    values = set().union(*map(prose_numbers.shown, notebooks.values()))
    expect_none(prose_numbers.number_findings(page, text, values, prose_numbers.read_facts()))


def test_facts_name_their_source_and_an_existing_place(notebooks):
    for (name, value), source in prose_numbers.read_facts().items():
        assert name in {*listed_texts.PAGES, *notebooks}, f"{value}: {name} does not exist"
        assert len(source) >= 10, f"{value}: the source is missing"


def test_exemptions_fit_the_stored_outputs(notebooks):
    expect_none(notebook_checks.exemption_findings(stored_outputs.load(), notebooks))
