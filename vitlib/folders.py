"""The folder of the course: where it is, and whether this `vitlib` is its own."""

import sys
from pathlib import Path

SOURCES = Path(__file__).resolve().parents[1]  # of this package: a clone, or a library
MARK = "notebooks/profiles"  # what a folder of the course has, and others do not


def clones_here():
    """The folders of the course around the working directory, innermost first."""
    here = Path.cwd()
    return [folder for folder in (here, *here.parents) if (folder / MARK).is_dir()]


def find_folder(name):
    """Finds a folder of the course, from wherever a notebook runs.

    The course is looked for in the working directory and above it, and then where this
    package was installed from with `pip install --editable`.

    Args:
        name: String. A folder in that of the course, such as `"results"`.

    Returns:
        `Path` of the folder.

    Raises:
        FileNotFoundError: When no such place has it.
    """
    for course in (*clones_here(), SOURCES):
        if (course / MARK).is_dir() and (course / name).is_dir():
            return course / name
    raise FileNotFoundError(
        f"The working directory must lie in a clone of the course, which has {name}; a "
        f"wheel of vitlib has not. Received: {Path.cwd()}."
    )


def require_own(course):
    """Stops what stands in a folder of the course and would run another's `vitlib`.

    An environment in a copied or renamed folder still names the folder that it was made
    in. A `vitlib` from a wheel belongs to no folder, and passes.

    Args:
        course: `Path` of the folder that the program or the notebook stands in.

    Raises:
        SystemExit: When this package stands in another clone.
    """
    if SOURCES != course.resolve() and (SOURCES / MARK).is_dir():
        raise SystemExit(
            f"vitlib must be that of {course}, where this program or notebook stands; "
            "make an environment of its own there (delete .venv, then `make setup`), "
            f"or set PYTHONPATH to that folder. Received: {sys.prefix}, whose vitlib "
            f"is that of {SOURCES}."
        )
