"""The README says what the records and the Makefile say."""

import importlib.util
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from sample_run import make_run

import vitlib
from vitlib import load_runs

ROOT = Path(__file__).resolve().parents[1]
NUMBER = r"(?<![#\w])-?\d+\.\d+"  # of a length; in the figure each has a point
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def script():
    path = ROOT / "experiments" / "readme_table.py"
    spec = importlib.util.spec_from_file_location("readme_table", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_table_of_results_is_that_of_the_records(script):
    assert script.with_table(README, load_runs(ROOT / "results")) == README


def test_another_result_makes_another_table(script):
    test = {"loss": 1.0, "top1": 0.4321, "top5": 0.9}
    run = replace(make_run(), name="narrow-vit", test=test)
    text = script.with_table(README, [run])
    assert "43.21" in text
    assert text != README


def test_every_row_of_the_readme_is_recorded(script):
    names = {run.name for run in load_runs(ROOT / "results")}
    assert set(script.ROWS.values()) <= names and len(script.ROWS) <= 10


def test_the_figure_is_that_of_the_records(script, tmp_path):
    def parts(path):  # the numbers, and what stands between them
        text = path.read_text("utf-8")
        return np.array(re.findall(NUMBER, text), float), re.split(NUMBER, text)

    assert f'src="{script.FIGURE.relative_to(ROOT)}"' in README
    runs = load_runs(ROOT / "results")
    script.draw(runs, tmp_path / "same.svg")
    committed, drawn = parts(script.FIGURE), parts(tmp_path / "same.svg")
    assert drawn[1] == committed[1]
    np.testing.assert_allclose(drawn[0], committed[0], atol=0.01)
    test = {"loss": 1.0, "top1": 0.4321, "top5": 0.9}
    others = [replace(r, test=test) if r.name == "pure-vit" else r for r in runs]
    script.draw(others, tmp_path / "other.svg")
    assert ": 43.21 %" in (tmp_path / "other.svg").read_text("utf-8")


def test_every_line_of_the_figure_is_recorded(script):
    runs = [r for r in load_runs(ROOT / "results") if r.name in script.LINES]
    assert {run.name for run in runs} == set(script.LINES)
    assert max(sum(r.history["seconds"]) for r in runs) < 60 * script.MINUTES


def test_a_readme_without_the_marks_is_refused(script):
    with pytest.raises(ValueError, match="a text without them"):
        script.with_table("# A title", [])


def test_every_make_target_that_the_readme_names_exists():
    makefile = (ROOT / "Makefile").read_text()
    named = set(re.findall(r"make ([a-z-]+)", README))
    assert {"run", "test", "full", "gpu-check"} <= named
    for target in named:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_every_file_that_the_readme_names_exists():
    links = re.findall(r"\]\(([^)#]+)\)", README)
    links += re.findall(r'src="([^"]+)"', README)
    local = [link for link in links if "://" not in link]
    assert len(local) >= 5
    assert [link for link in local if not (ROOT / link).exists()] == []


def test_the_version_and_its_date_are_the_same_in_all_places():
    changes = (ROOT / "CHANGELOG.md").read_text("utf-8")
    newest = re.search(r"^## ([\d.]+), (\d{4}-\d\d-\d\d)$", changes, re.MULTILINE)
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert newest[1] == citation["version"] == vitlib.__version__
    assert newest[2] == citation["date-released"].isoformat()


def test_what_stands_for_something_else_in_the_citation_says_so():
    text = (ROOT / "CITATION.cff").read_text("utf-8")
    lines = [line for line in text.splitlines() if "example.org" in line]
    assert not lines or "# Placeholders: " in text
    assert ("The authors of" in text) == ("# a placeholder: family" in text)
