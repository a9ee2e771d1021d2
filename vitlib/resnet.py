"""ResNet101V2 with the report's head: the convolutional side of the comparison."""

import keras
from keras import layers

from vitlib.augment import DTYPE, Augmentation


def build_resnet(config):
    """Builds ResNet101V2 without its top, and the report's head.

    The weights start at random: the report's 47.93 % fits no ImageNet weights, and its
    comparison is about training on CIFAR-100 alone. The model takes pixels from 0 to
    255. The report's softmax is left to the loss, as for the ViT, so that one `train`
    serves both: the function that is trained is the same.

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
    x = layers.Normalization(dtype=DTYPE)(images) if config.normalize else images
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
