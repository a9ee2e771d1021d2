"""A training may begin with the encoder of another run; its record says of which."""

import importlib.util
from dataclasses import asdict, replace
from pathlib import Path

import keras
import numpy as np
import pytest
from train_micro import MODEL, TRAINING, micro_data

from vitlib import begin_with, build_masked_autoencoder, build_vit, load_runs, studies
from vitlib.config.masked import MaskedAutoencoderConfig
from vitlib.models.resize import resize_positions
from vitlib.models.vit import build_encoder
from vitlib.studies.recipes import TINY_RESNET
from vitlib.studies.study import Preset, Study, grid

pytestmark = pytest.mark.backend

SCRIPT = Path(__file__).parents[1] / "experiments" / "train.py"
VIT = replace(MODEL, patch_size=4)
MASKED = MaskedAutoencoderConfig(**asdict(VIT))
BOTH = replace(MASKED, learn_labels=True)
IMAGES = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype="uint8")


def tokens_of(model, config):
    """What the encoder in a model makes of the images, all patches visible."""
    encoder = build_encoder(config)
    encoder.set_weights(model.get_weights()[: len(encoder.weights)])
    return encoder.predict_on_batch(IMAGES)


def build(config):
    """A model with other weights than any other one."""
    kind = build_vit if type(config) is type(VIT) else build_masked_autoencoder
    return kind(config)


@pytest.mark.parametrize("there", [VIT, MASKED, BOTH], ids=["vit", "masked", "both"])
def test_a_classifier_begins_with_the_encoder_of_another_model(there):
    source, model = build(there), build_vit(VIT)
    head = model.get_weights()[-2:]
    assert abs(tokens_of(model, VIT) - tokens_of(source, there)).max() > 0.1
    begin_with(model, VIT, source, there)
    tokens = keras.Model(model.input, model.layers[-4].output)
    assert model.layers[-4].name.startswith("layer_normalization")
    found = tokens.predict_on_batch(IMAGES)
    np.testing.assert_allclose(found, tokens_of(source, there), atol=1e-6)
    for now, before in zip(model.get_weights()[-2:], head, strict=True):
        np.testing.assert_array_equal(now, before)


def test_a_larger_grid_gets_resized_positions():
    source, larger = build(MASKED), replace(VIT, image_size=48)
    model = build_vit(larger)
    begin_with(model, larger, source, MASKED)
    old, expected = build_encoder(MASKED), build_encoder(larger)
    old.set_weights(source.get_weights()[: len(old.weights)])
    resize_positions(old, expected)
    found = tokens_of(model, larger)
    np.testing.assert_allclose(found, expected.predict_on_batch(IMAGES), atol=1e-6)
    assert found.shape[1] == 144


@pytest.mark.parametrize(
    ("there", "words"),
    [
        (replace(VIT, num_layers=2), "must have num_layers=1, as the model has. Recei"),
        (
            replace(VIT, position="2d"),
            "position='1d', as the model has. Received: '2d'",
        ),
        (TINY_RESNET, "two Vision Transformers.* Received: a small-resnet"),
    ],
)
def test_an_encoder_of_another_shape_is_refused(there, words):
    with pytest.raises(ValueError, match=words):
        begin_with(None, VIT, None, there)


@pytest.fixture
def script(monkeypatch):
    """The script with two presets of seconds; the second begins with the first."""
    spec = importlib.util.spec_from_file_location("train", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    short = replace(TRAINING, epochs=1, warmup_epochs=0)
    presets = {"hidden": Preset(MASKED, short, "shapes")}
    presets["seen"] = Preset(VIT, short, "shapes")
    runs = {"quick": grid("hidden") + grid("seen", initial="hidden")}
    study = Study("micro", "Does it begin there?", runs, presets)
    for name, preset in presets.items():
        monkeypatch.setitem(studies.PRESETS, name, preset)
    monkeypatch.setitem(studies.STUDIES, "micro", study)
    monkeypatch.setattr(script, "load_data_set", lambda *_: micro_data())
    return script


def test_a_run_begins_with_another_and_its_record_says_with_which(
    script, tmp_path, capsys
):
    out = f"--out={tmp_path}"
    assert script.main(["hidden", out]) == 0  # its weights are kept: a plan needs them
    assert script.main(["seen", "--initial=hidden", out]) == 0
    first, second = load_runs(tmp_path)
    assert (first.task, second.task) == ("reconstruction", "classification")
    assert set(first.test) == {"loss"} and first.initial is None
    assert f"test loss {first.test['loss']:.4f}" in capsys.readouterr().out
    record = {"record": "micro/hidden-seed0.json", "digest": first.weights}
    assert second.initial == record and first.weights
    assert second.name == "seen-initial-hidden" and second.weights is None
    assert (
        second.command == "python experiments/train.py seen --seed=0 --initial=hidden"
    )


def test_a_run_that_has_nothing_to_begin_with_is_refused(script, tmp_path, capsys):
    out = tmp_path / "out"
    for there in (False, True):
        assert script.main(["seen", "--initial=hidden", f"--out={out}"]) == 2
        said = capsys.readouterr().err
        assert f"recorded in {out} with its weights" in said
        assert "Received: hidden, without hidden-seed0.json." in said
        assert out.exists() == there  # what was not there is not made
        assert not any(out.rglob("*"))
        out.mkdir(exist_ok=True)


def test_a_run_whose_encoder_does_not_fit_leaves_what_was_there(
    script, tmp_path, monkeypatch, capsys
):
    out = f"--out={tmp_path}"
    assert script.main(["hidden", out]) == 0
    there = sorted(tmp_path.rglob("*"))
    command = ["seen", "--initial=hidden", "--position=2d", out]
    assert script.main(command) == 2
    assert "position='2d', as the model has. Received" in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == there
    kept = tmp_path / "micro/seen-initial-hidden-position-2d-seed0.checkpoint"
    kept.mkdir()
    (kept / "failure.txt").touch()  # as a sweep does
    assert script.main(command) == 2
    assert {path.name for path in kept.iterdir()} == {"failure.txt", "lock"}
