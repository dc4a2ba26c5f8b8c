"""What visitors take along: the zips, the line below each chapter's title, and what a link shows elsewhere."""

import ast
import importlib
import re
import struct
import zipfile
from types import SimpleNamespace

import nbformat
import pytest

from mnist_helpers._support.paths import COURSE as ROOT
from tests.support.refusal import refused
from tests.support.site_copy import build, course_with_a_site

pytest.importorskip("sphinx", reason="Sphinx is not installed (`make test` installs it), so the site is not tested.")
from sphinx.errors import ExtensionError  # noqa: E402

addresses = importlib.import_module("addresses")
copies = importlib.import_module("copies")
downloads = importlib.import_module("downloads")

CHAPTERS = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
URLS = """[project]
name = "course"
[project.urls]
Homepage = "https://site.example/course"
Repository = "https://github.com/owner/name"
"""


@pytest.fixture(scope="module")
def zips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("taken") / "downloads"
    downloads.write(ROOT, folder)
    return folder


def names_in(path):
    """Return the names of the files in a zip, without its top folder, which has the name of the zip."""
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert {name.partition("/")[0] for name in archive.namelist()} == {path.stem}
        return {name.partition("/")[2] for name in archive.namelist()}


def originals_in(path):
    """Return the names of the notebooks that `make restore` would bring back in the copy in this zip."""
    with zipfile.ZipFile(path) as archive, archive.open(f"{path.stem}/tools/originals.zip") as packed:
        return zipfile.ZipFile(packed).namelist()


def test_there_is_a_zip_of_the_course_and_one_of_each_chapter(zips):
    assert sorted(path.stem for path in zips.iterdir()) == [*CHAPTERS, "course"]
    digits = {f"data/MNIST/raw/{name}.gz" for name in ("train-images-idx3-ubyte", "t10k-labels-idx1-ubyte")}
    assert digits | {f"notebooks/{name}.ipynb" for name in CHAPTERS} <= names_in(zips / "course.zip")
    for name in CHAPTERS:
        found = names_in(zips / f"{name}.zip")
        assert {part for part in found if part.endswith(".ipynb")} == {f"notebooks/{name}.ipynb"}
        assert originals_in(zips / f"{name}.zip") == [f"notebooks/{name}.ipynb"]
        assert not any(part.endswith(("-ubyte", "-ubyte.gz")) for part in found)


def test_a_chapters_zip_is_small_and_says_where_the_digits_come_from(zips):
    for name in CHAPTERS:
        assert (zips / f"{name}.zip").stat().st_size < 1_500_000
        with zipfile.ZipFile(zips / f"{name}.zip") as archive:
            readme = archive.read(f"{name}/README.md").decode()
        assert downloads.WITHOUT_DIGITS in readme.partition("## Start")[0] and f"has only chapter {name[:2]}." in readme


def bodies(source):
    """Return the bodies of the functions that are exercises."""
    functions = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    exercises = [
        node for node in functions if any("exercises.add" in ast.unparse(each) for each in node.decorator_list)
    ]
    return ["\n".join(map(ast.unparse, node.body)) for node in exercises]


def test_no_zip_holds_a_solution_an_output_or_the_instructors_page(zips):
    for path in zips.iterdir():
        assert not any("instructors" in name for name in names_in(path))
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if re.search(r"/exercises/chapter_\d\d\.py$", name):
                    found = bodies(archive.read(name).decode())
                    assert found and all("Your instructor has the solution" in body for body in found)
                if name.endswith(".ipynb"):
                    cells = nbformat.reads(archive.read(name).decode(), as_version=4).cells
                    assert not any(cell.get("outputs") for cell in cells)


@pytest.fixture(scope="module")
def configured(tmp_path_factory):
    """The site of a course that has an address, and one for its repository."""
    course = course_with_a_site(tmp_path_factory.mktemp("configured"))
    (course / "pyproject.toml").write_text(URLS)
    return build(course)


def test_the_zips_hold_the_course_of_which_the_pages_are(built):
    with zipfile.ZipFile(built / "_static" / "downloads" / "course.zip") as archive:
        assert archive.read("course/pyproject.toml").decode() == (built.parent / "pyproject.toml").read_text()


@pytest.mark.parametrize(("make", "text"), [("chapter_of", "\n## Start\n"), ("leave_out_others", copies.ORDER)])
def test_a_readme_without_the_place_for_what_a_copy_says_is_refused(make, text, tmp_path):
    course = tmp_path / "course"
    copies.fill_handout(ROOT, course)
    readme = course / "README.md"
    readme.write_text(readme.read_text(encoding="utf-8").replace(text, ""), encoding="utf-8")
    with refused("README.md has no text", text.strip(), "bring it back"):
        downloads.chapter_of(course, "02_network")


def line(site, name):
    """Return the line below a chapter's title."""
    (found,) = re.findall(
        r"</h1>\s*<p class=\"take-along\">(.*?)</p>", (site / "notebooks" / f"{name}.html").read_text()
    )
    return found


@pytest.fixture
def leave_out(monkeypatch):
    """Return a function that gives what is left of a page's text for a repository."""
    monkeypatch.syspath_prepend(ROOT / "docs" / "extensions")
    take_along = importlib.import_module("take_along")

    def leave_out(text, repository):
        source = [text]
        take_along.leave_out_unknown(
            SimpleNamespace(config=SimpleNamespace(course_repository=repository)), "run", source
        )
        return source[0]

    return leave_out


@pytest.mark.parametrize(
    ("repository", "left"),
    [("", "A\n"), ("https://git.example/course", "A\nB\n"), ("https://github.com/owner/name", "A\nB\nC\n")],
)
def test_a_part_stays_if_what_it_speaks_of_is_configured(repository, left, leave_out):
    page = "A\n:::{if-configured} repository\nB\n:::\n:::{if-configured} services\nC\n:::\n"
    assert leave_out(page, repository) == left


def test_an_unknown_word_of_a_part_is_refused(leave_out):
    with pytest.raises(ExtensionError, match="run: .*repo.* is unknown; write one of repository, services"):
        leave_out(":::{if-configured} repo\nB\n:::\n", "")


@pytest.mark.parametrize("name", CHAPTERS)
def test_each_chapter_offers_its_zip_and_the_services_that_can_find_it(name, configured):
    offered = line(configured, name)
    assert f'href="../_static/downloads/{name}.zip"' in offered
    assert f"https://colab.research.google.com/github/owner/name/blob/colab/notebooks/{name}.ipynb" in offered
    assert f"https://mybinder.org/v2/gh/owner/name/HEAD?urlpath=lab/tree/notebooks/{name}.ipynb" in offered


def test_without_a_repository_no_page_speaks_of_one(built):
    assert "_static/downloads/02_network.zip" in line(built, "02_network")
    for page in [*(built / "notebooks").glob("*.html"), built / "run.html"]:
        assert not re.search("colab|binder|og:image|og:url|rel=.canonical", page.read_text(encoding="utf-8"), re.I), (
            page
        )


def test_the_page_on_running_lists_all_ways(configured):
    page = (configured / "run.html").read_text(encoding="utf-8")
    for name in ["course", *CHAPTERS]:
        assert f'href="_static/downloads/{name}.zip"' in page
    assert page.count("/blob/colab/notebooks/") == page.count("mybinder.org") == len(CHAPTERS)
    assert 'href="https://github.com/owner/name"' in page


def previews(page):
    """Return the tags for previews of a page by their names."""
    tags = [dict(re.findall(r'([\w-]+)="([^"]*)"', tag)) for tag in re.findall(r"<meta [^>]*>", page)]
    return {tag.get("property", tag.get("name")): tag["content"] for tag in tags if "content" in tag}


@pytest.mark.parametrize("name", ["index", "draw", "run", "glossary", *(f"notebooks/{name}" for name in CHAPTERS)])
def test_a_link_to_a_page_is_shown_with_words_and_a_picture(name, configured):
    page = (configured / f"{name}.html").read_text(encoding="utf-8")
    found = previews(page)
    assert found["og:url"] == f"https://site.example/course/{name}.html"
    assert found["og:image"] == "https://site.example/course/_static/preview.png"
    assert found["og:title"] and 40 <= len(found["og:description"]) <= 202
    assert found["twitter:card"] == "summary_large_image"
    assert page.count('name="description"') == 1 and found["description"] == found["og:description"]


def test_without_an_address_of_the_site_there_are_words_alone(built):
    found = previews((built / "notebooks" / "02_network.html").read_text(encoding="utf-8"))
    assert found["og:title"].startswith("02 · The network") and found["twitter:card"] == "summary"


def test_the_picture_is_as_large_and_as_light_as_services_ask_for():
    content = (ROOT / "docs" / "_static" / "preview.png").read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n" and struct.unpack(">II", content[16:24]) == (1200, 630)
    assert len(content) < 300_000


@pytest.mark.parametrize(
    "address", ["http://github.com/a/b", "github.com/a/b", 'https://x.org/"><script>', "https://a b.org"]
)
def test_a_bad_address_is_refused(address, tmp_path):
    (tmp_path / "pyproject.toml").write_text(f"[project]\nname = 'x'\nurls = {{ Repository = '{address}' }}\n")
    with refused("Repository", address, "correct it"):
        addresses.configured(tmp_path)


def test_addresses_are_tidied(tmp_path):
    (tmp_path / "pyproject.toml").write_text(URLS.replace("owner/name", "owner/name.git"))
    assert addresses.configured(tmp_path) == addresses.Addresses(
        "https://site.example/course/", "https://github.com/owner/name"
    )
