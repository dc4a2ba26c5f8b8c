"""The addresses of the course's site and repository, which pyproject.toml names under [project.urls], or does not."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from mnist_helpers import CourseError

ADDRESS = re.compile(r"https://[\w.-]+(/[\w.~/-]*)?")


@dataclass(frozen=True)
class Addresses:
    """Two addresses, each "" if there is none; that of the site ends with a slash."""

    site: str
    repository: str


def configured(root: Path) -> Addresses:
    """Return the addresses in the pyproject.toml of the course at `root`. Raises CourseError for one without https."""
    file = root / "pyproject.toml"
    project = tomllib.loads(file.read_text(encoding="utf-8"))["project"] if file.is_file() else {}
    urls = project.get("urls", {})
    site, repository = (checked(name, urls.get(name, "")) for name in ("Homepage", "Repository"))
    return Addresses(f"{site}/" if site else "", repository.removesuffix(".git"))


def checked(name: str, address: str) -> str:
    """Return an address without a slash at its end."""
    if address and not ADDRESS.fullmatch(address):
        raise CourseError(
            f"{name} = {address!r} was found in pyproject.toml, but an address such as 'https://github.com/owner/name' "
            "was expected; correct it, or remove the line."
        )
    return address.rstrip("/")
