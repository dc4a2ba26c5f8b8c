"""Run a command without a network, and see which addresses it tried to reach and what it left in an empty HOME.

This file is also the program that runs there first: it sets up the loopback interface and starts the command.
"""

import fcntl
import ipaddress
import os
import re
import socket
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]  # not from mnist_helpers, which would switch off telemetry for the command
CUT_OFF = ["unshare", "--map-root-user", "--net", "--mount", "--uts"]
# Every call that takes an address; other calls need a socket that is connected already
TRACE = ["strace", "-f", "-Y", "--seccomp-bpf", "-e", "trace=connect,sendto,sendmsg,sendmmsg", "-e", "signal=none"]
PROGRAM = re.compile(r"\d+<(.*?)> ")
ADDRESS = re.compile(
    r'sa_family=AF_INET6?, sin6?_port=htons\((\d+)\),[^}]*?inet_(?:addr\(|pton\(AF_INET6, )"([\d.:a-f]+)"'
)
NAMES = 53  # the port of the servers that look up names
# If /etc/nsswitch.conf says so, glibc asks these for names instead of port 53
RESOLVERS = ["/run/systemd/resolve/io.systemd.Resolve", "/run/avahi-daemon/socket"]
# Variables that could hide an attempt or a file: other folders than HOME, a proxy, telemetry switched off
DROPPED = re.compile(r"XDG_|JUPYTER|IPYTHON|MPL|PYTEST|PYTHON|ORT_|\w+_PROXY", re.IGNORECASE)
# ONNX Runtime sends nothing if it finds one of these, but students have none of them
CI_SERVICES = ["CI", "APPVEYOR", "BUILDKITE", "CIRCLECI", "CODEBUILD_BUILD_ID", "GITHUB_ACTIONS", "GITLAB_CI"]
CI_SERVICES += ["JENKINS_URL", "TEAMCITY_VERSION", "TF_BUILD", "TRAVIS"]
HOSTS = "127.0.0.1 localhost test-machine\n::1 localhost test-machine\n"  # names that every system knows without asking


@dataclass(frozen=True)
class Run:
    """The output of a command, the addresses that it tried to reach, and the files that it left in HOME."""

    returncode: int
    output: str
    attempts: list[str]
    files: list[str]


def watch(command: list, folder: Path) -> Run:
    """Run `command` with the loopback interface only and an empty HOME in `folder`."""
    home, log, hosts = folder / "home", folder / "calls.log", folder / "hosts"
    home.mkdir()
    hosts.write_text(HOSTS)
    environment = {name: value for name, value in os.environ.items() if not is_dropped(name)}
    environment |= {"MNIST_COURSE_ARTIFACTS": str(folder / "artifacts"), "HOME": str(home)}
    environment |= {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tools")])}
    words = [*CUT_OFF, sys.executable, __file__, hosts, *TRACE, "-qq", "-o", log, *command]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    done = subprocess.run(list(map(str, words)), cwd=ROOT, env=environment, timeout=600, **pipes)
    files = sorted(path.relative_to(home).as_posix() for path in home.rglob("*") if not path.is_dir())
    return Run(done.returncode, done.stdout, attempts(log.read_text(errors="replace")), files)


def is_dropped(name: str) -> bool:
    """Return whether an environment variable is kept from the command."""
    return bool(DROPPED.match(name)) or name in CI_SERVICES


def attempts(log: str) -> list[str]:
    """Return connections to other machines and look-ups of names from a log of strace: "program: address, port 443"."""
    found = set()
    for line in log.splitlines():
        program = PROGRAM.match(line)
        places = [f"{address}, port {port}" for port, address in ADDRESS.findall(line) if is_foreign(address, port)]
        places += [resolver for resolver in RESOLVERS if f'"{resolver}"' in line]
        found |= {f"{program[1] if program else '?'}: {place}" for place in places}
    return sorted(found)


def is_foreign(address: str, port: str) -> bool:
    """Return whether the address is on another machine, or the port is that of a name server."""
    place = ipaddress.ip_address(address)
    place = getattr(place, "ipv4_mapped", None) or place
    return int(port) == NAMES or not place.is_loopback


def main() -> None:
    """Name the machine, set the interface lo up, and become the command: HOSTS COMMAND..."""
    hosts, *command = sys.argv[1:]
    socket.sethostname("test-machine")
    subprocess.run(["mount", "--bind", hosts, "/etc/hosts"], check=True)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh", b"lo", 1))  # SIOCSIFFLAGS: set the interface up
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
