"""A training knows of its purpose what the task tells, and nothing else."""

import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from textwrap import dedent

import keras
import numpy as np
import pytest
from train_micro import MODEL, TRAINING, micro_data

from vitlib import (
    PRESETS,
    REPORT_RESNET,
    TINY_VIT,
    build_encoder,
    build_model,
    evaluate,
    train,
)
from vitlib.studies.recipes import TINY_RESNET
from vitlib.training.prepare import compile_model
from vitlib.training.tasks import TASKS

pytestmark = pytest.mark.backend

ROOT = Path(__file__).resolve().parents[1]
DATA = micro_data()
CONFIGS = {"vit": MODEL, "resnet": TINY_RESNET}
SHORT = replace(TRAINING, epochs=1, warmup_epochs=0)


class MeanColor:
    """Tell the mean colour of an image: numbers in place of classes."""

    name = "mean-color"
    scores = train_scores = ("loss", "error")
    monitor, mode = "error", "min"

    def require(self, split, name, model):
        assert name in ("train", "validation", "test", "given")
        assert model.output.shape[-1] == 3

    def targets(self, split):
        return split.images.mean(axis=(1, 2)) / 255

    def vary(self, images, targets, rng):
        return images, targets

    def loss(self, config):
        return keras.losses.MeanSquaredError()

    def metrics(self):
        return [keras.metrics.MeanAbsoluteError(name="error")]

    def score(self, outputs, targets):
        errors = outputs - targets
        return {"loss": float((errors**2).mean()), "error": float(abs(errors).mean())}

    def tell(self, history):
        return f"{history['val_error'][-1]:.3f} off"


def test_an_encoder_under_another_head_is_trained_for_another_task():
    keras.utils.set_random_seed(0)
    encoder = build_encoder(MODEL)
    pooled = keras.layers.GlobalAveragePooling1D()(encoder.output)
    model = keras.Model(encoder.input, keras.layers.Dense(3)(pooled))
    said = []
    run = train(model, DATA, TRAINING, report=said.append, task=MeanColor())
    assert run.task == "mean-color"
    assert set(run.history) == {
        *("loss", "error", "val_loss", "val_error", "learning_rate", "seconds")
    }
    errors = run.history["val_error"]
    assert run.best_epoch == 1 + int(np.argmin(errors))
    assert errors[-1] < errors[0] / 2
    assert set(run.test) == {"loss", "error"}
    assert f"{errors[-1]:.3f} off" in said[-1]


@pytest.mark.parametrize("name", CONFIGS)
def test_a_trained_model_is_saved_loaded_and_trained_on(name, tmp_path):
    model = build_model(CONFIGS[name], SHORT)
    train(model, DATA, SHORT, report=str)
    images, labels = DATA.test.images[:50], DATA.test.labels[:50]
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    outputs = model.predict_on_batch(images)
    for copy in (loaded, clone):
        np.testing.assert_array_equal(copy.predict_on_batch(images), outputs)
    before = model.test_on_batch(images, labels, return_dict=True)
    assert loaded.test_on_batch(images, labels, return_dict=True) == before
    losses = [m.train_on_batch(images, labels)[0] for m in (model, loaded)]
    assert losses[0] == pytest.approx(losses[1], rel=0.1)  # dropout is drawn anew
    assert int(loaded.optimizer.iterations) == int(model.optimizer.iterations)


def test_a_new_process_loads_what_another_has_saved(tmp_path):
    images = DATA.test.images[:2]
    np.save(tmp_path / "images.npy", images)
    for name, config in CONFIGS.items():
        model = build_model(config, SHORT)
        compile_model(model, SHORT, steps_per_epoch=1)
        model.save(tmp_path / f"{name}.keras")
        np.save(tmp_path / f"{name}.npy", model.predict_on_batch(images))
    lines = """
        import keras
        import numpy as np
        from vitlib import build_model, train
        for name in {names}:
            model = keras.models.load_model(name + ".keras")
            outputs = model.predict_on_batch(np.load("images.npy"))
            np.testing.assert_array_equal(outputs, np.load(name + ".npy"))
            print(name, type(model.optimizer).__name__)
    """
    program = dedent(lines).format(names=list(CONFIGS))
    command = [sys.executable, "-c", program]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=tmp_path, env=env, capture_output=True, text=True
    )
    assert done.stdout.split() == ["vit", "AdamW", "resnet", "AdamW"], done.stderr


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_a_task_names_the_scores_of_its_training_images(task):
    metrics = [metric.name for metric in task.metrics()]
    assert list(task.train_scores) == ["loss", *metrics]
    assert set(task.train_scores) <= set(task.scores) >= {task.monitor}


def with_labels(name, labels):
    split = getattr(DATA, name)
    return replace(DATA, **{name: replace(split, labels=labels)})


@pytest.fixture(scope="module")
def model():
    return build_model(MODEL, TRAINING)


@pytest.mark.parametrize("name", ["train", "validation", "test"])
@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (lambda labels: labels - 1, r"from 0 to 99, .* Received: -1 to 98\."),
        (lambda labels: labels + 1, r"from 0 to 99, .* Received: 1 to 100\."),
        (lambda labels: labels.astype("float32"), r"integers .* Received: float32"),
        (lambda labels: labels[:, None], r"integers .* shape \(\d+, 1\)\."),
        (lambda labels: labels[:-1], r"a label for each\. .* labels\."),
        (lambda labels: labels[:0], r"a label for each\. .* 0 labels\."),
    ],
    ids=["negative", "too-large", "float", "column", "fewer", "none"],
)
def test_a_split_whose_labels_cannot_be_learned_is_refused(model, name, change, rule):
    data = with_labels(name, change(getattr(DATA, name).labels))
    with pytest.raises(ValueError, match=rf"The .*{name} split must .*{rule}"):
        train(model, data, TRAINING, report=pytest.fail)
    with pytest.raises(ValueError, match=rf"The .*given split must .*{rule}"):
        evaluate(model, getattr(data, name))


def with_nan(images):
    """A copy of images in which one pixel is not a number."""
    images = images.astype("float32")
    images[3, 2, 1, 0] = np.nan
    return images


@pytest.mark.parametrize("name", ["train", "validation", "test"])
@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (with_nan, "The pixels of the {} split must be finite. Received: NaN or inf."),
        (lambda x: x[:, :24], "of the {} split must be .* Received: uint8 of shape"),
        (lambda x: x[..., :1], "of the {} split must be .* Received: uint8 of shape"),
        (lambda x: x[..., 0], "of the {} split must be .* Received: uint8 of shape"),
        (lambda x: x.astype(object), "of the {} split must be .* Received: object of"),
        (list, "The images of the {} split must be a NumPy array. Received: list."),
    ],
)
def test_images_that_the_model_cannot_take_are_refused(model, name, change, rule):
    split = getattr(DATA, name)
    split = replace(split, images=change(split.images))
    with pytest.raises(ValueError, match=rule.format(name)):
        train(model, replace(DATA, **{name: split}), TRAINING, report=pytest.fail)
    with pytest.raises(ValueError, match=rule.format("given")):
        evaluate(model, split)


def test_a_config_that_is_none_is_refused(model):
    with pytest.raises(ValueError, match=r"must be a TrainConfig. Received: Preset"):
        train(model, DATA, PRESETS["tiny"], report=pytest.fail)


def test_a_model_inside_a_model_is_normalised_too():
    inner = build_model(MODEL, SHORT)
    images = keras.Input((32, 32, 3))
    model = keras.Model(images, inner(images))
    train(model, DATA, SHORT, report=str)
    expected = DATA.train.images.mean(axis=(0, 1, 2))
    (layer,) = (x for x in inner.layers if isinstance(x, keras.layers.Normalization))
    np.testing.assert_allclose(layer.adapt_mean, expected, rtol=1e-4)


@pytest.mark.parametrize("config", [TINY_VIT, TINY_RESNET, REPORT_RESNET])
@pytest.mark.parametrize(
    ("setting", "value"),
    {
        "image_data_format": "channels_first",
        "floatx": "float64",
        "epsilon": 0.1,
    }.items(),
)
def test_other_settings_of_keras_are_refused(config, setting, value):
    usual = getattr(keras.config, setting)()
    change = getattr(keras.config, f"set_{setting}")
    change(value)
    try:
        with pytest.raises(ValueError, match=f"{setting} of Keras .*: {value!r}"):
            build_model(config, TRAINING)
    finally:
        change(usual)


def test_what_is_no_config_is_refused():
    preset = PRESETS["tiny"]
    again = type("ViTConfig", (type(preset.model),), {})()  # as after a reload
    pairs = {
        "Preset, TrainConfig": (preset, preset.train),
        "ViTConfig, Preset": (preset.model, preset),
        "dict, TrainConfig": (asdict(preset.model), preset.train),
        "ViTConfig, TrainConfig": (again, preset.train),
    }
    for received, pair in pairs.items():
        rule = rf"build_model needs .* restart the kernel\). Received: {received}\."
        with pytest.raises(ValueError, match=rule):
            build_model(*pair)
