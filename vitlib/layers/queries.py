"""Vectors that ask the tokens of an image for what it shows."""

import keras
from keras import ops

from vitlib.config.rules import COUNT, require
from vitlib.layers.inputs import require_floats, require_shape


@keras.saving.register_keras_serializable(package="vitlib")
class Queries(keras.layers.Layer):
    """Learned vectors, the same for all images, that are to find a thing each.

    Args:
        count: Integer Q.
        **kwargs: Passed to `keras.layers.Layer` (`name`, `dtype`, ...).

    Input shape:
        `(batch, N, D)`, of which the batch and the length are taken.

    Output shape:
        `(batch, Q, D)`.

    Raises:
        ValueError: When `count` is not a positive integer, or the tokens have another
            shape or hold no floats.

    Reference:
        Carion et al., 2020, section 3.2 (https://arxiv.org/abs/2005.12872).
    """

    def __init__(self, count, **kwargs):
        super().__init__(**kwargs)
        require(self, "count", count, *COUNT)
        self.count = count

    def build(self, input_shape):
        require_shape(self, input_shape, "batch", "tokens", "length")
        shape = self.count, input_shape[-1]
        self.queries = self.add_weight(
            name="queries",
            shape=shape,
            initializer=keras.initializers.RandomNormal(1.0),
        )

    def call(self, tokens):
        require_floats(self, tokens)
        queries = ops.cast(self.queries, tokens.dtype)
        shape = ops.shape(tokens)[0], *queries.shape
        return ops.broadcast_to(queries, shape)
