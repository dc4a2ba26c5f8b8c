"""Command lines refuse in one sentence, and no name can write control characters to a terminal."""

import io
import sys

import pytest

from mnist_helpers._support import terminal


@pytest.mark.parametrize(
    "text, shown", [("a\nb", "a\\nb"), ("\x1b[31m", "\\x1b[31m"), ("naïve €", "naïve €"), ("\udcff", "\\udcff")]
)
def test_control_characters_are_escaped(text, shown):
    assert terminal.escape_control_characters(text) == shown


def test_letters_that_the_terminal_lacks_are_escaped(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    terminal.escape_unencodable()
    print("5 €", end="", flush=True)
    assert stream.buffer.getvalue() == b"5 \\u20ac"


@pytest.mark.parametrize("rank, code", [(None, True), ("0", True), ("1", False)])
def test_one_of_several_processes_prints(rank, code, monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    if rank is not None:
        monkeypatch.setenv("RANK", rank)
    assert terminal.is_main_process() == code


@pytest.mark.parametrize("text", ["0", "0.25", "+1", "2.5e-1"])
def test_a_number_in_its_range_is_read(text):
    assert terminal.number_between(text, 0, 1) == float(text)


@pytest.mark.parametrize("text", ["-0.1", "1.5", "nan", "inf", "0_1", "1.2.3", " 1", "", "\N{ARABIC-INDIC DIGIT ONE}"])
def test_what_is_no_number_in_the_range_is_refused(text):
    with pytest.raises(ValueError):
        terminal.number_between(text, 0, 1)


def test_a_bad_option_gets_one_sentence_and_exit_code_2(capsys):
    with pytest.raises(SystemExit) as end:
        terminal.Parser(prog="program").parse_args(["--unknown"])
    said = capsys.readouterr().err
    assert end.value.code == 2 and said.count("\n") == 1 and "--unknown" in said and said.endswith("see --help.\n")


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    "stream, bar", [(Terminal(), "[##########          ] 3 of 6"), (io.StringIO(), ""), (None, "")]
)
def test_progress_is_shown_in_a_terminal_only(stream, bar, monkeypatch):
    monkeypatch.setattr(sys, "stderr", stream)
    terminal.show_progress(3, 6)
    terminal.remove_progress()
    shown = f"{terminal.WIPE}{bar}{terminal.WIPE}" if bar else ""
    assert stream is None or stream.getvalue() == shown


def test_a_single_file_needs_no_bar(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    terminal.show_progress(0, 1)
    assert sys.stderr.getvalue() == ""
