"""What every notebook must be, beside having true outputs, which --nbval checks."""

import ast
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import jupytext
import keras
import nbformat
import papermill
import pytest
import yaml
from editions import PAGES
from jupytext.config import load_jupytext_config
from jupytext.pairs import NotebookFile
from jupytext.sync_pairs import read_pair

from vitlib import checks
from vitlib.notebook import PARAMETERS, check_parameters

ROOT = Path(__file__).resolve().parents[1]
PATHS = sorted(
    path
    for path in (ROOT / "notebooks").glob("*.ipynb")
    if not path.name.endswith(".failed.ipynb")
)
TOOL = ROOT / "notebooks/tools/execute.py"
CHAPTERS = [path for path in PATHS if path.stem not in PAGES]
# The chapters whose exercises check themselves.
PROFILES = sorted((ROOT / "notebooks/profiles").glob("*.yml"))
MAX_LINES = 15  # of a code cell
MAX_WIDTH = 79  # characters of a code line, what fits a page of the book
MIN_EXERCISES = 3
MAX_IGNORED = 0.05  # of all code cells, those whose output is not compared

each_notebook = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
each_chapter = pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
each_checked = pytest.mark.parametrize("name", [path.stem for path in CHAPTERS])
each_profile = pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)


def load_tool():
    spec = importlib.util.spec_from_file_location("execute", TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    return tool


def read(path):
    return nbformat.read(path, as_version=4)


def code_cells(path):
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def prose(path):
    cells = read(path).cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def parameters(path):
    return papermill.inspect_notebook(str(path))


def test_there_are_notebooks_and_three_profiles():
    assert CHAPTERS and PAGES < {path.stem for path in PATHS}
    assert [path.stem for path in PROFILES] == ["full", "laptop", "quick"]


def test_every_script_has_its_notebook():
    scripts = {path.stem for path in (ROOT / "notebooks").glob("*.py")}
    assert scripts == {path.stem for path in PATHS}


@each_notebook
def test_the_notebook_and_its_script_are_in_step(path):
    """JupyterLab opens a newer notebook, and would write the script as it is."""
    script = path.with_suffix(".py")
    pair = [(str(script), "py:percent", 1), (str(path), "ipynb", 2)]
    pair = [NotebookFile(*file) for file in pair]
    opened = read_pair(*pair, lambda file, _: jupytext.read(file), must_match=True)
    text = jupytext.writes(opened, "py:percent", config=load_jupytext_config(path))
    assert text == script.read_text("utf-8")


@each_notebook
def test_the_notebook_is_as_the_normaliser_leaves_it(path):
    notebook = load_tool().normalise(read(path))
    assert nbformat.writes(notebook) + "\n" == path.read_text("utf-8")


@each_notebook
def test_what_a_cell_prints_is_one_output(path):
    for cell in code_cells(path):
        assert sum(out.output_type == "stream" for out in cell.outputs) <= 1


@each_notebook
def test_the_notebook_asks_for_the_common_kernel(path):
    assert read(path).metadata.kernelspec.name == "python3"
    assert read(path).metadata.language_info.name == "python"


@each_notebook
def test_every_cell_ran_once_from_top_to_bottom(path):
    counts = [cell.execution_count for cell in code_cells(path)]
    assert counts == list(range(1, len(counts) + 1))


@each_notebook
def test_no_output_holds_a_warning_or_an_error(path):
    for cell in code_cells(path):
        for output in cell.outputs:
            assert output.get("name") != "stderr", cell.source
            assert output.output_type != "error", cell.source


@each_notebook
def test_no_output_or_cell_names_a_place_on_a_machine(path):
    assert not re.search(r"(/home/|/root/|/tmp/|/Users/|[A-Z]:\\\\)", path.read_text())


@each_notebook
def test_code_cells_are_short_enough_to_read(path):
    for cell in code_cells(path):
        lines = cell.source.splitlines()
        assert 1 <= len(lines) <= MAX_LINES, cell.source
        assert max(map(len, lines)) <= MAX_WIDTH, cell.source


@each_notebook
def test_no_code_line_ends_in_a_semicolon(path):
    for cell in code_cells(path):
        assert not re.search(r";\s*$", cell.source, re.MULTILINE), cell.source


@each_notebook
def test_every_figure_has_a_caption_a_name_and_a_text_in_its_place(path):
    for cell in code_cells(path):
        if any("image/png" in output.get("data", {}) for output in cell.outputs):
            mystnb = cell.metadata.get("mystnb", {})
            assert len(mystnb["image"]["alt"].split()) >= 8, cell.source
            assert len(mystnb["figure"]["caption"].split()) >= 5, cell.source
            assert mystnb["figure"]["name"].startswith("fig-"), cell.source
            assert cell.source.endswith("plt.show()"), cell.source


@each_notebook
def test_the_text_uses_every_figure_name_only_once(path):
    metadata = [cell.metadata.get("mystnb", {}) for cell in code_cells(path)]
    names = [entry["figure"]["name"] for entry in metadata if "figure" in entry]
    assert len(names) == len(set(names))


EXERCISE = re.compile(
    r"^:::\{exercise\} \S[^\n]*\n:label: (\S+)\n(.*?)^:::$", re.MULTILINE | re.DOTALL
)


def exercises(path):
    """The text of each exercise, on one line, by its label."""
    found = EXERCISE.findall(prose(path))
    return {label: " ".join(text.split()) for label, text in found}


def solutions(path):
    """The code cells of each solution, by the label of its exercise."""
    found, label = {}, None
    for cell in read(path).cells:
        if cell.cell_type == "code":
            found.setdefault(label, []).append(cell)
        for mark in re.findall(
            r"^:::\{solution-(.*)\}(.*)$", cell.source, re.MULTILINE
        ):
            label = mark[1].strip() or None
    return {label: cells for label, cells in found.items() if label}


def tagged(cells, tag):
    return [cell for cell in cells if tag in cell.metadata.get("tags", [])]


def checked_exercises(name):
    """Label, text, answers, check and code cells of each exercise of a chapter."""
    path = ROOT / f"notebooks/{name}.ipynb"
    folded = solutions(path)
    for label, text in exercises(path).items():
        cells = folded[label]
        (check,) = tagged(cells, "check")
        yield label, text, tagged(cells, "solution"), check, cells


@each_chapter
def test_there_are_exercises_and_each_has_a_folded_solution(path):
    text = prose(path)
    labels = exercises(path)
    assert len(labels) >= MIN_EXERCISES
    assert len(labels) == len(re.findall(r"^:::\{exercise", text, re.MULTILINE))
    for label in labels:
        folded = rf"^:::\{{solution(-start)?\}} {label}\n:class: dropdown$"
        assert re.search(folded, text, re.MULTILINE), label


@each_checked
def test_every_exercise_has_an_answer_and_then_one_check(name):
    found = list(checked_exercises(name))
    for label, _, answers, check, cells in found:
        assert answers, label
        assert cells.index(answers[-1]) < cells.index(check), label
    of_exercises = [
        cell for *_, answers, check, _ in found for cell in (*answers, check)
    ]
    everywhere = code_cells(ROOT / f"notebooks/{name}.ipynb")
    assert len(of_exercises) == sum(
        len(tagged(everywhere, tag)) for tag in ("solution", "check")
    )


def call_of_a_check(source):
    """The name of the check that a cell calls and does nothing else, or None."""
    match = re.fullmatch(r"checks\.(check_\w+)\((\w+)\)", source)
    return match and match[1]


@each_checked
def test_a_check_cell_says_right_and_the_text_of_its_exercise_names_it(name):
    for label, text, _, check, _ in checked_exercises(name):
        (output,) = check.outputs
        assert output.data["text/plain"] == "Right.", label
        assert call_of_a_check(check.source), label
        assert f"`{check.source}`" in text, label


@each_checked
def test_every_check_of_a_chapter_has_one_exercise(name):
    cells = [check for _, _, _, check, _ in checked_exercises(name)]
    module = f"vitlib.checks.{name}"
    public = [n for n in checks.__all__ if getattr(checks, n).__module__ == module]
    assert sorted(call_of_a_check(cell.source) for cell in cells) == public


def defined(source):
    """The names of the documented functions of a cell; None if it holds more."""
    nodes = ast.parse(source).body
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef)]
    if functions != nodes or not all(map(ast.get_docstring, functions)):
        return None
    return {function.name for function in functions}


def names_in(source):
    """All names that a cell defines or uses."""
    nodes = list(ast.walk(ast.parse(source)))
    names = {getattr(node, "id", getattr(node, "name", None)) for node in nodes}
    arguments = {node.arg for node in nodes if isinstance(node, ast.arg)}
    aliases = {node.asname for node in nodes if isinstance(node, ast.alias)}
    return (names | arguments | aliases) - {None}


@each_checked
def test_an_answer_holds_documented_functions_that_only_its_solution_uses(name):
    everywhere = code_cells(ROOT / f"notebooks/{name}.ipynb")
    for label, _, answers, _, cells in checked_exercises(name):
        assert all(defined(cell.source) for cell in answers), label
        functions = set().union(*(defined(cell.source) for cell in answers))
        outside = [cell.source for cell in everywhere if cell not in cells]
        assert not functions & set().union(*map(names_in, outside)), label


@pytest.mark.parametrize(
    "source",
    ["x = 1", "def f():\n    return 1", 'def f():\n    """Is."""\n\n\nprint(f())'],
)
def test_a_cell_with_more_than_documented_functions_is_no_answer(source):
    assert defined(source) is None


@pytest.mark.parametrize(
    "source",
    ["f = 1", "print(f)", "def f(): ...", "lambda f: 1", "import g as f", "import f"]
    + ["[1 for f in x]", "class f: ...", "def g(*, f=1): ..."],
)
def test_a_name_is_found_wherever_it_is_used(source):
    assert "f" in names_in(source)
    assert "f" not in names_in("a.f + b['f']  # f")


@pytest.mark.parametrize(
    "source", ["check_f(f)", "checks.check_f", "checks.check_f(f)\n1", "v.check_f(f)"]
)
def test_a_cell_that_does_more_or_less_than_a_check_is_no_check(source):
    assert call_of_a_check(source) is None
    assert call_of_a_check("checks.check_f(f)") == "check_f"


@each_chapter
def test_the_chapter_has_the_parts_that_every_chapter_has(path):
    text = prose(path)
    assert text.index("**You will learn to**") < text.index("**Time:** about ")
    assert text.index("**Time:** about ") < text.index("**You need:**")
    parts = ["What this chapter does not show", "Key points", "Solutions", "References"]
    places = [text.index(f"\n## {part}\n") for part in parts]
    assert places == sorted(places)


def test_few_outputs_are_left_out_of_the_comparison():
    cells = [cell for path in PATHS for cell in code_cells(path)]
    free = {"nbval-ignore-output", "nbval-skip", "nbval-raises-exception"}
    ignored = [cell for cell in cells if free & set(cell.metadata.get("tags", []))]
    assert len(ignored) <= MAX_IGNORED * len(cells)
    assert not any("NBVAL_" in cell.source for cell in cells)


@each_chapter
def test_parameters_come_before_all_but_the_installation_and_are_checked(path):
    _, first, second = code_cells(path)[:3]
    assert first.metadata.tags == ["parameters"]
    assert "check_parameters(globals())" in second.source


@each_notebook
def test_the_parameters_are_known_and_say_their_type_and_meaning(path):
    for name, parameter in parameters(path).items():
        assert name in PARAMETERS
        assert parameter["inferred_type_name"] in ("str", "int", "float", "bool")
        assert parameter["help"], name


def test_the_profiles_name_the_parameters_of_the_notebooks_and_no_others():
    known = {name for path in PATHS for name in parameters(path)}
    assert known <= set(PARAMETERS)
    for path in PROFILES:
        assert set(yaml.safe_load(path.read_text())) <= known, path.name


@each_profile
def test_every_profile_passes_the_check_of_the_notebooks(path, monkeypatch):
    monkeypatch.setattr(keras.distribution, "list_devices", lambda kind: ["gpu:0"])
    values = yaml.safe_load(path.read_text())
    injected = "\n".join(f"{name} = {value!r}" for name, value in values.items())
    check_parameters({"In": [f"# Parameters\n{injected}\n"], **values})


@each_chapter
def test_the_quick_profile_is_what_the_notebook_does_by_default(path):
    quick = yaml.safe_load((ROOT / "notebooks/profiles/quick.yml").read_text())
    for name, parameter in parameters(path).items():
        assert yaml.safe_load(parameter["default"]) == quick[name], name


def run(tmp_path, source, **profile):
    """Runs a notebook with a profile; returns the exit status."""
    path = tmp_path / "profile.yml"
    path.write_text(json.dumps(profile))
    arguments = [str(source), "--out", str(tmp_path / "out"), "--profile", str(path)]
    return load_tool().main(arguments)


def small_notebook(tmp_path, last_cell):
    cells = [nbformat.v4.new_code_cell(code) for code in ("seed: int = 0", last_cell)]
    cells[0].metadata.tags = ["parameters"]
    notebook = load_tool().normalise(nbformat.v4.new_notebook(cells=cells))
    path = tmp_path / "small.ipynb"
    nbformat.write(notebook, path)
    return path


@pytest.fixture
def quiet(monkeypatch):
    """Keeps the settings of a run to itself, and papermill's old calls silent."""
    settings = load_tool().QUIET | load_tool().EXACT
    for name in settings:
        monkeypatch.setenv(name, settings[name])


@pytest.mark.usefixtures("quiet")
def test_an_unknown_parameter_stops_a_notebook_before_it_does_anything(tmp_path, capfd):
    assert run(tmp_path, CHAPTERS[0], sede=1) == 1
    assert "Received: 'sede'." in capfd.readouterr().err.splitlines()[-1]
    failed = read(tmp_path / f"out/{CHAPTERS[0].stem}.failed.ipynb")
    ran = [c for c in failed.cells if c.cell_type == "code" and c.execution_count]
    assert len(ran) == 4  # installation, parameters, what papermill put in, and check


@pytest.mark.parametrize(
    "text",
    ["- seed", "seed", "3", "1: 2", "seed: 1\nseed", "a b: 1", "? [1]\n: 2", "[", "\0"]
    + ["!!python/object/apply:os.getcwd []", "[" * 5_000, b"\xff\xfe"],
)
def test_a_file_that_is_no_profile_is_refused_in_one_sentence(tmp_path, text):
    path = tmp_path / "profile.yml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError) as caught:
        load_tool().execute(CHAPTERS[0], tmp_path / "out.ipynb", path)
    message = str(caught.value)
    assert message.startswith(f"{path} must hold parameters, one `name: value` a line")
    assert "Received: something else" in message and "\n" not in message
    assert [path] == list(tmp_path.iterdir())


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize(("profile", "status"), [("full", 2), ("laptop", 0)])
def test_the_full_profile_without_a_gpu_leaves_nothing(
    tmp_path, monkeypatch, capfd, profile, status
):
    tool, source = load_tool(), small_notebook(tmp_path, "seed")
    check, path = tmp_path / "check.py", tmp_path / "profile.yml"
    check.write_text("import sys\nprint('It sees no GPU.')\nsys.exit(1)\n")
    path.write_text(f"profile: {profile}\n")
    monkeypatch.setattr(tool, "GPU_CHECK", check)
    asked = [f"--out={tmp_path / 'out'}", f"--profile={path}", str(source)]
    assert tool.main(asked) == status
    assert ("It sees no GPU." in capfd.readouterr().out) == (status == 2)
    assert (tmp_path / "out").exists() == (status == 0)


@pytest.mark.usefixtures("quiet")
def test_a_parameter_of_another_notebook_is_left_out(tmp_path):
    source = small_notebook(tmp_path, "seed")
    assert run(tmp_path, source, seed=5, data_set="shapes") == 0
    result = read(tmp_path / "out/small.ipynb")
    assert "data_set" not in nbformat.writes(result)
    assert result.cells[-1].outputs[0].data["text/plain"] == "5"


@pytest.mark.usefixtures("quiet")
def test_a_failed_run_is_kept_beside_the_good_one(tmp_path):
    assert run(tmp_path, small_notebook(tmp_path, "'good'")) == 0
    good = (tmp_path / "out/small.ipynb").read_text()
    assert run(tmp_path, small_notebook(tmp_path, "1 / 0")) == 1
    assert (tmp_path / "out/small.ipynb").read_text() == good
    assert "ZeroDivisionError" in (tmp_path / "out/small.failed.ipynb").read_text()


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize(
    ("last_cell", "reason"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import os\nos._exit(1)", "Kernel died"),
        (
            "import time\ntime.sleep(60)",
            "timed out while it was being executed, after 3 seconds",
        ),
    ],
    ids=["error", "dead-kernel", "time-limit"],
)
def test_a_failed_notebook_says_first_what_failed(
    tmp_path, monkeypatch, capfd, last_cell, reason
):
    tool = load_tool()
    monkeypatch.setattr(tool, "CELL_TIMEOUT", 3)
    source = small_notebook(tmp_path, last_cell)
    assert tool.main([f"--out={tmp_path / 'out'}", str(source)]) == 1
    first = read(tmp_path / "out/small.failed.ipynb").cells[0].source
    assert first.startswith("This run failed: ") and reason in first
    assert reason in capfd.readouterr().err
    assert not (tmp_path / "out/small.ipynb").exists()


def test_a_run_killed_midway_leaves_the_good_notebook(tmp_path):
    source = small_notebook(tmp_path, "import time\ntime.sleep(60)")
    good = tmp_path / "out/small.ipynb"
    good.parent.mkdir()
    good.write_text("good")
    failed = good.with_suffix(".failed.ipynb")
    command = [sys.executable, TOOL, f"--out={good.parent}", source]
    process = subprocess.Popen(command, start_new_session=True)
    while not failed.exists() or "seed" not in failed.read_text():
        assert process.poll() is None
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGKILL)  # with its kernel
    assert process.wait() == -signal.SIGKILL
    assert good.read_text() == "good"
    first = read(failed).cells[0].source
    assert first == "This run has not come to its end: it goes on, or it was killed."


@pytest.mark.usefixtures("quiet")
def test_a_run_notebook_holds_no_noise(tmp_path):
    code = "import sys\nprint('kept')\nsys.stderr.write('noise')"
    assert run(tmp_path, small_notebook(tmp_path, code)) == 0
    result = read(tmp_path / "out/small.ipynb")
    names = [output.get("name") for output in result.cells[-1].outputs]
    assert "stdout" in names and "stderr" not in names
    assert set(result.metadata) == {"kernelspec", "language_info"}
    assert all(set(cell.metadata) <= {"tags"} for cell in result.cells)
    assert not (tmp_path / "out/small.failed.ipynb").exists()


@each_notebook
def test_no_cell_gives_the_name_of_a_module_to_something_else(path):
    cells = [cell.source for cell in read(path).cells if cell.cell_type == "code"]
    nodes = [node for source in cells for node in ast.walk(ast.parse(source))]
    kinds = (ast.Import, ast.ImportFrom)
    names = [alias for node in nodes if isinstance(node, kinds) for alias in node.names]
    imported = {alias.asname or alias.name for alias in names}
    stored = {
        n.id for n in nodes if isinstance(n, ast.Name) and type(n.ctx) is ast.Store
    }
    assert imported & stored == set()


# What the text says of the numbers that a cell has printed.
PRINTED_NUMBERS = [
    ("data", r"mean difference of a pixel value: (\d+) of 255", lambda x: x > 5),
    ("data", r"largest difference .* value: (\d+) of 255", lambda x: x > 50),
    ("data", r"validation: .* ([\d.-]+) standard errors", lambda x: x > 2.5),
    ("data", r"test: .* ([\d.-]+) standard errors", lambda x: abs(x) < 2.5),
    ("data", r"class: ([\d.]+) to [\d.]+", lambda x: x < 20 / 1.1),
    ("data", r"class: [\d.]+ to ([\d.]+)", lambda x: x > 20 * 1.1),
    ("data", r"^top row: ([\d.]+)", lambda x: abs(x - 15.95) < 0.01),
    ("data", r"read correctly: (\d+) of 1000", lambda x: x == 1000),
    ("data", r"honest: .* ([\d.-]+) standard errors", lambda x: abs(x) < 2.5),
    ("data", r"highest: .* ([\d.-]+) standard errors", lambda x: x > 2.5),
    ("data", r"rows used: (\d+) of 22000", lambda x: x == 22_000),
    ("data", r"hits: (\d+), by the formula: 39.8", lambda x: abs(x - 39.8) <= 5),
    ("data", r"-20 degrees: (\d+) of 1000", lambda x: x == 0),
    ("data", r"^20 degrees: (\d+) of 1000", lambda x: x == 0),
    ("data", r"means of red, green, blue: (\S+)", lambda x: 0.0005 < abs(x) < 0.1),
    ("patches", r"differ: (\d+) of 15,552", lambda x: x == 0),
    ("patches", r"differ: (\d+) of 5,184", lambda x: x == 0),
    ("patches", r"largest difference: ([\d.]+)", lambda x: x == 0),
    ("patches", r"enlarged image differ by ([\d.]+)", lambda x: x < 0.01),
    ("patches", r"is recovered up to ([\d.]+)", lambda x: x < 0.01),
    ("patches", r"the same answer .*: ([\d.]+) % right", lambda x: x == 1),
    ("patches", r"a bag of patches: ([\d.]+) % right", lambda x: abs(x - 25) < 4),
    ("patches", r"with attention: ([\d.]+) % right", lambda x: abs(x - 25) < 4),
    ("patches", r"sums of the rows: ([\d.]+) to", lambda x: x == 1),
    ("patches", r"sums of the rows: .* to ([\d.]+)", lambda x: x == 1),
    ("patches", r"green in the patch: ([\d.]+)", lambda x: x == 16.9),
    ("patches", r"in the photograph: ([\d.]+)", lambda x: x == 16.9),
]


def printed(name):
    """All lines that the cells of a notebook have printed."""
    cells = read(ROOT / f"notebooks/{name}.ipynb").cells
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    return "\n".join(output.get("text", "") for output in outputs)


@pytest.mark.parametrize(("name", "pattern", "holds"), PRINTED_NUMBERS)
def test_a_printed_number_is_what_the_text_says_of_it(name, pattern, holds):
    found = re.findall(pattern, printed(name), re.MULTILINE)
    assert found and all(holds(float(number)) for number in found)


def test_the_work_of_a_block_is_the_same_counted_and_by_the_formula():
    text = printed("patches")
    pairs = re.findall(r"([\d,]+) built, ([\d,]+) by the formula", text)
    pairs += re.findall(r"work by ([\d,]+)\n.*N²: ([\d,]+)", text)
    pairs += re.findall(r"narrow: (\S+), by block_cost: ([\d,]+)", text)
    assert len(pairs) == 4
    assert all(one == other for one, other in pairs)


def test_the_model_put_together_on_the_page_is_that_of_the_report():
    text = printed("patches")
    ours, ten = re.findall(r"(?:ours|ten blocks): (\S+) parameters", text)
    assert re.findall(r"vitlib: (\S+) parameters", text) == [ours]
    assert f"What are {ten} parameters made of?" in prose(
        ROOT / "notebooks/training.ipynb"
    )


# Percentages that may stand in the prose of a notebook without a citation beside them:
# what the report printed or set, and what counting or exact arithmetic gives. One that
# was measured belongs into the output of a cell.
PRINTED = {"1.0", "5.0", "47.93", "20"}
EXACT = {"1", "1.04", "1.10", "5", "25", "50", "100"}
EXACT |= {"82", "90"}  # shares of the report's ViT, in parameters and in arithmetic
EXACT |= {"2"}  # 1 - (1 - 1e-4) ** 200, a decay
EXACT |= {"70", "20", "10"}  # given in an exercise
EXACT |= {"36", "64", "59", "84"}  # after flips; tests/test_shapes.py counts them


def typed_percentages(text):
    """The percentages in the paragraphs of a text that cite no source."""
    text = re.sub(r"\$\$.*?\$\$|`[^`]*`", "", text, flags=re.DOTALL)
    paragraphs = [part for part in re.split(r"\n\s*\n", text) if "{cite:" not in part]
    number = r"(\d+(?:\.\d+)?)(?:\s?\\?%|\sper\scent)"
    return {found for part in paragraphs for found in re.findall(number, part)}


@each_notebook
def test_no_measured_percentage_is_typed_in_prose(path):
    assert typed_percentages(prose(path)) <= PRINTED | EXACT


def test_a_typed_percentage_is_found():
    text = "It reached 61.87 % here.\n\nThey got 55 % {cite:p}`salama2021`.\n\n`7 %`"
    assert typed_percentages(text) == {"61.87"}
