"""Normalise images by the mean and the variance of each channel."""

import keras
from keras import ops

from vitlib.layers.inputs import require_numbers, require_shape

PIECE = 1000  # images whose sums fit float32
OF_KERAS = ("axis", "mean", "variance", "invert")  # arguments that have one value here


@keras.saving.register_keras_serializable(package="vitlib")
class Normalization(keras.layers.Normalization):
    """`keras.layers.Normalization` of image channels, faster on a CPU.

    The same function and weights. It computes on rows of W * C numbers: a processor
    handles many numbers at once, and three channels are too few to fill it. It reads
    its weights at each call, so that `set_weights` takes effect at once. And its
    `adapt` needs no TensorFlow.

    Args:
        **kwargs: Passed to `keras.layers.Layer` (`name`, `dtype`, ...).

    Input shape:
        `(batch, H, W, C)`, with known H, W and C.

    Output shape:
        The same.

    Raises:
        ValueError: When an argument of `keras.layers.Normalization` is given that is
            fixed here, the images have another shape, or hold neither floats nor
            integers.
    """

    def __init__(self, **kwargs):
        if given := sorted(kwargs.keys() & set(OF_KERAS)):
            raise ValueError(
                "Normalization must be fitted to images by `adapt`, a mean and a "
                "variance a channel; keras.layers.Normalization takes more. "
                f"Received: {', '.join(given)}."
            )
        super().__init__(axis=-1, **kwargs)

    def get_config(self):
        return {k: v for k, v in super().get_config().items() if k not in OF_KERAS}

    def build(self, input_shape):
        require_shape(self, input_shape, "batch", "height", "width", "channels")
        super().build(input_shape)

    def adapt(self, images):
        """Fits mean and variance to images, a thousand at a time.

        Args:
            images: Array of shape `(N, H, W, C)`.
        """
        if not self.built:
            self.build(images.shape)
        fit(self, images)

    def call(self, images):
        require_numbers(self, images)
        width, channels = images.shape[2:]
        deviation = ops.sqrt(ops.cast(self.adapt_variance, self.compute_dtype))
        scale = 1 / ops.maximum(deviation, keras.config.epsilon())
        mean = ops.cast(self.adapt_mean, self.compute_dtype)
        rows = ops.reshape(ops.cast(images, self.compute_dtype), (-1, width * channels))
        rows = (rows - ops.tile(mean, width)) * ops.tile(scale, width)
        return ops.reshape(rows, (-1, *images.shape[1:]))


def fit(layer, images):
    """Fits the weights of a normalisation to images, a thousand at a time.

    Keras' own `adapt` asks for TensorFlow on every backend. Here are its operations in
    its order, so that the weights are the same to the last digit.

    Args:
        layer: `Normalization` or `keras.layers.Normalization`, built.
        images: Array of shape `(N, H, W, C)`.
    """
    kept = {axis % images.ndim for axis in layer.axis}
    axes = tuple(axis for axis in range(images.ndim) if axis not in kept)
    mean = variance = 0.0
    for start in range(0, len(images), PIECE):
        piece = images[start : start + PIECE]
        new = len(piece) / (start + len(piece))  # the weight of this piece
        piece = ops.convert_to_tensor(piece, dtype=layer.compute_dtype)
        of_piece, before = ops.mean(piece, axis=axes), mean
        mean = before * (1 - new) + of_piece * new
        variance = (variance + (before - mean) ** 2) * (1 - new) + (
            ops.var(piece, axis=axes) + (of_piece - mean) ** 2
        ) * new
    layer.adapt_mean.assign(mean)
    layer.adapt_variance.assign(variance)
    layer.finalize_state()
