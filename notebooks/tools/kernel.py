"""Kernels with the settings of the course, and none of the user's."""

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def course_kernels():
    """Lets the kernels that are started meanwhile be alike on all machines.

    They run this Python, whatever another kernel called `python3` runs; no profile of
    IPython is read, and figures go into the notebook in matplotlib's own style.
    """
    import matplotlib
    from ipykernel.kernelspec import write_kernel_spec

    before = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="kernels-") as folder:
        write_kernel_spec(Path(folder, "kernels/python3"))
        os.environ.update(
            JUPYTER_PATH=folder,  # is looked into before the user's folders
            IPYTHONDIR=str(Path(folder, "ipython")),
            MPLBACKEND="module://matplotlib_inline.backend_inline",
            MATPLOTLIBRC=str(Path(matplotlib.get_data_path(), "matplotlibrc")),
        )
        os.environ.pop("PYTHONSTARTUP", None)
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)
