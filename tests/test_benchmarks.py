"""The benchmarks time what they say, and their records are those the page reads."""

import importlib
import json
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import keras
import nbformat
import numpy as np
import pytest
from train_micro import TRAINING, micro_data

from vitlib import (
    COMPACT_VIT,
    PRESETS,
    REPORT_RESNET,
    REPORT_VIT,
    TINY_VIT,
    build_resnet,
    build_vit,
)
from vitlib.models.masked_autoencoder import build_masked_autoencoder
from vitlib.studies.study import Preset

ROOT = Path(__file__).resolve().parents[1]
MASKED = PRESETS["masked"].model
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
        (MASKED, build_masked_autoencoder),
    ],
    ids=["report", "compact", "resnet", "masked"],
)
def test_the_plain_model_has_the_same_weights_and_no_layer_of_vitlib(
    config, build, module
):
    plain = module("plain_models").build_plain(config)
    assert count(plain) == count(build(config))
    layers = plain._flatten_layers()
    assert not [
        layer for layer in layers if type(layer).__module__.startswith("vitlib")
    ]


def count(model):
    """How many numbers of a model are trained."""
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


def test_the_supervised_encoder_is_that_of_the_masked_autoencoder(module):
    supervised = asdict(PRESETS[module("contenders").SUPERVISED].model)
    assert supervised == {name: asdict(MASKED)[name] for name in supervised}


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


def test_a_masked_step_is_timed_beside_a_supervised_one(tmp_path):
    record = tmp_path / "masked.json"
    names = ["Keras layers, bfloat16", "supervised by vitlib, bfloat16"]
    options = "--model masked --batch 4 --rounds 1 --steps 1".split()
    run("training_speed.py", *options, "--json", record, "--only", *names)
    results = json.loads(record.read_text())["results"]
    assert [found["contender"] for found in results] == names
    flops = [found["flops_per_image"] for found in results]
    assert flops[0] < flops[1] / 2


def test_the_minutes_of_a_rung_are_those_of_its_epochs_of_both_sizes(module):
    ladder = module("ladder_speed")
    one_size = Preset(TINY_VIT, replace(TRAINING, epochs=9))
    both = Preset(TINY_VIT, replace(one_size.train, first_size=24, first_epochs=4))
    smaller, whole = ladder.time_epochs(both, micro_data())
    assert len(smaller) == len(whole) == ladder.EPOCHS - 1
    assert min(smaller + whole) > 0
    assert ladder.time_epochs(one_size, micro_data())[0] == []
    rounds = [([1.0, 3.0], [10.0, 30.0]), ([2.0, 2.0], [20.0, 90.0])]
    assert ladder.minutes_of(both, rounds) == pytest.approx((4 * 2 + 5 * 25) / 60)
    rounds = [([], whole) for _, whole in rounds]
    assert ladder.minutes_of(one_size, rounds) == pytest.approx(9 * 25 / 60)


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
