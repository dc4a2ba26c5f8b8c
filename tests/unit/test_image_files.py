"""All pages of image files are read, and what is no image file is refused in one sentence before it is read."""

import os
import warnings

import numpy as np
import pytest
from PIL import Image, ImageDraw

from mnist_helpers import image_files
from mnist_helpers.image_files import Page, pages, read_grey
from tests.support.links import make_link
from tests.support.refusal import refused


@pytest.fixture
def steps():
    """Three pictures, each with a line at another place."""
    pictures = []
    for row in (20, 50, 80):
        picture = Image.new("L", (120, 100), 255)
        ImageDraw.Draw(picture).line([(10, row), (110, row)], fill=0, width=5)
        pictures.append(picture)
    return pictures


@pytest.mark.parametrize("suffix", ["tiff", "gif", "png", "webp"])
def test_all_pages_of_a_file_are_listed_and_read(suffix, steps, tmp_path):
    path = tmp_path / f"steps.{suffix}"
    steps[0].save(path, save_all=True, append_images=steps[1:], lossless=True)
    found = pages(path)
    assert found == [Page(path, number, 3) for number in (1, 2, 3)]
    assert str(found[1]) == f"{path} page 2"
    for page, step in zip(found, steps):
        assert np.abs(read_grey(page).astype(int) - np.asarray(step)).max() < 10


def test_a_file_of_one_page_has_the_name_of_the_file(steps, tmp_path):
    steps[0].save(tmp_path / "one.png")
    assert [str(page) for page in pages(tmp_path / "one.png")] == [str(tmp_path / "one.png")]


def test_the_preview_in_a_photo_is_no_page(steps, tmp_path):
    steps[0].save(tmp_path / "photo.jpg", format="MPO", save_all=True, append_images=steps[1:])
    assert len(pages(tmp_path / "photo.jpg")) == 1


def test_a_page_that_is_missing_is_named(steps, tmp_path):
    path = tmp_path / "torn.tiff"
    steps[0].save(path, save_all=True, append_images=steps[1:])
    path.write_bytes(path.read_bytes()[:-5000])
    read_grey(pages(path)[0])
    with refused("torn.tiff page 3 is no image"):
        read_grey(pages(path)[2])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such pipes")
def test_a_pipe_and_a_device_are_refused_before_they_are_read(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    for path in (tmp_path / "pipe.png", "/dev/zero", "/dev/null"):  # opening the pipe would never end
        with refused("is a pipe or a device"):
            read_grey(path)


@pytest.mark.skipif(os.name == "nt", reason="Windows does not say what is wrong with the link")
def test_a_link_to_itself_is_told_as_one(tmp_path):
    make_link(tmp_path / "loop.png", tmp_path / "loop.png")
    with refused("is a link that leads back to itself"):
        read_grey(tmp_path / "loop.png")


@pytest.mark.parametrize("read", [read_grey, pages])
@pytest.mark.parametrize(
    "path, words",
    [
        ("https://host/a.png", "https://host/a.png is an address"),
        ("http://host/a.png", "http://host/a.png is an address"),
        ("ftp://host/a.png", "ftp://host/a.png is an address"),
        ("no/such.png", "is not there"),
        ("n" * 5000 + ".png", "is not there"),
        ("null\0.png", "is not there"),
        (".", "is a folder"),
    ],
)
def test_what_is_no_file_is_named(read, path, words):
    with refused(words):
        read(path)


@pytest.mark.parametrize(
    "error, words",
    [
        (PermissionError(13, "Permission denied"), "may not be opened by you"),
        (MemoryError(), "more memory than is free"),
        (Image.DecompressionBombWarning(), "too large"),
        (OSError(5, "Input/output error"), "is no image"),
    ],
)
def test_each_reason_has_a_sentence_of_its_own(error, words, steps, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise error

    steps[0].save(tmp_path / "digit.png")
    monkeypatch.setattr(Image, "open", fail)
    with refused(words):
        read_grey(tmp_path / "digit.png")


def test_a_folder_that_may_not_be_opened_is_named(monkeypatch):
    def fail(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "stat", fail)
    with refused("in a folder that you may not open"):
        read_grey("closed/digit.png")


def test_pillow_does_not_warn_about_what_is_refused(steps, tmp_path):
    path = tmp_path / "torn.tiff"
    steps[0].save(path)
    path.write_bytes(path.read_bytes()[:100])  # a part of the tags
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        with pytest.raises(OSError), Image.open(path) as image:
            image.load()
        assert said  # so Pillow does warn about this file
        said.clear()
        with refused("is no image"):
            read_grey(path)
        assert not said


def test_pillow_logs_nothing_about_what_is_refused(steps, tmp_path, caplog):
    path = tmp_path / "bad.tiff"
    steps[0].convert("RGB").save(path)
    content = bytearray(path.read_bytes())
    entry = content.index(b"\x15\x01\x03\x00")  # the tag SamplesPerPixel, of type SHORT
    content[entry + 8] = 99
    path.write_bytes(content)
    with pytest.raises(OSError):
        Image.open(path)
    assert caplog.records  # so Pillow does log something about this file
    caplog.clear()
    with refused("is no image"):
        read_grey(path)
    assert not caplog.records


def test_libtiff_says_nothing_about_what_is_refused(steps, tmp_path, capfd):
    path = tmp_path / "bad.tiff"
    steps[0].save(path, compression="tiff_lzw")
    content = bytearray(path.read_bytes())
    content[12:112] = 100 * b"\xff"  # codes that LZW does not know yet
    path.write_bytes(content)
    with pytest.raises(OSError), Image.open(path) as image:
        image.load()
    assert capfd.readouterr().err  # so libtiff does say something about this file
    with refused("is no image"):
        read_grey(path)
    os.write(2, b"and what follows is heard")
    assert capfd.readouterr().err == "and what follows is heard"


def test_pictures_of_other_formats_get_a_remedy_of_their_own(tmp_path):
    for suffix, remedy in image_files.OTHER_SUFFIXES.items():
        (tmp_path / f"a{suffix}").write_bytes(b"no image")
        with refused(remedy):
            read_grey(tmp_path / f"a{suffix}")
