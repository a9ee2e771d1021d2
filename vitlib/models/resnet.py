"""Residual networks: the convolutional side of the comparison."""

import keras
from keras import layers

from vitlib.layers.augment import DTYPE, Augmentation
from vitlib.layers.normalize import Normalization

MOMENTUM = 0.9  # of the batch norms: their means follow within tens of steps


def build_resnet(config):
    """Builds ResNet101V2 without its top, and the report's head.

    The weights start at random. Keras loads those of ImageNet unless told not to, and
    the report does not say which it did; but its comparison is about training on
    CIFAR-100 alone. The model takes pixels from 0 to 255. The report's softmax is left
    to the loss, as for the ViT, so that one `train` serves both: the function that is
    trained is the same.

    Args:
        config: `ResNetConfig`.

    Returns:
        `keras.Model` from images `(batch, *config.input_shape)` to logits
        `(batch, config.num_classes)`.

    Reference:
        He et al., 2016, "Identity mappings" (https://arxiv.org/abs/1603.05027); the
        head: the report, III.1.
    """
    images = keras.Input(config.input_shape, name="images")
    x = Normalization(dtype=DTYPE)(images) if config.normalize else images
    x = Augmentation(config.augmentation, dtype=DTYPE)(x)
    backbone = keras.applications.ResNet101V2(
        include_top=False, weights=None, input_shape=config.input_shape
    )
    x = layers.Flatten()(backbone(x))
    for units in config.head_units:
        x = layers.Dense(units, activation="relu")(x)
        x = layers.GaussianDropout(config.head_dropout)(x)
    logits = layers.Dense(config.num_classes, dtype="float32", name="logits")(x)
    return keras.Model(images, logits, name="resnet")


def _convolution(x, filters, size, stride=1):
    """A convolution without a bias: the norm after it has one."""
    return layers.Conv2D(
        filters,
        size,
        strides=stride,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
    )(x)


def _activation(x):
    return layers.ReLU()(layers.BatchNormalization(momentum=MOMENTUM)(x))


def _residual_block(x, filters, stride):
    """Norm, ReLU, convolution, twice, added to the input.

    Where the shape changes, the input goes through a 1 x 1 convolution.
    """
    y = _activation(x)
    if stride > 1 or x.shape[-1] != filters:
        x = _convolution(y, filters, 1, stride)
    y = _activation(_convolution(y, filters, 3, stride))
    return layers.Add()([x, _convolution(y, filters, 3)])


def build_small_resnet(config):
    """Builds a pre-activation residual network for images of few pixels.

    A 3 x 3 convolution with stride 1, the stages, a norm, the mean over the map and one
    dense layer. The first block of each stage but the first halves rows and columns.
    Normalisation and augmentation are inside the model, as in `build_vit`; so it takes
    pixels from 0 to 255. The last layer computes in float32 whatever the precision
    policy.

    Args:
        config: `SmallResNetConfig`.

    Returns:
        `keras.Model` from images `(batch, *config.input_shape)` to logits
        `(batch, config.num_classes)`.

    Reference:
        He et al., 2016, "Identity mappings", figure 1b
        (https://arxiv.org/abs/1603.05027).
    """
    images = keras.Input(config.input_shape, name="images")
    x = Normalization(dtype=DTYPE)(images)
    x = Augmentation(config.augmentation, dtype=DTYPE)(x)
    x = _convolution(x, config.filters[0], 3)
    stages = zip(config.filters, config.blocks_per_stage, strict=True)
    for stage, (filters, blocks) in enumerate(stages):
        for block in range(blocks):
            x = _residual_block(x, filters, 2 if stage and not block else 1)
    x = layers.GlobalAveragePooling2D()(_activation(x))
    x = layers.Dropout(config.dropout)(x)
    logits = layers.Dense(config.num_classes, dtype="float32", name="logits")(x)
    return keras.Model(images, logits, name="small-resnet")
