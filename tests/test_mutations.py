"""The checks of this repository can fail: each kind of damage turns its check red.

A copy of the files is damaged, and the command that CI runs is run there. It must fail
at the damaged thing, name it, and pass everything else.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted(path.stem for path in ROOT.glob("notebooks/*.py"))
RECORDS = sorted(ROOT.glob("results/*/*.json"))
NOT_COPIED = (".*", "__pycache__", "_build", "runs", "logs", "*.checkpoint*", "*.egg*")
SHORTENED = "patches"  # of the notebooks, the one that is damaged and run
FREE = {"nbval-ignore-output", "nbval-skip"}


def copy_to(folder):
    """Copies what the checks read: the files of the repository, without caches."""
    ignored = shutil.ignore_patterns(*NOT_COPIED)
    return Path(shutil.copytree(ROOT, folder, symlinks=True, ignore=ignored))


def run(folder, program, *arguments):
    """Runs a program of the environment in a copy, with the vitlib of that copy."""
    command = [Path(sys.executable).with_name(program), *arguments]
    paths = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": paths, "KERAS_BACKEND": "tensorflow"},
        capture_output=True,
        text=True,
    )


def run_tests(folder, *arguments):
    """Runs pytest in a copy; returns the tests that passed and those that failed.

    Those that failed are a dict from a name such as `test_vit::test_x[y]` to what
    pytest says of it.
    """
    report = folder / "report.xml"
    done = run(folder, "pytest", f"--junitxml={report}", *arguments)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    passed, failed = set(), {}
    for case in ElementTree.parse(report).iter("testcase"):
        module = case.get("classname").removesuffix(".ipynb").split(".")[-1]
        name = f"{module}::{case.get('name')}"
        faults = [*case.iter("failure"), *case.iter("error")]
        if faults:
            failed[name] = f"{faults[0].get('message')}{faults[0].text}"
        else:
            passed.add(name)
    assert done.returncode == bool(failed)
    return passed, failed


def replace(path, old, new):
    """Damages a file in one place."""
    text = path.read_text("utf-8")
    assert old in text, f"{path.name} has no {old!r} to damage"
    path.write_text(text.replace(old, new, 1), "utf-8")


def other_digit(match):
    return str((int(match[0]) + 1) % 10)


def shown_numbers(notebook):
    """Each compared number: the cell, its number among the code cells, where it stands.

    That is "text", for what a cell prints, or "text/plain", for what it returns.
    """
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for number, cell in enumerate(code):
        if FREE & set(cell.metadata.get("tags", [])):
            continue
        for output in cell.outputs:
            holder = output.get("data", output)
            for key in holder.keys() & {"text", "text/plain"}:
                if re.search(r"\d", holder[key]) and not holder[key].startswith("<Fig"):
                    yield cell, number, holder, key


def shorten(path, target):
    """Keeps a notebook up to the first number of each kind; changes a digit of each.

    Returns:
        By the number of a cell: the true text and the changed one.
    """
    notebook, changes, kinds = nbformat.read(path, as_version=4), {}, set()
    for cell, number, holder, key in shown_numbers(notebook):
        if key not in kinds and number not in changes:
            kinds.add(key)
            true = holder[key]
            holder[key] = re.sub(r"\d", other_digit, true, count=1)
            changes[number] = true, holder[key]
        if len(kinds) == 2:
            notebook.cells = notebook.cells[: notebook.cells.index(cell) + 1]
            nbformat.write(notebook, target)
            return changes
    raise AssertionError(f"{path.name} must print a number and return one")


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_shows_a_number_that_is_compared(name):
    path = ROOT / f"notebooks/{name}.ipynb"
    assert next(shown_numbers(nbformat.read(path, as_version=4)))


def test_one_digit_of_an_output_of_a_notebook_is_found(tmp_path):
    """Of what it prints and returns, from any folder; the other cells pass."""
    folder = copy_to(tmp_path / "copy")
    (folder / "short").mkdir()
    path = folder / f"notebooks/{SHORTENED}.ipynb"
    changes = shorten(path, folder / "short" / path.name)
    passed, failed = run_tests(folder / "short", "--nbval", path.name)
    assert set(failed) == {f"{SHORTENED}::Cell {number}" for number in changes}
    assert len(passed) == max(changes) + 1 - len(changes)
    for number, (true, changed) in changes.items():
        message = failed[f"{SHORTENED}::Cell {number}"]
        assert "Cell outputs differ" in message
        assert repr(changed)[1:9] in message and repr(true)[1:9] in message


def change_a_number(record):
    """Gives a record another loss of the last epoch, as a hand would."""
    text = record.read_text("utf-8")
    loss = re.search(r'"val_loss": \[([^\]]*)\]', text)
    # The first digit after the point: the 17th may not change the number.
    last = re.search(r"(?<=\.)\d(?=\d*\s*$)", loss[1])
    place = loss.start(1) + last.start()
    changed = other_digit(last)
    record.write_text(text[:place] + changed + text[place + 1 :], "utf-8")


def drop_alternative_text(folder, name):
    """Empties the text of the first figure of a notebook, in both files of the pair."""
    script = folder / f"notebooks/{name}.py"
    text = re.search(r'"alt": (".*?(?<!\\)")', script.read_text("utf-8"))[1]
    for path in (script, script.with_suffix(".ipynb")):
        replace(path, text, '""')


# The tests that CI runs on what is damaged below.
TESTS = """
tests/test_notebooks.py::test_the_notebook_and_its_script_are_in_step
tests/test_notebooks.py::test_every_figure_has_a_caption_a_name_and_a_text_in_its_place
tests/test_results.py::test_a_committed_record_is_valid_and_stands_where_it_says
tests/test_vit.py::test_the_report_vit_has_the_parameters_of_the_report
tests/test_vit.py::test_the_compact_vit_is_compact
tests/test_readme.py::test_every_file_that_the_readme_names_exists
""".split()
# Those of them that must fail, and a word of what they say.
RED = {
    "test_notebooks::test_the_notebook_and_its_script_are_in_step[patches]": "seed",
    "test_notebooks::test_every_figure_has_a_caption_a_name_and_a_text_in_its_place"
    "[positions]": "alt",
    "test_vit::test_the_report_vit_has_the_parameters_of_the_report": "45924332",
    "test_readme::test_every_file_that_the_readme_names_exists": "nowhere.md",
}
RED |= {
    "test_results::test_a_committed_record_is_valid_and_stands_where_it_says"
    f"[{path.parent.name}/{path.name}]": f"{path.name} must be as the run wrote it"
    for path in RECORDS[:1]
}


@pytest.fixture(scope="module")
def damage(tmp_path_factory):
    """What pytest says of a copy with five kinds of damage."""
    folder = copy_to(tmp_path_factory.mktemp("damage") / "copy")
    replace(folder / "notebooks/patches.py", "seed: int = 0", "seed: int = 1")
    drop_alternative_text(folder, "positions")
    change_a_number(folder / RECORDS[0].relative_to(ROOT))
    replace(
        folder / "vitlib/models/heads.py",
        "(config.num_classes,",
        "(config.num_classes + 1,",
    )
    replace(folder / "README.md", "](CONTRIBUTING.md)", "](nowhere.md)")
    return run_tests(folder, *TESTS)


@pytest.mark.parametrize("name", RED, ids=lambda name: name.split("::")[1])
def test_damage_turns_its_test_red(damage, name):
    assert RED[name] in damage[1][name]


def test_damage_leaves_every_other_test_green(damage):
    passed, failed = damage
    assert set(failed) == set(RED)
    assert len(passed) > len(NOTEBOOKS)
