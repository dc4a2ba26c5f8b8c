"""The site is built whole or not at all, from what is there, and served to this machine alone."""

import importlib.metadata
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote, urlsplit

import folders
import nbformat
import notebook_cells
import pytest
import serve_site

from mnist_helpers._support.paths import COURSE as ROOT
from mnist_helpers.widgets import modules, script
from tests.support.refusal import refused
from tests.support.site_copy import OLD, build, course_with_a_site

SKIPPED = "Sphinx is not installed (`make test` installs it), so the site is not tested."
pytest.importorskip("sphinx", reason=SKIPPED)
nodes, utils = (importlib.import_module(f"docutils.{name}") for name in ("nodes", "utils"))
build_site = importlib.import_module("build_site")


@pytest.fixture
def course(tmp_path):
    """A copy of the course to spoil, with a site that was built before."""
    return course_with_a_site(tmp_path)


def test_the_scripts_have_their_translations_beside_them(built, tmp_path, monkeypatch):
    assert (built / "_static" / modules.TRANSLATIONS).read_text() == "export default {};\n"
    (tmp_path / "a.js").write_text('say(text("Stop"));')
    monkeypatch.setattr(script, "say", lambda text: {"Stop": "Anhalten"}[text])
    build_site.write_translations(tmp_path)
    assert (tmp_path / modules.TRANSLATIONS).read_text() == 'export default {"Stop": "Anhalten"};\n'


def test_the_new_site_takes_the_place_of_the_old_and_nothing_is_left_beside_it(built, tmp_path):
    assert OLD not in (built / "index.html").read_text()
    before = {path.name for path in course_with_a_site(tmp_path).iterdir()}
    assert {path.name for path in built.parent.iterdir()} == before


def test_the_students_site_has_no_page_with_answers(built):
    named = [
        path.name for path in [*built.rglob("*.html"), built / "searchindex.js"] if "instructors" in path.read_text()
    ]
    assert not (built / "instructors.html").exists() and named == []


def test_every_link_of_the_pages_leads_somewhere(built):
    pages = [page for page in built.rglob("*.html") if not {"_static", "netron"} & set(page.parts)]
    assert len(pages) >= 11
    for page in pages:
        text = page.read_text(encoding="utf-8")
        for link in re.findall(r'<(?:a|img|iframe|script|link)\b[^>]*?\b(?:href|src)="([^"]+)"', text):
            parts = urlsplit(link)
            if not parts.scheme and parts.path:
                target = (page.parent / unquote(parts.path)).resolve()
                assert target.is_file() or (target / "index.html").is_file(), f"{page.name}: {link}"


@pytest.mark.parametrize(
    ("chapter", "name", "operators"),
    [
        ("02_network", "report_net.onnx", "order: Conv, MaxPool, Relu, Conv,"),
        (
            "09_deployment",
            "report_int8.onnx",
            "order: Cast, 8 × DequantizeLinear, Div, Sub, Div, Unsqueeze, Quant",
        ),
    ],
)
def test_netron_has_the_network_of_its_chapter(chapter, name, operators, built):
    page = (built / "notebooks" / f"{chapter}.html").read_text(encoding="utf-8")
    assert f'src="../netron/index.html?url={name}"' in page and "Netron opens here." not in page
    assert (built / "netron" / name).read_bytes() == (ROOT / "models" / name).read_bytes()
    assert operators in page


def test_pages_name_no_path_of_this_machine(built):
    for page in built.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert not any(path in text for path in (str(ROOT), str(built.parent), "/root/")), page


def test_versions_on_the_page_of_licences_are_those_installed(built):
    words = (built / "licences.html").read_text(encoding="utf-8")
    for package in ("netron", "sphinx", "sphinx-book-theme"):
        assert importlib.metadata.version(package) in words


def test_first_page_and_readme_give_the_same_times_as_the_chapters():
    times = {}
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        opening = nbformat.read(path, as_version=4).cells[0].source
        times[path.stem] = re.search(r"in about (\d+) seconds", opening)[1]
    index, readme = (ROOT / "docs" / "index.md").read_text(), (ROOT / "README.md").read_text()
    for name, seconds in times.items():
        assert re.search(rf":link: notebooks/{name}\n(?:.*\n)+?runs for about {seconds} s\n", index), name
        assert re.search(rf"\[{name}\].*\| {seconds} s \|", readme), name


def damage_notebook(course):
    path = course / "notebooks" / "04_training.ipynb"
    path.write_text(path.read_text()[:1000])


def clear_notebook(course):
    path = course / "notebooks" / "04_training.ipynb"
    notebook = nbformat.read(path, as_version=4)
    nbformat.write(notebook_cells.without_outputs(notebook), path)


def write_bad_link(course):
    with (course / "docs" / "draw.md").open("a") as file:
        file.write("\n[nowhere](nowhere.md)\n")


BAD = {
    "a missing notebook": (lambda c: (c / "notebooks" / "02_network.ipynb").unlink(), ["02_network.ipynb is missing"]),
    "a torn notebook": (damage_notebook, ["04_training.ipynb is no notebook", "make restore CHAPTER=04"]),
    "a notebook that was not run": (clear_notebook, ["04_training.ipynb has cells that were not run", "make run"]),
    "a missing model": (
        lambda c: (c / "models" / "report_net.onnx").unlink(),
        ["report_net.onnx cannot be read", "git checkout"],
    ),
    "a torn model": (
        lambda c: (c / "models" / "report_net.onnx").write_bytes(b"seven"),
        ["report_net.onnx is damaged", "git checkout"],
    ),
    "a torn model of the pad": (
        lambda c: (c / "models" / "digits.onnx").write_bytes(b"seven"),
        ["digits.onnx is damaged"],
    ),
    "a missing npm package": (
        lambda c: shutil.rmtree(c / "node_modules" / "mathjax"),
        ["MathJax is missing", "node-main.js", "make site"],
    ),
    "a missing script": (
        lambda c: (c / "mnist_helpers" / "widgets" / "web" / "paper.js").unlink(),
        ["paper.js is missing", "restore mnist_helpers or docs"],
    ),
    "a first page that says nothing of the instructors": (
        lambda c: (c / "docs" / "index.md").write_text("# The course"),
        ["index.md has no text", "instructors.md"],
    ),
    "a broken link": (write_bad_link, ["Sphinx found", "build again"]),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_input_is_named_and_the_good_site_stays(kind, course):
    make, words = BAD[kind]
    make(course)
    before = {path.name for path in course.iterdir()}
    with refused(*words):
        build(course)
    assert (course / "site" / "index.html").read_text() == OLD
    assert {path.name for path in course.iterdir()} == before


@pytest.mark.slow  # builds the site; the test of the warning alone runs every day
def test_netron_in_a_chapter_without_a_file_for_it_is_one_sentence(course, capfd):
    network, other = (course / "notebooks" / f"{name}.ipynb" for name in ("02_network", "03_gradients"))
    notebook = nbformat.read(other, as_version=4)
    notebook.cells += [cell for cell in nbformat.read(network, as_version=4).cells if cell.id == "netron-live"]
    nbformat.write(notebook, other)
    with refused("Sphinx found"):
        build(course)
    said = capfd.readouterr().err
    assert "03_gradients" in said and "Netron has a file for 02_network, 09_deployment only" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_swap_that_fails_brings_the_old_folder_back(error, tmp_path, monkeypatch):
    def rename(path, target, real=Path.rename):
        if path.name == "new":
            raise error
        return real(path, target)

    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "mark").write_text("the good one")
    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(error), folders.atomic_folder(tmp_path / "site", "mark") as new:
        (new / "mark").write_text("the new one")
    assert (tmp_path / "site" / "mark").read_text() == "the good one"
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


@pytest.mark.parametrize("made", ["folder", "file"])
def test_what_something_else_made_is_not_replaced(made, tmp_path):
    target = tmp_path / "thesis"
    mine = target / "chapter.txt" if made == "folder" else target
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("mine")
    with refused("thesis would be replaced", "choose another folder"), folders.atomic_folder(target, "mark"):
        pass
    assert mine.read_text() == "mine" and [path.name for path in tmp_path.iterdir()] == ["thesis"]


def test_outputs_of_another_program_are_not_given_a_provenance(built):
    assert "stored by another program" in (built / "notebooks" / "01_data.html").read_text()
    assert "computed on" in (built / "notebooks" / "02_network.html").read_text()


def test_server_listens_on_this_machine_alone_and_takes_a_free_port(tmp_path):
    (tmp_path / "a.mjs").write_text("1")
    first = serve_site.make_server(tmp_path)
    with first, serve_site.make_server(tmp_path, first.server_port) as second:
        assert first.server_address[0] == "127.0.0.1" and first.server_port != second.server_port
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.2", first.server_port), timeout=2)
        assert serve_site.Handler.extensions_map[".mjs"] == "text/javascript"


def test_serving_without_a_site_says_what_to_do(tmp_path):
    command = [sys.executable, ROOT / "tools" / "serve_site.py", "--folder", tmp_path]
    answer = subprocess.run(command, capture_output=True, text=True)
    assert answer.returncode == 1 and "make site" in answer.stderr


def test_the_sites_model_reads_as_many_digits_as_it_says():
    import onnx

    from mnist_helpers import data, export

    model = ROOT / "models" / "report_net.onnx"
    images, labels = data.load("test")
    correct = (export.run_onnx(model, images).argmax(dim=1) == labels).sum().item()
    said = {prop.key: prop.value for prop in onnx.load(model).metadata_props}
    assert abs(correct - int(said["test images read right"].split()[0])) <= 2  # rounding differs between processors
    assert 9620 <= correct <= 9780


@pytest.fixture
def chapter_pages(monkeypatch):
    """The extension of Sphinx, imported without Sphinx's own start."""
    monkeypatch.syspath_prepend(ROOT / "docs" / "extensions")
    return importlib.import_module("chapter_pages")


@pytest.mark.parametrize("chapter, warned", [("03_gradients", True), ("02_network", False)])
def test_netrons_place_in_a_chapter_without_a_file_is_warned_of(chapter, warned, chapter_pages, monkeypatch):
    said = []
    warn = SimpleNamespace(warning=lambda text, *words, location: said.append((text % words, location)))
    monkeypatch.setattr(chapter_pages, "logger", warn)
    document = utils.new_document("page")
    document += [nodes.raw("", text, format="html") for text in ("a figure", chapter_pages.PLACEHOLDER)]
    config = SimpleNamespace(netron_files={"02_network": ROOT / "models" / "report_net.onnx"})
    document.settings.env = SimpleNamespace(docname=f"notebooks/{chapter}", config=config)
    document.settings.env.app = SimpleNamespace(config=config)
    chapter_pages.NetronFrame(document).run()
    warning = "Netron has a file for 02_network only; name this chapter's in IN_NETRON of tools/build_site.py"
    assert [(text.split(",")[0], location) for text, location in said] == [(warning, f"notebooks/{chapter}")] * warned
    assert ("<iframe" in document.astext()) != warned and "a figure" in document.astext()


def test_alt_texts_are_those_of_the_sites_language(chapter_pages, monkeypatch):
    monkeypatch.setattr(chapter_pages, "say", lambda text: {"A curve": "Eine Kurve"}.get(text, text))
    document = utils.new_document("page")
    document += [nodes.image(uri="a.png", alt="A curve"), nodes.image(uri="b.png")]
    chapter_pages.translate_alt_texts(None, document)
    assert [image.get("alt") for image in document.findall(nodes.image)] == ["Eine Kurve", None]
