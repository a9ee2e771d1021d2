"""Vary the training images: the report's two recipes, and the one for small budgets.

Every layer here acts in training alone; in prediction it hands the images on.
"""

import math

import keras
from keras import layers, ops

from vitlib.config import AUGMENTATIONS

SHIFT_PIXELS = 4  # the usual CIFAR crop: He et al., 2016, section 4.2
DTYPE = "float32"  # pixels stay exact whatever the precision policy of the model


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

    Reference:
        He et al., 2016, section 4.2 (https://arxiv.org/abs/1512.03385), with zeros in
        place of the reflection.
    """

    def __init__(self, pixels, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.pixels = pixels
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, images, training=False):
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


@keras.saving.register_keras_serializable(package="vitlib")
class Augmentation(layers.Layer):
    """Applies one recipe of random changes to training images.

    Keras' own random layers also act when a model is called without `training`; this
    one acts with `training=True` alone, as `fit` calls it.

    Args:
        recipe: One of `AUGMENTATIONS`. "report_vit": the report's flip, rotation by up
            to 0.02 of a turn (7.2 degrees) and zoom by up to 20 % in each direction.
            "report_resnet": the ranges that the report gave to `ImageDataGenerator`;
            its `shear_range=0.2` is 0.2 *degrees*, and so it is here. "shift_flip":
            moves of up to 4 pixels and a flip. "none": nothing.
        **kwargs: Passed to `keras.layers.Layer` (`name`, `dtype`, ...).

    Input shape:
        `(batch, H, W, C)`.

    Output shape:
        The same.

    Raises:
        ValueError: When `recipe` is not one of `AUGMENTATIONS`.

    Reference:
        The report, III.2.
    """

    def __init__(self, recipe, **kwargs):
        super().__init__(**kwargs)
        if recipe not in AUGMENTATIONS:
            raise ValueError(
                f"recipe must be one of {AUGMENTATIONS}. Received: {recipe!r}."
            )
        self.recipe = recipe
        self.steps = _steps(recipe)

    def build(self, input_shape):
        for step in self.steps:
            step.build(input_shape)

    def call(self, images, training=False):
        if training:
            for step in self.steps:
                images = step(images, training=True)
        return images


def _steps(recipe):
    """The layers of a recipe, in the order of the report."""
    if recipe == "none":
        return []
    flip = layers.RandomFlip("horizontal", dtype=DTYPE)
    if recipe == "shift_flip":
        return [RandomShift(SHIFT_PIXELS, dtype=DTYPE), flip]
    if recipe == "report_vit":
        rotation = layers.RandomRotation(0.02, dtype=DTYPE)
        return [flip, rotation, layers.RandomZoom(0.2, 0.2, dtype=DTYPE)]
    nearest = {"fill_mode": "nearest", "dtype": DTYPE}  # as ImageDataGenerator fills
    return [
        layers.RandomRotation(20 / 360, **nearest),  # rotation_range=20, degrees
        layers.RandomTranslation(0.2, 0.2, **nearest),
        layers.RandomShear(math.tan(math.radians(0.2)), **nearest),  # degrees, too
        layers.RandomZoom(0.2, 0.2, **nearest),
        flip,
    ]
