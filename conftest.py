"""Settings of every pytest run: quiet TensorFlow, and exact digits under --nbval."""

import os

collect_ignore_glob = ["*.failed.ipynb"]  # papermill leaves them for a look


def pytest_configure(config):
    """Sets the environment that the tests and the kernels of the notebooks inherit."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if config.getoption("nbval", default=False):
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
