"""The page of the project says what the presets, the records and the options say."""

import importlib.util
import re
import shlex
import statistics
from dataclasses import replace
from pathlib import Path

import pytest

from vitlib import PRESETS, load_runs
from vitlib.studies import tiny as tiny_study
from vitlib.studies.experiment import plan

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "book/project.md").read_text("utf-8")
RUBRIC = PAGE.split(":name: tab-rubric")[1].split("\n```\n")[0]


@pytest.fixture(scope="module")
def script():
    path = ROOT / "experiments/train.py"
    spec = importlib.util.spec_from_file_location("train", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def section(title):
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def rows(table):
    """The cells of each row of a list-table, without its heading."""
    lines = re.split(r"\n\* - ", table)[2:]
    return [re.split(r"\n  - ", line) for line in lines]


def weights():
    return [int(re.search(r", (\d+) points$", cells[0])[1]) for cells in rows(RUBRIC)]


def test_the_presets_that_the_page_offers_run_on_a_laptop():
    cells = [row[0] for row in rows(section("What can you run?").split("\n```\n")[0])]
    names = [name for cell in cells for name in re.findall(r"`(\w.+?)`", cell)]
    assert len(names) == 11
    assert all(plan(name).scale in ("quick", "laptop") for name in names)


def test_the_minutes_of_compact_are_those_of_its_records():
    runs = [run for run in load_runs(ROOT / "results", "compact") if not run.overrides]
    minutes = statistics.mean(r.seconds / 60 for r in runs if r.preset == "compact")
    assert f"{minutes:.0f} minutes, the mean of its recorded runs" in PAGE
    assert f"3 runs of {minutes:.0f} minutes" in PAGE
    epochs = PRESETS["compact"].train.epochs
    short = [round(minutes * part / epochs) for part in (5, 10)]
    text = " ".join(section("Which questions can a laptop answer?").split())
    assert "{} and {} minutes a run".format(*short) in text
    assert f"{3 * sum(short)} minutes in all" in text


def test_the_commands_of_the_page_are_understood(script):
    lines = re.findall(r"experiments/train\.py (.+)", PAGE.replace("\\\n", ""))
    lines += re.findall(r"`((?:tiny|compact) --.+?)`", PAGE)
    assert len(lines) >= 3
    for line in lines:
        options = script.parse_arguments(shlex.split(line.replace("$seed", "2")))
        assert script.asked(options).overrides, line


def test_the_options_in_the_table_change_a_preset(script):
    for option in re.findall(r"^\| `(--.+?)` \|", PAGE, re.MULTILINE):
        options = script.parse_arguments(["tiny", *option.split()])
        experiment = script.asked(options)
        assert experiment.overrides or experiment.seed == 1, option


def test_the_preset_of_the_page_can_be_written_into_the_study():
    code = re.search(r'"tiny-fine": Preset\((?s:.+?)\n\),\n', PAGE)[0]
    names = vars(tiny_study) | {"replace": replace}
    (preset,) = eval("{" + code + "}", names).values()
    tiny = PRESETS["tiny"]
    assert (preset.data, preset.train) == ("shapes", tiny.train)
    assert (preset.model.patch_size, tiny.model.patch_size) == (4, 8)


def test_each_size_of_a_training_set_has_as_many_images_of_each_class():
    text = section("Which questions can a laptop answer?")
    counts = [int(n) for n in re.findall(r"\b(\d+000)\b", text)]
    assert len(counts) >= 8
    assert all(count % 100 == 0 and 20_000 % count == 0 for count in counts)


def test_the_rubric_has_six_criteria_with_four_levels_and_weights():
    criteria = rows(RUBRIC)
    assert len(criteria) == 6
    for cells in criteria:
        assert len(cells) == 5
        assert all(len(cell) > 15 for cell in cells)
    assert sum(weights()) == 100


def test_the_worked_example_of_the_rubric_adds_up():
    levels, points, total = re.search(
        r"the levels ([\d, ]+) give ([\d.+ ]+) = ([\d.]+) points", PAGE
    ).groups()
    levels = map(int, levels.split(", "))
    exact = [weight * n / 3 for weight, n in zip(weights(), levels, strict=True)]
    assert [f"{value:.1f}" for value in exact] == [
        f"{float(value):.1f}" for value in points.split(" + ")
    ]
    assert total == f"{sum(exact):.1f}"
