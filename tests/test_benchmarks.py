"""The benchmarks time what they say, and their records are those the page reads."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import keras
import nbformat
import numpy as np
import pytest

from vitlib import COMPACT_VIT, REPORT_RESNET, REPORT_VIT, build_resnet, build_vit

ROOT = Path(__file__).resolve().parents[1]
RECORDS = sorted((ROOT / "benchmarks/records").glob("*.json"))


@pytest.fixture
def module(monkeypatch):
    """Imports a script of the folder."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return importlib.import_module


def run(script, *arguments):
    """Runs a benchmark as a user does; gives what it prints."""
    command = [sys.executable, ROOT / "benchmarks" / script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("config", "build"),
    [
        (REPORT_VIT, build_vit),
        (COMPACT_VIT, build_vit),
        (REPORT_RESNET, build_resnet),
    ],
    ids=["report", "compact", "resnet"],
)
def test_the_plain_model_has_the_same_weights_and_no_layer_of_vitlib(
    config, build, module
):
    contenders = module("contenders")
    plain = contenders.plain_vit if build is build_vit else contenders.plain_resnet
    shapes = [
        sorted(int(np.prod(w.shape)) for w in model.trainable_weights if w.shape)
        for model in (build(config), plain(config))
    ]
    assert sum(shapes[0]) == sum(shapes[1])
    layers = plain(config)._flatten_layers()
    assert not [
        layer for layer in layers if type(layer).__module__.startswith("vitlib")
    ]


def test_contenders_of_keras_take_turns_and_are_compared(tmp_path):
    record = tmp_path / "speed.json"
    names = ["vitlib, float32", "Keras layers, float32"]
    options = "--model compact --batch 4 --rounds 2 --steps 1".split()
    printed = run("training_speed.py", *options, "--json", record, "--only", *names)
    assert "matrix products in float32" in printed
    results = json.loads(record.read_text())["results"]
    assert [found["contender"] for found in results] == names
    for found in results:
        assert found["slowest"] <= found["images_per_second"] <= found["fastest"]
        assert len(found["seconds_of_steps"]) == 2
        assert found["input_images_per_second"] > found["images_per_second"]
    assert results[0]["flops_per_image"] == results[1]["flops_per_image"]


def test_a_point_of_a_curve_is_measured_in_a_process_of_its_own(module):
    curves = module("cost_curves")
    point = curves.BASE | {"patch_size": 24, "num_layers": 1, "batch": 2}
    found = curves.measure_apart(point)
    assert found["tokens"] == 9
    assert len(found["seconds"]) == curves.STEPS and min(found["seconds"]) > 0
    assert found["memory_bytes"] >= 0


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="the profiler is TensorFlow's"
)
def test_the_profile_names_the_products_of_matrices(tmp_path):
    record = tmp_path / "profile.json"
    run("profile_step.py", "--model", "compact", "--batch", "4", "--json", record)
    rows = json.loads(record.read_text())["rows"]
    assert any("MatMul" in operation for operation, *_ in rows)
    assert rows[-1][0] == "all"
    assert rows[-1][1] >= sum(milliseconds for _, milliseconds, _ in rows[:-1])


def test_the_seconds_of_a_cell_are_those_of_the_last_heading_before_it(
    module, tmp_path
):
    def code(seconds):
        cell = nbformat.v4.new_code_cell("")
        cell.metadata.papermill = {"duration": seconds}
        return cell

    text = nbformat.v4.new_markdown_cell
    cells = [code(9), text("# A title\n\n## One\n\n### Not one"), code(1), code(2.04)]
    cells += [text("## Two\n\n## Three"), code(None), text("Words."), code(4)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "a.ipynb")
    seconds = module("notebooks").seconds_by_section(tmp_path / "a.ipynb")
    assert seconds == {"One": 3.0, "Three": 4}


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_record_names_its_machine_and_a_commit_without_changes(path):
    record = json.loads(path.read_text("utf-8"))
    assert record["device"]["name"] and record["device"]["cores"] >= 1
    assert not record["git_commit"].endswith("-dirty")


def test_there_are_records():
    assert {"report", "compact", "resnet", "cost_curves", "notebooks"} <= {
        p.stem for p in RECORDS
    }
