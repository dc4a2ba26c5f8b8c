"""The checks: each one looks at one thing and yields its findings."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mnist_helpers._support.checksums import ARCHIVE_MD5, EXTRACTED_MD5, md5
from mnist_helpers._support.paths import COURSE as ROOT
from mnist_helpers._support.paths import PACKAGE
from mnist_helpers._support.terminal import escape_control_characters
from mnist_helpers.doctor import remedies
from mnist_helpers.doctor.probes import MODULES

MEMORY, CONTAINER_MEMORY = Path("/proc/meminfo"), Path("/sys/fs/cgroup/memory.max")
ROOM_GB = {"disk": (0.2, 1, remedies.CLEAR_PIP_CACHE), "memory": (0.5, 2, remedies.STOP_JUPYTERLAB)}


@dataclass(frozen=True)
class Finding:
    """What a check found; the level is "pass", "warn" or "fail", and the command mends it."""

    level: str
    subject: str
    text: str
    command: str = ""

    def __str__(self) -> str:
        line = f"{self.level}  {self.subject:<9} {escape_control_characters(self.text)}"
        return f"{line}; mend it with: {self.command}" if self.command else line


def check_python() -> Finding:
    """Check that the pinned packages exist for this Python."""
    text = f"{platform.python_version()} ({sys.executable})"
    if (3, 11) <= sys.version_info[:2] <= (3, 14):
        return Finding("pass", "python", text)
    text += " is not supported: the course needs 3.11 to 3.14"
    return Finding("fail", "python", text, remedies.use_python_3_11())


def project() -> dict[str, Any]:
    """Return the table [project] of pyproject.toml, or nothing if it cannot be read."""
    try:
        import tomllib  # not in Python 3.10 and older

        return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    except (ImportError, OSError, ValueError, KeyError):
        return {}


def minimum_versions() -> dict[str, str]:
    """Return the dependencies with their minimum versions: {"torch": "2.9", ...}."""
    return dict(line.partition(">=")[::2] for line in project().get("dependencies", []))


def pinned_versions() -> dict[str, str]:
    """Return the versions that made the stored outputs; the names are in lower case, as in pyproject.toml."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").lower().splitlines()
    return dict(line.split()[0].split("==") for line in lines if "==" in line)


def installed_version(package: str) -> str | None:
    """Return the version without its local part ("+cpu"), or None if the package is missing or damaged."""
    try:
        return importlib.metadata.version(package).split("+")[0]
    except Exception:  # PackageNotFoundError, or whatever damaged metadata raises
        return None


def installed_versions() -> dict[str, str | None]:
    """Return the installed versions of the dependencies."""
    return {name: installed_version(name) for name in minimum_versions()}


def numbers(version: str) -> list[int]:
    """Return a version such that 2.9 is less than 2.14."""
    return [int(number) for number in re.findall(r"\d+", version)]


def check_packages() -> Iterator[Finding]:
    """Check that the dependencies are installed and not too old, and compare them with the stored outputs."""
    minimum, pins = minimum_versions(), pinned_versions()
    if not minimum:
        yield Finding("fail", "packages", "pyproject.toml cannot be read", remedies.restore(ROOT / "pyproject.toml"))
        return
    found = {name: version for name, version in installed_versions().items() if version}
    missing = [name for name in minimum if name not in found]
    old = [f"{name} {found[name]}" for name in found if numbers(found[name]) < numbers(minimum[name])]
    for problem, names in {"missing": missing, "too old": old}.items():
        if names:
            yield Finding("fail", "packages", f"{problem}: {', '.join(names)}", remedies.install_course())
    if not missing and not old:
        yield Finding("pass", "packages", f"all {len(minimum)} are installed")
    pinned = {name: pin for name, pin in pins.items() if found.get(name, pin) != pin}
    if pinned:
        differ = ", ".join(f"{name} {found[name]} (not {pin})" for name, pin in pinned.items())
        yield Finding("warn", "versions", f"not those of the stored outputs: {differ}", remedies.install_course())
    elif found:
        yield Finding("pass", "versions", "those of the stored outputs")


def check_data() -> Iterator[Finding]:
    """Check the MNIST files by their checksums. The extracted files may be missing: they are made again."""
    raw = ROOT / "data" / "MNIST" / "raw"
    extracted = {name: EXTRACTED_MD5[name] for name in EXTRACTED_MD5 if os.path.lexists(raw / name)}
    checksums = ARCHIVE_MD5 | extracted
    paths = [raw / name for name in checksums]
    bad = [path for path in paths if not path.is_file() or md5(path.read_bytes()) != checksums[path.name]]
    for path in bad:
        command = remedies.restore(path) if path.name in ARCHIVE_MD5 else remedies.rename(path)
        yield Finding("fail", "data", f"{path} is damaged or missing", command)
    if not bad:
        yield Finding("pass", "data", f"the checksums of {len(checksums)} files are correct")


def free_gb() -> dict[str, float]:
    """Return the free GB on the disk of the course, and in memory where Linux says it."""
    free = {"disk": shutil.disk_usage(ROOT).free}
    if found := re.search(r"MemAvailable:\s+(\d+) kB", MEMORY.read_text() if MEMORY.exists() else ""):
        available = int(found[1]) * 1024
        limit = CONTAINER_MEMORY.read_text().strip() if CONTAINER_MEMORY.exists() else "max"
        free["memory"] = available if limit == "max" else min(available, int(limit))
    return {name: round(size / 1e9, 1) for name, size in free.items()}


def check_room() -> Iterator[Finding]:
    """Check that there is room for what the notebooks write, and memory; kernels of closed notebooks often use it."""
    for subject, free in free_gb().items():
        minimum, recommended, command = ROOM_GB[subject]
        level = "fail" if free < minimum else "warn" if free < recommended else "pass"
        text = f"{free} GB free" + ("" if level == "pass" else f", {recommended:.0f} GB are recommended")
        yield Finding(level, subject, text, "" if level == "pass" else command)


def check_shadowing() -> Iterator[Finding]:
    """Check that no file beside the notebooks is imported instead of a module."""
    modules = {MODULES.get(name, name) for name in minimum_versions()}
    for path in sorted((ROOT / "notebooks").glob("*.py")):
        if path.stem in {*sys.stdlib_module_names, *modules, "mnist_helpers"}:
            text = f"{path} is imported instead of the module {path.stem}"
            yield Finding("fail", "shadowing", text, remedies.rename(path))


def check_imports(answers: dict[str, Any]) -> Iterator[Finding]:
    """Check that each installed package can be imported, and that torch can compute."""
    errors = dict(answers.get("errors", {}))
    if interrupted := answers.get("trying", "any package"):
        errors[interrupted] = answers["ended"]
    for name, error in errors.items():
        command = remedies.reinstall(name) if installed_version(name) else remedies.install_course()
        if "OMP: " in error:  # Error #15 and its hint: two OpenMP runtimes in one process
            command = remedies.CREATE_CONDA_ENVIRONMENT
        yield Finding("fail", "imports", f"cannot import {name} ({error[:200]})", command)
    if not errors and answers["imported"]:
        yield Finding("pass", "imports", f"{answers['imported']} packages can be imported")
    if "torch" in answers:
        yield check_gpu(**answers["torch"])


def check_gpu(
    gpus: list[str], error: str | None, cuda: str | None, threads: int, capture_error: str | None = None
) -> Finding:
    """Check that torch can compute on the GPU, and capture a step there, if there is one; the course needs none."""
    if error:
        text = f"torch cannot compute on {', '.join(gpus) or 'the processor'} ({error[:200]})"
        return Finding("warn", "gpu", text, remedies.reinstall("torch", "torchvision"))
    if cuda and not gpus and shutil.which("nvidia-smi"):
        text = f"torch for CUDA {cuda} finds no GPU, although there is an Nvidia driver"
        return Finding("warn", "gpu", text, "nvidia-smi")
    if capture_error:
        text = f"{', '.join(gpus)}: cannot capture a step, so train with --no-graph ({capture_error[:200]})"
        return Finding("warn", "gpu", text, remedies.reinstall("torch", "torchvision"))
    return Finding("pass", "gpu", ", ".join(gpus) or "none, and the course needs none")


def check_kernel(answers: dict[str, Any]) -> Iterator[Finding]:
    """Check that the kernel of the notebooks starts, in this environment and with the helpers of this folder."""
    program = answers.get("program", sys.executable)
    facts = answers.get("facts")
    if facts is None:
        own = program == sys.executable or re.fullmatch(r"python[\d.]*", program)
        repair = remedies.REINSTALL_JUPYTER if installed_version("ipykernel") else remedies.install_course()
        text = f"python3 ({program}) does not start ({answers['ended'][:200]})"
        yield Finding("fail", "kernel", text, repair if own else remedies.REMOVE_KERNEL)
    elif Path(facts["prefix"]).resolve() != Path(sys.prefix).resolve():
        text = f"python3 runs in {facts['prefix']}, but the packages were checked in {sys.prefix}"
        yield Finding("fail", "kernel", text, remedies.REMOVE_KERNEL)
    elif Path(facts["helpers"] or "").resolve().parent != PACKAGE:
        text = f"python3 imports mnist_helpers from {facts['helpers'] or 'nowhere'}, not from {PACKAGE}"
        yield Finding("fail", "kernel", text, remedies.INSTALL_THIS_FOLDER)
    else:
        yield Finding("pass", "kernel", f"python3 starts, and runs in {facts['prefix']}")


QUICK = check_packages, check_data, check_room, check_shadowing
PROBED = {"imports": check_imports, "kernel": check_kernel}
