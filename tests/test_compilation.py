"""What keeps a model from being compiled, and that no recipe of ours does."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from train_micro import MODEL, TRAINING, micro_data

from vitlib import SmallResNetConfig, build_model, train
from vitlib.config.models import AUGMENTATIONS
from vitlib.layers.augment import Augmentation
from vitlib.training.compilation import explain_no_compilation, uncompilable_layers
from vitlib.training.prepare import prepare

pytestmark = pytest.mark.backend

JAX = keras.backend.backend() == "jax"


@pytest.fixture(scope="module")
def data():
    return micro_data()


def spoiled_model():
    """A model with two layers that XLA cannot compile, one of them inside another."""
    turn = keras.Sequential([keras.layers.RandomRotation(0.1, name="turn")])
    images = keras.Input((32, 32, 3))
    x = keras.layers.RandomZoom(0.1, name="zoom")(turn(images))
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(images, keras.layers.Dense(100)(x))


def on_a_gpu(monkeypatch):
    device = {"kind": "gpu", "name": "any", "cores": 1}
    monkeypatch.setattr("vitlib.training.provenance.device", lambda: device)


def assert_a_compiled_step_runs(model, data):
    if not JAX:  # Keras compiles by itself on a GPU alone
        model.jit_compile = True
    assert model.jit_compile is True  # Keras sets False when a layer does not allow it
    batch = data.train.images[:8], data.train.labels[:8]
    assert np.isfinite(model.train_on_batch(*batch, return_dict=True)["loss"])


@pytest.mark.parametrize(
    "config",
    [
        replace(MODEL, image_size=48, augmentation="report_vit"),
        SmallResNetConfig(
            filters=(4, 6), blocks_per_stage=(1, 1), augmentation="report_resnet"
        ),
    ],
    ids=["vit", "resnet"],
)
def test_the_whole_train_step_of_a_recipe_of_the_report_is_compiled(config, data):
    model = build_model(config, TRAINING)
    prepare(model, data, TRAINING)
    assert_a_compiled_step_runs(model, data)


@pytest.mark.parametrize("recipe", AUGMENTATIONS)
def test_every_recipe_can_be_compiled(recipe, data):
    images = keras.Input((32, 32, 3))
    x = keras.layers.Conv2D(4, 3)(Augmentation(recipe, 40)(images))
    x = keras.layers.Dense(1)(keras.layers.GlobalAveragePooling2D()(x))
    model = keras.Model(images, x)
    model.compile("sgd", "mse")
    assert_a_compiled_step_runs(model, data)


def test_the_layers_to_blame_are_named_also_inside_of_others():
    names = ["turn (RandomRotation)", "zoom (RandomZoom)"]
    assert sorted(uncompilable_layers(spoiled_model())) == names


def test_keras_does_not_compile_a_model_with_a_layer_to_blame():
    model = spoiled_model()
    with pytest.warns(UserWarning, match="Proceeding with `jit_compile=False`"):
        model.compile(loss="mse", jit_compile=True)
    assert model.jit_compile is False


def test_a_model_of_ours_has_nothing_to_explain(monkeypatch):
    on_a_gpu(monkeypatch)
    model = build_model(replace(MODEL, augmentation="report_vit"), TRAINING)
    assert explain_no_compilation(model) is None


def test_training_says_before_it_starts_that_a_model_is_not_compiled(data, monkeypatch):
    on_a_gpu(monkeypatch)
    lines = []
    train(spoiled_model(), data, replace(TRAINING, epochs=2), report=lines.append)
    assert "because of 2 of its layers: " in lines[0]
    assert "turn (RandomRotation)" in lines[0] and "zoom (RandomZoom)" in lines[0]
    assert lines[1].startswith("epoch 1/2")


def test_on_a_cpu_only_jax_is_slower_without():
    assert (explain_no_compilation(spoiled_model()) is not None) == JAX
