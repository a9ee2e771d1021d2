import math
from dataclasses import replace

import keras
import numpy as np
import pytest
from train_micro import MODEL, TRAINING, micro_data

from vitlib import build_model, evaluate, train
from vitlib.instruments import (
    MeteredAdamW,
    dead_units,
    distinct_answers,
    head_layers,
    look,
    observe,
    spread,
)
from vitlib.optimizer import AdamW
from vitlib.training import prepare

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


def test_a_model_without_tokens_has_no_such_head():
    with pytest.raises(ValueError, match="must have a layer that pools tokens"):
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


def test_observing_trains_as_train_does(data):
    training = replace(TRAINING, epochs=2, schedule="constant")
    trained = build_model(HEAD, training)
    run = train(trained, data, training, report=lambda line: None)
    observed = build_model(HEAD, training)
    seen = observe(observed, data, training, steps=12 * run.best_epoch, every=12)
    for first, second in zip(observed.weights, trained.weights, strict=True):
        if first.name != "seed_generator_state":
            np.testing.assert_allclose(first, second, rtol=1e-5, atol=1e-6)
    assert seen["train_loss"] == pytest.approx(run.history["loss"][: run.best_epoch])


def test_a_reading_has_one_value_of_each_instrument(data):
    model = build_model(HEAD, TRAINING)
    seen = observe(model, data, TRAINING, steps=7, every=3)
    assert seen["step"] == [3, 6]
    assert {len(values) for values in seen.values()} == {2}
    assert [len(shares) for shares in seen["dead"]] == [2, 2]
    assert all(0 < norm < math.inf for norm in seen["gradient_norm"])
    assert 1 <= seen["answers"][-1] <= 100


def test_the_instruments_read_the_watched_images(data):
    still = replace(TRAINING, learning_rate=1e-12, schedule="constant")
    model = build_model(HEAD, still)
    seen = observe(model, data, still, steps=1, every=1)
    result = evaluate(model, data.validation)  # 200 images: all of them are watched
    assert {name: seen[name][0] for name in result} == pytest.approx(result)
    logits = model.predict_on_batch(data.validation.images)
    assert seen["logit_spread"] == [pytest.approx(spread(logits))]
    assert seen["answers"] == [distinct_answers(logits)]


def test_a_model_made_constant_is_seen_as_such(data):
    training = replace(TRAINING, learning_rate=1e-12, schedule="constant")
    model = build_model(HEAD, training)
    _, hidden = head_layers(model)
    hidden[-1].set_weights([np.zeros((24, 12)), np.full(12, -9.0)])
    seen = observe(model, data, training, steps=1, every=1)
    assert seen["dead"][0][1] == 1
    assert (seen["answers"], seen["top1"], seen["top5"]) == ([1], [0.01], [0.05])
    assert seen["logit_spread"][0] < 1e-6 < seen["token_spread"][0]


def test_the_model_must_fit_the_data(data):
    model = build_model(HEAD, TRAINING)
    with pytest.raises(ValueError, match="Received: 621"):
        prepare(model, data, replace(TRAINING, batch_size=621))
