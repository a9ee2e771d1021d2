"""Where a number comes from: machine, versions, commit, memory. Only reads."""

import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import keras

import vitlib
from vitlib.training import parallel

PACKAGES = ("keras", "tensorflow", "jax", "numpy")


def _output(*command):
    """What a command prints, or None where it is missing or fails."""
    here = Path(__file__).parent
    try:
        done = subprocess.run(
            command, cwd=here, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def git_commit():
    """The commit of this checkout, with "-dirty" when tracked files differ from it.

    None where there is no checkout, or one of something else that has this package
    lying in it untracked.
    """
    commit = _output("git", "rev-parse", "HEAD")
    if commit is None or not _output("git", "ls-files"):
        return None
    changed = _output("git", "status", "--porcelain", "--untracked-files=no", ":/")
    return f"{commit}-dirty" if changed else commit


def join_commits(began, went_on):
    """The commit of a run that was begun under one and went on under another.

    Where they differ no commit has all of its code, so that the first one is "-dirty".
    """
    if None in (began, went_on):
        return None
    return began if began == went_on else f"{began.removesuffix('-dirty')}-dirty"


def versions():
    """Versions of Python, vitlib, and those of `PACKAGES` that are installed."""
    found = {"python": platform.python_version(), "vitlib": vitlib.__version__}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _processor_name():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if "model name" in line]
    return names[0] if names else platform.processor() or platform.machine()


def device():
    """The device that Keras computes on: kind ("cpu" or "gpu"), name, CPU cores.

    The name begins with "4 x" where four devices train together. The cores are those of
    this host.
    """
    kind = keras.distribution.list_devices()[0].split(":")[0]
    name = None
    if kind == "gpu":
        name = _output("nvidia-smi", "--query-gpu=name", "--format=csv,noheader")
    name = name.splitlines()[0] if name else _processor_name()
    if (together := parallel.count_devices()) > 1:
        name = f"{together} x {name}"
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()
    return {"kind": kind, "name": name, "cores": cores}


def peak_memory_bytes():
    """The most memory that this process has held, in bytes; None on Windows."""
    try:
        import resource  # not on Windows
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # Linux counts KiB
