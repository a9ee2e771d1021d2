"""Settings of every pytest run: quiet TensorFlow, exact digits, repeatable examples."""

import importlib.util
import os

import hypothesis

# The same examples in every run, on every machine, and no store of them. To search for
# new ones: pytest --hypothesis-profile=search
hypothesis.settings.register_profile(
    "repeatable", derandomize=True, database=None, deadline=None, max_examples=50
)
hypothesis.settings.register_profile(
    "search", database=None, deadline=None, max_examples=1000
)
hypothesis.settings.load_profile("repeatable")

collect_ignore_glob = ["*.failed.ipynb"]  # papermill leaves them for a look


def pytest_configure(config):
    """Sets the environment that the tests and the kernels of the notebooks inherit."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if importlib.util.find_spec("tensorflow") is None:
        os.environ.setdefault("KERAS_BACKEND", "jax")
    if config.getoption("nbval", default=False):
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
