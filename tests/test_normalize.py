import keras
import numpy as np
import pytest

from vitlib import TrainConfig, load_shapes
from vitlib.layers.normalize import PIECE, Normalization, fit
from vitlib.training.prepare import prepare

pytestmark = pytest.mark.backend

IMAGES = np.random.default_rng(0).integers(0, 256, (40, 4, 6, 3)).astype("float32")
IMAGES[..., 1] /= 9


def test_it_is_the_layer_of_keras():
    plain, fast = keras.layers.Normalization(), Normalization()
    fast.adapt(IMAGES)
    plain.build(IMAGES.shape)
    fit(plain, IMAGES)
    np.testing.assert_allclose(fast(IMAGES), plain(IMAGES), atol=1e-5)


@pytest.mark.parametrize("count", [1, 999, 1000, 2700])
@pytest.mark.parametrize("axis", [-1, None, (1, 3)])
def test_the_weights_are_to_the_last_digit_those_of_keras(count, axis):
    pytest.importorskip("tensorflow", reason="Keras' adapt asks for it")
    images = np.random.default_rng(count).integers(0, 256, (count, 4, 4, 3), "uint8")
    of_keras, ours = (keras.layers.Normalization(axis) for _ in range(2))
    of_keras.adapt(images[i : i + PIECE] for i in range(0, count, PIECE))
    ours.build(images.shape)
    fit(ours, images)
    for expected, weight in zip(
        of_keras.get_weights(), ours.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(weight, expected)
    np.testing.assert_array_equal(ours.mean, of_keras.mean)


def test_every_channel_gets_mean_0_and_variance_1():
    layer = Normalization()
    layer.adapt(IMAGES)
    result = np.array(layer(IMAGES))
    np.testing.assert_allclose(result.mean(axis=(0, 1, 2)), 0, atol=1e-4)
    np.testing.assert_allclose(result.var(axis=(0, 1, 2)), 1, atol=1e-3)


def test_a_constant_channel_becomes_zero():
    layer, images = Normalization(), np.full((3, 2, 2, 1), 7, "float32")
    layer.adapt(images)
    np.testing.assert_array_equal(layer(images), 0 * images)


def test_new_weights_take_effect_at_once():
    layer = Normalization()
    layer.build(IMAGES.shape)
    model = keras.Sequential([keras.Input(IMAGES.shape[1:]), layer])
    model.predict_on_batch(IMAGES)
    model.set_weights([np.full(3, 2), np.full(3, 16), np.array(1)])
    np.testing.assert_allclose(
        model.predict_on_batch(IMAGES), (IMAGES - 2) / 4, atol=1e-5
    )


def test_a_normalisation_inside_a_model_inside_a_model_is_fitted():
    inner = keras.Sequential([keras.Input((32, 32, 3)), Normalization()])
    images = keras.Input((32, 32, 3))
    x = keras.layers.Flatten()(inner(images))
    model = keras.Model(images, keras.layers.Dense(100)(x))
    data = load_shapes(train=100, validation=100, test=100)
    prepare(model, data, TrainConfig(batch_size=50))
    color = data.train.images.mean(axis=(0, 1, 2))
    np.testing.assert_allclose(inner.layers[0].adapt_mean, color, rtol=1e-4)
