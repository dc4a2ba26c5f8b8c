"""Real digits for the unit tests, and a cut network."""

import shutil
import subprocess

import pytest

# Without torch, which takes seconds to import: the process that hands out tests to others needs none


def pytest_runtest_setup(item):
    if item.get_closest_marker("gpu"):
        import torch

        if not torch.cuda.is_available():
            pytest.skip("PyTorch finds no NVIDIA GPU, so what needs one is not tested.")


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Compute with one thread: the work is small, and threads that wait for each other are slow on a busy machine."""
    import torch

    torch.set_num_threads(1)
    torch.zeros(1, requires_grad=True).backward()  # after an export, the first one starts threads, and forks fail


@pytest.fixture(scope="session")
def progress_of_tests(tmp_path_factory):
    return str(tmp_path_factory.mktemp("progress") / "progress.json")


@pytest.fixture(autouse=True)
def no_progress_for_the_notebooks(progress_of_tests, monkeypatch):
    """Let what a test starts keep its progress to itself: nbval compares what the notebooks show of theirs."""
    monkeypatch.setenv("MNIST_COURSE_PROGRESS", progress_of_tests)


@pytest.fixture(scope="session")
def test_set():
    """All test images [10000, 1, 28, 28], normalised, and their labels; tests take the first few hundred."""
    from mnist_helpers import data

    return data.load("test")


@pytest.fixture(scope="session")
def images(test_set):
    """The first 500 test images [500, 1, 28, 28]."""
    return test_set[0][:500]


@pytest.fixture(scope="session")
def labels(test_set):
    """The labels of `images` [500]."""
    return test_set[1][:500]


@pytest.fixture
def no_window():
    """Draw without a window, with the settings of Matplotlib put back and the figures closed at the end."""
    import matplotlib  # few tests draw
    import matplotlib.pyplot as plt

    matplotlib.use("Agg")
    with matplotlib.rc_context():
        yield
    plt.close("all")


@pytest.fixture(scope="session")
def without_network():
    """What to write before a command to run it where there is no network at all."""
    command = ["unshare", "--map-root-user", "--net"]
    if shutil.which("unshare") is None or subprocess.run([*command, "true"], capture_output=True).returncode:
        pytest.skip("This system lets no ordinary user make a network of its own, so the cut network is not tested.")
    return command
