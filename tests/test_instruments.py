from dataclasses import replace

import keras
import numpy as np
import pytest
from train_micro import MODEL, TRAINING, micro_data

from vitlib import PRESETS, ResNetConfig, SmallResNetConfig, build_model, build_vit
from vitlib.training.instruments import (
    MeteredAdamW,
    dead_units,
    distinct_answers,
    head_layers,
    look,
    spread,
)
from vitlib.training.optimizer import AdamW

pytestmark = pytest.mark.backend

HEAD = replace(MODEL, pooling="flatten", head_units=(24, 12))


@pytest.fixture(scope="module")
def data():
    return micro_data()


def test_a_unit_is_dead_when_no_image_wakes_it():
    activations = np.zeros((5, 4))
    activations[:, 0] = 1e-4  # all quiet
    activations[3, 1] = 2.0  # one image is enough
    activations[0, 2] = -0.1  # the trough of a GELU is below 0, and not dead
    assert dead_units(activations) == 0.5
    assert dead_units(activations, threshold=1e-5) == 0.25


@pytest.mark.parametrize(
    ("preset", "inputs"),
    [
        ("narrow-4-tokens", 256),
        ("narrow-16-tokens", 1_024),
        ("narrow-64-tokens", 4_096),
        ("narrow-256-tokens", 16_384),
        ("narrow-pooled", 64),
        ("report-vit", 18_432),
    ],
)
def test_the_first_layer_of_a_head_has_the_inputs_that_its_config_says(preset, inputs):
    config = PRESETS[preset].model
    _, (first, _) = head_layers(build_vit(config))
    assert first.kernel.shape[0] == config.head_inputs == inputs


def test_a_gelu_counts_as_dead_below_about_minus_three():
    inputs = np.array([[-3.3, -3.5, -8.0]], "float32")
    activations = keras.ops.convert_to_numpy(keras.activations.gelu(inputs))
    assert dead_units(activations) == pytest.approx(2 / 3)


def test_the_spread_is_over_the_images_and_not_over_the_features():
    rows = np.array([[0.0, 100.0], [2.0, 100.0]])
    assert spread(rows) == 0.5
    assert spread(rows[:1].repeat(9, axis=0)) == 0


def test_answers_are_counted_once_each():
    assert distinct_answers(np.eye(7)) == 7
    assert distinct_answers(np.ones((7, 3))) == 1


def least_squares_step(optimizer):
    """A step of a linear model on three points; returns its gradient, by hand."""
    x = np.array([[1.0, 2.0], [0.5, -1.0], [3.0, 0.0]], "float32")
    y = np.array([[1.0], [2.0], [-1.0]], "float32")
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(optimizer, loss="mse")
    kernel, bias = model.get_weights()
    slope = 2 * (x @ kernel + bias - y) / len(y)
    model.train_on_batch(x, y)
    return np.concatenate([x.T @ slope, slope.sum(axis=0, keepdims=True)]), model


@pytest.mark.parametrize("clip_norm", [None, 1e-3])
def test_the_gradient_norm_is_that_of_the_gradient_before_clipping(clip_norm):
    optimizer = MeteredAdamW(0.1, global_clipnorm=clip_norm)
    gradient, _ = least_squares_step(optimizer)
    expected = np.linalg.norm(gradient)
    assert float(optimizer.gradient_norm.value) == pytest.approx(expected, rel=1e-5)


def test_the_meter_does_not_change_the_step():
    steps = []
    for kind in (AdamW, MeteredAdamW):
        keras.utils.set_random_seed(0)
        _, model = least_squares_step(kind(0.1, weight_decay=0.1))
        steps.append(np.concatenate(model.get_weights(), axis=None))
    np.testing.assert_array_equal(*steps)


def test_the_head_is_what_comes_after_the_blocks():
    pooling, hidden = head_layers(build_model(HEAD, TRAINING))
    assert isinstance(pooling, keras.layers.Flatten)
    assert [layer.units for layer in hidden] == [24, 12]
    pooling, hidden = head_layers(build_model(MODEL, TRAINING))
    assert isinstance(pooling, keras.layers.GlobalAveragePooling1D)
    assert hidden == []


@pytest.mark.parametrize(
    ("config", "units"),
    [(ResNetConfig(), [512, 1024]), (SmallResNetConfig(), [])],
)
def test_a_residual_network_has_a_head_too(config, units):
    pooling, hidden = head_layers(build_model(config, TRAINING))
    assert len(pooling.output.shape) == 2
    assert [layer.units for layer in hidden] == units


def test_a_model_that_pools_nothing_has_no_such_head():
    with pytest.raises(ValueError, match="must have a layer Flatten or"):
        head_layers(keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]))


def test_a_look_shows_the_tokens_the_hidden_layers_and_the_logits(data):
    model = build_model(HEAD, TRAINING)
    images = data.test.images[:3]
    tokens, *hidden, logits = look(model, images)
    assert tokens.shape == (3, 16 * 16)  # tokens, and numbers of each
    assert [layer.shape for layer in hidden] == [(3, 24), (3, 12)]
    np.testing.assert_allclose(logits, model.predict_on_batch(images), atol=1e-5)
    kernel, bias = model.layers[-1].get_weights()
    np.testing.assert_allclose(hidden[-1] @ kernel + bias, logits, atol=1e-5)
    assert [values.shape for values in look(build_model(MODEL, TRAINING), images)] == [
        (3, 16),
        (3, 100),
    ]
