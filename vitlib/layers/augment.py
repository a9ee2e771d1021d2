"""Vary the training images: the report's two recipes, and the one for small budgets.

The images vary in training alone. None of Keras' layers for rotation, zoom, translation
or shear is used: on JAX each keeps the whole model in which it stands from being
compiled, and on a GPU with TensorFlow, too.
"""

import math

import keras
from keras import layers, ops

from vitlib.config.models import AUGMENTATIONS
from vitlib.config.rules import COUNT, one_of, or_none, require
from vitlib.layers import affine
from vitlib.layers.inputs import require_numbers, require_settings, require_shape
from vitlib.layers.random_shift import RandomShift

SHIFT_PIXELS = 4  # the usual CIFAR crop: He et al., 2016, section 4.2
DTYPE = "float32"  # pixels stay exact whatever the precision policy of the model
TURN = 2 * math.pi  # radians

# The steps of a recipe in the order of the report, each with its limits: for each image
# one number is drawn between minus and plus a limit, evenly.
WARPS = {
    "report_vit": (
        (affine.flip, 1.0),
        (affine.rotate, 0.02 * TURN),
        (affine.zoom, 0.2, 0.2),
    ),
    "report_resnet": (
        (affine.rotate, 20 / 360 * TURN),  # rotation_range=20, degrees
        (affine.shift, 0.2, 0.2),
        (affine.shear, math.tan(math.radians(0.2))),  # degrees, too
        (affine.zoom, 0.2, 0.2),
        (affine.flip, 1.0),
    ),
}
BORDERS = {
    "report_vit": affine.reflect,  # the default of Keras' layers
    "report_resnet": affine.nearest,  # as ImageDataGenerator fills
}


@keras.saving.register_keras_serializable(package="vitlib")
class Augmentation(layers.Layer):
    """Resizes images, and applies one recipe of random changes to them in training.

    Keras' own random layers also act when a model is called without `training`; this
    one acts with `training=True` alone, as `fit` calls it. The report's recipes are
    composed with the resizing into one map, so that the image is interpolated once.

    Args:
        recipe: One of `AUGMENTATIONS`. "report_vit": the report's flip, rotation by up
            to 0.02 of a turn (7.2 degrees) and zoom by up to 20 % in each direction.
            "report_resnet": the ranges that the report gave to `ImageDataGenerator`;
            its `shear_range=0.2` is 0.2 *degrees*, and so it is here. "shift_flip":
            moves of up to 4 pixels and a flip. "none": nothing.
        image_size: Integer. Height and width of the result, in pixels. None: as the
            images are.
        **kwargs: Passed to `keras.layers.Layer` (`name`, `dtype`, ...).

    Input shape:
        `(batch, H, W, C)`.

    Output shape:
        `(batch, image_size, image_size, C)`.

    Raises:
        ValueError: When `recipe` is not one of `AUGMENTATIONS`, or `image_size` not a
            positive integer; when the images have another shape, are too small to be
            shifted or interpolated, or hold neither floats nor integers.

    Reference:
        The report, III.2.
    """

    def __init__(self, recipe, image_size=None, **kwargs):
        super().__init__(**kwargs)
        require_settings()  # here, for every model of the course has this layer
        require(self, "recipe", recipe, *one_of(AUGMENTATIONS))
        require(self, "image_size", image_size, *or_none(COUNT))
        self.recipe = recipe
        self.image_size = image_size
        self.training_size = None  # where training is to see another size
        self.steps = []
        if recipe == "shift_flip":
            flip = layers.RandomFlip("horizontal", dtype=DTYPE)
            self.steps = [RandomShift(SHIFT_PIXELS, dtype=DTYPE), flip]
        elif recipe in WARPS:
            self.seed_generator = keras.random.SeedGenerator()

    def build(self, input_shape):
        require_shape(self, input_shape, "batch", "height", "width", "channels")
        batch, height, width, channels = input_shape
        if self.recipe in WARPS:
            words = "at least 2 pixels high and wide, to be interpolated"
            require(self, "images", (height, width), words, lambda v: min(v) >= 2)
        size = (self.image_size,) * 2 if self.image_size else (height, width)
        for step in self.steps:
            step.build((batch, *size, channels))

    def call(self, images, training=False):
        require_numbers(self, images)
        images = ops.cast(images, self.compute_dtype)
        source = tuple(images.shape[1:3])
        side = (training and self.training_size) or self.image_size
        size = (side,) * 2 if side else source
        if training and self.recipe in WARPS:
            steps = self._draw(ops.shape(images)[0])
            images = affine.warp(images, steps, BORDERS[self.recipe], size)
        elif size != source:
            images = ops.image.resize(images, size)
        for step in self.steps if training else []:
            images = step(images, training=True)
        return ops.cast(images, self.compute_dtype)

    def _draw(self, batch):
        """The steps of the recipe, with amounts in the place of their limits."""
        shape = (batch, 1, 1)
        return [
            (change, *(self._uniform(shape, limit) for limit in limits))
            for change, *limits in WARPS[self.recipe]
        ]

    def _uniform(self, shape, limit):
        return keras.random.uniform(
            shape, -limit, limit, dtype="float32", seed=self.seed_generator
        )


def augment_together(augmentation, images, masks):
    """Varies images and their masks by one draw, whatever the recipe.

    The masks go along as further channels of their images. Where an image is
    interpolated a mask is, too, and then says which is nearer: its inside or outside.

    Args:
        augmentation: `Augmentation` for this use alone: it is built for the channels of
            images and masks together.
        images: Tensor of shape `(batch, H, W, C)`.
        masks: Boolean tensor of shape `(batch, things, H, W)`, as a `Split` has them.

    Returns:
        Images `(batch, image_size, image_size, C)` and boolean masks
        `(batch, things, image_size, image_size)`, as in training.
    """
    channels = images.shape[-1]
    planes = ops.cast(ops.transpose(masks, (0, 2, 3, 1)), DTYPE)
    both = ops.concatenate([ops.cast(images, DTYPE), planes], axis=-1)
    both = augmentation(both, training=True)
    planes = ops.transpose(both[..., channels:], (0, 3, 1, 2))
    return both[..., :channels], planes >= 0.5
