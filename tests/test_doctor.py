"""The doctor sees each fault that is put before it, names what mends it, and finds nothing where nothing is wrong."""

import gzip
import importlib.metadata
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections import namedtuple
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from torchvision.datasets import MNIST

from mnist_helpers import data, doctor
from mnist_helpers._support import checksums
from tests.notebook_checks import ROOT

CRASHES = {
    "raises": ("raise OSError('libtorch is torn')", "OSError: libtorch is torn"),
    "exits": ("raise SystemExit(3)", "SystemExit: 3"),
    "dies": ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "ended by signal 9"),
}


def run(folder=ROOT, **environment):
    """Run the command as a user does, in a folder, with these variables besides; returns exit code and lines."""
    path = [environment.pop("PYTHONPATH", ""), str(ROOT), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | environment | {"PYTHONPATH": os.pathsep.join(filter(None, path))}
    command = [sys.executable, "-m", "mnist_helpers.doctor"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


def of(lines, subject):
    """The lines on one subject."""
    return [line for line in map(str, lines) if line.split()[1] == subject]


def failed(lines, subject, *words, level="fail"):
    """Find the one line on `subject` that is no pass; it names a command and holds these words. Returns the command."""
    (line,) = [line for line in of(lines, subject) if not line.startswith("pass")]
    assert line.startswith(level) and "\n" not in line
    text, command = line.split("; mend it with: ")
    for word in words:
        assert word in text
    return command


def write(path, content=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def fake_package(folder, name, content, metadata=None):
    """A package of that name whose import runs `content`; with `metadata`, it counts as installed in that version."""
    write(folder / name / "__init__.py", content)
    if metadata:
        about = f"Metadata-Version: 2.1\nName: {name}\nVersion: {metadata}\n"
        write(folder / f"{name}-{metadata}.dist-info" / "METADATA", about)
    return {"PYTHONPATH": str(folder)}


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A copy of the course's frame that the doctor takes for the course: lists, data (as links), folders."""
    for name in ("pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "notebooks").mkdir()
    raw = tmp_path / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in checksums.ARCHIVE_MD5:
        (raw / name).symlink_to(data.ROOT / "MNIST" / "raw" / name)
    monkeypatch.setattr(doctor, "ROOT", tmp_path)
    return tmp_path


def findings(probe, names):
    return list(doctor.modules(probe, names))


# The whole command


def test_the_environment_of_the_tests_passes_in_plain_lines():
    code, lines = run()
    assert code == 0, lines
    assert re.match(r"\d+ passed, \d+ warned, 0 failed$", lines[-1])
    for line in lines[:-1]:
        assert re.match(r"(pass|warn)  [a-z]+ +\S.*$", line) and line.isprintable(), line
        assert ("mend it with: " in line) == (not line.startswith("pass"))
    subjects = {line.split()[1] for line in lines[:-1]}
    assert subjects >= {"python", "packages", "versions", "dataset", "disk", "folder", "chromium", "imports"}
    assert subjects >= {"openmp", "threads", "gpu", "kernel", "interpreter"}


def test_without_any_package_it_names_them_and_how_to_install_them(tmp_path):
    # -S: no site-packages; the module and the standard library are all there is
    command = [sys.executable, "-S", "-c", "import sys; sys.path.insert(0, sys.argv[1]); sys.argv = ['doctor']\n"]
    command[-1] += "from mnist_helpers import doctor; sys.exit(doctor.main())"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([*command, str(ROOT)], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "")
    command = failed(done.stdout.splitlines()[:-1], "packages", "missing: torch, torchvision", "more")
    assert "constraints.txt" in command or command.startswith(("make", "source"))


def test_importing_it_imports_no_package():
    code = "import sys; from mnist_helpers import doctor; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert "mnist_helpers" in loaded
    assert not loaded & {"torch", "numpy", "jupyter_client", "IPython", "packaging"}


@pytest.mark.parametrize("how", CRASHES)
def test_a_broken_torch_is_reported_and_the_rest_is_looked_at(how, tmp_path):
    content, error = CRASHES[how]
    code, lines = run(**fake_package(tmp_path, "torch", content, metadata="2.14.1"))
    assert code == 1
    command = failed(lines[:-1], "imports", "torch cannot be imported", error)
    assert command.endswith(shlex.join(["-c", str(ROOT / "constraints.txt"), "torch"]))
    assert of(lines[:-1], "kernel")[0].startswith("pass")


# One check at a time


def test_the_lists_are_read_as_they_are():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    listed = map(Requirement, project["dependencies"])
    assert doctor.requirements() == {each.name: str(each.specifier).removeprefix(">=") for each in listed}
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = [line.split()[0] for line in lines if line[0] != "#"]
    assert [f"{name}=={version}" for name, version in doctor.pins().items()] == pinned


@pytest.mark.parametrize("found, fits", [((3, 10), False), ((3, 11), True), ((3, 14, 2), True), ((3, 15, 0), False)])
def test_another_python_fails(found, fits, monkeypatch):
    monkeypatch.setattr(sys, "version_info", found)
    assert (doctor.python().level == "pass") == fits
    if not fits:
        assert "lab PYTHON=python3.11" in failed([doctor.python()], "python", "3.11 to 3.14 was expected")
        assert len(list(doctor.examine())) == 1


@pytest.mark.parametrize(
    "package, found, subject, level, words",
    [
        ("torch", "2.8.1", "packages", "fail", "too old: torch 2.8.1, not 2.9 or later"),
        ("numpy", "1.26.4", "packages", "fail", "numpy 1.26.4, not 2.0"),
        ("pillow", None, "packages", "fail", "missing: pillow"),
        ("torch", "2.99.0", "versions", "warn", "torch 2.99.0, not 2.14.1"),
        ("torch", "2.14.1+cpu", "versions", "pass", ""),
    ],
)
def test_another_version_is_noticed(package, found, subject, level, words, course, monkeypatch):
    def look_up(name):
        if name == package and found is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return found if name == package else doctor.pins().get(name, "99")

    monkeypatch.setattr(importlib.metadata, "version", look_up)
    looked = list(doctor.packages())
    if level == "pass":
        assert {finding.level for finding in looked} == {"pass"}
    else:
        assert "constraints.txt" in failed(looked, subject, words, level=level).replace("make", "constraints.txt")


@pytest.mark.parametrize("damage", ["", "[project]\ndependencies = ['torch']", "]["])
def test_lists_that_cannot_be_read_are_one_line(damage, course):
    write(course / "pyproject.toml", damage)
    looked = list(doctor.examine())
    assert "git -C" in failed(looked, "packages", "cannot be read")
    assert of(looked, "kernel") and not of(looked, "imports")


def test_the_sums_are_torchvisions():
    assert dict(MNIST.resources) == checksums.ARCHIVE_MD5


def test_whole_files_pass(course):
    raw = course / "data" / "MNIST" / "raw"
    for name in checksums.EXTRACTED_MD5:
        (raw / name).write_bytes(gzip.decompress((raw / f"{name}.gz").read_bytes()))
    (line,) = doctor.dataset(course / "data")
    assert str(line).startswith("pass") and "4 archives and 4 extracted" in line.text


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
    command = failed(doctor.dataset(course / "data"), "dataset", name)
    assert command.startswith("git") and str(path.parent) in command


@pytest.mark.parametrize("damage", ["torn", "folder", "link to nowhere"])
def test_a_damaged_extracted_file_fails_until_its_command_has_run(damage, course):
    path = course / "data" / "MNIST" / "raw" / "t10k-labels-idx1-ubyte"
    if damage == "torn":
        path.write_bytes(b"half")
    elif damage == "folder":
        path.mkdir()
    else:
        path.symlink_to("nowhere")
    command = failed(doctor.dataset(course / "data"), "dataset", path.name)
    subprocess.run(command, shell=True, check=True)
    assert [line.level for line in doctor.dataset(course / "data")] == ["pass"]


@pytest.mark.parametrize("free, level", [(10**8, "fail"), (5 * 10**8, "warn"), (10**10, "pass")])
def test_a_full_disk_is_noticed(free, level, monkeypatch):
    usage = namedtuple("usage", "total used free")(10**12, 0, free)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    assert doctor.disk().level == level
    if level != "pass":
        assert failed([doctor.disk()], "disk", "GB free", level=level).endswith("pip cache purge")


@pytest.mark.parametrize("free, level", [(10**8, "fail"), (10**9, "warn"), (10**10, "pass")])
def test_full_memory_is_noticed(free, level, monkeypatch):
    monkeypatch.setattr(doctor, "free_memory", lambda: free)
    (line,) = doctor.memory()
    assert line.level == level
    assert line.command.endswith("jupyter lab stop") or level == "pass"


def test_memory_is_left_out_where_the_system_does_not_tell_it(monkeypatch):
    monkeypatch.setattr(doctor, "free_memory", lambda: None)
    assert not list(doctor.memory())


def test_the_limits_of_a_container_count(monkeypatch):
    limits = {"memory.max": ["1000"], "cpu.max": ["100000", "100000"]}
    monkeypatch.setattr(doctor, "container_limit", limits.get)
    assert doctor.free_memory() in (1000, None)
    assert doctor.cores() == 1


@pytest.mark.parametrize("name", ["artifacts", "notebooks"])
def test_a_file_in_the_place_of_a_folder_fails_until_its_command_has_run(name, course):
    if name == "notebooks":
        (course / name).rmdir()
    write(course / name)
    command = failed(doctor.folders(), "folder", name, "cannot be written to")
    subprocess.run(command, shell=True, check=True)
    (course / name).mkdir()
    assert {line.level for line in doctor.folders()} == {"pass"}


def test_a_folder_that_is_read_only_fails(course, monkeypatch):
    def refuse(dir):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(doctor.tempfile, "TemporaryFile", refuse)
    command = failed([doctor.writable(course / "notebooks")], "folder", "Permission denied")
    assert command == shlex.join(["chmod", "-R", "u+w", str(course / "notebooks")])


def test_artifacts_that_are_not_there_pass_and_are_not_made(course):
    assert {line.level for line in doctor.folders()} == {"pass"}
    assert not (course / "artifacts").exists()


@pytest.mark.parametrize("name", ["random", "json", "mnist_helpers"])
def test_a_file_with_the_name_of_a_module_fails_until_its_command_has_run(name, course):
    write(course / "notebooks" / "mine.py")
    write(course / "notebooks" / f"{name}.py")
    command = failed(doctor.namesakes(), "names", f"{name}.py is taken in place of the module {name}")
    subprocess.run(command, shell=True, check=True)
    assert not list(doctor.namesakes())


def test_a_file_on_the_path_with_the_name_of_a_package_is_moved_away(tmp_path, monkeypatch):
    path = write(tmp_path / "yaml.py")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    names = ["packaging", "pyyaml"]
    (line,) = findings(doctor.Probe("imports", *map(doctor.pair, names)), names)
    command = failed([line], "imports", f"{path} is taken in place of the package pyyaml")
    subprocess.run(command, shell=True, check=True)
    (line,) = findings(doctor.Probe("imports", *map(doctor.pair, names)), names)
    assert line.level == "pass"


def test_a_package_that_hangs_is_reported(tmp_path, monkeypatch):
    fake_package(tmp_path, "onnx", "import time\nwhile True: time.sleep(1)", metadata="1.23.2")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(doctor, "LIMIT", 3)
    looked = findings(doctor.Probe("imports", "onnx=onnx", "packaging=packaging"), ["onnx", "packaging"])
    assert failed(looked, "imports", "onnx", "not done after 3 s").endswith(" onnx")


def test_a_probe_that_cannot_start_is_one_line(tmp_path, monkeypatch):
    write(tmp_path / "json.py", "raise ValueError('mine')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    failed(findings(doctor.Probe("imports", "packaging=packaging"), ["packaging"]), "imports", "ValueError: mine")


def test_a_torch_that_dies_when_it_is_asked_is_reported(tmp_path, monkeypatch):
    content = "import os, signal\ndef get_num_threads(): os.kill(os.getpid(), signal.SIGKILL)"
    fake_package(tmp_path, "torch", content, metadata="2.14.1")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    looked = findings(doctor.Probe("imports", "torch=torch"), ["torch"])
    failing = [line for line in looked if line.level == "fail"]
    assert failed(failing, "imports", "cannot be asked", "ended by signal 9").endswith(" torch")


def test_what_comes_after_a_crash_is_tried_and_told(tmp_path, monkeypatch):
    fake_package(tmp_path, "onnx", "import os; os._exit(7)", metadata="1.23.2")
    fake_package(tmp_path, "netron", "raise ValueError('torn')", metadata="9.3.3")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    names = ["packaging", "onnx", "netron"]
    onnx, netron = findings(doctor.Probe("imports", *map(doctor.pair, names)), names)
    assert failed([onnx], "imports", "ended with exit code 7").endswith(" onnx")
    assert failed([netron], "imports", "ValueError: torn").endswith(" netron")


@pytest.mark.parametrize(
    "names, level",
    [
        (["libomp.dylib", "libomp.dylib"], "warn"),
        (["libiomp5.so", "libomp.so"], "warn"),
        (["libiomp5md.dll", "libomp140.x86_64.dll"], "warn"),
        (["libgomp.so.1", "libgomp-e985bcbb.so.1.0.0"], "pass"),
        (["libgomp.so.1", "libiomp5.so"], "pass"),
        ([], "pass"),
    ],
)
def test_two_openmp_runtimes_are_noticed(names, level):
    line = doctor.openmp([str(Path("somewhere", name)) for name in names])
    assert line.level == level
    assert "environment.yml" in line.command or level == "pass"


def test_openmps_own_error_names_what_mends_it():
    (line,) = doctor.module("torch", {}, "ended by signal 6: OMP: Error #15: Initializing libomp.dylib")
    assert "environment.yml" in failed([line], "imports", "OMP: Error #15")


@pytest.mark.parametrize("found, allowed, level", [(1, 8, "warn"), (8, 2, "warn"), (1, 1, "pass"), (4, 8, "pass")])
def test_threads_that_do_not_fit_the_cores_are_noticed(found, allowed, level):
    line = doctor.threads(found, allowed)
    assert line.level == level
    assert line.command.endswith(f"OMP_NUM_THREADS={allowed}") or level == "pass"


def test_the_probe_counts_torchs_threads(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(doctor, "cores", lambda: 64)
    looked = findings(doctor.Probe("imports", "torch=torch"), ["torch"])
    assert failed(looked, "threads", "with 1, on 64", level="warn").endswith("OMP_NUM_THREADS=64")


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
    line = doctor.gpu({"gpus": gpus, "gpu_error": error, "cuda": cuda})
    assert (line.level, bool(line.command)) == (level, level != "pass")


def kernel_spec(folder, argv):
    spec = {"argv": argv, "display_name": "Python 3", "language": "python"}
    write(folder / "kernels" / "python3" / "kernel.json", json.dumps(spec))


def kernels():
    return list(doctor.kernel(doctor.Probe("kernel", "python3")))


@pytest.mark.parametrize(
    "interpreter, words",
    [("/no/such/python", "No such file"), (shutil.which("true"), "python3 (")],
)
def test_a_kernel_that_does_not_start_fails_until_its_command_has_run(interpreter, words, tmp_path, monkeypatch):
    kernel_spec(tmp_path, [interpreter, "-m", "ipykernel_launcher", "-f", "{connection_file}"])
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    command = failed(kernels(), "kernel", "does not start", str(tmp_path), words)
    subprocess.run(command, shell=True, check=True, capture_output=True)
    assert {line.level for line in kernels()} == {"pass"}


def test_a_kernel_of_another_environment_fails_until_its_command_has_run(tmp_path, monkeypatch):
    pretend = "import sys; sys.prefix = '/another'; sys.argv[0] = 'kernel'; from ipykernel import kernelapp as app; "
    kernel_spec(tmp_path, [sys.executable, "-c", pretend + "app.launch_new_instance()", "-f", "{connection_file}"])
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    command = failed(kernels(), "interpreter", "runs in /another", sys.prefix)
    subprocess.run(command, shell=True, check=True, capture_output=True)
    assert {line.level for line in kernels()} == {"pass"}


def test_a_kernel_with_the_helpers_of_another_folder_fails(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(write(tmp_path / "mnist_helpers" / "__init__.py").parents[1]))
    assert failed(kernels(), "interpreter", str(tmp_path)).endswith(shlex.join(["--no-deps", "-e", str(ROOT)]))


@pytest.mark.parametrize("found", ["", None])
def test_a_kernel_without_the_helpers_fails(found):
    line = doctor.environment({"prefix": sys.prefix, "helpers": found}, "remove")
    assert failed([line], "interpreter", "finds mnist_helpers at no place").endswith(str(ROOT))


def test_a_broken_jupyter_is_reported(tmp_path, monkeypatch):
    environment = fake_package(tmp_path, "jupyter_client", "raise ImportError('torn')")
    monkeypatch.setenv("PYTHONPATH", environment["PYTHONPATH"])
    assert "jupyter_client" in failed(kernels(), "kernel", "is not found", "torn")


def test_chromium_that_is_not_there_warns(monkeypatch):
    monkeypatch.setenv("CHROMIUM", "/no/such/browser")
    assert failed([doctor.browser()], "chromium", "/no/such/browser", level="warn") == "unset CHROMIUM"
    monkeypatch.delenv("CHROMIUM")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert failed([doctor.browser()], "chromium", level="warn").endswith("playwright install chromium")
    monkeypatch.setattr(doctor, "installed", lambda name: None)
    assert failed([doctor.browser()], "chromium", "no playwright", level="warn").endswith("playwright")


def test_line_breaks_and_escape_codes_of_an_error_are_not_printed():
    line = str(doctor.Finding("fail", "imports", "one\ntwo\x1b[31m", "mend"))
    assert line.isprintable()


def test_installing_goes_to_the_courses_own_environment_where_there_is_one(course):
    write(course / ".venv" / "bin" / "activate")
    assert doctor.install() == shlex.join(["source", str(course / ".venv" / "bin" / "activate")])
    (course / ".venv" / "bin" / "activate").unlink()
    assert str(course) in doctor.install() and "source" not in doctor.install()
