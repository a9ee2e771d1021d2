"""Settings of every pytest run: quiet TensorFlow, exact digits, repeatable examples."""

import importlib.util
import os

import hypothesis
import pytest
from kernel import course_kernels

# The same examples in every run, on every machine, and no store of them. To search for
# new ones: pytest --hypothesis-profile=search
hypothesis.settings.register_profile(
    "repeatable", derandomize=True, database=None, deadline=None, max_examples=50
)
hypothesis.settings.register_profile(
    "search", database=None, deadline=None, max_examples=1000
)
hypothesis.settings.load_profile("repeatable")

MOST_WORKERS = 8
collect_ignore_glob = ["*.failed.ipynb"]  # papermill leaves them for a look


def pytest_configure(config):
    """Sets the environment that the tests and the kernels of the notebooks inherit."""
    # The vitlib of this folder, in what the tests start too, whatever is installed.
    paths = str(config.rootpath), os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if importlib.util.find_spec("tensorflow") is None:
        os.environ.setdefault("KERAS_BACKEND", "jax")
    if config.getoption("nbval", default=False):
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
        # The path stands in pyproject.toml, wherever pytest was started.
        rules = config.rootpath / config.option.nbval_sanitize_with
        config.option.nbval_sanitize_with = str(rules)
        kernels = course_kernels()
        kernels.__enter__()
        config.add_cleanup(lambda: kernels.__exit__(None, None, None))
    if worker := getattr(config, "workerinput", None):  # one of several side by side
        threads = max(1, count_cores() // worker["workercount"])
        os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(threads))
        os.environ.setdefault("OMP_NUM_THREADS", str(threads))


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config):
    """A plain `-n` gives a whole file to a worker, for its cells share a kernel."""
    if getattr(config.option, "numprocesses", None) and config.option.dist == "no":
        config.option.dist = "loadfile"
        config.option.loadscopereorder = False  # files of few tests are the slow ones


def count_cores():
    """How many cores this process may use, where the system tells it."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@pytest.hookimpl(optionalhook=True)  # pytest-xdist asks, for `-n auto`
def pytest_xdist_auto_num_workers():
    """One worker a core, but not too many: each loads Keras and starts kernels."""
    return min(count_cores(), MOST_WORKERS)
