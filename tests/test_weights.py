"""Weights beside their record: the same model comes back, or one sentence says why."""

import importlib
import importlib.util
import json
from dataclasses import asdict, replace
from pathlib import Path

import keras
import killed
import numpy as np
import pytest
from sample_run import in_json, make_run
from train_micro import micro_data

from vitlib import (
    COMPACT_VIT,
    TINY_TRAIN,
    TINY_VIT,
    SmallResNetConfig,
    build_model,
    build_vit,
    evaluate,
    load_model,
    load_run,
    resize_positions,
    save_run,
)
from vitlib.models.weights import keep_weights, weights_path
from vitlib.records.runs import record_path

pytestmark = pytest.mark.backend

SCRIPT = Path(__file__).parents[1] / "experiments" / "train.py"
TINY = replace(TINY_VIT, projection_dim=16, key_dim=4, mlp_units=(8, 16))
RESNET = SmallResNetConfig(filters=(4, 8), blocks_per_stage=(1, 1))
IMAGES = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype="uint8")


@pytest.fixture(autouse=True)
def policy():
    """Of the process, as it was before a test: `build_model` sets it."""
    yield
    keras.config.set_dtype_policy("float32")


def kept_run(folder, config, precision="float32", **changes):
    """A model whose weights are all changed, kept beside a record. Returns both."""
    training = replace(TINY_TRAIN, precision=precision)
    model = build_model(config, training)
    chance = np.random.default_rng(1)
    for weight in model.weights:
        if weight.dtype.startswith("float"):
            weight.assign(chance.uniform(0.1, 0.5, weight.shape))
    settings = {"family": config.family, **asdict(config)}
    run = make_run(
        model=in_json(settings), training=in_json(asdict(training)), **changes
    )
    path = record_path(folder, run.study, run.name, run.seed)
    run = replace(run, weights=keep_weights(model, path))
    assert save_run(folder, run) == path
    return model, path


@pytest.mark.parametrize(
    ("config", "precision"),
    [(replace(TINY, position=position), "float32") for position in ("2d", "relative")]
    + [(replace(TINY, pooling="flatten", head_units=(6,), dropout=0.1), "float32")]
    + [(replace(COMPACT_VIT, num_layers=1), "mixed_bfloat16"), (RESNET, "float32")],
)
def test_a_model_comes_back_as_it_was(tmp_path, config, precision):
    model, path = kept_run(tmp_path, config, precision)
    keras.config.set_dtype_policy("float64")  # of the process, and stays
    again = load_model(str(path))
    assert keras.config.dtype_policy().name == "float64"
    assert again.dtype_policy.name == precision
    for old, new in zip(model.weights, again.weights, strict=True):
        np.testing.assert_array_equal(old, new)
    np.testing.assert_array_equal(model(IMAGES), again(IMAGES))


def test_loading_sets_no_seed(tmp_path, monkeypatch):
    _, path = kept_run(tmp_path, TINY)
    monkeypatch.setattr(
        keras.utils, "set_random_seed", None
    )  # whoever calls it, breaks
    load_model(path)


def test_a_run_finds_its_weights_in_the_folder_of_all_records(tmp_path):
    model, path = kept_run(tmp_path, TINY)
    again = load_model(load_run(path), tmp_path)
    np.testing.assert_array_equal(model(IMAGES), again(IMAGES))
    with pytest.raises(ValueError, match="Received: a Run without a folder."):
        load_model(load_run(path))


def test_a_model_is_loaded_for_another_grid(tmp_path):
    model, path = kept_run(tmp_path, TINY, "mixed_bfloat16")
    larger = load_model(path, image_size=48)
    assert larger.dtype_policy.name == "mixed_bfloat16"
    expected = build_vit(replace(TINY, image_size=48))
    resize_positions(model, expected)
    for old, new in zip(expected.weights, larger.weights, strict=True):
        np.testing.assert_array_equal(old, new)
    with pytest.raises(ValueError, match="image_size must be a multiple of"):
        load_model(path, image_size=50)
    _, path = kept_run(tmp_path, RESNET)
    with pytest.raises(ValueError, match="go with a ViT. Received: a small-resnet."):
        load_model(path, image_size=48)


@pytest.mark.parametrize(
    ("position", "larger"),
    [("1d", [False]), ("rope", [False, True]), ("relative", [None])],
)
def test_the_script_tests_each_run_at_each_size(
    tmp_path, monkeypatch, position, larger
):
    monkeypatch.syspath_prepend(SCRIPT.parent)
    script, data = importlib.import_module("other_sizes"), micro_data()
    _, path = kept_run(tmp_path, replace(TINY, position=position))
    monkeypatch.setattr(script, "load_data_set", lambda *_: data)
    words = ["report", "--sizes", "32", "48", "--results", str(tmp_path), "--json"]
    script.main([*words, str(tmp_path / "sizes.json")])
    record = json.loads((tmp_path / "sizes.json").read_text())
    first, *rest = record["rows"]
    assert record["fingerprint"] == data.fingerprint
    assert (first["size"], first["scaled"]) == (32, False)
    assert first["scores"] == evaluate(load_model(path), data.test)
    if larger == [None]:
        (row,) = rest
        assert row["scores"] is None and "offset_position_embedding" in row["why"]
        return
    assert [row["scaled"] for row in rest] == larger
    for row in rest:
        model = load_model(path, image_size=48, scaled=row["scaled"])
        assert row["scores"] == evaluate(model, data.test)
    assert len({row["scores"]["loss"] for row in record["rows"]}) == 1 + len(larger)


def test_the_script_wants_runs_with_weights(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(SCRIPT.parent)
    script = importlib.import_module("other_sizes")
    with pytest.raises(ValueError, match="must have been recorded with --keep-weights"):
        script.main(["report", "--results", str(tmp_path)])


def cut(path):
    path.write_bytes(path.read_bytes()[:-1])


def change(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def take_those_of_another_run(path):
    kept_run(path.parents[1], TINY, name="other")
    path.with_name("other-seed0.weights.h5").replace(path)


def forget(path):
    """The record, which says that no weights were kept."""
    record = path.with_name(path.name.replace("weights.h5", "json"))
    save_run(path.parents[1], replace(load_run(record), weights=None))


def take_another_shape(path):
    """With a digest that fits: the model is another than that of the weights."""
    record = path.with_name(path.name.replace("weights.h5", "json"))
    run = load_run(record)
    save_run(path.parents[1], replace(run, model=run.model | {"num_heads": 2}))


@pytest.mark.parametrize(
    ("damage", "error", "rule"),
    [
        (Path.unlink, FileNotFoundError, "must lie beside its record. Received: no"),
        (cut, ValueError, "must be as the run wrote it. Received: a file that was cut"),
        (change, ValueError, "must be as the run wrote it. Received: a file that was"),
        (take_those_of_another_run, ValueError, "must be as the run wrote it."),
        (forget, ValueError, "Received: the run report-vit-seed0, whose weights"),
        (take_another_shape, ValueError, "Received: weights of other names or shapes."),
    ],
)
def test_weights_that_are_not_those_of_the_run_are_refused(
    tmp_path, damage, error, rule
):
    _, path = kept_run(tmp_path, TINY)
    damage(weights_path(path))
    with pytest.raises(error) as caught:
        load_model(path)
    assert rule in str(caught.value)
    assert "\n" not in str(caught.value)


def test_weights_that_cannot_be_written_leave_the_old_ones(tmp_path, monkeypatch):
    model, path = kept_run(tmp_path, TINY)

    def fail(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", fail)
        with pytest.raises(OSError, match="weights.h5 could not be written.* No space"):
            keep_weights(build_model(RESNET, TINY_TRAIN), path)
    np.testing.assert_array_equal(model(IMAGES), load_model(path)(IMAGES))
    assert len(list(path.parent.iterdir())) == 2


def test_a_trained_run_is_loaded_with_the_weights_that_were_tested(tmp_path):
    """By the command, as a reader types it; both files are all that it leaves."""
    spec = importlib.util.spec_from_file_location("weights_train", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    with pytest.MonkeyPatch.context() as patch:
        killed.install(script, patch)
        data = script.load_images()
        assert script.main(["micro", "--keep-weights", f"--out={tmp_path}"]) == 0
    path = tmp_path / "micro/micro-seed0.json"
    assert {*path.parent.iterdir()} == {path, weights_path(path)}
    assert json.loads(path.read_text())["weights"] == load_run(path).weights
    assert evaluate(load_model(path), data.test) == load_run(path).test
