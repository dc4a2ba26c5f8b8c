"""The command line of the doctor. It needs no package, so that it can report a missing or broken one."""

from __future__ import annotations  # Python 3.9 can then read as far as the check that refuses it

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from subprocess import Popen
from typing import Any

from mnist_helpers._support.terminal import Parser, escape_unencodable, print_result
from mnist_helpers.doctor import before_install, checks, facts, probes, remedies
from mnist_helpers.doctor.checks import Finding


def examine(answers: dict[str, dict[str, Any]]) -> Iterator[Finding]:
    """Yield the findings; fill `answers` with those of the probes, which run during the other checks."""
    python = checks.check_python()
    yield python
    if python.level == "fail":
        return
    running: dict[str, Popen[str]] = {}
    yield from start_probes(running)
    for check in checks.QUICK:
        yield from attempt(check)
    for task, process in running.items():
        answers[task] = probes.wait(process)
        yield from attempt(checks.PROBED[task], answers[task])


def start_probes(running: dict[str, Popen[str]]) -> Iterator[Finding]:
    """Start the probes, and put them into `running`; yield a finding for each that the system does not start."""
    installed = [name for name, version in checks.installed_versions().items() if version]
    for task, *names in (("imports", *installed), ("kernel", "python3")):
        try:
            running[task] = probes.start(task, *names)
        except OSError as error:  # too little memory, or too many processes
            yield Finding("fail", task, f"the check does not start ({error})", remedies.STOP_JUPYTERLAB)


def attempt(check: Callable[..., Iterator[Finding]], *arguments: dict[str, Any]) -> Iterator[Finding]:
    """Yield the findings of a check. If it raises an exception, that is a finding too."""
    try:
        yield from check(*arguments)
    except Exception as error:
        yield Finding("fail", check.__name__[6:], f"the check stopped with {type(error).__name__}: {error}")


def announce_installation() -> int:
    """Say how much is installed, or what would stop it; return the exit code."""
    problem = before_install.problem()
    if problem:
        print(problem, file=sys.stderr)
        return 1
    print_result(before_install.announcement(), "the announcement")
    return 0


def report(as_json: bool) -> int:
    """Print the findings, and return the exit code."""
    findings: list[Finding] = []
    answers: dict[str, dict[str, Any]] = {}
    for finding in examine(answers):
        findings.append(finding)
        if not as_json:
            print_result(str(finding), "the findings")
    levels = [finding.level for finding in findings]
    if as_json:
        content = {"facts": facts.collect(answers), "findings": [asdict(finding) for finding in findings]}
        print_result(json.dumps(facts.redact(content), indent=2), "the findings")
    else:
        passed, warned, failed = map(levels.count, ("pass", "warn", "fail"))
        print_result(f"{passed} passed, {warned} warned, {failed} failed", "the findings")
    return 1 if "fail" in levels else 0


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line asks for, and return the exit code."""
    description = "Check this installation, and name the commands that mend it. Exit code 1: a check failed."
    parser = Parser(prog="python -m mnist_helpers.doctor", description=description)
    parser.add_argument("--json", action="store_true", help="print one JSON object, for an issue report")
    parser.add_argument("--before-install", action="store_true", help="say how much is installed, and if there is room")
    options = parser.parse_args(arguments)
    escape_unencodable()
    return announce_installation() if options.before_install else report(options.json)


if __name__ == "__main__":
    sys.exit(main())
