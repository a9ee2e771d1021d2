import keras
import numpy as np
import pytest

from vitlib.layers.dropout import Dropout

pytestmark = pytest.mark.backend

ONES = np.ones((101, 7, 143), "float32")  # an odd number of them


def dropped(rate, **arguments):
    result = Dropout(rate, seed=3, **arguments)(ONES, training=True)
    return keras.ops.convert_to_numpy(keras.ops.cast(result, "float32"))


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_the_share_is_the_rate_and_the_mean_stays(rate):
    result = dropped(rate)
    spread = np.sqrt(rate * (1 - rate) / ONES.size)  # of a share, by chance
    assert abs((result == 0).mean() - rate) < 5 * spread
    np.testing.assert_allclose(result[result != 0], 1 / (1 - rate), rtol=1e-3)


def test_neighbours_are_dropped_independently():
    zero = dropped(0.5).ravel() == 0
    for step in (1, 2, 143):
        both = (zero[:-step] & zero[step:]).mean()
        assert abs(both - 0.25) < 5 * np.sqrt(0.25 * 0.75 / zero.size)


def test_every_call_draws_anew_and_a_seed_repeats_it():
    first, second = (Dropout(0.5, seed=1) for _ in range(2))
    results = [np.array(layer(ONES, training=True)) for layer in (first, second)]
    np.testing.assert_array_equal(*results)
    assert not np.array_equal(results[0], np.array(first(ONES, training=True)))


def test_nothing_is_dropped_outside_training_or_at_rate_0():
    np.testing.assert_array_equal(Dropout(0.5)(ONES), ONES)
    np.testing.assert_array_equal(Dropout(0.0)(ONES, training=True), ONES)


def test_even_the_highest_rate_keeps_something():
    assert np.isfinite(dropped(1 - 1e-9)).all()


def test_a_training_may_end_with_a_smaller_batch():
    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.layers.Dense(3)(Dropout(0.5)(inputs)))
    model.compile(loss="mse")
    images = np.ones((5, 3), "float32")
    history = model.fit(images, 0 * images, batch_size=2, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
