"""The assignment, graded by nbgrader as an instructor does it: `make test-grading`."""

import csv
import os
import re
import subprocess
import sys
from html import unescape
from pathlib import Path

import jupytext
import nbformat
import pytest
from nbgrader.api import Gradebook

from vitlib import checks

FOLDER = Path(__file__).resolve().parents[2] / "teaching/assignment"
FUNCTIONS = ["split", "join", "grid_offsets", "dead_units", "paired_error", "look_left"]
ANSWERS = ["stuck-answer", "one-run-answer"]

WRONG_JOIN = """\
def join(patches, height, width, size):
    return patches.reshape(len(patches), height, width, -1)
"""
# What students hand in beside right answers to all other questions.
FAULTS = {
    "right": {},
    "wrong": {"join": WRONG_JOIN},
    "half": {"look_left": "def look_left(r, c):\n    return np.eye(r * c)"},
    "raises": {"dead_units": "def dead_units(a, t):\n    raise KeyError('no idea')"},
    "syntax": {"split": "def split(labels, per_class, rng:\n    return 1"},
    "loops": {
        "paired_error": "def paired_error(a, b, n):\n    while True:\n        pass"
    },
    "tampers": {"join": WRONG_JOIN, "join-check": "pass", "join-example": "pass"},
    "dies": {"look_left": "import os\nos._exit(1)"},
    "warns": {
        "dead_units": "import warnings\n\n\ndef dead_units(a, t):\n"
        "    warnings.warn('old')\n    return (abs(a) < t).all(axis=0).mean()"
    },
}
LOST = {  # the points of a question that a fault costs
    "wrong": {"join-example": 0, "join-check": 0},
    "half": {"look_left-check": 0},
    "raises": {"dead_units-example": 0, "dead_units-check": 0},
    "syntax": {"split-example": 0, "split-check": 0},
    "loops": {"paired_error-example": 0, "paired_error-check": 0},
    "tampers": {"join-example": 0, "join-check": 0},
}
FULL = {f"{name}-example": 1 for name in FUNCTIONS}
FULL |= {f"{name}-check": 2 for name in FUNCTIONS}


def grade_id(cell):
    return cell.metadata.get("nbgrader", {}).get("grade_id")


@pytest.fixture(scope="module")
def nbgrader(tmp_path_factory):
    """Runs a command of nbgrader in a course of its own."""
    root = tmp_path_factory.mktemp("course")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = os.environ | {"PATH": path}

    def run(*arguments):
        command = ["nbgrader", *arguments, f"--CourseDirectory.root={root}"]
        done = subprocess.run(
            command, cwd=FOLDER, env=env, capture_output=True, text=True
        )
        return done.returncode, done.stdout + done.stderr

    run.root = root
    return run


@pytest.fixture(scope="module")
def source(nbgrader):
    notebook = jupytext.read(FOLDER / "vit.py")
    path = nbgrader.root / "source/vit/vit.ipynb"
    path.parent.mkdir(parents=True)
    nbformat.write(notebook, path)
    return notebook


@pytest.fixture(scope="module")
def release(nbgrader, source):
    status, log = nbgrader("generate_assignment", "vit")
    assert status == 0, log
    return nbgrader.root / "release/vit/vit.ipynb"


@pytest.fixture(scope="module")
def log(nbgrader, source, release):
    """Hands in, grades, and writes the feedback. What the grading said."""
    right = {
        grade_id(cell): cell.source
        for cell in source.cells
        if cell.metadata.get("nbgrader", {}).get("solution")
    }
    answers = {name: right | fault for name, fault in FAULTS.items()} | {"empty": {}}
    for name, sources in answers.items():
        notebook = nbformat.read(release, as_version=4)
        for cell in notebook.cells:
            cell.source = sources.get(grade_id(cell), cell.source)
        path = nbgrader.root / f"submitted/{name}/vit/vit.ipynb"
        path.parent.mkdir(parents=True)
        nbformat.write(notebook, path)
    # In 30 seconds a slow machine imports Keras; the loop takes them twice.
    _, text = nbgrader("autograde", "vit", "--Execute.timeout=30")
    status, said = nbgrader("generate_feedback", "vit")
    assert status == 0, said
    return text


@pytest.fixture
def gradebook(nbgrader, log):
    with Gradebook(f"sqlite:///{nbgrader.root / 'gradebook.db'}") as gradebook:
        yield gradebook


def grades(gradebook, student):
    found = gradebook.find_submission_notebook("vit", "vit", student).grades
    return {grade.name: grade for grade in found}


def points(gradebook, student):
    """The automatic points of a student, by the name of the cell."""
    found = grades(gradebook, student)
    return {name: found[name].auto_score for name in FULL}


def feedback(nbgrader, student):
    text = (nbgrader.root / f"feedback/{student}/vit/vit.html").read_text("utf-8")
    return " ".join(unescape(re.sub(r"<[^>]+>", "", text)).split())


def test_every_question_can_give_three_points(source):
    cells = [cell for cell in source.cells if "nbgrader" in cell.metadata]
    marks = [cell.metadata.nbgrader for cell in cells]
    graded = {mark.grade_id: mark.points for mark in marks if mark.grade}
    assert graded == FULL | dict.fromkeys(ANSWERS, 3)
    assert sum(graded.values()) == 24
    locked = {mark.grade_id for mark in marks if mark.locked}
    assert locked == {"setup", *FULL}


def test_the_students_version_has_no_solution(source, release):
    handed_out = release.read_text("utf-8")
    assert "BEGIN SOLUTION" not in handed_out
    for cell in source.cells:
        if grade_id(cell) in FUNCTIONS:
            _, solution = cell.source.split("### BEGIN SOLUTION\n")
            lines = [line.strip() for line in solution.splitlines()[:-1]]
            assert lines and [line for line in lines if line in handed_out] == []
        if grade_id(cell) in ANSWERS:
            assert cell.source[:40] not in handed_out
    for cell in nbformat.read(release, as_version=4).cells:
        assert cell.cell_type == "markdown" or cell.outputs == []
        if grade_id(cell) in FUNCTIONS:
            assert cell.source.endswith("raise NotImplementedError()")


def test_the_instructors_solution_gets_all_automatic_points(gradebook):
    assert points(gradebook, "right") == FULL


def test_the_untouched_version_gets_nothing(gradebook):
    assert points(gradebook, "empty") == dict.fromkeys(FULL, 0)
    assert gradebook.find_submission("vit", "empty").score == 0


@pytest.mark.parametrize("student", LOST)
def test_a_fault_costs_the_points_of_its_question_alone(gradebook, student):
    assert points(gradebook, student) == FULL | LOST[student]


def test_a_warning_costs_nothing(gradebook):
    assert points(gradebook, "warns") == FULL


def test_the_feedback_says_what_the_check_says(nbgrader, log):
    namespace = {}
    code = compile(WRONG_JOIN, "join", "exec")
    exec(code, namespace)
    sentence = str(checks.check_join(namespace["join"]))
    assert sentence.startswith("Not yet: ")
    assert sentence in feedback(nbgrader, "wrong")
    assert "Not yet: " not in feedback(nbgrader, "right")
    assert "Not yet: the function is still empty." in feedback(nbgrader, "empty")


def test_a_submission_that_kills_its_kernel_is_named_and_stops_no_other(gradebook, log):
    assert re.search(r"error processing assignment 'vit' for student 'dies'", log)
    assert gradebook.find_submission("vit", "dies").score == 0
    assert grades(gradebook, "dies")["look_left-check"].needs_manual_grade


def test_the_written_answers_wait_for_the_instructor(nbgrader, gradebook):
    assert not grades(gradebook, "empty")["stuck-answer"].needs_manual_grade
    for name, score in zip(ANSWERS, (3, 1.5), strict=True):
        grade = grades(gradebook, "wrong")[name]
        assert grade.needs_manual_grade
        grade.manual_score, grade.needs_manual_grade = score, False
    gradebook.db.commit()
    table = nbgrader.root / "points.csv"
    status, said = nbgrader("export", f"--to={table}")
    assert status == 0, said
    with table.open(newline="") as file:
        rows = {row["student_id"]: row for row in csv.DictReader(file)}
    assert float(rows["wrong"]["score"]) == 18 - 3 + 4.5
    assert float(rows["empty"]["score"]) == 0
    assert {float(row["max_score"]) for row in rows.values()} == {24}
