"""Move each image of a batch by a few pixels of its own."""

import keras
from keras import layers, ops

from vitlib.config.rules import COUNT, SEED, or_none, require
from vitlib.layers.inputs import require_numbers, require_shape


@keras.saving.register_keras_serializable(package="vitlib")
class RandomShift(layers.Layer):
    """Moves each image by whole pixels, filling the border with its own reflection.

    The same as reflecting `pixels` rows and columns at each side and cropping at
    random. Each image has its own offset; `keras.layers.RandomCrop` draws one for the
    whole batch.

    Args:
        pixels: Integer. Largest move in each direction, in pixels.
        seed: Integer or None. Seed of the offsets.
        **kwargs: Passed to `keras.layers.Layer` (`name`, `dtype`, ...).

    Input shape:
        `(batch, H, W, C)`.

    Output shape:
        The same.

    Raises:
        ValueError: When an argument breaks its rule, when the images are not larger
            than the largest move, or when they hold neither floats nor integers.

    Reference:
        He et al., 2016, section 4.2 (https://arxiv.org/abs/1512.03385), with zeros in
        place of the reflection.
    """

    def __init__(self, pixels, seed=None, **kwargs):
        super().__init__(**kwargs)
        require(self, "pixels", pixels, *COUNT)
        require(self, "seed", seed, *or_none(SEED))
        self.pixels = pixels
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape):
        require_shape(self, input_shape, "batch", "height", "width", "channels")
        words = f"more than pixels={self.pixels}: a border reflects what is inside"
        for name, size in zip(("height", "width"), input_shape[1:3], strict=True):
            require(self, name, size, words, lambda v: v > self.pixels)

    def call(self, images, training=False):
        require_numbers(self, images)
        if not training:
            return images
        batch, (height, width) = ops.shape(images)[0], images.shape[1:3]
        moves = keras.random.randint(
            (2, batch), -self.pixels, self.pixels + 1, seed=self.seed_generator
        )
        rows = _reflect(ops.arange(height) + moves[0][:, None], height)  # (B, H)
        columns = _reflect(ops.arange(width) + moves[1][:, None], width)
        images = ops.take_along_axis(images, rows[:, :, None, None], axis=1)
        return ops.take_along_axis(images, columns[:, None, :, None], axis=2)


def _reflect(index, size):
    """Mirrors indices below 0 and above size - 1 at the first and last pixel."""
    index = ops.abs(index)
    return (size - 1) - ops.abs((size - 1) - index)
