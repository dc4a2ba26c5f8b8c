"""How a chapter is divided into the steps that a slide shows."""

from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from steps import steps

REVEAL = {"tags": ["reveal"]}
OUTPUT = [new_output("stream", text="ten")]


def text(source, **metadata):
    return new_markdown_cell(source, metadata=metadata)


def code(source, name="cell", **metadata):
    return new_code_cell(source, id=name, metadata=metadata, outputs=OUTPUT)


def divided(*cells):
    """Return (lead, code, result, answer) of each step, with the ids of cells for their outputs."""
    return [
        (step.lead, step.code, *([named(part) for _, part in parts] for parts in (step.result, step.answer)))
        for step in steps(new_notebook(cells=list(cells)))
    ]


def named(part):
    return part if isinstance(part, str) else part.id


def test_a_lead_a_cell_and_what_reads_it_are_one_step():
    found = divided(text("# Title"), text("Count:"), code("1", "one"), text("One.\n\nAgain:"), code("2", "two"))
    assert found == [
        ("# Title", "", [], []),
        ("Count:", "1", ["one", "One."], []),
        ("Again:", "2", ["two"], []),
    ]


def test_a_single_paragraph_before_a_cell_leads_to_it_and_a_question_reads_nothing():
    question = "**Predict:** 3?\n\n- or 4?"
    found = divided(text("Count:"), code("1", "one"), text("And here?"), code("2", "two"), text(question), code("3"))
    assert [lead for lead, *_ in found] == ["Count:", "And here?", question]


def test_headings_begin_steps_and_what_stands_before_them_reads():
    found = divided(
        text("Count:"), code("1", "one"), text("One.\n\nReally.\n\n## Two\n\nNow:\n\n### Three"), text("End.")
    )
    assert [lead for lead, *_ in found] == ["Count:", "## Two\n\nNow:", "### Three", "End."]
    assert found[0][2] == ["one", "One.\n\nReally."]


def test_an_answer_is_the_hidden_result_of_its_question():
    found = divided(
        text("**Predict:** how many?"),
        code("1", "one", **REVEAL),
        text("Ten. So the sum:", **REVEAL),
        code("2", "two", **REVEAL),
        text("Sum is 45.\n\nNext:", **REVEAL),
        code("3", "three"),
    )
    assert found == [
        ("**Predict:** how many?", "1", [], ["one", "Ten. So the sum:", "2", "two", "Sum is 45."]),
        ("Next:", "3", ["three"], []),
    ]


def test_what_an_exercise_printed_is_left_out():
    found = divided(text("**1.** Count."), code("def count(): ...", "exercise-count"))
    assert found == [("**1.** Count.", "def count(): ...", [], [])]


def test_a_text_after_an_exercise_reads_nothing():
    found = divided(code("...", "exercise-one"), text("**2.** Two zeros:\n\nAdd."), code("...", "exercise-two"))
    assert [(lead, result) for lead, _, result, _ in found] == [("", []), ("**2.** Two zeros:\n\nAdd.", [])]


def test_only_the_text_is_hidden_where_the_cell_is_there_to_try_it_out():
    found = divided(text("**Predict:** which?"), code("Pad()", "pad"), text("Both.", **REVEAL))
    assert found == [("**Predict:** which?", "Pad()", ["pad"], ["Both."])]
