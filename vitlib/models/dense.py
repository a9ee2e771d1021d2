"""Models that say what is where: a head on each token, or queries that ask them."""

import keras
from keras import layers

from vitlib.layers.attention import SelfAttention
from vitlib.layers.patches import join_patches
from vitlib.layers.queries import Queries
from vitlib.models.blocks import EPSILON, mlp, transformer_block
from vitlib.models.vit import build_encoder

# So that at first each cell says with 10 % that a thing is there: the many cells
# without one would drown the few. Lin et al., 2017, section 4.1
# (https://arxiv.org/abs/1708.02002).
RARE = -2.19


def _hidden(tokens, config):
    """The hidden layers of a head, each token for itself."""
    return mlp(
        tokens,
        config.head_units,
        config.head_dropout,
        init_scale=config.head_init_scale,
    )


def _dense(units, name, bias="zeros"):
    """The last layer of a head, in float32 whatever the precision policy."""
    return layers.Dense(units, bias_initializer=bias, dtype="float32", name=name)


def build_segmenter(config):
    """Builds a Vision Transformer that names the class of each pixel.

    Args:
        config: `SegmentationConfig`.

    Returns:
        `keras.Model` from images `(batch, *config.input_shape)`, pixels from 0 to 255,
        to logits `(batch, H, W, config.num_classes)`, float32.

    Reference:
        A linear layer on each token: Strudel et al., 2021, section 3.1
        (https://arxiv.org/abs/2105.05633).
    """
    encoder = build_encoder(config)
    tokens, cell = _hidden(encoder.output, config), config.cell_size
    classes = config.num_classes
    if config.head == "patch":
        logits = _dense(classes, "logits")(tokens)
        logits = layers.Reshape((*config.grid_size, classes), dtype="float32")(logits)
        logits = layers.UpSampling2D(cell, dtype="float32")(logits)
    else:
        logits = _dense(cell**2 * classes, "logits")(tokens)
        logits = join_patches(logits, config.input_shape[:2])
    return keras.Model(encoder.input, logits, name="segmenter")


def build_detector(config):
    """Builds a Vision Transformer that finds things: `"cells"` or a `"set"`.

    Args:
        config: `DetectionConfig`.

    Returns:
        `keras.Model` from images `(batch, *config.input_shape)`, pixels from 0 to 255,
        to what `vitlib.training.detection` reads, float32: of cells
        `(batch, G, G, C + 4)`, of a set of Q queries `(batch, Q, C + 1 + 4)`.

    Reference:
        Cells: Zhou et al., 2019 (https://arxiv.org/abs/1904.07850); the set: Carion et
        al., 2020 (https://arxiv.org/abs/2005.12872).
    """
    encoder = build_encoder(config)
    tokens, kinds = encoder.output, config.num_classes
    if config.head == "cells":
        x = _hidden(tokens, config)
        heat = _dense(kinds, "heat", keras.initializers.Constant(RARE))(x)
    else:
        x = _hidden(_ask(tokens, config), config)
        heat = _dense(kinds + 1, "heat")(x)
    answer = layers.Concatenate(dtype="float32")([heat, _dense(4, "boxes")(x)])
    if config.head == "cells":
        answer = layers.Reshape((*config.grid_size, kinds + 4), dtype="float32")(answer)
    return keras.Model(encoder.input, answer, name="detector")


def _ask(tokens, config):
    """Lets queries look at each other and at the tokens: `(batch, Q, D)`."""
    sizes = config.num_heads, config.key_dim
    x = Queries(config.num_queries)(tokens)
    for _ in range(config.decoder_layers):
        y = layers.LayerNormalization(epsilon=EPSILON)(x)
        x = layers.Add()([layers.MultiHeadAttention(*sizes)(y, tokens), x])
        x = transformer_block(x, SelfAttention(*sizes), config.mlp_units)
    return layers.LayerNormalization(epsilon=EPSILON)(x)
