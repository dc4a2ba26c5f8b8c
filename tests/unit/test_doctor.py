"""The doctor reports each fault that a test makes, names a command that mends it, and reports nothing private."""

import ast
import contextlib
import gzip
import importlib.metadata
import json
import os
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from packaging.requirements import Requirement
from torchvision.datasets import MNIST

from mnist_helpers._support import checksums
from mnist_helpers._support.paths import COURSE as ROOT
from mnist_helpers.doctor import __main__ as command_line
from mnist_helpers.doctor import before_install, checks, facts, probes, remedies
from mnist_helpers.doctor.checks import Finding
from tests.support.links import make_link

SUBJECTS = {"python", "packages", "versions", "data", "disk", "imports", "gpu", "kernel"}
KERNEL_FACTS = {"executable": sys.executable, "prefix": sys.prefix, "helpers": str(ROOT / "mnist_helpers/__init__.py")}


def only(findings, level, subject, *words):
    """Return the command of the one finding on `subject` with this level, whose text has these words."""
    (finding,) = [each for each in findings if each.subject == subject and each.level != "pass"]
    assert finding.level == level and str(finding).isprintable()
    assert str(finding).endswith(f"; mend it with: {finding.command}") and finding.command
    for word in words:
        assert word in finding.text
    return finding.command


def run_rename(command, path):
    """Run a command that moves a file, after checking that it is that and nothing else."""
    assert command == shlex.join(["mv", str(path), f"{path}.bak"])
    subprocess.run(command, shell=True, check=True)


def passes(findings):
    return {finding.level for finding in findings} <= {"pass"}


def write(path, content=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


@pytest.fixture
def course(tmp_path, monkeypatch):
    """The parts of the course that the checks read, as a copy with links to the data."""
    for name in ("pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "notebooks").mkdir()
    raw = tmp_path / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in checksums.ARCHIVE_MD5:
        make_link(raw / name, ROOT / "data" / "MNIST" / "raw" / name)
    monkeypatch.setattr(checks, "ROOT", tmp_path)
    monkeypatch.setattr(remedies, "ROOT", tmp_path)
    return tmp_path


@pytest.fixture
def fake_package(tmp_path, monkeypatch):
    """Write a package that the probes import instead of the real one."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return lambda name, content: write(tmp_path / name / "__init__.py", content)


@pytest.fixture
def no_probes(monkeypatch):
    """The probes answer at once that nothing is wrong."""
    answers = {
        "imports": {"trying": None, "errors": {}, "imported": 25, "torch": torch_facts()},
        "kernel": {"program": "python", "facts": KERNEL_FACTS},
    }
    monkeypatch.setattr(probes, "start", lambda *task: task[0])
    monkeypatch.setattr(probes, "wait", answers.get)


def torch_facts(gpus=(), error=None, cuda=None):
    return {"gpus": list(gpus), "error": error, "cuda": cuda, "threads": 2}


def imports(*packages):
    """Return the findings of the real probe."""
    return list(checks.check_imports(probes.wait(probes.start("imports", *packages))))


# The whole command


@pytest.mark.integration
def test_this_environment_passes():
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-m", "mnist_helpers.doctor", "--json"]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True)
    assert done.stderr == ""
    report = json.loads(done.stdout)
    assert [each for each in report["findings"] if each["level"] == "fail"] == []
    assert done.returncode == 0
    assert {each["subject"] for each in report["findings"]} >= SUBJECTS
    assert report["facts"]["torch"]["threads"] > 0
    assert Path(report["facts"]["kernel"]["prefix"]).expanduser() == Path(sys.prefix)


def test_without_any_package_it_names_them_and_how_to_install_them(tmp_path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path], check=True)
    python = tmp_path / ("Scripts" if os.name == "nt" else "bin") / "python"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [python, "-m", "mnist_helpers.doctor", "--json"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "")
    report = json.loads(done.stdout)
    findings = [Finding(**each) for each in report["findings"]]
    command = only(findings, "fail", "packages", "missing: torch, torchvision")
    assert "constraints.txt" in command or command.startswith("source")
    only(findings, "fail", "kernel", "No module named 'jupyter_client'")
    assert report["facts"]["packages"]["torch"] is None and report["facts"]["course"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has the device /dev/full")
@pytest.mark.parametrize(
    "options, what", [([], "findings"), (["--json"], "findings"), (["--before-install"], "announcement")]
)
def test_an_output_that_takes_no_line_is_told_in_one_sentence(options, what, no_probes, course, monkeypatch, capsys):
    monkeypatch.setattr(before_install, "problem", lambda: None)
    with open("/dev/full", "w") as full, pytest.raises(SystemExit) as end:
        monkeypatch.setattr(sys, "stdout", full)
        command_line.main(options)
    said = capsys.readouterr().err
    assert end.value.code == 1
    assert said == f"the {what} cannot be printed (No space left on device); free some disk space.\n"


def test_python_3_9_can_read_it():
    package = ROOT / "mnist_helpers"
    for path in (*(package / "doctor").glob("*.py"), *(package / "_support").glob("*.py")):
        ast.parse(path.read_text(), feature_version=(3, 9))


def test_it_prints_a_line_for_each_finding(no_probes, course, capsys):
    assert command_line.main([]) == 0
    write(course / "notebooks" / "random.py")
    assert command_line.main([]) == 1
    lines = capsys.readouterr().out.splitlines()
    summaries = [line for line in lines if " passed, " in line]
    assert summaries[0].endswith(" 0 failed") and summaries[1].endswith(" 1 failed")
    for line in set(lines) - set(summaries):
        assert line.split()[0] in ("pass", "warn", "fail")
        assert line.split()[1] in SUBJECTS | {"memory", "shadowing"}
        assert ("mend it with: " in line) == (not line.startswith("pass"))


def test_a_check_that_raises_an_exception_is_reported(no_probes, monkeypatch, capsys):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: 1 / 0)
    monkeypatch.setattr(facts, "collect", lambda answers: {})
    assert command_line.main(["--json"]) == 1
    (failed,) = [each for each in json.loads(capsys.readouterr().out)["findings"] if each["level"] == "fail"]
    assert "ZeroDivisionError" in failed["text"]


def test_a_probe_that_the_system_does_not_start_is_reported(no_probes, course, monkeypatch, capsys):
    def start(*task):
        if task[0] == "imports":
            raise OSError(12, "Cannot allocate memory")
        return task[0]

    monkeypatch.setattr(probes, "start", start)
    assert command_line.main([]) == 1
    shown = capsys.readouterr()
    (failed,) = [line for line in shown.out.splitlines() if line.startswith("fail")]
    assert failed.split()[1] == "imports" and "Cannot allocate memory" in failed and "jupyter lab stop" in failed
    assert "kernel    python3 starts" in shown.out and shown.err == ""


# The report


def test_json_has_findings_and_facts_and_nothing_private(no_probes, course, monkeypatch, capsys):
    home = course / "home-of-ada"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USER", "ada")
    monkeypatch.setenv("SECRET_TOKEN", "xyzzy")
    monkeypatch.setattr(sys, "executable", str(home / ".venv" / "bin" / "python"))
    monkeypatch.setattr(sys, "prefix", '/data/ada/"\udc80')
    assert command_line.main(["--json"]) == 1
    text = capsys.readouterr().out
    assert "ada" not in text and "xyzzy" not in text and str(home) not in text
    report = json.loads(text)
    assert report["facts"]["executable"] == "~/.venv/bin/python"
    assert set(report["facts"]["packages"]) == set(checks.minimum_versions())
    (kernel,) = [each for each in report["findings"] if each["subject"] == "kernel"]
    assert kernel["level"] == "fail" and '/data/USER/"' in kernel["text"]


@pytest.mark.parametrize(
    "home, text, redacted",
    [
        ("/opt/ada", "/opt/ada/course: no file", "~/course: no file"),
        ("/opt/ada", "/opt/ada-2/course", "/opt/USER-2/course"),
        ("/opt/ada", "/tmp/Ada/x and canada", "/tmp/USER/x and canada"),
        ("/opt/ada", "/home/grace/course", "~/course"),
        ("/opt/ada", r"C:\Users\Grace\course", r"~\course"),
        ("/opt/ada", "/usr/bin/python", "/usr/bin/python"),
        ("/", "/ is full", "/ is full"),
    ],
)
def test_home_folders_and_names_are_replaced(home, text, redacted, monkeypatch):
    monkeypatch.setenv("HOME", home)
    assert facts.redact({"key": [text, 1, None]}) == {"key": [redacted, 1, None]}


# Python and packages


@pytest.mark.parametrize("found, fits", [((3, 10), False), ((3, 11), True), ((3, 14, 2), True), ((3, 15, 0), False)])
def test_another_python_fails(found, fits, monkeypatch, capsys):
    monkeypatch.setattr(sys, "version_info", found)
    assert (checks.check_python().level == "pass") == fits
    if not fits:
        assert "3.11" in only([checks.check_python()], "fail", "python", "3.11 to 3.14")
        assert command_line.main(["--json"]) == 1
        assert len(json.loads(capsys.readouterr().out)["findings"]) == 1


@pytest.mark.parametrize(
    "windows, commands",
    [
        (False, ["make -C {} lab PYTHON=python3.11"]),
        (True, ["py -3.11 -m venv {}/.venv", "{}/.venv/Scripts/activate", "pip install -c {}/constraints.txt -e {}"]),
    ],
)
def test_another_python_is_installed_with_all_steps_and_nothing_is_wiped(windows, commands, monkeypatch):
    monkeypatch.setattr(remedies, "WINDOWS", windows)
    assert remedies.use_python_3_11().split("; then ") == [each.replace("{}", str(ROOT)) for each in commands]


def test_the_lists_are_read_as_they_are():
    listed = map(Requirement, tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"])
    assert checks.minimum_versions() == {each.name: str(each.specifier).removeprefix(">=") for each in listed}
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = [line.split()[0].lower() for line in lines if line[0] != "#"]
    assert [f"{name}=={version}" for name, version in checks.pinned_versions().items()] == pinned


@pytest.mark.parametrize(
    "package, found, subject, level, words",
    [
        ("torch", "2.8.1", "packages", "fail", "too old: torch 2.8.1"),
        ("numpy", "1.26.4", "packages", "fail", "numpy 1.26.4"),
        ("pillow", None, "packages", "fail", "missing: pillow"),
        ("torch", "2.99.0", "versions", "warn", "torch 2.99.0 (not 2.14.1)"),
        ("torch", "2.14.1+cpu", "versions", "pass", ""),
    ],
)
def test_another_version_is_noticed(package, found, subject, level, words, course, monkeypatch):
    def look_up(name):
        if name == package and found is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return found if name == package else checks.pinned_versions()[name]

    monkeypatch.setattr(importlib.metadata, "version", look_up)
    findings = list(checks.check_packages())
    if level == "pass":
        assert passes(findings)
    else:
        assert str(course) in only(findings, level, subject, words)


@pytest.mark.parametrize("damage", ["", "[project]\nname = 'x'", "]["])
def test_a_damaged_pyproject_fails(damage, course):
    write(course / "pyproject.toml", damage)
    assert "checkout" in only(checks.check_packages(), "fail", "packages", "cannot be read")


@pytest.mark.parametrize("windows, folder, words", [(False, "bin", ["source"]), (True, "Scripts", [])])
def test_installing_starts_with_the_environment_of_the_course(windows, folder, words, course, monkeypatch):
    monkeypatch.setattr(remedies, "WINDOWS", windows)
    activate = write(course / ".venv" / folder / "activate")
    assert remedies.install_course() == remedies.shell(*words, activate)
    activate.unlink()
    assert str(course) in remedies.install_course() and "activate" not in remedies.install_course()


# Files and folders


def test_the_checksums_are_torchvisions():
    assert dict(MNIST.resources) == checksums.ARCHIVE_MD5


def test_whole_files_pass(course):
    raw = course / "data" / "MNIST" / "raw"
    for name in checksums.EXTRACTED_MD5:
        (raw / name).write_bytes(gzip.decompress((raw / f"{name}.gz").read_bytes()))
    assert [str(finding) for finding in checks.check_data()] == ["pass  data      the checksums of 8 files are correct"]


@pytest.mark.parametrize("name", checksums.ARCHIVE_MD5)
@pytest.mark.parametrize("damage", ["altered", "missing", "folder"])
def test_a_damaged_archive_fails(name, damage, course):
    path = course / "data" / "MNIST" / "raw" / name
    content = bytearray(path.read_bytes())
    path.unlink()
    if damage == "folder":
        path.mkdir()
    if damage == "altered":
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    command = only(checks.check_data(), "fail", "data", name)
    assert command.startswith("git") and command.endswith(str(path))


@pytest.mark.parametrize("damage", ["torn", "folder", "link to nowhere"])
def test_a_damaged_extracted_file_fails_until_its_command_has_run(damage, course):
    path = course / "data" / "MNIST" / "raw" / "t10k-labels-idx1-ubyte"
    if damage == "torn":
        path.write_bytes(b"half")
    elif damage == "folder":
        path.mkdir()
    else:
        make_link(path, "nowhere")
    run_rename(only(checks.check_data(), "fail", "data", path.name), path)
    assert passes(checks.check_data())


@pytest.mark.parametrize("name, end", [("disk", "pip cache purge"), ("memory", "jupyter lab stop")])
@pytest.mark.parametrize("free, level", [(0.1, "fail"), (0.9, "warn"), (10.0, "pass")])
def test_little_room_is_noticed(name, end, free, level, monkeypatch):
    monkeypatch.setattr(checks, "free_gb", lambda: {name: free})
    findings = list(checks.check_room())
    assert passes(findings) if level == "pass" else only(findings, level, name, f"{free} GB free").endswith(end)


@pytest.mark.parametrize(
    "limit, free", [(None, {"memory": 8.0}), ("max\n", {"memory": 8.0}), ("1000000000\n", {"memory": 1.0})]
)
def test_memory_is_what_the_system_and_the_container_leave(limit, free, tmp_path, monkeypatch):
    usage = namedtuple("usage", "free")(10**9)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    monkeypatch.setattr(checks, "MEMORY", write(tmp_path / "meminfo", "MemTotal: 9 kB\nMemAvailable:   7812500 kB\n"))
    monkeypatch.setattr(
        checks, "CONTAINER_MEMORY", tmp_path / "none" if limit is None else write(tmp_path / "m", limit)
    )
    assert checks.free_gb() == {"disk": 1.0} | free
    monkeypatch.setattr(checks, "MEMORY", tmp_path / "none")
    assert checks.free_gb() == {"disk": 1.0}


@pytest.mark.parametrize("name", ["random", "json", "PIL", "torch", "mnist_helpers"])
def test_a_file_with_the_name_of_a_module_fails_until_its_command_has_run(name, course):
    write(course / "notebooks" / "mine.py")
    path = write(course / "notebooks" / f"{name}.py")
    run_rename(only(checks.check_shadowing(), "fail", "shadowing", f"{name}.py"), path)
    assert not list(checks.check_shadowing())


# What the probes find


@pytest.mark.parametrize(
    "content, error",
    [
        ("raise OSError('libtorch is torn')", "OSError: libtorch is torn"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        pytest.param(
            "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
            "exit code -9",
            marks=pytest.mark.skipif(os.name == "nt", reason="SIGKILL is of Unix"),
        ),
        ("import os; os._exit(0)", "exit code 0"),
        ("def get_num_threads(): pass", "AttributeError: module 'torch' has no attribute"),
    ],
)
def test_a_broken_torch_is_reported(content, error, fake_package):
    fake_package("torch", content)
    command = only(imports("torch", "packaging"), "fail", "imports", "cannot import torch", error)
    assert command.endswith(shlex.join(["-c", str(ROOT / "constraints.txt"), "torch"]))


def test_a_package_that_hangs_is_reported(fake_package, monkeypatch):
    monkeypatch.setattr(probes, "LIMIT", 1)
    fake_package("onnx", "import time\nwhile True: time.sleep(1)")
    assert only(imports("onnx"), "fail", "imports", "onnx", "not finished after 1 s").endswith(" onnx")


def test_each_package_that_raises_is_reported(fake_package):
    fake_package("onnx", "print('{not an answer}'); raise ImportError('first')")
    fake_package("netron", "raise ValueError('second')")
    onnx, netron = imports("onnx", "packaging", "netron")
    only([onnx], "fail", "imports", "onnx", "ImportError: first")
    only([netron], "fail", "imports", "netron", "ValueError: second")
    assert passes(imports("packaging", "pillow"))


def test_a_probe_that_cannot_start_is_reported(fake_package):
    fake_package("json", "raise ValueError('mine')")
    only(imports("packaging"), "fail", "imports", "ValueError: mine")


def test_the_error_of_openmp_names_what_mends_it():
    hint = "OMP: Hint This means that multiple copies of the OpenMP runtime have been linked into the program."
    script = f"import sys; sys.exit('OMP: Error #15: Initializing libomp.dylib.\\n{hint}')"
    process = subprocess.Popen([sys.executable, "-c", script], stdout=-1, stderr=-1, text=True)
    answers = {"trying": "torch", **probes.wait(process)}
    assert "environment.yml" in only(checks.check_imports(answers), "fail", "imports", "OMP: ")


@pytest.mark.parametrize(
    "gpus, error, cuda, driver, level",
    [
        ([], None, None, None, "pass"),
        ([], None, None, "nvidia-smi", "pass"),
        ([], None, "13.0", None, "pass"),
        ([], None, "13.0", "nvidia-smi", "warn"),
        (["H100"], None, "13.0", "nvidia-smi", "pass"),
        (["H100"], "no kernel image", "13.0", "nvidia-smi", "warn"),
    ],
)
def test_a_gpu_that_does_not_work_is_noticed(gpus, error, cuda, driver, level, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: driver)
    finding = checks.check_gpu(**torch_facts(gpus, error, cuda))
    assert (finding.level, bool(finding.command)) == (level, level != "pass")


def test_a_gpu_that_captures_no_step_is_noticed():
    facts = torch_facts(["H100 (80 GB)"], cuda="13.0") | {"capture_error": "RuntimeError: not permitted"}
    assert only([checks.check_gpu(**facts)], "warn", "gpu", "H100 (80 GB)", "--no-graph", "not permitted")


class FakeCuda:
    """One GPU that computes on the processor; a graph replays what was written into the tensor, or does nothing."""

    def __init__(self, replays):
        self.replays = replays

    def device_count(self):
        return 1

    def get_device_properties(self, number):
        return SimpleNamespace(name="H100", total_memory=80e9)

    @contextlib.contextmanager
    def graph(self, graph):
        yield

    def CUDAGraph(self):
        def replay():
            if not self.replays:
                raise RuntimeError("not permitted")

        return SimpleNamespace(replay=replay)


@pytest.mark.parametrize("replays, error", [(True, None), (False, "RuntimeError: not permitted")])
def test_a_gpu_is_named_with_its_memory_and_asked_to_capture(replays, error):
    stand_in = SimpleNamespace(
        cuda=FakeCuda(replays),
        version=torch.version,
        get_num_threads=lambda: 1,
        ones=lambda size, device: torch.ones(size),
        zeros=lambda size, device: torch.zeros(size),
    )
    facts = probes.torch_facts(stand_in)
    assert facts["gpus"] == ["H100 (80 GB)"] and facts["error"] is None and facts["capture_error"] == error
    assert checks.check_gpu(**facts).level == ("warn" if error else "pass")


@pytest.mark.integration
@pytest.mark.parametrize("module", ["jupyter_client", "ipykernel_launcher"])
def test_a_kernel_without_its_packages_fails(module, fake_package):
    fake_package(module, "raise ImportError('torn')")
    command = only(checks.check_kernel(probes.wait(probes.start("kernel", "python3"))), "fail", "kernel", "not start")
    assert command.endswith("jupyter_client ipykernel")


def test_a_kernel_of_a_missing_interpreter_fails(tmp_path, monkeypatch):
    spec = {"argv": ["/no/such/python", "-f", "{connection_file}"], "display_name": "Python 3", "language": "python"}
    write(tmp_path / "kernels" / "python3" / "kernel.json", json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    findings = checks.check_kernel(probes.wait(probes.start("kernel", "python3")))
    command = only(findings, "fail", "kernel", "does not start", "No such file", "/no/such/python")
    assert command.endswith("jupyter kernelspec remove -f python3")


@pytest.mark.parametrize(
    "changed, words, end",
    [
        ({"prefix": "/another"}, "runs in /another", "python3"),
        ({"helpers": "/another/mnist_helpers/__init__.py"}, "from /another", str(ROOT)),
        ({"helpers": None}, "from nowhere", str(ROOT)),
    ],
)
def test_a_kernel_of_another_environment_fails(changed, words, end):
    assert only(checks.check_kernel({"facts": KERNEL_FACTS | changed}), "fail", "kernel", words).endswith(end)
    assert passes(checks.check_kernel({"facts": KERNEL_FACTS}))


def test_line_breaks_and_escape_codes_of_an_error_are_not_printed():
    assert str(Finding("fail", "imports", "one\ntwo\x1b[31m", "mend")).isprintable()
