"""Numbers in prose against the numbers that the notebook's cells hold or have shown."""

import re
import tomllib
from decimal import Decimal
from pathlib import Path

from tests.notebooks.notebook_checks import code_cells, prose, texts

FACTS = Path(__file__).parents[1] / "prose_facts.toml"
NO_PROSE = [
    r"(?s)```.*?```|~~~.*?~~~",  # code fences
    r"`[^`\n]*`",
    r"(?s)\$\$.*?\$\$|\\\[.*?\\\]",  # LaTeX
    r"\$[^$\n]+\$|\\\(.*?\\\)",
    r"\]\([^)]*\)|https?://\S+",
    r"</?[a-zA-Z!][^>]*>",  # HTML tags
    r"\d+(\.\d+){2,}|Python \d[\d.]*( to \d[\d.]*)?",  # versions
    r"\(\w+ minutes\)",  # how long an exercise takes
]
STYLE_SHEET = r"(?s)<style.*?</style>"
NUMBER = re.compile(r"(?<![\w.])(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)(\s?%)?")
ONES = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
TEENS = ["eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
IN_WORDS = re.compile(
    rf"\b(?:({'|'.join(TENS)})(?:-({'|'.join(ONES)}))?|({'|'.join(TEENS)}))( hundred| thousand)?\b", re.I
)
SMALL = rf"\b(?:{'|'.join(ONES[1:])}|ten)\b"  # without "one", which is often no number
ANY = re.compile(rf"{IN_WORDS.pattern}|{SMALL}|\d+(?:\.\d+)?", re.I)
FAR = 4  # code cells before or after a number in which it is looked for
ANYWHERE = ("title", "summary", "exercise-")  # cells that speak of the whole chapter
RATIO = re.compile(r"(?<![\w./])(\d+)\s?/\s?([1-9]\d*)\b")


def normalise(text):
    """Write numbers in one way: no thousands separators, the plain minus; 28x28 becomes two numbers."""
    text = text.replace("\N{MINUS SIGN}", "-").replace("\\%", "%")
    text = re.sub("(?<=\\d)[,\u2009\u202f\u00a0](?=\\d{3}(?!\\d))", "", text)
    text = re.sub("[\u2009\u202f\u00a0]", " ", text)
    return re.sub(r"(?<=\d)\s?[x×]\s?(?=\d)", " × ", text)


def plain(markdown):
    """The prose of a Markdown text, without code, formulas and links, and with numbers written in one way."""
    for pattern in NO_PROSE:
        markdown = re.sub(pattern, " ", markdown)
    return normalise(markdown)


def place_of(match, text):
    """The words around a number."""
    return " ".join(text[max(0, match.start() - 40) : match.end() + 20].split())


def stated(markdown):
    """Yield (value, "%" or "", place) of each number with three digits or more, a decimal point or a per cent sign."""
    text = plain(markdown)
    for match in NUMBER.finditer(text):
        number, percent = match[1], (match[2] or "").strip()
        if percent or "." in number or len(number.lstrip("-")) >= 3:
            yield Decimal(number), percent, place_of(match, text)


def stated_in_words(markdown):
    """Yield (value, "", place) of each number from eleven on that is written in words."""
    text = plain(markdown)
    yield from ((in_figures(match), "", place_of(match, text)) for match in IN_WORDS.finditer(text))


def written(markdown):
    """Return all numbers of a text as they are written, also small ones and words, but without their signs."""
    return [match[0].lower().replace(" ", "-") for match in ANY.finditer(plain(markdown))]


def in_figures(match):
    """The number that words such as `sixteen`, `twenty-one` or `Seventeen thousand` name; the last is a rounded one."""
    tens, one, teen, scale = (word.strip().lower() if word else "" for word in match.groups())
    value = 11 + TEENS.index(teen) if teen else 20 + 10 * TENS.index(tens) + (1 + ONES.index(one) if one else 0)
    return Decimal(value).scaleb({"": 0, "hundred": 2, "thousand": 3}[scale])


def shown(notebook):
    """All numbers in a notebook's code and in its stored text outputs, with a percentage also as a fraction."""
    return shown_by(code_cells(notebook))


def shown_by(cells):
    """All numbers that some code cells hold or have shown."""
    values = set()
    for cell in cells:
        for text in [cell.source, *texts(cell, "text/")]:
            values |= _values(normalise(re.sub(r"</?[a-zA-Z!][^>]*>", " ", re.sub(STYLE_SHEET, " ", text))))
    return values


def _values(text):
    numbers = {Decimal(number) for number, _ in NUMBER.findall(text)}
    fractions = {Decimal(number) / 100 for number, percent in NUMBER.findall(text) if percent}
    return numbers | fractions | {Decimal(part) / Decimal(whole) for part, whole in RATIO.findall(text)}


def is_shown(value, percent, values):
    """Whether one of `values` equals the number, once rounded to the decimals that it is written with."""
    half = Decimal(5).scaleb(value.as_tuple().exponent - 1)
    scales = (1, 100) if percent else (1,)
    return any(abs(shown * scale - value) <= half for shown in values for scale in scales)


def number_findings(name, markdown, values, facts):
    """Say which numbers of the prose are neither shown nor known, and which known facts the prose does not state."""
    numbers = [*stated(markdown), *stated_in_words(markdown)]
    for value, percent, place in numbers:
        if (name, value) not in facts and not is_shown(value, percent, values):
            yield f"{name} states {value}{percent} ({place!r}): neither shown by a cell nor listed in prose_facts.toml."
    for place, value in facts:
        if place == name and value not in {number for number, *_ in numbers}:
            yield f"tests/prose_facts.toml lists {value} for {name}, which does not state it."


def notebook_number_findings(name, notebook, facts):
    yield from number_findings(name, prose(notebook), shown(notebook), facts)
    yield from far_findings(name, notebook, facts)


def far_findings(name, notebook, facts):
    """Say which precise numbers and number words no cell near them shows: what a distant cell shows may be a mix-up."""
    before, after = [], code_cells(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            before.append(after.pop(0))
        elif cell.cell_type == "markdown" and not cell.get("id", "").startswith(ANYWHERE):
            values = shown_by(before[-FAR:] + after[:FAR])
            precise = [number for number in stated(cell.source) if is_precise(number[0])]
            for value, percent, place in [*precise, *stated_in_words(cell.source)]:
                if (name, value) not in facts and not is_shown(value, percent, values):
                    yield f"{name} states {value}{percent} ({place!r}), which no cell near it shows."


def is_precise(value):
    """Whether a number has three digits or more, without the zeros at its end."""
    return len(value.normalize().as_tuple().digits) >= 3


def read_facts(path=FACTS):
    facts = tomllib.loads(path.read_text(encoding="utf-8"))["fact"]
    return {(name, Decimal(fact["number"])): fact["source"] for fact in facts for name in fact["notebooks"]}
