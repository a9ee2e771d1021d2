"""The Vision Transformer: from an image to one logit a class."""

import keras
from keras import layers

from vitlib.layers.attention import RelativeSelfAttention, SelfAttention
from vitlib.layers.augment import DTYPE, Augmentation
from vitlib.layers.dropout import Dropout
from vitlib.layers.normalize import Normalization
from vitlib.layers.patch_encoder import PatchEncoder
from vitlib.layers.patches import Patches

EPSILON = 1e-6  # of the layer norms; the Keras example and the authors' code
STEM_MOMENTUM = 0.9  # of the batch norms: their means follow within tens of steps


def mlp(x, units, dropout, activation="gelu", init_scale=1.0):
    """Stacks dense layers, each with an activation and dropout.

    Args:
        x: Tensor of shape `(..., features)`.
        units: Tuple of integers, the units of each layer.
        dropout: Float in [0, 1), after each layer.
        activation: Name of an activation function of Keras.
        init_scale: Float. Multiplies Keras' default first weights (Glorot and Bengio,
            2010, equation 16, https://proceedings.mlr.press/v9/glorot10a.html).

    Returns:
        Tensor of shape `(..., units[-1])`.
    """
    for size in units:
        init = keras.initializers.VarianceScaling(init_scale**2, "fan_avg", "uniform")
        x = layers.Dense(size, activation=activation, kernel_initializer=init)(x)
        x = Dropout(dropout)(x)
    return x


def transformer_block(
    x, num_heads, key_dim, mlp_units, dropout=0.0, relative_position=False
):
    """One pre-norm encoder block: attention, then an MLP, each added to its input.

    Args:
        x: Tensor of shape `(batch, N, D)`, the tokens.
        num_heads: Integer. Number of heads.
        key_dim: Integer. Length of a query in one head.
        mlp_units: Tuple of integers, the units of the MLP; the last must be D.
        dropout: Float in [0, 1), in the attention and after each layer of the MLP.
        relative_position: Boolean, whether the attention knows the offsets.

    Returns:
        Tensor of shape `(batch, N, D)`.

    Reference:
        Dosovitskiy et al., 2021, equations 2 and 3 (https://arxiv.org/abs/2010.11929).
    """
    y = layers.LayerNormalization(epsilon=EPSILON)(x)
    attention = RelativeSelfAttention if relative_position else SelfAttention
    y = attention(num_heads, key_dim, dropout)(y)
    x = layers.Add()([y, x])
    y = layers.LayerNormalization(epsilon=EPSILON)(x)
    return layers.Add()([mlp(y, mlp_units, dropout), x])


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


def _pool(tokens, config):
    """One vector an image: all tokens side by side, or their mean."""
    if config.pooling == "flatten":
        return layers.Flatten()(tokens)
    return layers.GlobalAveragePooling1D()(tokens)


def build_vit(config):
    """Builds a Vision Transformer.

    Normalisation, resizing and augmentation are inside the model, so it takes pixels
    from 0 to 255. `train` fits the normalisation (7 numbers that do not train) to the
    training images. The last layer computes in float32 whatever the precision policy.

    Args:
        config: `ViTConfig`.

    Returns:
        `keras.Model` from images `(batch, *config.input_shape)` to logits
        `(batch, config.num_classes)`.

    Reference:
        Dosovitskiy et al., 2021 (https://arxiv.org/abs/2010.11929); the flattened head,
        the normalisation and the augmentation: the report, III.1 and III.2.
    """
    images = keras.Input(config.input_shape, name="images")
    x = _stem(_preprocess(images, config), config)
    x = Patches(config.patch_size)(x)
    x = PatchEncoder(config.projection_dim, config.position, config.grid_size)(x)
    for _ in range(config.num_layers):
        x = transformer_block(
            x,
            config.num_heads,
            config.key_dim,
            config.mlp_units,
            config.dropout,
            relative_position=config.position == "relative",
        )
    x = layers.LayerNormalization(epsilon=EPSILON)(x)
    x = Dropout(config.head_dropout)(_pool(x, config))
    x = mlp(
        x,
        config.head_units,
        config.head_dropout,
        init_scale=config.head_init_scale,
    )
    logits = layers.Dense(config.num_classes, dtype="float32", name="logits")(x)
    return keras.Model(images, logits, name="vit")
