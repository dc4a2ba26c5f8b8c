"""The pages of a copy of the course, built once for all tests that look at them."""

import nbformat
import pytest

from tests.support.site_copy import build, course_with_a_site


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """The site of a course without addresses, in place of an older one.

    One of chapter 01's outputs is of another program.
    """
    course = course_with_a_site(tmp_path_factory.mktemp("built"))
    (course / "pyproject.toml").write_text('[project]\nname = "course"\n')
    path = course / "notebooks" / "01_data.ipynb"
    notebook = nbformat.read(path, as_version=4)
    (cell,) = [cell for cell in notebook.cells if cell.id == "files"]
    cell.outputs[0].data["text/plain"] += " "
    nbformat.write(notebook, path)
    return build(course)
