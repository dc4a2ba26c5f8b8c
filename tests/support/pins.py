"""The versions that the stored outputs were made with, and those that are installed."""

from importlib.metadata import PackageNotFoundError, version

from packaging.requirements import Requirement

from mnist_helpers._support.paths import COURSE


def pinned(constraints: str) -> dict[str, str]:
    """Return the version of each package that a constraints.txt pins."""
    lines = [line.partition("#")[0].strip() for line in constraints.splitlines()]
    requirements = [Requirement(line) for line in lines if line]
    return {r.name: str(r.specifier).removeprefix("==") for r in requirements}


def differences(constraints: str) -> list[str]:
    """Return the packages that are installed in another version than the pinned one: "torch 2.15.0 (not 2.14.1)"."""
    found = []
    for name, pin in pinned(constraints).items():
        try:
            installed = version(name).split("+")[0]  # without the local part: 2.14.1+cpu
        except PackageNotFoundError:
            continue
        if installed != pin:
            found.append(f"{name} {installed} (not {pin})")
    return found


def warning(constraints: str) -> str:
    """Return one sentence on versions other than the pinned ones; "" if there are none."""
    found = differences(constraints)
    if not found:
        return ""
    shown = ", ".join(found[:5]) + (f" and {len(found) - 5} more" if len(found) > 5 else "")
    return (
        f"The outputs of the notebooks are compared with stored ones, made with other versions than yours: {shown}; "
        "`make test NBVAL=--nbval-lax` runs every cell without comparing its output."
    )


def constraints() -> str:
    """Return the content of constraints.txt."""
    return (COURSE / "constraints.txt").read_text(encoding="utf-8")
