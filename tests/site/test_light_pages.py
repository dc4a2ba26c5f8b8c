"""What is taken away from pages and style sheets, and what stays; what the server compresses."""

import gzip
import http.client
import importlib
import sys

import numpy as np
import pytest
import serve_site
from PIL import Image

from mnist_helpers._support.paths import COURSE as ROOT
from tests.support.links import make_link

pytest.importorskip("sphinx", reason="Sphinx is not installed (`make test` installs it), so the site is not tested.")


@pytest.fixture(scope="module", name="light")
def light_pages():
    sys.path.insert(0, str(ROOT / "docs" / "extensions"))
    yield importlib.import_module("light_pages")
    sys.path.pop(0)


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        (".shown{color:red}", ".shown{color:red}"),
        (".gone{color:red}", ""),
        (".shown .gone,.shown:hover{top:0}", ".shown:hover{top:0}"),
        ("a:not(.gone,.other){top:0}", "a:not(.gone,.other){top:0}"),
        ("@media print{.gone{top:0}.shown{top:0}}", "@media print{.shown{top:0}}"),
        ("@media print{.gone{top:0}}", ""),
        ("@font-face{font-family:'Font Awesome 6';src:url(x)}", ""),
        (".fa-bars:before,.fas{top:0}", ""),
        (":root{--shown:1}", ":root{--shown:1}"),
        ("@keyframes gone{from{top:0}}", "@keyframes gone{from{top:0}}"),
    ],
)
def test_rules_stay_whose_classes_may_occur(style, expected, light):
    assert light.used_rules(style, {"shown", "fas", "fa-bars"}) == expected


PAGE = """<title>T</title><script data-cfasync="false">t = localStorage.getItem("theme") || "auto";</script>
<script src="_static/doctools.js?v=1"></script>
<script src="searchindex.js"></script><script defer src="_static/scripts/fontawesome.js"></script>
<script src="_static/copybutton.js"></script><script>late()</script><script type="module" src="own.js"></script>"""


def test_scripts_wait_and_idle_ones_go(light):
    page = light.lighter_scripts(PAGE, searches=False)
    assert '<script data-cfasync="false">t = ' in page and '|| "auto"' not in page
    assert '<script type="module">late()' in page
    assert '<script defer fetchpriority="low" src="_static/doctools.js?v=1">' in page
    assert '<script type="module" src="own.js">' in page
    assert not any(name in page for name in ("searchindex", "fontawesome", "copybutton"))


def test_the_search_page_keeps_its_index_and_a_page_with_code_its_buttons(light):
    page = light.lighter_scripts(PAGE + '<div class="highlight">', searches=True)
    assert "searchindex" in page and "copybutton" in page


def test_a_picture_keeps_its_size_and_nearly_its_colours(light, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 4), np.uint8)
    pixels[0, :3] = [[0, 0, 0, 255], [255, 255, 255, 255], [255, 255, 255, 0]]
    pixels[1:, :, 3] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert light.small_picture(tmp_path / "a.png").size == (30, 20)
    after = np.asarray(Image.open(tmp_path / "a.webp").convert("RGBA")).astype(int)
    assert np.abs(after - pixels)[1:].max() <= 2
    assert after[0, :3, 3].tolist() == [255, 255, 0] and after[0, 1].tolist() == [255] * 4


@pytest.mark.parametrize(
    ("ink", "share", "chart"),
    [(0, 0.02, True), ([0, 114, 178], 0.25, True), (0, 0.05, False), (120, 0.4, False), (0, 0.9, False)],
)
def test_a_chart_is_white_with_little_black_and_a_picture_of_digits_is_not(ink, share, chart, light):
    pixels = np.full((100, 100, 3), 255, np.uint8)
    pixels[: round(100 * share)] = ink
    assert light.is_chart(Image.fromarray(pixels)) is chart


def test_a_chart_says_in_its_tag_that_it_is_one(light, tmp_path):
    pictures = {"a.png": light.Picture((30, 20), True), "b.png": light.Picture((30, 20), False)}
    assert 'class="chart"' in light.sized('<img alt="x" src="a.png">', tmp_path, pictures)
    assert 'class="chart hero"' in light.sized('<img class="hero" src="a.png">', tmp_path, pictures)
    assert "chart" not in light.sized('<img src="b.png">', tmp_path, pictures)


def test_an_image_gets_its_size_unless_it_has_one(light, tmp_path):
    sizes = {"a.png": light.Picture((30, 20), False)}
    tag = light.sized('<img alt="x" src="../_images/a.png" />', tmp_path, sizes)
    assert 'width="30" height="20"' in tag and 'loading="lazy"' in tag
    assert light.sized('<img src="a.png" width="9">', tmp_path, sizes).count("width=") == 1
    (tmp_path / "b.svg").write_text('<svg viewBox="0 0 12.4 7">')
    assert 'width="12" height="7"' in light.sized('<img src="b.svg">', tmp_path, sizes)
    (tmp_path / "c.svg").write_text('<svg width="132" height="922"><marker viewBox="0 0 10 10"/></svg>')
    assert 'width="132" height="922"' in light.sized('<img src="c.svg">', tmp_path, sizes)
    assert "width" not in light.sized('<img src="none.svg">', tmp_path, sizes)


def asked(address, path, accepted):
    """Return the server's answer to a request, and its body."""
    connection = http.client.HTTPConnection("127.0.0.1", int(address.rstrip("/").rsplit(":")[-1]))
    connection.request("GET", path, headers={"Accept-Encoding": accepted})
    answer = connection.getresponse()
    return answer, answer.read()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text("seven " * 1000)
    (tmp_path / "site" / "a.webp").write_bytes(b"picture")
    (tmp_path / "secret.html").write_text("secret")
    make_link(tmp_path / "site" / "out.html", tmp_path / "secret.html")
    return tmp_path / "site"


def test_pages_are_compressed_for_those_who_can_read_it(folder):
    with serve_site.serving(folder) as address:
        for path in ("/", "/index.html?v=1"):
            answer, body = asked(address, path, "gzip")
            assert answer.getheader("Content-Encoding") == "gzip" and answer.getheader("Content-Type") == "text/html"
            assert len(body) < 200 and gzip.decompress(body).decode() == "seven " * 1000


@pytest.mark.parametrize(
    ("path", "accepted", "status", "body"),
    [
        ("/index.html", "", 200, b"seven " * 1000),
        ("/a.webp", "gzip", 200, b"picture"),
        ("/none.html", "gzip", 404, None),
        ("/out.html", "gzip", 404, None),
        ("/../secret.html", "gzip", 404, None),
    ],
)
def test_other_answers_are_as_before(path, accepted, status, body, folder):
    with serve_site.serving(folder) as address:
        answer, content = asked(address, path, accepted)
        assert answer.status == status and body in (None, content)
        assert answer.getheader("Content-Encoding") is None


def test_a_changed_file_is_compressed_anew(folder):
    first = serve_site.compressed(folder / "index.html", 1)
    (folder / "index.html").write_text("eight")
    assert gzip.decompress(serve_site.compressed(folder / "index.html", 2)) == b"eight" and first


def test_a_page_without_contents_on_its_right_is_wide_from_the_start(light):
    page = '<div class="bd-content"><p>text</p></div>'
    assert light.with_width(page) == '<div class="bd-content wide"><p>text</p></div>'
    beside = page + '<div class="bd-sidebar-secondary"></div>'
    assert light.with_width(beside) == beside
