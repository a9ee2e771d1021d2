"""Dropout that draws half as many random bits."""

import math

import keras
from keras import ops

from vitlib.config.rules import RATE, SEED, or_none, require
from vitlib.layers.inputs import require_floats

LEVELS = 2**16  # of a random number of 16 bits


@keras.saving.register_keras_serializable(package="vitlib")
class Dropout(keras.layers.Layer):
    """`keras.layers.Dropout` with 16 random bits for each number, in place of 32.

    On a CPU the random numbers are most of the cost of dropout. The rate is rounded to
    a multiple of 1 / 65,536; what stays is divided by the share that stays, so that the
    mean stays.

    Args:
        rate: Float in [0, 1). Share of the numbers set to 0 in training.
        seed: Integer or None. Seed of the draws.
        **kwargs: Passed to `keras.layers.Layer` (`name`, `dtype`, ...).

    Input shape:
        Any.

    Output shape:
        The same.

    Raises:
        ValueError: When `rate` is not a number from 0 up to, but not including, 1,
            `seed` not an integer of 32 bits, or the input holds no floats.

    Reference:
        Srivastava et al., 2014 (https://jmlr.org/papers/v15/srivastava14a.html).
    """

    def __init__(self, rate, seed=None, **kwargs):
        super().__init__(**kwargs)
        require(self, "rate", rate, *RATE)
        require(self, "seed", seed, *or_none(SEED))
        self.rate = rate
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.built = True

    def call(self, inputs, training=False):
        require_floats(self, inputs)
        if not training or self.rate == 0:
            return inputs
        dropped = min(round(self.rate * LEVELS), LEVELS - 1)
        shape = ops.shape(inputs)
        size = math.prod(shape)
        # A column of words, because TensorFlow must know the length of what it splits.
        words = keras.random.randint(
            ((size + 1) // 2, 1), -(2**31), 2**31 - 1, "int32", self.seed_generator
        )
        halves = ops.reshape(ops.view(words, "int16"), (-1,))
        numbers = ops.reshape(halves[:size], shape)
        keep = ops.cast(numbers >= dropped - LEVELS // 2, inputs.dtype)
        return inputs * (keep * (LEVELS / (LEVELS - dropped)))
