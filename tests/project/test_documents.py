"""What the Markdown files promise is there: commands, files that they link to, terms; and no file is too large."""

import re
import subprocess

import preview_picture
import pytest

from mnist_helpers._support.paths import COURSE as ROOT
from mnist_helpers._support.paths import PACKAGE
from tests.notebooks import notebook_checks

LARGEST = 1_000_000  # bytes; larger files make every clone slow
DATASET = "data/MNIST/raw/"
CODE = re.compile(r"(?s)```.*?```|`[^`\n]+`")
LINK = re.compile(r"\]\(([^)\s#]+)(?:#[^)\s]*)?\)")
# The students' README lies in tools/handout/ and is read in the folder of their copy
READ_IN = {"tools/handout/README.md": ROOT}


def tracked(*patterns):
    """Return the names of the files that git knows."""
    done = subprocess.run(["git", "ls-files", "-z", *patterns], cwd=ROOT, check=True, capture_output=True, text=True)
    return [name for name in done.stdout.split("\0")[:-1] if (ROOT / name).exists()]


def targets(makefile):
    """Return the targets of a Makefile that are commands."""
    return set(re.findall(r"^([a-z][\w-]*):", makefile, re.MULTILINE))


def document_findings(text, folder, known):
    """List the commands in a Markdown text that do not exist, the links that lead nowhere, and paths of one machine."""
    code = "\n".join(CODE.findall(text))
    commands = re.findall(r"^`?make ([a-z][\w-]*)", code, re.MULTILINE)
    findings = [f"make {name} is no target" for name in commands if name not in known]
    for module in re.findall(r"-m (mnist_helpers(?:\.\w+)*)", code):
        path = PACKAGE.parent.joinpath(*module.split("."))
        if not path.with_suffix(".py").exists() and not (path / "__main__.py").exists():
            findings.append(f"{module} is no module")
    for target in LINK.findall(CODE.sub("", text)):
        if not re.match(r"[a-z]+:", target) and not (folder / target).exists():
            findings.append(f"{target} is not there")
    findings += [f"a path of one machine: {found[0]}" for found in notebook_checks.MACHINE_PATH.finditer(text)]
    return findings


@pytest.mark.parametrize("name", tracked("*.md"))
def test_what_a_document_names_is_there(name):
    known = targets((ROOT / "Makefile").read_text(encoding="utf-8"))
    folder = READ_IN.get(name, (ROOT / name).parent)
    assert document_findings((ROOT / name).read_text(encoding="utf-8"), folder, known) == []


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("Run `make tset`.", "make tset is no target"),
        ("```\nmake labb     # open it\n```", "make labb is no target"),
        ("Run `python -m mnist_helpers.trian`.", "mnist_helpers.trian is no module"),
        ("See [the page](docs/instructor.md#lessons).", "docs/instructor.md is not there"),
        ("The digits are in /home/me/data.", "a path of one machine: /home"),
        ("`make test`, `python -m mnist_helpers.doctor`, [a](README.md), [b](https://x.y/z): it can make things.", ""),
    ],
)
def test_a_wrong_command_link_or_path_is_noticed(text, finding):
    assert document_findings(text, ROOT, {"lab", "test"}) == [finding] * bool(finding)


def heavy(sizes):
    """Return the files that are too large, the dataset aside."""
    return [name for name, size in sizes.items() if size > LARGEST and not name.startswith(DATASET)]


# Where the course says its title: a file, and what is before and after the title there
TITLES = {
    "README.md": r"\A# (.*)\n",
    "tools/handout/README.md": r"\A# (.*)\n",
    "docs/index.md": r"\n# (.*)\n",
    "docs/conf.py": r'\nproject = "(.*)"\n',
    "pyproject.toml": r'\ndescription = "(.*?):',
}


def test_the_course_has_one_title():
    found = {name: re.search(part, (ROOT / name).read_text(encoding="utf-8"))[1] for name, part in TITLES.items()}
    assert len(set(found.values())) == 1, found
    words = " ".join(text for text, _, size, *_ in preview_picture.TEXT if size > 50)
    assert words in found.values()


def test_no_file_but_the_dataset_is_too_large():
    assert heavy({name: (ROOT / name).stat().st_size for name in tracked()}) == []
    assert heavy({"data/MNIST/raw/a.gz": 2_000_000, "notebooks/a.ipynb": 999_999, "a.png": 1_000_001}) == ["a.png"]


def glossary_terms(glossary):
    """Return the terms of each entry of the glossary; several above one text belong together."""
    entries = re.findall(r"^((?:\S.*\n)+)(?=  )", glossary.split(":::{glossary}\n")[1], re.MULTILINE)
    return [entry.splitlines() for entry in entries]


def unnamed(terms, texts):
    """Return the entries none of whose terms occurs in a text; parentheses only tell two meanings of a term apart."""
    whole = " ".join(" ".join(texts).lower().replace("_", " ").split())
    return [entry for entry in terms if not any(re.sub(r" \(.*\)", "", term).lower() in whole for term in entry)]


def test_every_term_of_the_glossary_is_named_somewhere():
    terms = glossary_terms((ROOT / "docs" / "glossary.md").read_text(encoding="utf-8"))
    notebooks = [notebook_checks.read(path) for path in sorted(notebook_checks.FOLDER.glob("*.ipynb"))]
    texts = [cell.source for notebook in notebooks for cell in notebook.cells]
    texts += [path.read_text(encoding="utf-8") for path in [*PACKAGE.rglob("*.py"), ROOT / "docs" / "instructors.md"]]
    assert len(terms) > 150
    assert unnamed(terms, texts) == []


def test_a_term_that_no_text_names_is_noticed():
    glossary = "Head\n\n:::{glossary}\nepoch\nround\n  All images once.\n\nmean (average)\n  A sum.\n:::\n"
    terms = glossary_terms(glossary)
    assert terms == [["epoch", "round"], ["mean (average)"]]
    assert unnamed(terms, ["The mean of all.", "An eon."]) == [["epoch", "round"]]
