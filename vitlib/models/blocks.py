"""What a Vision Transformer is stacked from: the MLP and the encoder block."""

import keras
from keras import layers

from vitlib.layers.dropout import Dropout

EPSILON = 1e-6  # of the layer norms; the Keras example and the authors' code


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


def transformer_block(x, attention, mlp_units, dropout=0.0):
    """One pre-norm encoder block: attention, then an MLP, each added to its input.

    Args:
        x: Tensor of shape `(batch, N, D)`, the tokens.
        attention: Layer from tokens to tokens, as `vitlib.SelfAttention`; False for
            a block that is its MLP alone.
        mlp_units: Tuple of integers, the units of the MLP; the last must be D.
        dropout: Float in [0, 1), after each layer of the MLP.

    Returns:
        Tensor of shape `(batch, N, D)`.

    Reference:
        Dosovitskiy et al., 2021, equations 2 and 3 (https://arxiv.org/abs/2010.11929).
    """
    if attention:
        y = layers.LayerNormalization(epsilon=EPSILON)(x)
        x = layers.Add()([attention(y), x])
    y = layers.LayerNormalization(epsilon=EPSILON)(x)
    return layers.Add()([mlp(y, mlp_units, dropout), x])
