"""The command and the function that read image files, and what they refuse."""

import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import asdict

import numpy as np
import onnx
import pytest
import reading
from PIL import Image, ImageDraw

from mnist_helpers import CourseError, data, drawing, predict, view
from mnist_helpers._support.paths import COURSE as ROOT
from mnist_helpers._support.terminal import WIPE
from mnist_helpers.predict import MODEL, Reader, read_digits
from tests.support.refusal import refused


@pytest.fixture(scope="module")
def reader():
    return Reader()


@pytest.fixture
def folder(tmp_path):
    """A folder with a drawn 7, a drawn 1 in another format, and a file that is no image."""
    seven = Image.new("L", (300, 400), 255)
    ImageDraw.Draw(seven).line([(60, 80), (205, 85), (120, 260)], fill=0, width=22, joint="curve")
    seven.save(tmp_path / "seven.PNG")
    one = Image.new("RGB", (90, 90), "navy")
    ImageDraw.Draw(one).line([(52, 15), (45, 70)], fill="white", width=7)
    one.save(tmp_path / "one.jpg", quality=95)
    (tmp_path / "notes.txt").write_text("no image")
    return tmp_path


DRAWN = ROOT / "notebooks/images/drawn_digit.png"


def run(*arguments):
    """Run the command in this process, which takes a hundredth of the time of one of its own."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = predict.main(list(map(str, arguments)))
        except SystemExit as end:
            code = end.code
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


def run_alone(*arguments, **options):
    """Run the command in a process of its own."""
    command = [sys.executable, "-m", "mnist_helpers.predict", *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.run(command, cwd=ROOT, text=True, **pipes | options)


def sentence(text):
    """One line that ends like a sentence."""
    return text.endswith(".\n") and text.count("\n") == 1 and "Traceback" not in text


def test_command_needs_no_torch():
    code = "import sys, mnist_helpers.predict as p; p.read_digits(['notebooks/images/drawn_digit.png']); "
    code += "sys.exit(', '.join({'torch', 'torchvision', 'matplotlib', 'pandas'} & set(sys.modules)) or 0)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.integration
@pytest.mark.parametrize("options", [["--help"], ["--threshold", "2", "a.png"], ["missing.png"]])
def test_help_and_refusals_come_before_the_slowest_import(options):
    code = "import atexit, sys; from mnist_helpers import predict; "
    code += "atexit.register(lambda: print('scipy.ndimage' in sys.modules)); predict.main()"
    done = subprocess.run([sys.executable, "-c", code, *options], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "False", done.stderr


def test_function_reads_files_and_folders_in_order(folder):
    found = read_digits([folder, folder / "seven.PNG"])
    assert [answer.number for answer in found] == ["1", "7", "7"]
    for answer in found:
        [digit] = answer.digits
        assert sum(digit.probabilities) == pytest.approx(1, abs=1e-5)
        assert answer.confidence == max(digit.probabilities) == digit.probabilities[digit.digit] > 0.5
    with refused("notes.txt is no image"):
        read_digits([folder / "notes.txt"])


def test_command_prints_a_line_a_file(folder):
    done = run_alone(folder)
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [(digit, path) for digit, _, path in lines] == [("1", f"{folder}/one.jpg"), ("7", f"{folder}/seven.PNG")]
    assert all(50 < float(confidence.rstrip("%")) <= 100 for _, confidence, _ in lines)
    assert (done.returncode, done.stderr) == (0, "")


def test_json_is_what_the_function_returns(folder):
    done = run("--json", folder)
    assert json.loads(done.stdout) == json.loads(json.dumps([asdict(answer) for answer in read_digits([folder])]))


def test_what_can_be_read_is_answered_and_the_rest_reported(folder):
    paths = [folder / "none.png", folder / "seven.PNG", folder / "notes.txt"]
    done = run(*paths)
    assert done.returncode == 1 and done.stdout.startswith("7 ") and done.stdout.count("\n") == 1
    assert "none.png is not there" in done.stderr and "notes.txt is no image" in done.stderr
    assert done.stderr.count("\n") == 2 and "Traceback" not in done.stderr
    entries = json.loads(run("--json", *paths).stdout)
    assert ["error" in entry for entry in entries] == [True, False, True]


def blank(path):
    Image.new("L", (50, 50), 255).save(path)


NOTHING_TO_READ = {
    "no such file": (lambda path: None, "is not there"),
    "no image": (lambda path: path.write_text("seven"), "is no image"),
    "blank": (blank, "shows no digit"),
    "a folder without images": (lambda path: path.mkdir(), "is a folder without images"),
}


@pytest.mark.parametrize("kind", NOTHING_TO_READ)
def test_nothing_to_read_gets_one_sentence(kind, tmp_path):
    make, words = NOTHING_TO_READ[kind]
    make(tmp_path / "digit.png")
    done = run(tmp_path / "digit.png")
    assert done.returncode == 2 and done.stdout == ""
    assert sentence(done.stderr) and words in done.stderr


def test_names_cannot_write_to_the_terminal(folder):
    name = "a\nb\x1b[31m\N{RIGHT-TO-LEFT OVERRIDE}.png"
    (folder / "seven.PNG").rename(folder / name)
    done = run(folder / name, folder / f"missing {name}")
    assert "a\\nb\\x1b[31m\\u202e.png" in done.stdout and "a\\nb\\x1b[31m\\u202e.png" in done.stderr
    assert "\x1b" not in done.stdout + done.stderr and (done.stdout + done.stderr).count("\n") == 2
    assert json.loads(run("--json", folder / name).stdout)[0]["file"] == str(folder / name)


def test_names_beyond_the_terminals_letters_are_printed(folder):
    (folder / "seven.PNG").rename(folder / "sieben \N{SNOWMAN}.png")
    done = run_alone(folder / "sieben \N{SNOWMAN}.png", env={"PYTHONIOENCODING": "ascii", "PYTHONPATH": str(ROOT)})
    assert (done.returncode, done.stderr) == (0, "") and "sieben \\u2603.png" in done.stdout


def test_a_network_of_ones_own_is_named_as_unchecked(tmp_path):
    shutil.copy(MODEL, tmp_path / "own.onnx")
    done = run("--model", tmp_path / "own.onnx", DRAWN)
    assert done.returncode == 0 and done.stdout.startswith("2 ")
    assert sentence(done.stderr) and "own.onnx has no published digest" in done.stderr
    assert run("--model", MODEL, DRAWN).stderr == ""


def changed(path, change):
    """A copy of the shipped network, after `change`."""
    model = onnx.load(MODEL)
    change(model)
    path.write_bytes(model.SerializeToString())


def give_what_are_no_probabilities(model):
    """Leave out the last step, so that log-probabilities come out under the name of probabilities."""
    last = model.graph.node[-1]
    assert last.op_type == "Exp"
    last.op_type = "Identity"


def test_answers_that_are_no_probabilities_are_refused(tmp_path):
    changed(tmp_path / "net.onnx", give_what_are_no_probabilities)
    with refused("probabilities that add up to 1"):
        Reader(tmp_path / "net.onnx").probabilities(np.zeros((2, 28, 28), np.uint8))


@pytest.mark.parametrize("bad", [np.zeros((1, 28, 28)), np.zeros((28, 28), np.uint8), [[0]]])
def test_images_of_another_kind_are_refused(bad, reader):
    with refused("a NumPy array was expected"):
        reader.probabilities(bad)


@pytest.mark.integration
def test_shipped_file_says_what_it_is_and_reads_as_well_as_it_says(reader):
    assert MODEL.stat().st_size < 1_000_000
    said = reader.metadata
    assert said["classes"].split() == [str(digit) for digit in range(10)]
    assert (float(said["mean"]), float(said["std"])) == (data.MEAN, data.STD)
    assert {"input", "output", "recipe", "seed", "licence", "torch", "how measured"} <= said.keys()
    images, labels = data.load_raw("test")
    batches = [reader.probabilities(batch.numpy()) for batch in images.split(500)]
    correct = (np.concatenate(batches).argmax(axis=1) == labels.numpy()).sum()
    assert abs(correct - int(said["test images read right"].split()[0])) <= 2  # rounding differs between processors


@pytest.fixture
def number(tmp_path):
    """A picture of the test digits 7, 2, 1 and 0 beside each other, dark on lined paper."""
    digits = np.hstack([np.kron(digit, np.ones((4, 4), np.uint8)) for digit in data.load_raw("test")[0][:4].numpy()])
    paper = np.full((300, 500), 230, np.uint8)
    paper[20:300:40] = 170
    written = paper[90 : 90 + 112, 20 : 20 + 448]
    np.minimum(written, 255 - np.minimum(digits, 225), out=written)
    Image.fromarray(paper).save(tmp_path / "number.png")
    return tmp_path / "number.png"


def test_several_digits_are_read_in_order_with_their_boxes(number):
    done = run(number)
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.split()[0] == "7210"
    (entry,) = json.loads(run("--json", number).stdout)
    assert entry["number"] == "7210" and entry["confidence"] == min(digit["confidence"] for digit in entry["digits"])
    lefts = [digit["box"][1] for digit in entry["digits"]]
    assert lefts == sorted(lefts) and all(len(digit["probabilities"]) == 10 for digit in entry["digits"])


def test_a_space_stands_between_numbers_on_two_lines_and_far_apart(reader, tmp_path):
    seven, two, one, zero = data.load_raw("test")[0][:4].numpy()
    sheet = reading.Sheet(np.random.default_rng(1))
    for top, left, digit in ((80, 60, seven), (85, 140, two), (75, 360, one), (240, 80, zero), (230, 160, seven)):
        sheet.write(digit, 70, top, left)
    Image.fromarray(sheet.photograph()).save(tmp_path / "numbers.png")
    answer = reader.read(tmp_path / "numbers.png")
    assert answer.number == "72 1 07" and len(answer.digits) == 5
    assert run(tmp_path / "numbers.png").stdout.startswith("72 1 07  ")


def test_digits_that_are_not_sure_are_question_marks(number):
    entry = json.loads(run("--json", number).stdout)[0]
    between = np.mean(sorted(digit["confidence"] for digit in entry["digits"])[:2])
    done = run("--threshold", str(between), number)
    least = int(np.argmin([digit["confidence"] for digit in entry["digits"]]))
    assert done.stdout.split()[0] == "7210"[:least] + "?" + "7210"[least + 1 :]
    assert f"(unsure: {'7210'[least]} or " in done.stdout and done.returncode == 0


def test_a_picture_of_which_nothing_is_sure_has_no_digit(number):
    done = run("--threshold", "1", number)
    assert (done.returncode, done.stdout) == (2, "") and "no digit that the network is sure of" in done.stderr


@pytest.mark.parametrize("angle", [90, 270])
def test_a_number_that_lies_on_its_side_is_refused(angle, number, reader):
    Image.open(number).rotate(angle, expand=True).save(number)
    with refused("seems to lie on its side", "digits are upright"):
        reader.read(number)


@pytest.mark.parametrize("threshold", ["-0.1", "1.5", "nan", "much", "0_1", "\N{ARABIC-INDIC DIGIT ZERO}"])
def test_a_threshold_that_is_no_probability_is_refused(threshold, number):
    done = run(f"--threshold={threshold}", number)
    assert done.returncode == 2 and done.stdout == "" and sentence(done.stderr) and "from 0 to 1" in done.stderr


def test_a_threshold_in_the_file_that_is_no_probability_is_refused(tmp_path):
    changed(tmp_path / "net.onnx", lambda model: onnx.helper.set_model_props(model, {"threshold": "high"}))
    with refused("stores the threshold 'high'"):
        Reader(tmp_path / "net.onnx")


def test_a_shape_far_wider_than_high_is_not_sure(reader, tmp_path):
    bar = np.full((200, 400), 230, np.uint8)
    bar[90:110, 80:320] = 20
    Image.fromarray(bar).save(tmp_path / "bar.png")
    try:
        assert reader.read(tmp_path / "bar.png").number == "?"
    except CourseError as error:
        assert "no digit that the network is sure of" in str(error)
    (shape,) = Reader(threshold=0.0).digits(drawing.find_digits(bar))
    assert not shape.sure  # whatever the network says


def test_a_view_shows_boxes_and_what_the_network_saw(number, tmp_path):
    done = run("--save-view", tmp_path / "views", number)
    assert done.returncode == 0
    with Image.open(tmp_path / "views" / "number.png.view.png") as image:
        colours = {colour for _, colour in image.getcolors(100_000)}
        assert image.height > 300 and view.SURE in colours and view.UNSURE not in colours
    (tmp_path / "file").touch()
    done = run("--save-view", tmp_path / "file", number)
    assert done.returncode == 2 and "cannot be written" in done.stderr


@pytest.fixture
def scan(number, tmp_path):
    """A TIFF of three pages: a number, blank paper, the number again."""
    with Image.open(number) as page:
        page.save(tmp_path / "scan.tif", save_all=True, append_images=[Image.new("L", page.size, 255), page])
    return tmp_path / "scan.tif"


def test_all_pages_are_read_and_named(scan, tmp_path):
    done = run("--save-view", tmp_path / "views", scan)
    lines = [line.split(maxsplit=2) for line in done.stdout.splitlines()]
    assert [(number, name) for number, _, name in lines] == [("7210", f"{scan} page 1"), ("7210", f"{scan} page 3")]
    assert done.returncode == 1 and sentence(done.stderr) and "scan.tif page 2 shows no digit" in done.stderr
    assert {path.name for path in (tmp_path / "views").iterdir()} == {f"scan.tif.page{n}.view.png" for n in (1, 2, 3)}
    entries = json.loads(run("--json", scan).stdout)
    assert [(entry["file"], entry["page"]) for entry in entries] == [(str(scan), page) for page in (1, 2, 3)]


def test_the_function_reads_all_pages_and_stops_at_a_bad_one(scan, number):
    with refused("scan.tif page 2 shows no digit"):
        read_digits([scan])
    with Image.open(number) as page:
        page.save(scan, save_all=True, append_images=[page])
    assert [(answer.number, answer.page, answer.pages) for answer in read_digits([scan])] == [
        ("7210", 1, 2),
        ("7210", 2, 2),
    ]


def test_folders_in_a_folder_are_read_when_asked(number, tmp_path):
    inner = tmp_path / "inner" / "deep"
    inner.mkdir(parents=True)
    number.rename(inner / "number.png")
    (tmp_path / "inner" / ".hidden").mkdir()
    shutil.copy(inner / "number.png", tmp_path / "inner" / ".hidden")
    assert run(tmp_path).returncode == 2
    assert run("--recursive", tmp_path).stdout.split() == ["7210", *run("--recursive", tmp_path).stdout.split()[1:]]
    assert run("--recursive", tmp_path).stdout.count("\n") == 1


@pytest.mark.parametrize(
    "name, words",
    [
        ("photo.HEIC", "pillow-heif"),
        ("scan.pdf", "save its pages as PNG"),
        ("https://host/photo.png", "https://host/photo.png is an address, but a file was expected"),
    ],
)
def test_what_cannot_be_read_is_named_and_never_skipped(name, words, folder):
    if "/" not in name:
        (folder / name).write_bytes(b"not a picture that Pillow knows")
    done = run(*([folder] if "/" not in name else [folder, name]))
    assert done.returncode == 1 and done.stdout.count("\n") == 2
    assert sentence(done.stderr) and words in done.stderr


def test_thirty_drawn_digits_are_read(tmp_path):
    from tests.browser.strokes import HANDS, digits

    wrong = []
    for name, digit, strokes in [(hand, *each) for hand in HANDS for each in digits(hand)]:
        paper = Image.new("L", (280, 280), 255)
        for stroke in strokes:
            ImageDraw.Draw(paper).line([tuple(place) for place in stroke], fill=0, width=18, joint="curve")
        paper.save(tmp_path / f"{name}_{digit}.png")
    for answer in read_digits([tmp_path]):
        if not answer.file.endswith(f"_{answer.digits[0].digit}.png"):
            wrong.append(answer)
    assert len(wrong) <= 1, wrong


def test_a_folder_that_holds_images_in_capital_letters_is_read(folder):
    assert [path.name for path in predict.files(folder)] == ["one.jpg", "seven.PNG"]


def test_hidden_files_of_macos_are_passed_over(folder):
    (folder / "._seven.PNG").write_bytes(b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X")
    done = run(folder)
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.count("\n") == 2
    assert run(folder / "._seven.PNG").returncode == 2  # whoever names it hears about it


def started(*arguments):
    command = [sys.executable, "-m", "mnist_helpers.predict", *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.integration
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_closed_pipe_ends_the_command_without_a_traceback(options, folder):
    job = started(*options, *[folder / "seven.PNG"] * 50)
    job.stdout.close()  # as `| head` does
    assert job.stderr.read() == "" and job.wait(60) == 1


@pytest.mark.integration
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has the device /dev/full")
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_answers_that_cannot_be_written_are_one_sentence(options, folder):
    with open("/dev/full", "w") as full:
        done = run_alone(*options, folder, stdout=full)
    assert done.returncode == 1 and sentence(done.stderr) and "the answers cannot be printed" in done.stderr


@pytest.mark.integration
@pytest.mark.skipif(os.name == "nt", reason="a shell of Unix closes the output")
def test_a_closed_output_is_named_before_anything_is_read(folder):
    script = '"$0" -m mnist_helpers.predict "$1" >&-'
    done = subprocess.run(["sh", "-c", script, sys.executable, folder], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2 and sentence(done.stderr) and "it is closed" in done.stderr


@pytest.mark.integration
@pytest.mark.skipif(os.name == "nt", reason="Windows has no pseudo-terminals")
def test_a_terminal_shows_how_far_a_folder_is_and_a_pipe_does_not(folder):
    import pty

    ours, theirs = pty.openpty()
    done = run_alone(folder, stderr=theirs)
    os.close(theirs)
    assert done.returncode == 0 and done.stdout.count("\n") == 2 and "\r" not in done.stdout
    shown = os.read(ours, 10_000).decode()
    os.close(ours)
    assert "0 of 2" in shown and "1 of 2" in shown and shown.endswith(WIPE) and "\x1b" not in shown
    assert run_alone(folder).stderr == ""


@pytest.mark.integration
@pytest.mark.skipif(os.name == "nt", reason="Windows sends Ctrl+C to all processes of a console")
def test_ctrl_c_gets_no_traceback(folder):
    job = started(*[folder / "seven.PNG"] * 5000)
    assert job.stdout.readline().startswith("7 ")
    job.send_signal(signal.SIGINT)
    _, said = job.communicate(timeout=60)
    assert (job.returncode, said) == (-signal.SIGINT, "")  # which a shell calls 130
