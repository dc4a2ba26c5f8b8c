"""Every command that the students' copy names is there, and runs in it; nothing is named that it does not have."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import copies
import pytest

from mnist_helpers import CourseError

ENVIRONMENT = Path(sys.prefix)
GOING = 30  # seconds after which a command that takes minutes is taken to run
# Every command of the README, without what follows a number sign, and how it is tried
INSTALLS = {
    "python -m venv .venv": "python",
    "pip install -c constraints.txt -e .": "pip",
    "pip install --no-deps -e .": "pip",
    "conda env create -f environment.yml": "conda",
    "conda activate mnist-course": "conda",
    r".venv\Scripts\activate": ".venv",
    "source .venv/bin/activate": ".venv",
}
SERVERS = {"make lab", "jupyter lab notebooks/01_data.ipynb"}
ENDS = {
    "make help": "make clean",
    "make doctor": "passed",
    "make restore CHAPTER=02": "is as it was handed out",
    "python -m mnist_helpers.restore 02": "is as it was handed out",
    "python -m mnist_helpers.doctor": "passed",
    "python -m mnist_helpers.doctor --before-install": "up to date",
    "python -m mnist_helpers.train --recipe fast --seed 1": "result.json",
    "python -m mnist_helpers.train --recipe fast --seed 1 --resume": "",
    "python -m mnist_helpers.predict notebooks/images/drawn_digit.png": "drawn_digit.png",
    "torchrun --standalone --nproc-per-node=2 -m mnist_helpers.train --recipe fast --output artifacts/two": "",
    "make clean": "",
}
MINUTES = {"make bench", "make results", "make best"}
ELSEWHERE = {
    "make restore": "needs a chapter; unit/test_restore.py",
    "pip cache purge": "would empty the cache of whoever runs the tests",
    "make lab PYTHON=python3.12": "needs that Python",
    "PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu make lab": "needs the network",
    "python -m mnist_helpers.train --recipe fast --output artifacts/two": "unit/trainer/test_distributed.py",
    **{f"set {variable}": "as above" for variable in ("MASTER_ADDR=127.0.0.1", "MASTER_PORT=29500", "WORLD_SIZE=2")},
    "set RANK=0": "as above",
}


@pytest.fixture(scope="module")
def handout(tmp_path_factory):
    target = tmp_path_factory.mktemp("copies") / "handout"
    copies.handout(target)
    return target


def commands(readme: str) -> list[str]:
    """Return each command of a README once, from its blocks of code and from its running text, in order."""
    lines = "\n".join(re.findall(r"(?ms)^```\n(.*?)^```$", readme)).splitlines()
    inline = re.findall(r"`((?:make|python|pip|jupyter|torchrun|git) [^`]+)`", readme)
    inline += re.findall(r"# without make: (.*)", readme)
    found = [line.split(" #")[0].strip() for line in lines] + [word.split(" #")[0].strip() for word in inline]
    return list(dict.fromkeys(filter(None, found)))


def documents(folder: Path) -> str:
    """Return the text of the README and of the page that it sends to for the installation."""
    return "\n".join((folder / name).read_text(encoding="utf-8") for name in ("README.md", "docs/install.md"))


def targets(makefile: str) -> list[str]:
    """Return the names that `make help` lists."""
    return re.findall(r"(?m)^([a-z-]+):.*## ", makefile)


def missing(folder: Path, command: str) -> list[str]:
    """List the make targets, modules and files that a command names and that `folder` does not have."""
    words = shlex.split(command, posix="\\" not in command)
    lacks = []
    if words[0] == "make":
        given = {word for word in words[1:] if "=" not in word}
        lacks += sorted(given - set(targets((folder / "Makefile").read_text(encoding="utf-8"))))
    for before, word in zip(words, words[1:]):
        if before == "-m" and word.startswith("mnist_helpers"):
            path = folder.joinpath(*word.split("."))
            lacks += [] if path.with_suffix(".py").exists() or (path / "__main__.py").exists() else [word]
        elif re.search(r"\.(txt|yml|ipynb|png|py)$", word):
            lacks += [] if (folder / word).exists() else [word]
    return lacks


def test_readme_names_only_what_is_there(handout):
    named = commands(documents(handout))
    assert {command: found for command in named if (found := missing(handout, command))} == {}


def test_how_each_command_is_tried_is_known(handout):
    named = set(commands(documents(handout)))
    named |= {f"make {name}" for name in targets((handout / "Makefile").read_text(encoding="utf-8"))}
    assert named == {*INSTALLS, *SERVERS, *ENDS, *MINUTES, *ELSEWHERE}


@pytest.mark.parametrize(
    ("command", "lacks"),
    [
        ("make test", ["test"]),
        ("python -m mnist_helpers.other", ["mnist_helpers.other"]),
        ("jupyter lab notebooks/08_more.ipynb", ["notebooks/08_more.ipynb"]),
        ("pip install -r requirements.txt", ["requirements.txt"]),
    ],
)
def test_a_command_that_cannot_work_is_noticed(handout, command, lacks):
    assert missing(handout, command) == lacks


def test_makefile_runs_what_is_there(handout):
    names = targets((handout / "Makefile").read_text(encoding="utf-8"))
    assert {"lab", "doctor", "clean"} <= set(names) and not {"test", "check", "site", "handout", "answers"} & set(names)
    for name in names:
        steps = subprocess.run(["make", "-n", name], cwd=handout, capture_output=True, text=True)
        assert steps.returncode == 0, steps.stderr
        for file in re.findall(r"\S+\.(?:py|txt|toml|ipynb)\b", steps.stdout):
            assert (handout / file.removeprefix("--LabApp.default_url=/lab/tree/")).exists(), f"make {name}: {file}"


def test_links_of_the_readme_lead_somewhere(handout):
    links = re.findall(r"\]\((?!https?:)([^)#]+)", (handout / "README.md").read_text(encoding="utf-8"))
    assert links and [link for link in links if not (handout / link).exists()] == []


def test_what_the_handout_is_installed_from_is_there(handout):
    project = (handout / "pyproject.toml").read_text(encoding="utf-8")
    assert 'packages = ["mnist_helpers"]' in project and (handout / "mnist_helpers" / "__init__.py").exists()
    (settings,) = re.findall(r'"(\S+)" = "share/jupyter', project)
    assert (handout / settings).exists()


def test_text_of_the_handout_asks_for_no_repository(handout):
    """It is none: what brings files back there is the archive that it came in."""
    for path in (handout / "README.md", handout / "docs" / "install.md", handout / "Makefile"):
        assert not re.search(r"\bgit \w", path.read_text(encoding="utf-8"))


def test_a_makefile_without_its_mark_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(copies, "MAKEFILE_ENDS", "\n# no such line")
    with pytest.raises(CourseError, match="restore it"):
        copies.handout(tmp_path / "handout")


# ---- slow: the commands themselves ----


@pytest.fixture(scope="module")
def installed(handout):
    """The handout with this environment as its .venv, whose stamp says that nothing is left to install."""
    venv = handout / ".venv"
    (venv / "bin").mkdir(parents=True)
    for part in {"include", "share", "etc"} & {path.name for path in ENVIRONMENT.iterdir()}:
        (venv / part).symlink_to((ENVIRONMENT / part).resolve())
    link_packages(handout)
    for script in (ENVIRONMENT / "bin").iterdir():
        own_copy(script, venv / "bin" / script.name)
    shutil.copy(ENVIRONMENT / "pyvenv.cfg", venv)
    (venv / ".installed").touch()
    return handout


def link_packages(course: Path) -> None:
    """Give the handout's .venv the packages of this environment, but its own mnist_helpers: make drops PYTHONPATH."""
    packages = Path("lib", f"python{sys.version_info[0]}.{sys.version_info[1]}", "site-packages")
    (course / ".venv" / packages).mkdir(parents=True)
    for path in (ENVIRONMENT / packages).iterdir():
        if path.name != "_editable_impl_mnist_helpers.pth":
            (course / ".venv" / packages / path.name).symlink_to(path.resolve())
    (course / ".venv" / packages / "handout.pth").write_text(f"{course}\n")


def own_copy(script: Path, copy: Path) -> None:
    """Make a program of this environment one of the handout's: a script's first line names its Python."""
    if script.is_symlink() or not script.read_bytes().startswith(b"#!"):
        copy.symlink_to(script.resolve())
        return
    _, body = script.read_text(encoding="utf-8").split("\n", 1)
    copy.write_text(f"#!{copy.with_name('python')}\n{body}", encoding="utf-8")
    copy.chmod(0o755)


def start(folder: Path, command: str, *more: str) -> subprocess.Popen:
    """Start a command as a student does who has changed to the environment."""
    program = f'export PATH="$PWD/.venv/bin:$PATH" PYTHONPATH="$PWD" VIRTUAL_ENV="$PWD/.venv"; exec {command}'
    for variable in ("MAKEFLAGS", "MAKELEVEL"):
        program = f"unset {variable}; {program}"
    log = (folder.parent / "log").open("w")
    return subprocess.Popen(
        ["bash", "-c", " ".join([program, *more])], cwd=folder, stdout=log, stderr=log, start_new_session=True
    )


def said(folder: Path) -> str:
    return (folder.parent / "log").read_text(encoding="utf-8", errors="replace")


def stop(process: subprocess.Popen) -> None:
    """End a command with what it started: it leads a session of its own."""
    subprocess.run(["kill", "-TERM", "--", f"-{process.pid}"], check=False)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        subprocess.run(["kill", "-KILL", "--", f"-{process.pid}"], check=False)
        process.wait()


@pytest.mark.slow
@pytest.mark.parametrize("command", sorted(SERVERS))
def test_jupyterlab_opens_the_first_chapter(installed, command):
    more = [] if command.startswith("make") else ["--no-browser --allow-root"]  # a student is nobody's root
    process = start(installed, f"env -u DISPLAY -u WAYLAND_DISPLAY {command}", *more)
    try:
        deadline, url = time.monotonic() + 90, None
        while not url and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.5)
            url = re.search(r"(http://127\.0\.0\.1:\d+/lab\S*)\?token=(\w+)", said(installed))
        assert url, said(installed)
        with urllib.request.urlopen(f"{url[1]}?token={url[2]}", timeout=60) as page:
            assert page.status == 200 and "JupyterLab" in page.read().decode()
        assert "01_data.ipynb" in url[1] or "01_data.ipynb" in command  # jupyter's own line leaves the file out
    finally:
        stop(process)


@pytest.mark.slow
@pytest.mark.parametrize("command", sorted(MINUTES))
def test_commands_that_take_minutes_get_going(installed, command):
    process = start(installed, command)
    time.sleep(GOING)
    running, code = process.poll() is None, process.returncode
    stop(process)
    assert (running or code == 0) and "Traceback" not in said(installed).split("Terminated")[0], said(installed)


@pytest.mark.slow
@pytest.mark.parametrize("command", list(ENDS))
def test_other_commands_end_well(installed, command):
    (installed / "artifacts").mkdir(exist_ok=True)
    (installed / "artifacts" / "progress.json").write_text("{}")
    process = start(installed, command)
    code = process.wait(300)
    judged = "doctor" in command  # finds what is wrong with this environment, if anything is
    assert code == 0 or (judged and code == 1), said(installed)
    assert ENDS[command] in said(installed) and "Traceback" not in said(installed)
    if command == "make clean":
        assert not (installed / ".venv").exists()
        assert os.listdir(installed / "artifacts") == ["progress.json"]
        assert ENVIRONMENT.joinpath("bin").exists()
