"""What belongs to the answer of a question marked *Predict*, and what stays in sight."""

import nbformat
import predictions
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

REVEAL = {"tags": ["reveal"]}


@pytest.mark.parametrize(
    "source, answer, rest",
    [
        ("Red survives.", "Red survives.", ""),
        ("It is 4.\n\nWhy?\n\n## Next", "It is 4.", "Why?\n\n## Next"),
        ("None. The 6 is a 9. Here are the sums:", "None. The 6 is a 9.", "Here are the sums:"),
        ("It does (in our run.) See `a.py`, at 9.3:", "It does (in our run.)", "See `a.py`, at 9.3:"),
        ("It rises! Now each sum:\n\nAnd on.", "It rises!", "Now each sum:\n\nAnd on."),
        ("- small: no\n- large: yes\n\nMove it.", "- small: no\n- large: yes", "Move it."),
        ("Blue is a gain.\n\n- one\n- two\n\nOn.", "Blue is a gain.\n\n- one\n- two", "On."),
        ("Right answers:", "", "Right answers:"),
        ("The net (trained once) is right; now look:", "", "The net (trained once) is right; now look:"),
    ],
)
def test_the_first_paragraph_answers_and_its_lead_stays(source, answer, rest):
    assert predictions.split(source) == (answer, rest)


@pytest.fixture
def notebook():
    cells = [
        new_markdown_cell("**Predict:** how many?"),
        new_code_cell("count", metadata=REVEAL),
        new_markdown_cell("Ten. And their sum:", metadata=REVEAL),
        new_code_cell("total", metadata=REVEAL),
        new_markdown_cell("It is 45.\n\n**Predict:** and the mean?", metadata=REVEAL),
        new_code_cell("mean", metadata=REVEAL),
        new_markdown_cell("4.5. Now the median:", metadata=REVEAL),
        new_code_cell("median"),
    ]
    return new_notebook(cells=cells)


def test_a_text_inside_an_answer_is_hidden_as_a_whole_and_a_question_ends_the_answer(notebook):
    separated = predictions.separate(notebook)
    answers = [[cell.source for cell in answer] for answer in predictions.answers(separated)]
    assert answers == [["count", "Ten. And their sum:", "total", "It is 45."], ["mean", "4.5."]]
    shown = [cell.source for cell in separated.cells if not predictions.is_answer(cell)]
    assert shown == ["**Predict:** how many?", "**Predict:** and the mean?", "Now the median:", "median"]


def test_separating_keeps_ids_apart_and_the_notebook_as_it_was(notebook):
    before = nbformat.writes(notebook)
    separated = predictions.separate(notebook)
    nbformat.validate(separated)
    assert len({cell.id for cell in separated.cells}) == len(separated.cells)
    assert nbformat.writes(notebook) == before
