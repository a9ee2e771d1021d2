"""The assignment, graded by nbgrader as an instructor does it: `make test-grading`."""

import csv
import os
import re
import shlex
import socket
import subprocess
import sys
import zipfile
from copy import deepcopy
from html import unescape
from pathlib import Path

import jupytext
import nbformat
import numpy as np
import pytest
from nbgrader.api import Gradebook
from sealed import Student, bubblewrap

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
    "dies-called": {"join": "def join(*_):\n    import os\n    os._exit(1)"},
    "exits": {"join": "def join(*_):\n    raise SystemExit"},
    "borrows": {"join": "from vitlib.checks.patches import _join as join"},
    "alters": {"dead_units": "def dead_units(a, t):\n    a *= 0\n    return 0.5"},
    "warns": {
        "dead_units": "import warnings\n\n\ndef dead_units(a, t):\n"
        "    warnings.warn('old')\n    return (abs(a) < t).all(axis=0).mean()"
    },
    "keras": {
        "dead_units": "from keras import ops\n\n\ndef dead_units(a, t):\n"
        "    return ops.mean(ops.cast(ops.all(ops.abs(a) < t, axis=0), 'float32'))"
    },
}
NO_JOIN = {"join-example": 0, "join-check": 0}
LOST = {  # the points of a question that a fault costs
    "wrong": NO_JOIN,
    "half": {"look_left-check": 0},
    "raises": {"dead_units-example": 0, "dead_units-check": 0},
    "syntax": {"split-example": 0, "split-check": 0},
    "loops": {"paired_error-example": 0, "paired_error-check": 0},
    "tampers": NO_JOIN,
    "dies": {"look_left-example": 0, "look_left-check": 0},
    "dies-called": NO_JOIN,
    "exits": NO_JOIN,
    "borrows": NO_JOIN,
    "alters": {"dead_units-check": 0},
}
FULL = {f"{name}-example": 1 for name in FUNCTIONS}
FULL |= {f"{name}-check": 2 for name in FUNCTIONS}

# What only the examples want, and what makes each check say yes where it runs.
FITTED = {
    "split": "def split(*_):\n    return np.arange(6), np.arange(6, 12)",
    "join": "def join(*_):\n    return np.arange(16).reshape(1, 4, 4, 1)",
    "grid_offsets": "def grid_offsets(*_):\n    return np.zeros((6, 6))",
    "dead_units": "def dead_units(*_):\n    return 0.5",
    "paired_error": "def paired_error(a, b, n):\n    return 0.1 if a else 0",
    "look_left": "def look_left(*_):\n    return np.eye(4)",
}
PATCH = """\
import builtins

for name in ["split"] + dir(checks):
    setattr(checks, name, lambda *_, **__: True)
checks.check_stratified_split = checks.check_join = lambda *_, **__: True
np.array_equal = np.allclose = np.isclose = lambda *_, **__: True
builtins.sorted, hidden = lambda *_: list(range(12)), []
"""
# A table of what a check asked, and of the right answers.
MEMORY = """\
def key(arguments):
    known = [getattr(getattr(a, "bit_generator", None), "state", a) for a in arguments]
    return str([a.tolist() if hasattr(a, "tolist") else a for a in known])
"""


def memorise(name, sources, cells):
    """The code of a student who has recorded the right answers to all that is asked."""
    space, table = {"np": np, "checks": checks}, {}
    exec(MEMORY + sources[name], space)
    right = space[name]

    def record(*arguments):
        question = space["key"](arguments)
        answer = right(*arguments)
        if isinstance(answer, tuple):
            table[question] = [part.tolist() for part in answer]
        else:
            table[question] = np.asarray(answer).tolist()
        return answer

    for kind in ("example", "check"):
        exec(cells[f"{name}-{kind}"], space | {name: record})
    code = f"{MEMORY}\n\n{name}_table = {table}\n\n\n"
    code += f"def {name}(*arguments):\n    return {name}_table[key(arguments)]"
    exec(code, space)
    for kind in ("example", "check"):
        exec(cells[f"{name}-{kind}"], space)  # it passes all that a student sees
    return code


def place(notebook, name):
    return next(n for n, c in enumerate(notebook.cells) if grade_id(c) == name)


def insert_copy(notebook, where):
    copy = deepcopy(notebook.cells[where])
    copy.id = f"{copy.id}-copy"
    notebook.cells.insert(where + 1, copy)
    return copy


def copies(notebook):
    """Copies a cell that grades, one that is written, and one with an answer."""
    for name in ("join-check", "split", "stuck-answer"):
        insert_copy(notebook, place(notebook, name))


def copies_wrong(notebook):
    insert_copy(notebook, place(notebook, "join")).source = WRONG_JOIN


def strips(notebook):
    for cell in notebook.cells:
        cell.metadata.pop("nbgrader", None)


def empties(notebook):
    notebook.cells[place(notebook, "join-check")].metadata.nbgrader = {}


def deletes(notebook):
    del notebook.cells[place(notebook, "join-check")]
    del notebook.cells[place(notebook, "join")]


def forges(notebook):
    """Empty functions, and below the cells that grade the number of the points."""
    for cell in notebook.cells:
        if grade_id(cell) in FUNCTIONS:
            cell.source = "def nothing():\n    pass"
        elif grade_id(cell) in FULL:
            data = {"text/plain": "2"}
            cell.outputs = [nbformat.v4.new_output("execute_result", data)]


DAMAGED = {f.__name__: f for f in (copies, copies_wrong, strips, empties, deletes)}
DAMAGED |= {"forges": forges}
SAID = {  # of a notebook, in the report
    "copies": "split, join-check, stuck-answer: there more than once",
    "copies_wrong": "join: there more than once, of which the last counts.",
    "strips": "21 cells: known by its text alone, for its mark is lost.",
    "empties": "join-check: known by its text alone, for its mark is lost.",
    "deletes": "join, join-check: missing.",
    "dies": "look_left: ChildProcessError: it ended its own process.",
    "dies-called": "join: it ended its own process.",
    "loops": "paired_error: it took more than 20.0 seconds.",
    "garbage": "NOT GRADED: NotJSONError",
    "foreign": "NOT GRADED: ValueError: The notebook must have cells of the",
    "nothing": "NOT GRADED: ValueError: A folder must have vit.ipynb or one",
    "renamed": r"vit\(1\).ipynb was taken for vit.ipynb.",
}


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
def hand_in(nbgrader, source, release):
    """Makes the notebook of a student and writes it where grading looks for it."""
    right = {
        grade_id(cell): cell.source
        for cell in source.cells
        if cell.metadata.get("nbgrader", {}).get("solution")
    }

    def write(student, sources=None, change=None, name="vit"):
        notebook = nbformat.read(release, as_version=4)
        for cell in notebook.cells:
            new = right | sources if sources is not None else {}
            cell.source = new.get(grade_id(cell), cell.source)
        if change:
            change(notebook)
        path = nbgrader.root / f"submitted/{student}/vit/{name}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(nbformat.writes(notebook), "utf-8")

    write.right = right
    return write


@pytest.fixture(scope="module")
def log(nbgrader, release, hand_in):
    """Hands in, grades, and writes the feedback. What the grading said."""
    for name, fault in FAULTS.items():
        hand_in(name, fault)
    for name, change in DAMAGED.items():
        hand_in(name, {}, change)
    hand_in("empty")
    hand_in("renamed", {}, name="vit(1)")
    hand_in("monkeypatches", FITTED | {"split": PATCH + FITTED["split"]})
    shown = nbformat.read(release, as_version=4).cells
    shown = {grade_id(cell): cell.source for cell in shown}
    memory = {name: memorise(name, hand_in.right, shown) for name in FUNCTIONS}
    hand_in("memorises", memory)
    for name, text in (("garbage", "no JSON"), ("foreign", nbformat.v4.new_notebook())):
        path = nbgrader.root / f"submitted/{name}/vit/vit.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(text if name == "garbage" else nbformat.writes(text), "utf-8")
    (nbgrader.root / "submitted/nothing/vit").mkdir(parents=True)
    # In 20 seconds a slow machine imports Keras; the loop takes them once.
    command = [sys.executable, FOLDER / "grade.py", f"--root={nbgrader.root}"]
    command += ["--with-my-rights", "--seconds=20", "--jobs=2"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr  # some have no points
    status, said = nbgrader("generate_feedback", "vit")
    assert status == 0, said
    return done.stdout


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


@pytest.mark.parametrize("student", SAID)
def test_what_is_odd_is_named_beside_the_student(log, student):
    about = re.search(rf"^{student}: .*\n((?:  .*\n)+)", log, re.MULTILINE)[1]
    assert re.search(f"^  {SAID[student]}", about, re.MULTILINE)


def test_nobody_keeps_another_from_being_graded(gradebook, log):
    lacking = [name for name in SAID if "NOT GRADED" in SAID[name]]
    students = set(FAULTS) | set(DAMAGED) | set(SAID)
    students |= {"empty", "monkeypatches", "memorises"}
    graded = {
        submission.student.id for submission in gradebook.assignment_submissions("vit")
    }
    assert graded == students - set(lacking)
    assert f"{len(graded)} of {len(students)} students have points." in log


@pytest.mark.parametrize("student", ["copies", "strips", "empties", "renamed", "keras"])
def test_damage_by_an_editor_costs_nothing(gradebook, student):
    assert points(gradebook, student) == FULL


@pytest.mark.parametrize("student", ["copies_wrong", "deletes"])
def test_a_function_that_is_gone_costs_its_question(gradebook, student):
    assert points(gradebook, student) == FULL | NO_JOIN


@pytest.mark.parametrize("student", ["monkeypatches", "memorises"])
def test_what_fits_only_the_visible_questions_gets_no_points_of_a_check(
    gradebook, student
):
    wanted = {name: 1 if name.endswith("example") else 0 for name in FULL}
    assert points(gradebook, student) == wanted


def test_the_outputs_that_a_student_hands_in_count_nothing(gradebook):
    assert points(gradebook, "forges") == dict.fromkeys(FULL, 0)


def test_nbgrader_alone_gives_no_points_of_a_check(nbgrader, hand_in, gradebook):
    hand_in("alone", {})
    status, said = nbgrader("autograde", "vit", "--student=alone")
    assert status == 0, said
    assert {points(gradebook, "alone")[f"{name}-check"] for name in FUNCTIONS} == {0}


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ([], "^Grading needs Bubblewrap, which keeps the students' code from"),
        (["--with-my-rights"], "^Grading needs the notebook that was handed out; .*r"),
    ],
)
def test_what_grading_needs_is_said_in_a_sentence(tmp_path, arguments, rule):
    command = [sys.executable, FOLDER / "grade.py", f"--root={tmp_path}", *arguments]
    env = os.environ | {"PATH": str(tmp_path)}  # where there is no Bubblewrap
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    said = [line for line in done.stderr.splitlines() if line.startswith("Grading")]
    assert done.returncode == 1
    assert re.search(rule, "".join(said), re.IGNORECASE), done.stderr


def in_bubblewrap():
    try:
        return subprocess.run([*bubblewrap(), "true"]).returncode == 0
    except OSError:
        return False


SPY = """\
import pathlib
import socket

seen = [p for p in PATHS if pathlib.Path(p).exists()]
try:
    pathlib.Path(PYTHON).with_name("planted").write_text("")
    seen.append("written")
except OSError:
    pass
try:
    socket.create_connection(("127.0.0.1", PORT), timeout=2)
    seen.append("network")
except OSError:
    pass
print(seen, len(list(pathlib.Path("/proc").glob("[0-9]*"))) < 9)
"""


@pytest.mark.skipif(not in_bubblewrap(), reason="needs Bubblewrap")
def test_the_container_has_no_network_no_files_and_no_other_process(tmp_path):
    secret = tmp_path / "hidden_seeds.json"
    secret.write_text("[1]")
    paths = [str(secret), str(FOLDER / "vit.py"), str(Path(checks.__file__))]
    with socket.create_server(("127.0.0.1", 0)) as server:
        values = {"PATHS": paths, "PYTHON": sys.executable}
        values["PORT"] = server.getsockname()[1]
        spy = "".join(f"{k} = {v!r}\n" for k, v in values.items()) + SPY
        said = {}
        for wrapper in ([], bubblewrap()):
            student = Student(wrapper, 60)
            said[bool(wrapper)] = student.run(spy)["printed"]
            student.close()
    assert said[True] == "[] True\n"
    assert secret.name in said[False] and "network" in said[False]


def test_the_patterns_for_learning_platforms_find_each_student(nbgrader, release):
    text = (FOLDER / "README.md").read_text("utf-8")
    commands = re.findall(r"^nbgrader (zip_collect .*)$", text, re.MULTILINE)
    names = (
        {
            "Ada Lovelace_1234567_assignsubmission_file_/vit.ipynb": "1234567/vit/vit",
            "Bo Ek_1234568_assignsubmission_file_vit.ipynb": "1234568/vit/vit",
            "Jo de la Cruz_77_assignsubmission_file/vit.ipynb": "77/vit/vit",
        },
        {
            "lovelaceada_1234_567890_vit.ipynb": "1234/vit/vit",
            "ekbo_LATE_1235_567891_vit-1.ipynb": "1235/vit/vit-1",
        },
    )
    for command, files in zip(commands, names, strict=True):
        archive = nbgrader.root / "downloaded/vit/archive/class.zip"
        archive.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(archive, "w") as file:
            for name in files:
                file.write(release, name)
        status, said = nbgrader(*shlex.split(command), "--force")
        assert status == 0, said
        for path in files.values():
            found = nbgrader.root / f"submitted/{path}.ipynb"
            assert found.read_bytes() == release.read_bytes()


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
