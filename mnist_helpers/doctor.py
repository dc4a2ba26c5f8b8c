"""Look for what can be wrong with an installation of the course, and name the command that mends it.

    python -m mnist_helpers.doctor

A line for each check: pass, warn or fail. Exit code 0: nothing failed; 1: something did.
It needs nothing but Python itself: a package that is missing, raises, hangs or crashes is reported.
"""

from __future__ import annotations  # an older Python reads as far as the check that refuses it

import argparse
import importlib.metadata
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mnist_helpers._support.checksums import ARCHIVE_MD5, EXTRACTED_MD5, md5
from mnist_helpers._support.terminal import escape_unprintable

ROOT = Path(__file__).resolve().parents[1]
PROBES = Path(__file__).with_name("doctor_probes.py")
LIMIT = 60  # seconds for a process that imports everything or starts a kernel: three, where nothing is wrong
PYTHONS = (3, 11), (3, 14)
PYTHON_OF_OUTPUTS = "3.11"  # as the head of constraints.txt says
MODULES = {"scikit-learn": "sklearn", "pillow": "PIL", "ipython": "IPython", "pyyaml": "yaml"}
KERNEL = "python3"
SHOWN = 4  # packages named in one line
DISK_GB = 0.2, 1.0  # below the first it fails, below the second it warns
MEMORY_GB = 0.5, 2.0


@dataclass(frozen=True)
class Finding:
    """What one check found; `command` mends it, unless it is a pass."""

    level: str  # pass, warn or fail
    subject: str
    text: str
    command: str = ""

    def __str__(self) -> str:
        text = "".join(letter if letter.isprintable() else " " for letter in self.text)
        line = f"{self.level}  {self.subject:<11} {text}"
        return f"{line}; mend it with: {self.command}" if self.command else line


def shell(*words: object) -> str:
    """Write a command as a user can type it into this system's shell."""
    words = [str(word) for word in words]
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)


def install() -> str:
    """The command that installs the course, or that changes to the environment in which it is installed."""
    activate = ROOT / ".venv" / "bin" / "activate"
    if activate.exists() and Path(sys.prefix).resolve() != activate.parents[1].resolve():
        return shell("source", activate)
    if sys.prefix == sys.base_prefix and os.name != "nt" and not Path(sys.prefix, "conda-meta").exists():
        return shell("make", "-C", ROOT, "lab")  # a system's own Python, into which pip may not install
    return shell(sys.executable, "-m", "pip", "install", "-c", ROOT / "constraints.txt", "-e", ROOT)


def reinstall(*packages: str) -> str:
    """The command that writes the files of installed packages anew."""
    pip = [sys.executable, "-m", "pip", "install", "--force-reinstall", "--no-deps"]
    return shell(*pip, "-c", ROOT / "constraints.txt", *packages)


def one_openmp() -> str:
    """The command that makes an environment from conda-forge, whose packages share one OpenMP runtime."""
    return shell("conda", "env", "create", "-f", ROOT / "environment.yml")


def put_aside(path: Path) -> str:
    """The command that gives a file or a folder another name."""
    return shell("move" if os.name == "nt" else "mv", path, f"{path}.aside")


def python() -> Finding:
    """Is this a Python for which the versions of the packages were resolved?"""
    text = f"{platform.python_version()} ({sys.executable})"
    low, high = (".".join(map(str, version)) for version in PYTHONS)
    if not PYTHONS[0] <= sys.version_info[:2] <= PYTHONS[1]:
        make = shell("make", "-C", ROOT, "lab", f"PYTHON=python{PYTHON_OF_OUTPUTS}")
        return Finding("fail", "python", f"{text}, but {low} to {high} was expected", make)
    return Finding("pass", "python", f"{text}; {low} to {high} fit")


def requirements() -> dict[str, str]:
    """The packages that the course needs, with the lowest version that fits: {"torch": "2.9", ...}."""
    import tomllib  # an older Python has none

    lines = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    return dict(re.match(r"([\w.-]+)>=([\d.]+)$", line).groups() for line in lines)


def pins() -> dict[str, str]:
    """The exact versions that the stored outputs were made with: {"torch": "2.14.1", ...}."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = [line.split("#")[0].strip() for line in lines]  # behind the number sign stands the licence
    return dict(pin.split("==") for pin in pinned if "==" in pin)


def installed(package: str) -> str | None:
    """The version that is installed, without the local part of "2.14.1+cpu"."""
    try:
        version = importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
    return version and version.split("+")[0]


def older(version: str, than: str) -> bool:
    """Compare two versions by their numbers: 2.9 is older than 2.14."""
    found, expected = ([int(number) for number in re.findall(r"\d+", text)] for text in (version, than))
    return found < expected


def some(names: list[str]) -> str:
    """Write a list in one line, however long it is."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def packages() -> Iterator[Finding]:
    """Are the packages there, in the versions that fit, in those of the stored outputs?"""
    needed, exact = requirements(), pins()
    found = {name: version for name in {**needed, **exact} if (version := installed(name))}
    missing = [name for name in needed if name not in found]
    old = {name: f"{name} {found[name]}, not {low} or later" for name, low in needed.items() if name in found}
    old = {name: text for name, text in old.items() if older(found[name], needed[name])}
    differ = [f"{name} {found[name]}, not {pin}" for name, pin in exact.items() if found.get(name, pin) != pin]
    if missing:
        yield Finding("fail", "packages", f"missing: {some(missing)}", install())
    if old:
        yield Finding("fail", "packages", f"too old: {some(list(old.values()))}", install())
    if not missing and not old:
        yield Finding("pass", "packages", f"all {len(needed)} are there, in versions that fit")
    if differ:
        command = shell(sys.executable, "-m", "pip", "install", "-r", ROOT / "constraints.txt")
        yield Finding("warn", "versions", f"not those of the stored outputs: {some(differ)}", command)
    elif not missing:
        yield Finding("pass", "versions", "exactly those that the stored outputs were made with")


def dataset(root: Path = ROOT / "data") -> Iterator[Finding]:
    """Is every MNIST file what it should be, byte for byte? `root` is the folder above MNIST/raw."""
    raw = root / "MNIST" / "raw"
    restore = shell("git", "-C", ROOT, "checkout", "--", raw)
    bad = [name for name, md5 in ARCHIVE_MD5.items() if md5_of(raw / name) != md5]
    if bad:
        yield Finding("fail", "dataset", f"damaged or missing in {raw}: {some(bad)}", restore)
    extracted = [raw / name for name in EXTRACTED_MD5 if os.path.lexists(raw / name)]
    torn = [path for path in extracted if md5_of(path) != EXTRACTED_MD5[path.name]]
    if torn:
        remove = "del" if os.name == "nt" else "rm -r"
        text = f"damaged, to be extracted again: {some([path.name for path in torn])}"
        yield Finding("fail", "dataset", text, f"{remove} {shell(*torn)}")
    if not bad and not torn:
        yield Finding("pass", "dataset", f"{len(ARCHIVE_MD5)} archives and {len(extracted)} extracted files are whole")


def md5_of(path: Path) -> str:
    """Return the md5 of a file, or why there is none."""
    try:
        return md5(path.read_bytes())
    except OSError as error:
        return str(error)


def room(subject: str, free: int, bounds: tuple[float, float], command: str) -> Finding:
    """Judge `free` bytes by two bounds in GB: it fails below the first, and warns below the second."""
    text = f"{free / 1e9:.1f} GB free"
    if free < bounds[1] * 1e9:
        level = "fail" if free < bounds[0] * 1e9 else "warn"
        return Finding(level, subject, f"{text}, but {bounds[1]:.0f} GB was expected", command)
    return Finding("pass", subject, text)


def disk() -> Finding:
    """Is there room for what the notebooks write? pip's cache is the largest thing that nobody misses."""
    return room("disk", shutil.disk_usage(ROOT).free, DISK_GB, shell(sys.executable, "-m", "pip", "cache", "purge"))


def memory() -> Iterator[Finding]:
    """Is there memory for a notebook? Kernels of closed notebooks hold most of what is missing."""
    free = free_memory()
    if free is not None:
        yield room("memory", free, MEMORY_GB, shell(sys.executable, "-m", "jupyter", "lab", "stop"))


def free_memory() -> int | None:
    """Bytes that a new process can have, by the system and by a container's limit; None where Linux is not."""
    try:
        meminfo = Path("/proc/meminfo").read_text()
        free = int(re.search(r"MemAvailable:\s+(\d+) kB", meminfo)[1]) * 1024
    except (OSError, TypeError):
        return None
    limit = container_limit("memory.max")
    return min(free, int(limit[0])) if limit else free


def container_limit(name: str) -> list[str]:
    """The numbers in one of a container's limits; none outside of one."""
    try:
        numbers = Path("/sys/fs/cgroup", name).read_text().split()
    except OSError:
        return []
    return [] if numbers[:1] == ["max"] else numbers


def folders() -> Iterator[Finding]:
    """Can the notebooks and what they write be saved? artifacts/ need not exist yet."""
    for folder in (ROOT / "artifacts", ROOT / "notebooks"):
        yield writable(folder)


def writable(folder: Path) -> Finding:
    """Can a file be made in `folder`, or `folder` itself where it is not there yet?"""
    tried = folder if os.path.lexists(folder) else folder.parent
    try:
        with tempfile.TemporaryFile(dir=tried):
            return Finding("pass", "folder", f"{folder.name}/ can be written to")
    except OSError as error:
        text = f"{folder} cannot be written to ({error.strerror})"
    if not tried.is_dir():
        return Finding("fail", "folder", text, put_aside(folder))
    mine = not hasattr(os, "getuid") or tried.stat().st_uid == os.getuid()
    if os.name == "nt":
        command = shell("attrib", "-r", tried, "/s", "/d")
    else:
        command = shell("chmod", "-R", "u+w", tried) if mine else f'sudo chown -R "$USER" {shell(tried)}'
    return Finding("fail", "folder", text, command)


def namesakes() -> Iterator[Finding]:
    """Has a file beside the notebooks the name of a module that they import? Python takes it in its place."""
    taken = {*sys.stdlib_module_names, "mnist_helpers"}  # those of packages are found as they are imported
    for path in sorted((ROOT / "notebooks").glob("*.py")):
        if path.stem in taken:
            text = f"{path} is taken in place of the module {path.stem}"
            yield Finding("fail", "names", text, put_aside(path))


class Probe:
    """A task of doctor_probes.py that runs beside this process, in the folder in which the notebooks run."""

    def __init__(self, *words: str):
        folder = ROOT / "notebooks"
        with PROBES.open("rb") as source:
            self.process = subprocess.Popen(
                [sys.executable, "-", *words],
                stdin=source,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=folder if folder.is_dir() else ROOT,
                encoding="utf-8",
                errors="replace",
            )

    def answers(self) -> list[dict]:
        """Wait until it ends, and return what it told."""
        self.late = False
        try:
            output, self.errors = self.process.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            self.late = True
            self.process.kill()
            output, self.errors = self.process.communicate()
        return [json.loads(line) for line in output.splitlines() if line.startswith("{")]

    def end(self) -> str:
        """Say how it ended, other than well: late, by a signal, or with an error."""
        last = self.errors.strip().split("\n")[-1]
        if self.late:
            return f"not done after {LIMIT} s"
        code = self.process.returncode
        if code < 0:
            return f"ended by signal {-code}{': ' if last else ''}{last}"
        return last or f"ended with exit code {code}"


def attempts(probe: Probe, names: list[str]) -> Iterator[dict]:
    """Yield what is told of each import; what follows one that takes its process with it is tried in another."""
    answers = probe.answers()
    yield from answers
    done = [answer["package"] for answer in answers if "error" in answer]
    rest = names[len(done) :]
    if not answers or (not rest and probe.process.returncode):
        yield {"failure": probe.end()}
    elif rest:
        yield {"package": rest[0], "error": probe.end()}
        if rest[1:] and not probe.late:
            yield from attempts(Probe("imports", *map(pair, rest[1:])), rest[1:])


def modules(probe: Probe, names: list[str]) -> Iterator[Finding]:
    """Can every package be imported, and what does torch say of this machine?"""
    answers = list(attempts(probe, names))
    begun = {answer["package"]: answer for answer in answers if "origin" in answer}
    errors = {answer["package"]: answer["error"] for answer in answers if "error" in answer}
    first = {error: name for name, error in reversed(errors.items())}  # the same error again has the same cause
    named = [name for name, error in errors.items() if error is None or first[error] == name]
    findings = [finding for name in named for finding in module(name, begun.get(name, {}), errors[name])]
    yield from findings
    for failure in (answer["failure"] for answer in answers if "failure" in answer):
        text = f"the packages cannot be asked ({failure[:200]})"
        yield Finding("fail", "imports", text, reinstall("torch") if begun else install())
    if not findings and len(errors) == len(names):
        yield Finding("pass", "imports", f"{some(names)} can be imported")
    for facts in (answer for answer in answers if "threads" in answer):
        yield from machine(facts)


def pair(name: str) -> str:
    """Name a package and the module that it brings, as the probe expects it: "pillow=PIL"."""
    return f"{name}={MODULES.get(name, name)}"


def module(name: str, begun: dict, error: str | None) -> Iterator[Finding]:
    """Judge how one import went, and whether it took the package or a file that has its name."""
    origin, home = begun.get("origin"), begun.get("home")
    if origin and Path(home).resolve() not in Path(origin).resolve().parents:
        path = Path(origin).parent if Path(origin).name == "__init__.py" else Path(origin)
        yield Finding("fail", "imports", f"{path} is taken in place of the package {name}", put_aside(path))
    elif error and "OMP: Error #15" in error:
        yield Finding("fail", "imports", f"{name} cannot be imported ({error[:200]})", one_openmp())
    elif error:
        yield Finding("fail", "imports", f"{name} cannot be imported ({error[:200]})", reinstall(name))


def machine(facts: dict) -> Iterator[Finding]:
    """Judge what torch said of this machine."""
    yield openmp(facts["openmp"])
    yield threads(facts["threads"], cores())
    yield gpu(facts)


def openmp(paths: list[str]) -> Finding:
    """Are there two OpenMP runtimes of Intel's and LLVM's family, which abort or hang beside each other?

    GNU's libgomp is harmless. Source: threadpoolctl's multiple_openmp.md, and the "OMP: Error #15" of the two.
    """
    names = sorted(Path(path).name for path in paths)
    family = [name for name in names if re.match(r"lib[io]?omp", name)]
    if len(family) > 1:
        return Finding("warn", "openmp", f"{' and '.join(family)} in one process may crash or hang", one_openmp())
    return Finding("pass", "openmp", f"{', '.join(names) or 'none'}: no two that clash")


def cores() -> int:
    """How many processor cores this process may use, by the system and by a container's limit."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = container_limit("cpu.max")
    return max(1, min(count, int(quota[0]) // int(quota[1]))) if quota else count


def threads(found: int, allowed: int) -> Finding:
    """Does torch compute on the cores that it may use, rather than on one alone, or on more than there are?"""
    text = f"torch computes with {found}, on {allowed} processor cores that it may use"
    variable = "set" if os.name == "nt" else "export"
    if found > allowed or (found == 1 < allowed):
        return Finding("warn", "threads", text, f"{variable} OMP_NUM_THREADS={allowed}")
    return Finding("pass", "threads", text)


def gpu(facts: dict) -> Finding:
    """Does the GPU add, if there is one? The course needs none."""
    if facts["gpu_error"]:
        text = f"{some(facts['gpus']) or 'processor'} cannot add ({facts['gpu_error'][:200]})"
        return Finding("warn", "gpu", text, reinstall("torch", "torchvision"))
    if facts["gpus"]:
        return Finding("pass", "gpu", f"{some(facts['gpus'])} works")
    if facts["cuda"] and shutil.which("nvidia-smi"):
        text = f"there is a driver of Nvidia's, but torch, built for CUDA {facts['cuda']}, finds no GPU"
        return Finding("warn", "gpu", text, "nvidia-smi")
    return Finding("pass", "gpu", "none that torch can use, and none is needed")


def kernel(probe: Probe) -> Iterator[Finding]:
    """Does the kernel that the notebooks name start, in this environment, with these helpers?"""
    answer = {name: value for part in probe.answers() for name, value in part.items()}
    argv = answer.get("argv", [""])
    where = f"{KERNEL} ({argv[0]}, from {answer.get('folder')})"
    own = argv[0] == sys.executable or re.match(r"python[\d.]*$", argv[0])
    remove = shell(sys.executable, "-m", "jupyter", "kernelspec", "remove", "-f", KERNEL)  # then it is this Python
    if "argv" not in answer:
        yield Finding("fail", "kernel", f"{KERNEL} is not found ({probe.end()[:200]})", install_kernel())
    elif "prefix" not in answer:
        error = answer.get("start_error", "").split("\n")[-1] or probe.end()
        command = install_kernel() if own else remove
        yield Finding("fail", "kernel", f"{where} does not start ({error[:200]})", command)
    else:
        yield Finding("pass", "kernel", f"{where} starts and answers")
        yield environment(answer, remove)


def install_kernel() -> str:
    """The command that installs what starts kernels, or writes it anew where it is installed already."""
    found = [installed(name) for name in ("jupyter_client", "ipykernel")]
    return reinstall("jupyter_client", "ipykernel") if all(found) else install()


def environment(answer: dict, remove: str) -> Finding:
    """Does the kernel run in the environment of this process, and does it find the helpers that this is one of?"""
    if Path(answer["prefix"]).resolve() != Path(sys.prefix).resolve():
        text = f"{KERNEL} runs in {answer['prefix']}, not in {sys.prefix}, where the packages were looked at"
        return Finding("fail", "interpreter", text, remove)
    helpers = Path(__file__).resolve().parent
    if Path(answer["helpers"] or "").resolve().parent != helpers:
        text = f"{KERNEL} finds mnist_helpers at {answer['helpers'] or 'no place'}, not at {helpers}"
        command = shell(sys.executable, "-m", "pip", "install", "--no-deps", "-e", ROOT)
        return Finding("fail", "interpreter", text, command)
    return Finding("pass", "interpreter", f"{KERNEL} runs in {answer['prefix']}, with the helpers of this folder")


def browser() -> Finding:
    """Is there a Chromium for the tests that open pages? They look for it as tools/chromium.py does."""
    if not installed("playwright"):
        pip = shell(sys.executable, "-m", "pip", "install", "-c", ROOT / "constraints.txt", "playwright")
        return Finding("warn", "chromium", "no playwright, which only tests of pages need", pip)
    named = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not named:
        probe = Probe("browser")
        named = next((answer["path"] for answer in probe.answers()), "")
    if shutil.which(named):
        return Finding("pass", "chromium", named)
    fetch = shell(sys.executable, "-m", "playwright", "install", "chromium")
    command = "unset CHROMIUM" if os.environ.get("CHROMIUM") else fetch
    return Finding("warn", "chromium", f"{named or 'none'} is no browser; only tests of pages need one", command)


def examine() -> Iterator[Finding]:
    """Yield every finding, the quick ones while the packages are imported and the kernel starts."""
    first = python()
    yield first
    if first.level == "fail":
        return
    try:
        listed, names = list(packages()), list(filter(installed, requirements()))
    except (OSError, ValueError, LookupError, AttributeError) as error:  # no file, no TOML, no ">="
        restore = shell("git", "-C", ROOT, "checkout", "--", "pyproject.toml", "constraints.txt")
        listed, names = [Finding("fail", "packages", f"their lists cannot be read ({error})", restore)], []
    importing = Probe("imports", *map(pair, names)) if names else None
    starting = Probe("kernel", KERNEL)
    yield from listed
    yield from quick()
    if importing:
        yield from modules(importing, names)
    yield from kernel(starting)


def quick() -> Iterator[Finding]:
    """Yield what is found without importing a package."""
    yield from dataset()
    yield disk()
    yield from memory()
    yield from folders()
    yield from namesakes()
    yield browser()


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m mnist_helpers.doctor",
        description="Look for what can be wrong with this installation, and name the command that mends it. "
        "Exit code 0: nothing failed; 1: something did.",
    )
    parser.parse_args()
    escape_unprintable()
    levels = []
    for finding in examine():
        print(finding, flush=True)
        levels.append(finding.level)
    print(f"{levels.count('pass')} passed, {levels.count('warn')} warned, {levels.count('fail')} failed")
    return 1 if "fail" in levels else 0


if __name__ == "__main__":
    sys.exit(main())
