"""Put a learned token in front of those of the patches."""

import keras
from keras import ops

from vitlib.layers.inputs import require_floats, require_shape


@keras.saving.register_keras_serializable(package="vitlib")
class ClassToken(keras.layers.Layer):
    """Puts one learned token, the same for all images, in front of the others.

    It belongs to no patch, so that the blocks can gather in it what the whole image
    says. The models of the report and of this course pool their patches instead.

    Args:
        **kwargs: Passed to `keras.layers.Layer` (`name`, `dtype`, ...).

    Input shape:
        `(batch, N, D)`.

    Output shape:
        `(batch, 1 + N, D)`.

    Raises:
        ValueError: When the tokens have another shape or hold no floats.

    Reference:
        Dosovitskiy et al., 2021, section 3.1, equation 1
        (https://arxiv.org/abs/2010.11929).
    """

    def build(self, input_shape):
        require_shape(self, input_shape, "batch", "tokens", "length")
        shape = (1, 1, input_shape[-1])
        self.token = self.add_weight(name="class_token", shape=shape)

    def call(self, tokens):
        require_floats(self, tokens)
        first = ops.cast(self.token, tokens.dtype)
        shape = (ops.shape(tokens)[0], 1, tokens.shape[-1])
        return ops.concatenate([ops.broadcast_to(first, shape), tokens], axis=1)
