"""Two checkers open a file that an answer wrote: whatever it holds, it gives no point and reaches nothing."""

import os
import socket
import sys
import tempfile
from pathlib import Path

import pytest

from mnist_helpers._support.paths import COURSE
from mnist_helpers.exercises.judging import CORRECT, NOT_YET, NotYet

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(sys.platform not in ("linux", "darwin"), reason="grading needs fork"),
]
CHECKPOINT = "def round_trip(path, model, optimizer, counter, new_model, new_optimizer):\n"
MODEL = "def export_and_compare(model, images, path):\n"
EVIL = """    class Evil:
        def __reduce__(self): return (print, ("evil",))
"""
ONNX = """    import numpy as np, onnx
    from onnx import TensorProto as T, helper as h
    output = h.make_tensor_value_info("y", T.FLOAT, ["n", 10])
    image = h.make_tensor_value_info("x", T.FLOAT, ["n", 1, 28, 28])
    def save(nodes, weights=(), name="model"):
        graph = h.make_graph(nodes, name, [image], [output], list(weights))
        onnx.save(h.make_model(graph, opset_imports=[h.make_opsetid("", 17)], ir_version=8), path)
"""
ATTACKS = {
    "a pickle that runs code": ("04", "round_trip", f"{CHECKPOINT}{EVIL}    torch.save(Evil(), path)\n    return 1920"),
    "a checkpoint that unpacks to 400 MB": (
        "04",
        "round_trip",
        f"""{CHECKPOINT}    import zipfile
    torch.save(model.state_dict(), "small.pt")
    large = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1)
    with zipfile.ZipFile("small.pt") as small, large:
        for part in small.infolist():
            content = small.read(part)
            large.writestr(part.filename, bytes(4 * 10**8) if "/data/0" in part.filename else content)
    return 1920""",
    ),
    "a checkpoint in the old format, cut off": (
        "04",
        "round_trip",
        f"""{CHECKPOINT}    torch.save(model.state_dict(), path, _use_new_zipfile_serialization=False)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return 1920""",
    ),
    "a link to another file": ("04", "round_trip", f'{CHECKPOINT}    import os; os.symlink("COURSE/LICENSE", path)'),
    "a pipe": ("04", "round_trip", f"{CHECKPOINT}    import os; os.mkfifo(path); return 1920"),
    "random bytes as a model": (
        "09",
        "export_and_compare",
        f"{MODEL}    path.write_bytes(bytes(range(256)) * 1000); return 0.25",
    ),
    "weights from the instructor's disk": (
        "09",
        "export_and_compare",
        f"""{MODEL}{ONNX}    weight = onnx.numpy_helper.from_array(np.zeros((784, 10), np.float32), "w")
    weight.ClearField("raw_data")
    weight.data_location = T.EXTERNAL
    weight.external_data.add(key="location", value="../../../../../../etc/passwd")
    save([h.make_node("Flatten", ["x"], ["f"]), h.make_node("MatMul", ["f", "w"], ["y"])], [weight])
    return 0.25""",
    ),
    "a model that takes terabytes": (
        "09",
        "export_and_compare",
        f"""{MODEL}{ONNX}    size = onnx.numpy_helper.from_array(np.array([2**20, 2**20], np.int64), "size")
    save([h.make_node("ConstantOfShape", ["size"], ["y"])], [size])
    return 0.25""",
    ),
    "a model whose own name never ends": (
        "09",
        "export_and_compare",
        f'{MODEL}{ONNX}    save([h.make_node("Identity", ["x"], ["y"])], name="n" * 30_000_000)\n    return 0.25',
    ),
    "an unknown operator of another library": (
        "09",
        "export_and_compare",
        f'{MODEL}{ONNX}    save([h.make_node("Run", ["x"], ["y"], domain="evil.so")])\n    return 0.25',
    ),
}
RIGHT = "def mean_accuracy(correct, sizes):\n    return sum(correct) / sum(sizes)"


@pytest.fixture(scope="module")
def verdicts():
    from grading import referee

    answers = [
        referee.Answer(name, chapter, exercise, {exercise: source.replace("COURSE", str(COURSE))})
        for name, (chapter, exercise, source) in ATTACKS.items()
    ]
    answers.append(referee.Answer("right", "04", "mean_accuracy", {"mean_accuracy": RIGHT}))
    with referee.Court(["04", "09"]) as court:
        return {answer.student: (state, reason) for answer, state, reason in court.judge_all(answers, 2)}


@pytest.mark.parametrize("name", ATTACKS)
def test_a_hostile_file_gets_no_point_and_a_reason(verdicts, name):
    state, reason = verdicts[name]
    assert state == NOT_YET and reason and "by hand" not in reason and "root:" not in reason, reason


def test_a_right_answer_after_them_is_right(verdicts):
    assert verdicts["right"] == (CORRECT, "")


def tried(action):
    """Return whether the system let an action be done."""
    try:
        action()
    except OSError:
        return "refused"
    return "done"


def checker_that_tries(address, grades):
    """Return a checker whose reason says what it may do: four things that it may not, and two that it may."""

    def checker(ask):
        found = [
            tried(lambda: socket.create_connection(address, timeout=5)),
            tried(lambda: grades.write_text("ada,100")),
            tried(grades.read_text),
            tried(lambda: os.listdir(Path.home())),
            tried(lambda: Path(tempfile.mkdtemp(), "own").write_text("may be")),
            tried((COURSE / "LICENSE").read_text),
        ]
        raise NotYet(" ".join(found))

    return checker


def test_a_checker_itself_reaches_neither_network_nor_files(monkeypatch, tmp_path):
    """What native code could do, if a file deceived it, is tried here by the checker."""
    from grading import referee, submissions, walls

    if not all(walls.tried().values()):
        pytest.skip("This kernel has not all the walls (namespaces, Landlock), so they are not tested.")
    server = socket.create_server(("127.0.0.1", 0))
    (tmp_path / "grades.csv").write_text("ada,1")
    exercise = submissions.exercises_of("04").mean_accuracy
    monkeypatch.setattr(exercise, "run_checker", checker_that_tries(server.getsockname(), tmp_path / "grades.csv"))
    answer = referee.Answer("ada", "04", "mean_accuracy", {"mean_accuracy": RIGHT})
    with server, referee.Court(["04"]) as court:
        [(_, state, reason)] = court.judge_all([answer], 1)
    assert (state, reason) == (NOT_YET, "refused refused refused refused done done")
