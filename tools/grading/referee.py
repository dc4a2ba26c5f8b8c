"""Judge answers, each in a fresh pair of processes: the function in the sandbox, the checker in a fork of this one."""

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import is_in_torch_dispatch_mode

from grading import peers, submissions, wire
from mnist_helpers import CourseError
from mnist_helpers._support.paths import COURSE, PACKAGE
from mnist_helpers.exercises import judging
from mnist_helpers.exercises.judging import NOT_YET

ROOM = Path(__file__).parent
SLOWER = 2  # the time limit of an exercise is multiplied by this: calls cross two processes, and the machine is busy
GRACE = 10  # seconds after the limit, for the checker itself
IN_THE_SANDBOX = ("__init__.py", "wire.py", "peers.py", "walls.py", "sandbox.py")
ENDED = "your function ended its process: by os._exit, a crash, or too much memory or computing time."
NO_SANDBOX = "the process that runs the answers does not start; try `make doctor`, which checks the installation."
NO_ANSWER = "your function sent what is no answer."
SYSTEM = (  # of /dev no more than this: /dev/shm and /dev/pts hold other programs' memory and the terminals
    *("/usr", "/lib", "/lib64", "/dev/urandom", "/dev/zero", "/proc/cpuinfo", "/proc/meminfo", "/sys/devices"),
    *("/System", "/Library", "/opt/homebrew"),
)
PYTHON = (*SYSTEM, sys.prefix, sys.base_prefix)


@dataclass
class Answer:
    """The function of a student for an exercise; `cells` has the definitions of the whole chapter."""

    student: str
    chapter: str
    exercise: str
    cells: dict[str, str]


class Referee(peers.Peer):
    """The end of the socket that has the checker. Calling it calls the student's function."""

    asked = False
    by_source = ("SmallNet",)  # exported by the student's function, so a stand-in would not do

    def load(self, answer: Answer) -> None:
        """Send the student's cells, that of the exercise last. Raises NotYet if it cannot be run."""
        cells = [[name, source] for name, source in answer.cells.items() if name != answer.exercise]
        cells.append([answer.exercise, answer.cells[answer.exercise]])
        imports = list(submissions.course_imports(answer.chapter))
        if problem := self._requested("load", imports, cells, answer.exercise):
            raise judging.NotYet(str(problem))

    def __call__(self, *arguments):
        """Return what the student's function returns. Raises NotYet if it fails, as `judging` would."""
        references = [place for place, value in enumerate(arguments) if isinstance(value, judging.PassedByReference)]
        watched = is_in_torch_dispatch_mode()
        random_state, self.asked = None if self.asked else torch.get_rng_state(), True  # some checkers set a seed
        found = self._requested("ask", list(arguments), references, watched, random_state)
        try:
            kind, value, (enabled, changed, states, files, convolved) = found
            self._follow(arguments, references, changed, states, files)
        except (LookupError, ValueError, TypeError, AttributeError, RuntimeError):
            raise judging.NotYet(NO_ANSWER) from None
        torch.set_grad_enabled(bool(enabled))
        if watched and convolved:
            F.conv2d(torch.zeros(1, 1, 1, 1), torch.zeros(1, 1, 1, 1))  # for the checker's own watch
        if kind != "value":
            raise judging.NotYet(str(value))
        return value

    def _requested(self, operation: str, *values):
        """Return what `request` returns. Raises NotYet if the sandbox ends, or sends what is no answer."""
        try:
            return self.request(operation, *values)
        except peers.OtherSide as error:
            what = f"{type(error).__name__}: {error}"
            raise judging.NotYet(f"what your function returned could not be sent: {what}") from None
        except (EOFError, ConnectionError):
            raise judging.NotYet(ENDED) from None
        except wire.CannotSend as error:
            raise judging.NotYet(f"this exercise cannot be graded here ({error}): look at it by hand.") from None
        except (wire.WireError, LookupError, ValueError, TypeError, AttributeError):
            raise judging.NotYet(NO_ANSWER) from None

    def _follow(self, arguments, references, changed, states, files) -> None:
        """Do here what the function did there to tensors, networks and files that the checker looks at."""
        with torch.no_grad():
            for place, value in changed:
                if place in references:
                    arguments[place].copy_(value)
        for number, state in states:
            peers.set_state(self.kept[number], state)
        for name, content in files:
            self.paths[name].write_bytes(content)


def judged(answer: Answer, stream: socket.socket, seconds: float) -> tuple[str, str]:
    """Return the state and the reason. Called in a process of its own, which the answer cannot reach."""
    exercise = getattr(submissions.exercises_of(answer.chapter), answer.exercise)
    referee = Referee(stream, trusting=False)

    def check(ask) -> None:
        referee.load(answer)
        exercise.run_checker(ask)

    return judging.judge(check, referee, seconds)


class Court:
    """Starts the sandbox, and a pair of processes for each answer. Use it as a context manager."""

    def __init__(self, chapters: list[str]):
        self.chapters, self.walls = chapters, dict[str, bool]()
        torch.set_num_threads(1)  # a process with torch's threads cannot be forked
        judging.finish_lazy_imports()

    def __enter__(self) -> "Court":
        self.folder = tempfile.TemporaryDirectory(prefix="grading-")
        self._build_room(Path(self.folder.name))
        self._start()
        return self

    def __exit__(self, *_) -> None:
        self.control.close()
        self.nursery.kill()
        self.nursery.wait()
        self.folder.cleanup()

    def _build_room(self, room: Path) -> None:
        """Fill the sandbox's folder: what it runs, and the course's helpers without the exercises."""
        (room / "grading").mkdir()
        (room / "work").mkdir()
        for name in IN_THE_SANDBOX:
            (room / "grading" / name).write_bytes((ROOM / name).read_bytes())
        for path in PACKAGE.rglob("*"):
            place = path.relative_to(PACKAGE)
            if path.is_file() and place.parts[0] != "exercises" and "__pycache__" not in place.parts:
                (room / "mnist_helpers" / place).parent.mkdir(parents=True, exist_ok=True)
                (room / "mnist_helpers" / place).write_bytes(path.read_bytes())
        (room / "data").symlink_to(COURSE / "data")
        (room / "notebooks").mkdir()

    def _start(self) -> None:
        """Start the process from which those of the answers are forked."""
        room = Path(self.folder.name)
        imports = [line for chapter in self.chapters for line in submissions.course_imports(chapter)]
        options = {
            "imports": [line for line in dict.fromkeys(imports) if line.startswith(("import", "from"))],
            "folder": str(room / "work"),
            "readable": [*PYTHON, str(room), str(COURSE / "data")],
            "hidden": [str(COURSE), str(COURSE / "tools")],
        }
        self.control, other = socket.socketpair()
        self.nursery = subprocess.Popen(
            [sys.executable, "-m", "grading.sandbox", json.dumps(options)],
            stdin=other.fileno(),
            stderr=subprocess.DEVNULL,
            env=_environment(room),
            cwd=room,
        )
        other.close()
        with self.control.dup().makefile("rb", buffering=0) as answers:
            told = answers.readline()
        if not told:
            raise CourseError(NO_SANDBOX)
        self.walls = json.loads(told)

    def _sandboxed(self) -> tuple[socket.socket, int]:
        """Return a socket to a fresh process in the sandbox, and the number of that process."""
        for attempt in (1, 2):  # an answer may have ended the process that starts them
            ours, theirs = socket.socketpair()
            with theirs, contextlib.suppress(OSError):
                socket.send_fds(self.control, [b"f"], [theirs.fileno()])
                if number := self.control.recv(4):
                    return ours, int.from_bytes(number, "big")
            ours.close()
            if attempt == 1:
                self.control.close()
                self.nursery.kill()
                self.nursery.wait()
                self._start()
        raise CourseError(NO_SANDBOX)

    def judge_all(self, answers: list[Answer], jobs: int) -> Iterator[tuple[Answer, str, str]]:
        """Yield each answer with its state and reason, as they come, `jobs` at a time."""
        waiting, running = list(answers), dict[int, Case]()
        while waiting or running:
            while waiting and len(running) < jobs:
                case = self._begin(waiting.pop(0))
                running[case.receiver] = case
            now = time.monotonic()
            soonest = max(0.0, min(case.deadline for case in running.values()) - now)
            ready = select.select(list(running), [], [], soonest)[0]
            for receiver in [*ready, *(r for r, case in running.items() if case.deadline <= time.monotonic())]:
                if receiver in running:
                    case = running.pop(receiver)
                    yield case.answer, *case.end(in_time=receiver in ready)

    def _begin(self, answer: Answer) -> "Case":
        exercise = getattr(submissions.exercises_of(answer.chapter), answer.exercise)
        judging.fill_caches(exercise.run_checker)
        stream, sandbox = self._sandboxed()
        receiver, sender = os.pipe()
        seconds = SLOWER * exercise.seconds
        process = os.fork()
        if not process:
            self.control.close()
            os.close(receiver)
            _be_the_judge(answer, stream, seconds, sender, Path(self.folder.name))
        stream.close()
        os.close(sender)
        work = Path(self.folder.name, "work", str(sandbox))
        return Case(answer, receiver, process, sandbox, work, time.monotonic() + seconds + GRACE)


def _environment(room: Path) -> dict[str, str]:
    """Return the variables of the sandbox: none that may hold a secret of the instructor's."""
    known = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
    own = {"PYTHONPATH": room, "HOME": room, "MPLCONFIGDIR": room}
    threads = {"OMP_NUM_THREADS": "1", "MPLBACKEND": "agg", "ORT_DISABLE_TELEMETRY": "1"}
    return known | {name: str(path) for name, path in own.items()} | threads


def _be_the_judge(answer: Answer, stream: socket.socket, seconds: float, sender: int, room: Path) -> None:
    """Judge in the fork of this process, send state and reason, and end. Never returns."""
    found = NOT_YET, "the checker could not judge this answer: look at it by hand."
    try:
        from grading import walls  # not on Windows, where grading says so in a sentence

        tempfile.tempdir = tempfile.mkdtemp(dir=room)
        walls.enclose(Path(tempfile.tempdir), [*PYTHON, str(COURSE)])  # an answer may send what takes a lot of memory
        with open(os.devnull, "w") as null, contextlib.redirect_stdout(null), contextlib.redirect_stderr(null):
            found = judged(answer, stream, seconds)
    finally:
        try:
            os.write(sender, json.dumps([found[0], found[1][:2000]]).encode())
        finally:  # also if nobody listens any more: this process must not go on as a second grader
            os._exit(0)


@dataclass
class Case:
    """An answer that is being judged."""

    answer: Answer
    receiver: int
    judge: int  # numbers of processes
    sandbox: int
    work: Path  # what the answer wrote
    deadline: float

    def end(self, in_time: bool) -> tuple[str, str]:
        """End both processes, and return the state and the reason."""
        with os.fdopen(self.receiver, "rb") as file:
            content = file.read() if in_time else b""
        for kill, process in [(os.killpg, self.sandbox), (os.kill, self.judge)]:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                kill(process, signal.SIGKILL)
        os.waitpid(self.judge, 0)
        shutil.rmtree(self.work, ignore_errors=True)
        if not content:
            return NOT_YET, "the check did not end in time, or broke off: look at it by hand."
        state, reason = json.loads(content)
        return state, reason
