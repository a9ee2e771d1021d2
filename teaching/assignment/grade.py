"""Grade the assignment: all that lies in `submitted`, or some students.

    python teaching/assignment/grade.py
    python teaching/assignment/grade.py --student ada --student bo

Each student's code runs in a process of its own, which Bubblewrap keeps from the
network and from your files. The points go into nbgrader's gradebook.
"""

import argparse
import json
import os
import secrets
import shutil
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import nbformat
from nbgrader.apps import NbGraderAPI
from restore import restore
from sealed import Student, bubblewrap, grade
from traitlets.config import Config

from vitlib.records.files import replacing

ROOT = Path(__file__).resolve().parents[2] / "editions/grading"
NAME = "vit"  # of the assignment, and of its notebook
# What nbgrader would do first, but for clearing the outputs, which are ours.
SANITIZE = ["DeduplicateIds", "OverwriteKernelspec", "OverwriteCells"]
RECORD = ["LimitOutput", "SaveAutoGrades", "AssignLatePenalties", "CheckCellMetadata"]


def find_notebook(folder):
    """Finds what a student handed in, if it was renamed, too.

    Returns:
        Tuple: the path, and a list of sentences.
    """
    paths = sorted(folder.glob("*.ipynb"))
    if folder / f"{NAME}.ipynb" in paths:
        return folder / f"{NAME}.ipynb", []
    if len(paths) != 1:
        raise ValueError(
            f"A folder must have {NAME}.ipynb or one notebook. Received: {len(paths)}"
        )
    return paths[0], [f"{paths[0].name} was taken for {NAME}.ipynb."]


def read_seeds(root):
    """The seeds of the hidden questions: drawn once, so that all get the same."""
    path = root / "hidden_seeds.json"
    if not path.exists():
        with replacing(path) as file:
            file.write(json.dumps([secrets.randbits(32) for _ in range(3)]).encode())
    return json.loads(path.read_text("utf-8"))


def grade_student(name, root, wrapper, seconds):
    """Restores, runs and writes the notebook of a student into `checked`.

    Returns:
        Tuple: points or None, and a list of sentences.
    """
    target = root / "checked" / name / NAME / f"{NAME}.ipynb"
    shutil.rmtree(target.parent, ignore_errors=True)
    student = Student(wrapper, seconds)
    try:
        release, source = (
            nbformat.read(root / kind / NAME / f"{NAME}.ipynb", as_version=4)
            for kind in ("release", "source")
        )
        path, notes = find_notebook(root / "submitted" / name / NAME)
        handed_in = nbformat.read(path, as_version=4)
        notebook, changes = restore(handed_in, release, source)
        points, ended = grade(notebook, student, read_seeds(root))
        with replacing(target) as file:
            file.write(f"{nbformat.writes(notebook)}\n".encode())
        return points, notes + changes + ended
    except Exception as error:  # whatever a file may hold; the others go on
        said = str(error).splitlines() or [""]
        return None, [f"NOT GRADED: {type(error).__name__}: {said[0][:200]}"]
    finally:
        student.close()


def record(names, root):
    """Lets nbgrader write points and feedback of the notebooks in `checked`.

    Returns:
        Dict: of the students with whom it failed, the last line of what it said.
    """
    config = Config()
    config.CourseDirectory.root = str(root)
    config.CourseDirectory.submitted_directory = "checked"
    for kind, steps in (("sanitize", SANITIZE), ("autograde", RECORD)):
        paths = [f"nbgrader.preprocessors.{step}" for step in steps]
        config.Autograde[f"{kind}_preprocessors"] = paths
    api = NbGraderAPI(config=config)
    results = {name: api.autograde(NAME, name) for name in names}
    return {
        name: (result.get("error") or result["log"]).strip().splitlines()[-1]
        for name, result in results.items()
        if not result["success"]
    }


def choose_wrapper(with_my_rights):
    """The command around each student's process, or an error that says what to do."""
    if with_my_rights:
        return []
    works = shutil.which("bwrap") and subprocess.run([*bubblewrap(), "true"]).returncode
    if works != 0:
        raise SystemExit(
            "Grading needs Bubblewrap, which keeps the students' code from your files. "
            "Install it (Debian: apt install bubblewrap); or, on a machine that holds "
            "nothing else, say --with-my-rights."
        )
    return bubblewrap()


def find_students(root):
    """The names of all who have handed in; an error that says what must come first."""
    for kind in ("source", "release"):
        if not (root / kind / NAME / f"{NAME}.ipynb").exists():
            raise SystemExit(
                "Grading needs the notebook that was handed out; `make assignment` "
                f"makes it. Received: {root}, without {kind}/{NAME}/{NAME}.ipynb"
            )
    return [path.parent.name for path in sorted((root / "submitted").glob(f"*/{NAME}"))]


def main(argv=None):
    """Grades; returns the exit status, 1 if somebody has no points yet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--student", action="append", help="one student; all without it"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="side by side")
    parser.add_argument(
        "--seconds", type=float, default=60, help="for a cell or a call"
    )
    parser.add_argument("--with-my-rights", action="store_true", help="no Bubblewrap")
    parser.add_argument(
        "--root", type=Path, default=ROOT, help="the folder of the course"
    )
    options = parser.parse_args(argv)
    root, wrapper = options.root.resolve(), choose_wrapper(options.with_my_rights)
    everybody = find_students(root)
    names = options.student or everybody
    read_seeds(root)  # before the students share them
    warnings.simplefilter("ignore")  # of nbgrader's database, and of copied cells
    work = partial(grade_student, root=root, wrapper=wrapper, seconds=options.seconds)
    graded = {}
    with ThreadPoolExecutor(options.jobs) as pool:
        for name, (points, notes) in zip(names, pool.map(work, names), strict=True):
            graded[name] = points
            print(f"{name}: {'-' if points is None else points}", *notes, sep="\n  ")
    failed = record([n for n in names if graded[n] is not None], root)
    for name, said in failed.items():
        print(f"{name}: NOT RECORDED: {said}")
    lacking = [name for name in names if graded[name] is None or name in failed]
    print(f"{len(names) - len(lacking)} of {len(names)} students have points.")
    return 1 if lacking else 0


if __name__ == "__main__":
    sys.exit(main())
