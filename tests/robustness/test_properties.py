"""Whatever is given to what takes input: an answer comes back, or one sentence, and never another error.

A few examples each, the same ones every time. To draw many anew:
`EXAMPLES=10000 python -m pytest tests/robustness/test_properties.py`.
"""

import contextlib
import importlib
import io
import os
import re
import zipfile

import numpy as np
import onnx
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from mnist_helpers import CourseError, checkpoints, data, drawing, export, predict
from mnist_helpers._support.paths import COURSE as ROOT
from mnist_helpers.exercises import isolation
from mnist_helpers.exercises.judging import CORRECT, NOT_ATTEMPTED, NOT_YET, verdict
from mnist_helpers.network import Net
from mnist_helpers.recipes import Recipe
from mnist_helpers.trainer import cli as train
from mnist_helpers.trainer import run as runs
from mnist_helpers.trainer import run_checkpoint
from mnist_helpers.training import History
from tests.exercises.mutants import CHAPTERS
from tests.support.refusal import refused

EXAMPLES = int(os.environ.get("EXAMPLES", 0))
settings.register_profile(
    "course",
    max_examples=EXAMPLES or 20,
    derandomize=not EXAMPLES,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
)
settings.load_profile("course")

SENTENCE = re.compile(r"[^\n]+\.")


def attempted(call, *arguments):
    """Return what the call gives, or None where it refuses in one sentence; every other error is let through."""
    try:
        return call(*arguments)
    except CourseError as error:
        assert SENTENCE.fullmatch(str(error)), str(error)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A file name that each example writes anew."""
    return tmp_path_factory.mktemp("properties") / "input"


def mutated(*contents):
    """Files that were cut, or changed, or grew, in some places: most in their first bytes, which say what they are."""
    edits = st.lists(
        st.tuples(st.integers(0, 2**20) | st.integers(0, 2000), st.integers(0, 8), st.binary(max_size=8)), max_size=6
    )

    def change(content, edits, end):
        content = bytearray(content)
        for start, length, new in edits:
            start %= len(content) + 1
            content[start : start + length] = new
        return bytes(content[: len(content) - end])

    return st.builds(change, st.sampled_from(contents), edits, st.just(0) | st.integers(0, 500))


# images

MODES = [
    "1",
    "L",
    "P",
    "PA",
    "LA",
    "La",
    "RGB",
    "RGBA",
    "RGBa",
    "CMYK",
    "YCbCr",
    "HSV",
    "LAB",
    "I",
    "F",
    "I;16",
    "I;16B",
]
KINDS = ["PNG", "TIFF", "JPEG", "GIF", "BMP", "PPM", "WEBP"]
SAVED = [("1", "PNG"), ("P", "GIF"), ("I;16", "PNG"), ("RGB", "JPEG"), ("L", "BMP"), ("RGBA", "WEBP"), ("F", "TIFF")]


def some_array(max_side=40):
    """Arrays of every kind of number, text and object, of up to three dimensions, empty ones among them."""
    kinds = arrays.scalar_dtypes() | arrays.unicode_string_dtypes(max_len=3) | st.just(np.dtype(object))
    shapes = arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=max_side)
    objects = st.none() | st.integers() | st.text(max_size=3)
    return kinds.flatmap(lambda kind: arrays.arrays(kind, shapes, elements=objects if kind.hasobject else None))


PIXELS = arrays.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=60)


@pytest.mark.filterwarnings("error")
@given(arrays.arrays(np.uint8, PIXELS, elements=st.sampled_from([0, 10, 127, 128, 255])))
def test_the_digits_of_any_picture_and_of_any_drawing_are_prepared(pixels):
    for digit in [*drawing.find_digits(pixels), *drawing.digits_of_drawing(pixels)]:
        top, left, height, width = digit.box
        assert top >= 0 and left >= 0 and top + height <= pixels.shape[0] and left + width <= pixels.shape[1]
        assert (digit.picture.shape, digit.picture.dtype, digit.picture.max()) == ((28, 28), np.uint8, 255)


def image_of(mode, width, height, content):
    """An image of this mode and size, filled with some bytes over and over."""
    size = len(Image.new(mode, (width, height)).tobytes())
    return Image.frombytes(mode, (width, height), (content * (size // len(content) + 1))[:size])


IMAGES = st.builds(image_of, st.sampled_from(MODES), st.integers(1, 600), st.integers(1, 60), st.binary(min_size=1))


@pytest.mark.filterwarnings("error")
@given(IMAGES, st.sampled_from(KINDS))
def test_an_image_of_any_mode_is_read_or_refused(place, image, kind):
    try:
        image.save(place, kind)
    except (OSError, ValueError):  # a mode that this kind of file cannot hold
        return
    picture = attempted(drawing.read_image, place)
    assert picture is None or (picture.shape, picture.dtype) == ((28, 28), np.uint8)


def saved_images():
    """Small image files of every kind that is read."""
    for mode, kind in SAVED:
        file = io.BytesIO()
        image_of(mode, 30, 40, bytes(range(0, 251, 7))).save(file, kind)
        yield file.getvalue()


@pytest.mark.filterwarnings("ignore")  # Pillow tells of what is damaged
@given(mutated(*saved_images()) | st.binary())
def test_a_damaged_image_is_read_or_refused(place, content):
    place.write_bytes(content)
    picture = attempted(drawing.read_image, place)
    assert picture is None or (picture.shape, picture.dtype) == ((28, 28), np.uint8)


# checkpoints

SMALL = Recipe("two blocks", width=2, hidden=0, batch_norm=True, optimizer="AdamW", one_cycle=True, ema=0.9, epochs=1)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=4)
    | st.just(torch.zeros(3))
    | st.just(torch.zeros(2, dtype=torch.uint8)),
    lambda parts: (
        st.lists(parts, max_size=3)
        | st.lists(parts, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=4) | st.integers(), parts, max_size=3)
    ),
    max_leaves=6,
)


def written(content):
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


def a_run():
    """A run of a small network on 20 images that are nearly black."""
    images = torch.zeros(20, 1, 28, 28).to(memory_format=torch.channels_last)
    return runs.Run(SMALL, images, torch.zeros(20, dtype=torch.int64), seed=1)


@pytest.fixture(scope="module")
def sound(place):
    """What the three kinds of checkpoint files hold."""
    model, run = Net(), a_run()
    checkpoints.save(place, model, torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.5), History())
    first = torch.load(place, weights_only=True)
    run_checkpoint.save_model(place, run.recipe, run.average.module)
    network = torch.load(place, weights_only=True)
    return {"net": first, "run": {"run": {}, "made_with": {}, **run.state()}, "network": network}


def go_on(run, content):
    """Make one step after the state that was read: what is taken must also work."""
    run.restore(content)
    next(run.train(), None)


def open_all(place):
    """Read a file in every way that a checkpoint is read."""
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.5)
    attempted(checkpoints.load, place, model, optimizer)
    content = attempted(run_checkpoint.load_run, place, lambda line: None)
    if content is not None:
        attempted(go_on, a_run(), content)
    attempted(run_checkpoint.load_model, place)


@given(st.data())
def test_a_damaged_checkpoint_is_read_or_refused(place, sound, data):
    kept = torch.get_rng_state()
    content = written(sound[data.draw(st.sampled_from(sorted(sound)))])
    place.write_bytes(data.draw(mutated(content) | st.binary()))
    open_all(place)
    torch.set_rng_state(kept)


@given(st.dictionaries(st.text("abc./\\é", min_size=1) | st.sampled_from(["net/data.pkl", "net/version"]), st.binary()))
def test_a_zip_with_other_content_is_read_or_refused(place, files):
    with zipfile.ZipFile(place, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    open_all(place)


def change_somewhere(content, draw):
    """Put some value, or some name, in the place of a part of the content, however deep."""
    if isinstance(content, dict) and content and draw(st.integers(0, 3)):
        key = draw(st.sampled_from(list(content)))
        if draw(st.integers(0, 3)):
            return {**content, key: change_somewhere(content[key], draw)}
        other = draw(st.none() | st.integers() | st.text(max_size=4) | st.tuples(st.integers()))
        return {other if name == key else name: value for name, value in content.items()}
    if isinstance(content, (list, tuple)) and content and draw(st.integers(0, 3)):
        place = draw(st.integers(0, len(content) - 1))
        return type(content)([*content[:place], change_somewhere(content[place], draw), *content[place + 1 :]])
    if isinstance(content, dict) and draw(st.booleans()):
        return {**content, **draw(st.dictionaries(st.text(max_size=4) | st.integers(), VALUES, max_size=2))}
    return draw(VALUES)


@given(st.data())
def test_a_checkpoint_with_other_values_is_read_or_refused(place, sound, data):
    kept = torch.get_rng_state()
    content = sound[data.draw(st.sampled_from(sorted(sound)))]
    torch.save(change_somewhere(content, data.draw), place)
    open_all(place)
    torch.set_rng_state(kept)


def test_a_choice_that_is_neither_true_nor_false_is_refused(place, sound):  # found by 10,000 examples
    network = sound["network"]
    torch.save({**network, "recipe": {**network["recipe"], "tta": torch.ones(2)}}, place)
    with refused("holds no network of this course"):
        run_checkpoint.load_model(place)


# ONNX files


def shipped():
    return [path.read_bytes() for path in sorted((ROOT / "models").glob("*.onnx"))]


def open_network(place):
    """Read a file in every way that a network is read, and run what can be run."""
    attempted(export.operators, place)
    attempted(export.run_onnx, place, torch.zeros(2, 1, 28, 28))
    reader = attempted(predict.Reader, place, 1)
    if reader is not None:
        attempted(reader.probabilities, np.zeros((2, 28, 28), np.uint8))


@given(mutated(*shipped()) | st.binary())
def test_a_damaged_network_is_read_or_refused(place, content):
    place.write_bytes(content)
    open_network(place)


OPERATORS = st.sampled_from(["Exp", "Relu", "Identity", "Flatten", "Softmax", "Cast", "Reshape", "Loop", "If", "None"])


@given(st.data())
def test_a_network_with_other_parts_is_read_or_refused(place, data):
    model = onnx.load_from_string(data.draw(st.sampled_from(shipped())))
    node = model.graph.node[data.draw(st.integers(0, len(model.graph.node) - 1))]
    value = model.graph.input[0] if data.draw(st.booleans()) else model.graph.output[0]
    changes = {
        "operator": lambda: setattr(node, "op_type", data.draw(OPERATORS)),
        "attributes": lambda: node.ClearField("attribute"),
        "inputs": lambda: node.ClearField("input"),
        "type": lambda: setattr(value.type.tensor_type, "elem_type", data.draw(st.integers(-1, 30))),
        "shape": lambda: value.type.tensor_type.ClearField("shape"),
        "no tensor": lambda: value.type.ClearField("tensor_type"),
        "outputs": lambda: model.graph.ClearField("output"),
        "weights": lambda: model.graph.ClearField("initializer"),
        "version": lambda: setattr(model.opset_import[0], "version", data.draw(st.integers(-(2**62), 2**62))),
        "a second output": lambda: model.graph.output.add().CopyFrom(model.graph.output[0]),
    }
    for name in data.draw(st.lists(st.sampled_from(sorted(changes)), min_size=1, max_size=3)):
        changes[name]()
    place.write_bytes(model.SerializeToString())
    open_network(place)


# command lines


def said_by(main, arguments):
    """Run a command; returns its exit code and what it wrote on stderr."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", newline="") for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(arguments)
        except SystemExit as end:
            code = end.code
    for stream in (out, err):
        stream.flush()
    return code, err.buffer.getvalue().decode()


def argument_lists(*options):
    """Lists of options, values and whatever else a terminal can give: it cannot give a zero byte."""
    text = st.text(st.characters(blacklist_characters="\0"), max_size=8)
    numbers = st.integers().map(str) | st.floats().map(str)
    paths = st.sampled_from(["a" * 300, "/dev/null", "/", "", ".", "/proc/self/mem", "a\nb", "\x1b[31m", "~"])
    alone = st.sampled_from(options) | text | numbers | paths
    joined = st.builds("{}={}".format, st.sampled_from(options), text | numbers)
    return st.lists(alone | joined, max_size=6)


TRAIN = [
    "--recipe",
    "--epochs",
    "--batch-size",
    "--learning-rate",
    "--seed",
    "--device",
    "--output",
    "--resume",
    "--test",
    "--help",
]
DRAWN = str(ROOT / "notebooks" / "images" / "drawn_digit.png")


@given(argument_lists(*TRAIN, "good", "cpu", "cuda", "meta"))
@example(["a\nb"])
@example(["--output", "a" * 300])
@example(["--device", "\n"])
def test_every_command_line_of_train_is_taken_or_refused_in_one_sentence(place, arguments):
    def stop(*_):
        raise CourseError("the training would begin here.")

    with pytest.MonkeyPatch.context() as patch, contextlib.chdir(place.parent):
        patch.setattr(data, "load", stop)
        code, said = said_by(train.main, arguments)
    assert code == 2 and re.fullmatch(r"[^\n]+\.\n", said) and said[:-1].isprintable() or (code, said) == (0, "")


@given(argument_lists("--json", "--model", "--help", DRAWN, "none.png"))
@example(["a\nb"])
@example(["--a\nb", "c"])
@example(["a" * 300])
def test_every_command_line_of_predict_is_taken_or_refused(place, arguments):
    with contextlib.chdir(place.parent):
        code, said = said_by(predict.main, arguments)
    assert code in (0, 1, 2) and bool(said) == (code != 0)
    for line in said.splitlines():
        assert line.endswith(".") and line.isprintable()


# exercises

TABLES = {name: importlib.import_module(f"tests.exercises.{name}") for name in CHAPTERS}
LONG = {"train_to_goal", "export_and_compare"}  # seconds for each check
ALL = [
    pytest.param(exercise, marks=[pytest.mark.slow] * (exercise.name in LONG), id=exercise.name)
    for table in TABLES.values()
    for exercise in table.exercises
]


class Hostile:
    """An object that raises an error when anything is asked of it."""

    def _raise(self, *arguments):
        raise ArithmeticError("no")

    __eq__ = __len__ = __iter__ = __float__ = __array__ = __bool__ = __getitem__ = __hash__ = __repr__ = _raise


def a_tensor(kind, shape, number):
    return torch.full(shape, number, dtype=torch.float64).to(kind)


DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.int64, torch.uint8, torch.bool, torch.complex64]
SHAPES = st.lists(st.sampled_from([0, 1, 2, 3, 10, 28]), max_size=4)
RETURNED = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.complex_numbers()
    | st.text(max_size=5)
    | st.binary(max_size=5)
    | some_array(max_side=5)
    | st.builds(a_tensor, st.sampled_from(DTYPES), SHAPES, st.integers(0, 10) | st.floats())
    | st.builds(Hostile)
    | st.sampled_from([object(), int, len, range(3), Net(), torch.float32, torch.device("cpu"), Image.new("L", (3, 3))])
    | st.sampled_from([torch.eye(3).to_sparse(), torch.zeros(2, device="meta"), torch.ones(2, requires_grad=True)]),
    lambda parts: (
        st.lists(parts, max_size=4)
        | st.lists(parts, max_size=4).map(tuple)
        | st.lists(parts, max_size=4).map(iter)
        | st.dictionaries(st.text(max_size=3) | st.integers(), parts, max_size=3)
        | st.sets(st.integers(), max_size=3)
    ),
    max_leaves=5,
)


def answers(exercise):
    """Functions that give one value, or several in turn, or the right answer at first."""
    values = st.lists(RETURNED, min_size=1, max_size=3)

    def answer(values, right):
        left = [None] * right + list(values)

        def function(*arguments):
            if len(left) > len(values):
                left.pop()
                return exercise.run_solution(*arguments)
            values.append(values.pop(0))
            return values[-1]

        return function

    return st.builds(answer, values, st.integers(0, 2))


@pytest.fixture(scope="module")
def in_this_process():
    """Run checks without a copy of the process for each: thousands of copies would take minutes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(isolation, "can_fork", lambda: False)
        yield


@pytest.mark.parametrize("exercise", ALL)
@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("in_this_process")
@given(data=st.data())
def test_whatever_a_students_function_returns_gets_a_verdict(exercise, data):
    state, reason = verdict(exercise.run_checker, data.draw(answers(exercise)))
    assert state in (NOT_ATTEMPTED, NOT_YET, CORRECT)
    assert "\n" not in reason and bool(reason) == (state != CORRECT)
