"""What keeps a student's function from the network, from files, from other processes and from filling the machine.

The kernel's walls come first (on Linux: namespaces and Landlock). Python's audit hook stands inside them, for systems
that do not have them: it stops what plain Python code can do, and native code could pass it.
"""

import ctypes
import os
import resource
import signal
import sys
from pathlib import Path

MEMORY = 2 * 1024**3  # bytes on top of what the process has
FILE_SIZE = 64 * 1024**2
CPU_SECONDS = 120
USER, PROCESSES, NETWORK = 0x10000000, 0x20000000, 0x40000000  # CLONE_NEW... of Linux's sched.h
FORBIDDEN = (
    *("socket.", "subprocess.", "pty.", "os.fork", "os.exec", "os.posix_spawn", "os.spawn", "os.system"),
    *("ctypes.dlopen", "ctypes.dlsym", "ctypes.call_function"),
    *("os.kill", "os.startfile", "webbrowser.", "ftplib.", "smtplib.", "urllib.Request", "resource.", "os.setpriority"),
)
READING = ("open", "os.listdir", "os.scandir", "os.walk", "glob.glob")
CHANGING = (
    *("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.chmod", "os.chown", "os.link", "os.symlink", "os.truncate"),
    *("os.utime", "os.setxattr", "os.chdir", "shutil.rmtree", "shutil.copyfile", "shutil.move", "sqlite3.connect"),
)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def separate() -> list[str]:
    """Leave the network and the other processes, where the system lets us. Returns what worked."""
    if sys.platform != "linux":
        return []
    for flags, names in [
        (USER | NETWORK | PROCESSES, ["network", "processes"]),
        (NETWORK | PROCESSES, ["network", "processes"]),
        (USER | NETWORK, ["network"]),
    ]:
        if _libc().unshare(flags) == 0:
            return names
    return []


def tried() -> dict[str, bool]:
    """Return which of the kernel's walls this system has, tried in a process of its own."""
    receiver, sender = os.pipe()
    if not os.fork():
        try:
            found = separate() + (["files"] if _restrict_files(Path("/tmp"), ["/"]) else [])
            os.write(sender, " ".join(found).encode())
        finally:
            os._exit(0)
    os.close(sender)
    with os.fdopen(receiver) as file:
        found = file.read().split()
    os.wait()
    return {name: name in found for name in ("network", "processes", "files")}


def end_with_parent() -> None:
    """Let the kernel end this process when its parent ends, where it can."""
    if sys.platform == "linux":
        _libc().prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG


def silence() -> None:
    """Send what is printed to nowhere, and read from nothing."""
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w"), os.fdopen(2, "w")


def limit_memory() -> None:
    """Limit the memory that this process takes from now on, where Linux tells how much it has."""
    if sys.platform == "linux":
        with open("/proc/self/statm") as file:
            most = int(file.read().split()[0]) * resource.getpagesize() + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def limit() -> None:
    """Limit memory, computing time, the size of files, and how many are open."""
    limit_memory()
    for kind, most in [
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_FSIZE, FILE_SIZE),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 256),
    ]:
        resource.setrlimit(kind, (most, most))


def enclose(work: Path, readable: list[str]) -> None:
    """Keep the process of a checker from network and files, where the kernel can.

    Checkers are trusted, but two of them open a file that an answer wrote. So should native code be deceived by that
    file, it reaches nothing. They may read below `readable`, and write below `work`.
    """
    limit()
    if sys.platform == "linux":  # not its own processes: a process that asked for that can start no threads
        any(_libc().unshare(flags) == 0 for flags in (USER | NETWORK, NETWORK))
    _restrict_files(work, readable)


def close(work: Path, readable: list[str]) -> None:
    """Allow reading below `readable` and writing below `work`, and no processes, sockets or signals."""
    _restrict_files(work, readable)
    _watch(work.resolve(), tuple(Path(path).resolve() for path in readable))


def _restrict_files(work: Path, readable: list[str]) -> bool:
    """Use Linux's Landlock: https://docs.kernel.org/userspace-api/landlock.html"""
    if sys.platform != "linux":
        return False
    libc, (create, add, restrict) = _libc(), (444, 445, 446)
    version = libc.syscall(create, None, 0, 1)
    if version < 1:
        return False
    every, read = (1 << (13 if version == 1 else 14 if version == 2 else 15)) - 1, 0b1101
    fields = [every, 3 if version >= 4 else 0, 3 if version >= 6 else 0]  # files, TCP, signals and sockets
    attributes = (ctypes.c_uint64 * 3)(*fields)
    rules = libc.syscall(create, attributes, 8 * (1 if version < 4 else 2 if version < 6 else 3), 0)
    for path, access in [(str(work), every), ("/dev/null", 0b110), *((path, read) for path in readable)]:
        if os.path.exists(path):
            _allow(libc, add, rules, path, access)
    libc.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
    done = libc.syscall(restrict, rules, 0)
    os.close(rules)
    return done == 0


def _allow(libc: ctypes.CDLL, add: int, rules: int, path: str, access: int) -> None:
    class Rule(ctypes.Structure):
        _pack_ = 1
        _fields_ = [("access", ctypes.c_uint64), ("folder", ctypes.c_int32)]

    folder = os.open(path, getattr(os, "O_PATH", os.O_RDONLY))
    access &= access if os.path.isdir(path) else 0b10000000000111  # of a file: run, write, read, truncate
    libc.syscall(add, rules, 1, ctypes.byref(Rule(access, folder)), 0)
    os.close(folder)


def _watch(work: Path, readable: tuple[Path, ...]) -> None:
    """Refuse forbidden operations from now on. An audit hook cannot be removed."""
    real, inside, is_a, decoded = os.path.realpath, _inside, isinstance, os.fsdecode  # an answer may replace them
    forbidden, reading, changing, null = FORBIDDEN, READING, CHANGING, os.devnull
    flags_of_writing, path_like = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC, (str, bytes, os.PathLike)
    everywhere, refusal = (*readable, work, Path(null)), PermissionError

    def hook(event: str, arguments: tuple) -> None:
        if event.startswith(forbidden):
            raise refusal(f"{event} is not allowed in an answer")
        if event in reading or event in changing:
            writes = event in changing or (event == "open" and (arguments[2] or 0) & flags_of_writing)
            for path in arguments if event in changing else arguments[:1]:
                path = decoded(path) if is_a(path, path_like) else null
                if not inside(real(path), (work,) if writes and path != null else everywhere):
                    raise refusal(f"an answer may not use {path}")

    sys.addaudithook(hook)


def _inside(path: str, folders: tuple[Path, ...]) -> bool:
    return any(path == str(folder) or path.startswith(f"{folder}{os.sep}") for folder in folders)
