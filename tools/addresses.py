"""The addresses of the course's site and repository, which pyproject.toml names under [project.urls], or does not.

Google Colab and Binder open chapters of a repository on GitHub. Colab takes them from the branch `colab`, whose
notebooks have a first cell for Colab: tools/colab_copies.py writes them.
"""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from mnist_helpers import CourseError

ADDRESS = re.compile(r"https://[\w.-]+(/[\w.~/-]*)?")
GITHUB = re.compile(r"https://github\.com/([\w.-]+/[\w.-]+)")
SERVICES = {
    "Colab": "https://colab.research.google.com/github/{name}/blob/colab/notebooks/{chapter}.ipynb",
    "Binder": "https://mybinder.org/v2/gh/{name}/HEAD?urlpath=lab/tree/notebooks/{chapter}.ipynb",
}


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
    return Addresses(f"{site}/" if site else "", tidied(repository))


def services(repository: str, chapter: str) -> dict[str, str]:
    """Return the address of a chapter in Colab and in Binder; none if the repository is not on GitHub."""
    found = GITHUB.fullmatch(repository)
    if found is None:
        return {}
    return {name: address.format(name=found[1], chapter=chapter) for name, address in SERVICES.items()}


def on_github(address: str) -> str:
    """Return the address of a repository without what may follow it. Raises CourseError if it is not on GitHub."""
    repository = tidied(address)
    if not GITHUB.fullmatch(repository):
        raise CourseError(
            f"{address!r} was given, but Colab opens repositories on GitHub alone; "
            "give an address such as 'https://github.com/owner/name'."
        )
    return repository


def tidied(address: str) -> str:
    """Return the address of a repository without a slash or `.git` at its end."""
    return address.rstrip("/").removesuffix(".git")


def checked(name: str, address: str) -> str:
    """Return an address without a slash at its end. Raises CourseError if it is none with https."""
    if address and not ADDRESS.fullmatch(address):
        raise CourseError(
            f"{name} = {address!r} was found in pyproject.toml, but an address such as 'https://github.com/owner/name' "
            "was expected; correct it, or remove the line."
        )
    return address.rstrip("/")
