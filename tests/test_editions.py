"""The editions of the chapters: whole, plain, and without a solution for students."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from editions import EDITIONS, main, read_chapters, read_solutions, stub, tags
from plain import EXERCISE, Plain

from vitlib.checks.verdict import Verdict

ROOT = Path(__file__).resolve().parents[1]
CHAPTERS = read_chapters()
NAMES = sorted(CHAPTERS)
# What only the book understands, and JupyterLab shows as it stands.
MARKUP = r"\{[a-z:]+\}`|:::|^\(sec-|\$\$ \(|\]\(#"

each_chapter = pytest.mark.parametrize("name", NAMES)
each_edition = pytest.mark.parametrize("kind", EDITIONS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("editions")
    assert main(["--out", str(out)]) == 0
    return out


def cells(folder, kind, name, cell_type):
    notebook = nbformat.read(folder / kind / f"{name}.ipynb", as_version=4)
    return [cell for cell in notebook.cells if cell.cell_type == cell_type]


def text(folder, kind, name):
    return "\n\n".join(c.source for c in cells(folder, kind, name, "markdown"))


def exercises(name):
    text = "\n\n".join(cell.source for cell in CHAPTERS[name].cells)
    return [match["label"] for match in EXERCISE.finditer(text)]


def in_solutions(name, tag):
    """The sources of the cells of a chapter's solutions that have a tag."""
    solutions = read_solutions(CHAPTERS[name]).values()
    return [c.source for cells in solutions for c in cells if tag in tags(c)]


def functions(source):
    return [node.name for node in ast.parse(source).body]


@each_edition
@each_chapter
def test_an_edition_is_a_valid_notebook_in_plain_markdown(folder, name, kind):
    path = folder / kind / f"{name}.ipynb"
    nbformat.validate(nbformat.read(path, as_version=4))
    assert not re.findall(MARKUP, text(folder, kind, name), re.MULTILINE)
    ids = [c["id"] for c in nbformat.read(path, as_version=4).cells]
    assert len(set(ids)) == len(ids)


@each_edition
@each_chapter
def test_every_figure_has_its_caption_below_it(folder, name, kind):
    notebook = nbformat.read(folder / kind / f"{name}.ipynb", as_version=4)
    drawn = [n for n, c in enumerate(notebook.cells) if "plt.show()" in c.source]
    below = [notebook.cells[n + 1].source for n in drawn]
    numbers = [re.match(r"\*Figure (\d+)\.\* \w", caption)[1] for caption in below]
    assert numbers == [str(n) for n in range(1, len(drawn) + 1)]
    assert len(drawn) >= 2


@each_chapter
def test_each_exercise_is_followed_by_its_stub_and_its_check(folder, name):
    notebook = nbformat.read(folder / "student" / f"{name}.ipynb", as_version=4)
    for label, solution in read_solutions(CHAPTERS[name]).items():
        place = next(n for n, c in enumerate(notebook.cells) if c.id == f"{label}-0")
        above = notebook.cells[place - 1]
        assert re.search(r"^### Exercise \d+: ", above.source, re.MULTILINE)
        wanted = [stub(c.source) for c in solution if "solution" in tags(c)]
        wanted += [c.source for c in solution if "check" in tags(c)]
        shown = notebook.cells[place : place + len(wanted)]
        assert [cell.source for cell in shown] == wanted
        assert len(wanted) >= 2
    assert sorted(read_solutions(CHAPTERS[name])) == sorted(exercises(name))


@each_chapter
def test_no_solution_is_in_the_students_edition(folder, name):
    shown = "\n".join(
        cell.source
        for cell_type in ("markdown", "code")
        for cell in cells(folder, "student", name, cell_type)
    )
    plain, hidden = Plain(name, CHAPTERS), []
    for solution in read_solutions(CHAPTERS[name]).values():
        for cell in solution:
            if cell.cell_type == "markdown":
                hidden += plain.markdown(cell.source).split("\n\n")
            elif "solution" in tags(cell):
                hidden += bodies(cell.source)
            elif "check" not in tags(cell):
                hidden.append(cell.source)
    # A solution may have lines of the program that the chapter shows.
    found = CHAPTERS[name].cells
    end = next(i for i, cell in enumerate(found) if "## Solutions" in cell.source)
    taught = "\n".join(cell.source for cell in found[:end])
    hidden = [part for part in hidden if len(part) > 30 and part not in taught]
    assert len(hidden) > 2 * len(exercises(name))
    assert [part for part in hidden if part in shown] == []
    assert "## Solutions" not in shown


def bodies(source):
    """What the functions of a solution do, without name and docstring."""
    nodes = ast.parse(source).body
    return [ast.get_source_segment(source, n) for f in nodes for n in f.body[1:]]


def test_the_key_to_the_defects_is_kept_from_students_alone(folder):
    cells = [c for c in CHAPTERS["debugging"].cells if "answers" in tags(c)]
    (table,) = [c.source for c in cells if "{admonition} The ten defects" in c.source]
    lines = [line for line in table.splitlines() if re.match(r"\| \d+ \w", line)]
    assert len(lines) == 10
    for line in lines:
        defect = line.split("|")[-2].strip()
        shown = {kind: defect in text(folder, kind, "debugging") for kind in EDITIONS}
        assert shown == {"student": False, "solutions": True, "instructor": True}, line


@each_chapter
def test_the_students_edition_has_no_output(folder, name):
    for cell in cells(folder, "student", name, "code"):
        assert cell.outputs == [] and cell.execution_count is None


@each_chapter
def test_an_empty_stub_fails_its_own_check_with_a_friendly_sentence(name):
    for solution in read_solutions(CHAPTERS[name]).values():
        space = {}
        exec("from vitlib import checks", space)
        for cell in solution:
            if "solution" in tags(cell):
                exec(stub(cell.source), space)
        check = next(cell.source for cell in solution if "check" in tags(cell))
        verdict = eval(check, space)
        assert isinstance(verdict, Verdict) and not verdict
        assert repr(verdict) == "Not yet: the function is still empty."


@each_chapter
def test_nothing_in_a_chapter_needs_what_the_reader_writes(name):
    solutions = read_solutions(CHAPTERS[name])
    names = [n for s in in_solutions(name, "solution") for n in functions(s)]
    assert len(set(names)) == len(names) >= len(solutions)
    hidden = {cell.id for cells in solutions.values() for cell in cells}
    for cell in CHAPTERS[name].cells:
        if cell.cell_type == "code" and cell.id not in hidden:
            tree = ast.walk(ast.parse(cell.source))
            used = {getattr(node, "id", getattr(node, "name", "")) for node in tree}
            assert not used & set(names), cell.source


@each_chapter
def test_solutions_keep_code_and_outputs(folder, name):
    source = [c for c in CHAPTERS[name].cells if c.cell_type == "code"]
    shown = cells(folder, "solutions", name, "code")
    assert [c.source for c in shown] == [
        c.source.replace('"../', '"../../') for c in source
    ]
    assert [c.outputs for c in shown] == [c.outputs for c in source]


@each_chapter
def test_only_instructors_see_the_notes(folder, name):
    notes = [c.source for c in CHAPTERS[name].cells if "instructor" in tags(c)]
    assert len(notes) >= 3
    plain = Plain(name, CHAPTERS)
    for note in map(plain.markdown, notes):
        assert note in text(folder, "instructor", name)
        assert note not in text(folder, "solutions", name)
        assert note not in text(folder, "student", name)


def test_the_students_edition_runs_from_top_to_bottom(folder, tmp_path):
    """The chapter that computes least; the test above holds for all."""
    source = folder / "student/patches.ipynb"
    tool = ROOT / "notebooks/tools/execute.py"
    command = [sys.executable, tool, "--out", tmp_path, source]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    notebook = nbformat.read(tmp_path / "patches.ipynb", as_version=4)
    checked = [c for c in notebook.cells if c.source.startswith("checks.check_")]
    said = [c.outputs[0].data["text/plain"] for c in checked]
    assert set(said) == {"Not yet: the function is still empty."}
    assert len(said) == len(exercises("patches"))


def test_an_edition_that_somebody_worked_in_is_not_overwritten(tmp_path, capsys):
    assert main(["--out", str(tmp_path)]) == 0
    assert main(["--out", str(tmp_path)]) == 0  # nothing was changed
    path = tmp_path / "student/data.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[-1].source += "\nMy note."
    nbformat.write(notebook, path)
    before = path.read_bytes()
    other = tmp_path / "student/patches.ipynb"
    other.unlink()
    assert main(["--out", str(tmp_path)]) == 0
    assert path.read_bytes() == before
    assert other.exists()
    said = capsys.readouterr().out.splitlines()
    assert [line for line in said if line.startswith("Kept ")] == [
        f"Kept {path}: somebody worked in it. To renew it, move it away first."
    ]


@pytest.mark.parametrize(
    ("myst", "words"),
    [
        ("{term}`token`", "token"),
        ("{term}`tokens <token>`", "tokens"),
        ("{term}`tokens\n<token>`", "tokens"),
        ("{numref}`fig-data-flip`", "Figure 6"),
        ("{numref}`fig-cost`", "Figure 8 of *An image becomes a sequence*"),
        ("{eq}`eq-data-hits`", "(1)"),
        ("{eq}`eq-cost`", "(4) of *An image becomes a sequence*"),
        ("{ref}`ex-data-half`", "Exercise 1: Half of the answer"),
        ("{ref}`sec-patches`", "An image becomes a sequence"),
        ("[](#sec-patches)", "*An image becomes a sequence*"),
        ("[the chapter](#sec-patches)", "the chapter"),
        ("[a page](https://example.org)", "[a page](https://example.org)"),
        ("{cite:t}`dosovitskiy2021`", "Dosovitskiy et al. (2021)"),
        ("{cite:p}`barz2020, schh`", "(Barz and Denzler, 2020; s-chh, n.d.)"),
    ],
)
def test_what_points_away_becomes_words(myst, words):
    assert Plain("data", CHAPTERS).markdown(myst) == words


@pytest.mark.parametrize(
    "myst", ["{doc}`x`", "{eq}`eq-none`", "{cite:p}`nobody2022`", "[](#sec-none)"]
)
def test_what_has_no_words_is_refused_in_one_sentence(myst):
    plain, rule = Plain("data", CHAPTERS), "^A role in a chapter must be .* Received: "
    with pytest.raises(ValueError, match=rule) as error:
        plain.markdown(f"See {myst}.")
    assert "\n" not in str(error.value)


def test_a_stub_keeps_signature_and_docstring_alone():
    source = 'def f(a, b=2):\n    """Adds."""\n    c = a + b\n    return c'
    assert stub(source) == (
        'def f(a, b=2):\n    """Adds."""\n    raise NotImplementedError'
    )
