"""JupyterLab asks for its token and listens on this machine only."""

import re
import shlex

import pytest

from mnist_helpers._support.paths import COURSE as ROOT

# no stranger in JupyterLab, and nothing broken among the packages


def lab_options(makefile):
    """The options that `make lab` gives to JupyterLab."""
    recipe = re.search(r"^lab:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)[1]
    return shlex.split(re.sub(r"\$\([^)]*\)", "", recipe.replace("\\\n", " ")))


def unsafe_options(options):
    """List the options that would let others in: without a token, from another address, past its checks."""
    doors = "token|password|disable_check_xsrf|allow_origin|allow_remote_access|allow_unauthenticated|_class|--config"
    doors = [option for option in options if re.search(doors, option)]
    return doors + [option for option in options if option.startswith("--ip") and option != "--ip=127.0.0.1"]


def test_jupyterlab_asks_for_its_token_and_listens_here_only():
    options = lab_options((ROOT / "Makefile").read_text(encoding="utf-8"))
    assert "jupyterlab" in options and "--ip=127.0.0.1" in options
    assert unsafe_options(options) == []


@pytest.mark.parametrize(
    "option",
    [
        "--IdentityProvider.token=''",
        "--ServerApp.token=''",
        "--ServerApp.password=",
        "--ip=0.0.0.0",
        "--ServerApp.allow_origin='*'",
        "--ServerApp.disable_check_xsrf=True",
    ],
)
def test_an_unsafe_option_is_noticed(option):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    altered = makefile.replace("--ip=127.0.0.1", f"--ip=127.0.0.1 {option}")
    assert unsafe_options(lab_options(altered))
