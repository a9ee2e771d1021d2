from dataclasses import replace

import keras
import numpy as np
import pytest
from train_micro import MODEL, TRAINING

from vitlib import TrainConfig, build_model
from vitlib.training.optimizer import AdamW, WarmupSchedule, make_optimizer

pytestmark = pytest.mark.backend


def rates(steps, **arguments):
    schedule = WarmupSchedule(2.0, **arguments)
    return [float(schedule(step)) for step in steps]


def test_a_constant_rate_stays():
    assert rates(range(5), warmup_steps=0, total_steps=5, cosine=False) == [2.0] * 5


def test_the_warm_up_rises_in_equal_steps_and_loses_none():
    result = rates(range(6), warmup_steps=4, total_steps=6, cosine=False)
    assert result == [0.5, 1.0, 1.5, 2.0, 2.0, 2.0]


def test_the_cosine_falls_from_the_top_to_zero():
    result = rates([2, 6, 10], warmup_steps=2, total_steps=10, cosine=True)
    np.testing.assert_allclose(result, [2.0, 1.0, 0.0], atol=1e-6)


def test_the_cooldown_is_a_line_to_zero_over_the_last_fifth():
    """A longer training has the same rates up to the cooldown of the shorter one."""
    config = TrainConfig(learning_rate=2.0, schedule="cooldown", warmup_epochs=1)
    short, long = (
        make_optimizer(replace(config, epochs=epochs), 10)._learning_rate
        for epochs in (5, 9)
    )
    result = [float(short(step)) for step in range(51)]
    assert result[10:41] == [2.0] * 31 and result[0] == pytest.approx(0.2)
    np.testing.assert_allclose(result[40:], np.linspace(2, 0, 11), atol=1e-6)
    assert [float(long(step)) for step in range(41)] == result[:41]


def one_step(config, gradient, start=1.0, name="kernel"):
    weight = keras.Variable(np.full((3,), start, "float32"), name=name)
    optimizer = make_optimizer(config, steps_per_epoch=10)
    optimizer.build([weight])
    optimizer.apply([keras.ops.convert_to_tensor(gradient)], [weight])
    return np.array(weight.value)


def test_decay_takes_off_rate_times_decay_whatever_the_gradient():
    config = TrainConfig(learning_rate=0.1, weight_decay=0.5)
    none, some = np.zeros(3, "float32"), np.ones(3, "float32")
    np.testing.assert_allclose(one_step(config, none), 1 - 0.1 * 0.5, rtol=1e-6)
    # Adam's first step is the learning rate in the direction of the gradient's sign.
    np.testing.assert_allclose(one_step(config, some), 1 - 0.05 - 0.1, rtol=1e-5)


def test_decay_follows_the_schedule():
    config = TrainConfig(learning_rate=0.1, weight_decay=0.5, warmup_epochs=1)
    expected = 1 - 0.1 / 10 * 0.5  # the first of ten steps of warm-up
    np.testing.assert_allclose(one_step(config, np.zeros(3, "float32")), expected)


@pytest.mark.parametrize("name", ["bias", "position_embedding"])
def test_excluded_weights_do_not_decay(name):
    config = TrainConfig(weight_decay=0.5, decay_exclude=("bias", "position"))
    np.testing.assert_array_equal(one_step(config, np.zeros(3, "float32"), 1, name), 1)


def test_clipping_scales_all_gradients_together():
    config = TrainConfig(weight_decay=0.0, clip_norm=1.0)
    weights = [keras.Variable(np.zeros(1, "float32")) for _ in range(2)]
    optimizer = make_optimizer(config, steps_per_epoch=10)
    optimizer.build(weights)
    gradients = [keras.ops.array([3.0]), keras.ops.array([4.0])]
    clipped = optimizer._clip_gradients(gradients)
    np.testing.assert_allclose(np.array(clipped).ravel(), [0.6, 0.8], rtol=1e-5)


def path_of(kind, **options):
    """The weights after each of six steps, one of them with a gradient of zero."""
    weights = [keras.Variable(np.ones((5, 3), "float32"), name="kernel")]
    weights.append(keras.Variable(np.ones(3, "float32"), name="bias"))
    optimizer = kind(
        WarmupSchedule(0.1, 3, 6, True),
        weight_decay=0.3,
        global_clipnorm=1.0,
        **options,
    )
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    optimizer.build(weights)
    rng, path = np.random.default_rng(0), []
    for step in range(6):
        gradients = [(step != 2) * rng.normal(size=w.shape) for w in weights]
        optimizer.apply([keras.ops.array(g, "float32") for g in gradients], weights)
        path.append(np.concatenate([np.array(w.value).ravel() for w in weights]))
    return np.array(path)


def test_its_steps_are_those_of_adamw_of_keras():
    path = path_of(keras.optimizers.AdamW)
    assert np.abs(np.diff(path, axis=0)).min() > 1e-4
    np.testing.assert_allclose(path_of(AdamW), path, rtol=1e-5)


def test_amsgrad_is_that_of_keras():
    options = {
        "beta_2": 0.5,
        "amsgrad": True,
    }  # so low that the largest is not the last
    path = path_of(AdamW, **options)
    assert np.abs(path - path_of(AdamW, beta_2=0.5)).max() > 1e-2
    expected = path_of(keras.optimizers.AdamW, **options)
    np.testing.assert_allclose(path, expected, rtol=1e-5)


def test_a_gradient_of_some_rows_moves_the_others_by_their_momentum():
    """The rows that were looked up: TensorFlow gives their gradient alone."""
    tables = []
    for kind in (keras.optimizers.AdamW, AdamW):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((2,)), keras.layers.Embedding(4, 3)])
        model.compile(kind(0.1), loss="mse")
        for rows in ([[0, 1]], [[1, 3]]):
            model.train_on_batch(np.array(rows), np.zeros((1, 2, 3)))
        tables.append(model.get_weights()[0])
    np.testing.assert_allclose(*tables, rtol=1e-4)


def muon_step(shape, name="kernel", scale=1.0, **changes):
    """What the first step of Muon takes off a weight, and its gradient."""
    config = TrainConfig(optimizer="muon", weight_decay=0.0, learning_rate=0.1)
    weight = keras.Variable(np.zeros(shape, "float32"), name=name)
    gradient = scale * np.random.default_rng(0).normal(size=shape).astype("float32")
    optimizer = make_optimizer(replace(config, **changes), steps_per_epoch=10)
    optimizer.build([weight])
    optimizer.apply([keras.ops.convert_to_tensor(gradient)], [weight])
    return -np.array(weight.value), gradient


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("shape", [(24, 16), (16, 24), (3, 3, 4, 16)])
def test_muon_makes_all_directions_of_a_matrix_about_equally_long(shape, precision):
    """The iteration of Keras ends near 1, within a third; AdamW's step is a sign."""
    step, gradient = muon_step(shape, precision=precision)
    matrix, slope = (x.reshape(-1, shape[-1]) for x in (step, gradient))
    lengths = np.linalg.svd(matrix, compute_uv=False)
    scale = 0.1 * 0.2 * np.sqrt(max(matrix.shape))
    assert 0.6 * scale < lengths.min() and lengths.max() < 1.3 * scale
    left, _, right = np.linalg.svd(slope, full_matrices=False)
    agreement = np.sum(matrix * (left @ right)) / np.linalg.norm(matrix)
    assert agreement / np.linalg.norm(left @ right) > 0.97
    again, _ = muon_step(shape, scale=9.0, precision=precision)
    exact = precision == "float32"
    np.testing.assert_allclose(again, step, atol=1e-5 if exact else 1e-2)


@pytest.mark.parametrize(
    ("shape", "name"),
    [
        ((16,), "bias"),
        ((16, 8), "position_embedding"),
        ((3, 3, 4, 1), "depthwise_table"),
    ],
)
def test_muon_leaves_vectors_and_tables_to_adamw(shape, name):
    step, gradient = muon_step(shape, name)
    np.testing.assert_allclose(step, 0.1 * np.sign(gradient), rtol=1e-3)


def test_muon_leaves_what_makes_tokens_and_logits_to_adamw():
    model = build_model(MODEL, replace(TRAINING, optimizer="muon"))
    optimizer = make_optimizer(replace(TRAINING, optimizer="muon"), 10)
    left = [
        w.path.split("/")[-2:]
        for w in model.trainable_variables
        if len(w.shape) > 1 and optimizer._should_use_adamw(w)
    ]
    names = {part.rstrip("_0123456789") for pair in left for part in pair}
    assert len(left) == 3 and {"logits", "position_embedding"} <= names


def test_muon_decays_all_weights_alike():
    changes = {"weight_decay": 0.5, "learning_rate": 0.1, "optimizer": "muon"}
    for name, shape in (("kernel", (3, 3)), ("table", (3,))):
        weight = keras.Variable(np.ones(shape, "float32"), name=name)
        optimizer = make_optimizer(TrainConfig(**changes), steps_per_epoch=10)
        optimizer.build([weight])
        optimizer.apply([keras.ops.zeros(shape)], [weight])
        np.testing.assert_allclose(np.array(weight.value), 1 - 0.05, rtol=1e-5)
