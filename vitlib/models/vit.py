"""The Vision Transformer: an encoder from an image to tokens, and a head."""

import keras
from keras import layers

from vitlib.layers.augment import DTYPE, Augmentation
from vitlib.layers.masking import PatchDropout
from vitlib.layers.normalize import Normalization
from vitlib.layers.patch_encoder import PatchEncoder
from vitlib.layers.patches import Patches
from vitlib.layers.positioned_attention import make_attention
from vitlib.models.blocks import EPSILON, transformer_block
from vitlib.models.heads import classify

STEM_MOMENTUM = 0.9  # of the batch norms: their means follow within tens of steps


def _preprocess(images, config):
    """Normalises, resizes and (in training) varies the images, in float32."""
    x = Normalization(dtype=DTYPE)(images)
    return Augmentation(config.augmentation, config.image_size, dtype=DTYPE)(x)


def _stem(x, config):
    """The convolutional tokenizer: each convolution halves the map."""
    for filters in config.stem_filters:
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.MaxPooling2D(2)(x)  # first, so that the norm has a quarter to do
        x = layers.BatchNormalization(momentum=STEM_MOMENTUM)(x)
        x = layers.ReLU()(x)
    return x


def build_encoder(config):
    """Builds what a Vision Transformer has below its head.

    Normalisation, resizing and augmentation are inside the model, so it takes pixels
    from 0 to 255. `train` fits the normalisation (7 numbers that do not train) to the
    training images. A head is put on by calling it on `output`: the model from `input`
    to its answer has the layers of the encoder among its own.

    Args:
        config: `ViTConfig`.

    Returns:
        `keras.Model` from images `(batch, *config.input_shape)` to tokens
        `(batch, config.num_patches, config.projection_dim)`, after the last norm.

    Reference:
        Dosovitskiy et al., 2021, equations 1 to 4 (https://arxiv.org/abs/2010.11929);
        the normalisation and the augmentation: the report, III.1.
    """
    images = keras.Input(config.input_shape, name="images")
    x = _stem(_preprocess(images, config), config)
    x = Patches(config.patch_size)(x)
    x = PatchEncoder(config.projection_dim, config.position, config.grid_size)(x)
    if config.patch_dropout:
        x = PatchDropout(config.patch_dropout)(x)
    for _ in range(config.num_layers):
        sizes = config.num_heads, config.key_dim, config.dropout
        attention = config.attention and make_attention(
            config.position, *sizes, config.grid_size
        )
        x = transformer_block(x, attention, config.mlp_units, config.dropout)
    tokens = layers.LayerNormalization(epsilon=EPSILON)(x)
    return keras.Model(images, tokens, name="encoder")


def build_vit(config):
    """Builds a Vision Transformer that classifies: `build_encoder` under `classify`.

    Args:
        config: `ViTConfig`.

    Returns:
        `keras.Model` from images `(batch, *config.input_shape)`, pixels from 0 to 255,
        to logits `(batch, config.num_classes)`.

    Reference:
        Dosovitskiy et al., 2021 (https://arxiv.org/abs/2010.11929); the report, III.
    """
    encoder = build_encoder(config)
    logits = classify(encoder.output, config)
    return keras.Model(encoder.input, logits, name="vit")
