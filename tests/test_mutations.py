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


def shorten(path, target):
    """Keeps a notebook up to its first compared number, and changes its first digit.

    Returns:
        The number of the cell among the code cells, the true text and the changed one.
    """
    notebook, code = nbformat.read(path, as_version=4), -1
    for place, cell in enumerate(notebook.cells):
        code += cell.cell_type == "code"
        if cell.cell_type != "code" or FREE & set(cell.metadata.get("tags", [])):
            continue
        for output in cell.outputs:
            holder, key = output, "text"
            if "data" in output:
                holder, key = output.data, "text/plain"
            text = holder.get(key, "")
            if re.search(r"\d", text) and not text.startswith("<Figure"):
                holder[key] = re.sub(r"\d", other_digit, text, count=1)
                notebook.cells = notebook.cells[: place + 1]
                nbformat.write(notebook, target)
                return code, text, holder[key]
    raise AssertionError(f"{path.name} shows no number")


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """Each notebook with one digit of one output changed, and what --nbval says."""
    folder = copy_to(tmp_path_factory.mktemp("outputs") / "copy")
    (folder / "short").mkdir()
    changes = {}
    for name in NOTEBOOKS:
        path = folder / f"notebooks/{name}.ipynb"
        changes[name] = shorten(path, folder / "short" / path.name)
    return changes, *run_tests(folder, "--nbval", "short")


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_one_digit_of_an_output_of_a_notebook_is_found(outputs, name):
    changes, passed, failed = outputs
    place, true, changed = changes[name]
    cells = {f"{name}::Cell {number}" for number in range(place)}
    assert cells <= passed
    message = failed[f"{name}::Cell {place}"]
    assert "Cell outputs differ" in message
    assert repr(changed)[1:9] in message and repr(true)[1:9] in message


def test_an_output_that_was_not_changed_passes(outputs):
    changes, passed, failed = outputs
    assert set(failed) == {f"{name}::Cell {changes[name][0]}" for name in NOTEBOOKS}


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
        folder / "vitlib/vit.py", "(config.num_classes,", "(config.num_classes + 1,"
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


BOOK_TESTS = """
tests/test_book.py::test_every_link_within_the_book_leads_somewhere
tests/test_book.py::test_every_image_has_a_text_that_says_what_it_shows
tests/test_book.py::test_every_chapter_becomes_a_page
""".split()


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    """A copy whose book builds, with a dead link and a figure without its text."""
    folder = copy_to(tmp_path_factory.mktemp("book") / "copy")
    page = folder / "book/how-to.md"
    page.write_text(page.read_text("utf-8") + '\n<a href="nowhere.html">there</a>\n')
    alt = re.search(r"^:alt: .*\n", (folder / "book/index.md").read_text("utf-8"), re.M)
    replace(folder / "book/index.md", alt[0], "")
    return folder, *run_tests(folder, f"--basetemp={folder}/_build", *BOOK_TESTS)


def test_a_dead_link_and_a_missing_text_are_found_in_the_built_book(book):
    _, passed, failed = book
    link = "test_book::test_every_link_within_the_book_leads_somewhere"
    image = "test_book::test_every_image_has_a_text_that_says_what_it_shows"
    assert set(failed) == {link, image}
    assert "how-to.html: nowhere.html" in failed[link]
    assert "index.html: " in failed[image]
    assert "test_book::test_every_chapter_becomes_a_page" in passed


def test_a_link_to_no_section_breaks_the_build_of_the_book(book):
    folder = book[0]
    replace(folder / "book/glossary.md", "[](#sec-data)", "[](#sec-nowhere)")
    # Beside the book that the tests have built, so that one page is built anew.
    command = ["build", "book", "-W", "-n", "--keep-going"]
    command += ["--path-output", "_build/book0"]
    done = run(folder, "jupyter-book", *command)
    assert done.returncode != 0
    assert re.search(r"glossary\.md:\d+: WARNING: .*sec-nowhere", done.stderr)
