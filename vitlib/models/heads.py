"""What turns the tokens of an encoder into an answer."""

from keras import layers

from vitlib.layers.dropout import Dropout
from vitlib.models.blocks import mlp


def _pool(tokens, pooling):
    """One vector an image: all tokens side by side, or their mean."""
    if pooling == "flatten":
        return layers.Flatten()(tokens)
    return layers.GlobalAveragePooling1D()(tokens)


def classify(tokens, config):
    """Pools the tokens and names a class.

    Args:
        tokens: Tensor of shape `(batch, N, D)`, as an encoder gives it.
        config: `ViTConfig`.

    Returns:
        Tensor of shape `(batch, config.num_classes)`, the logits, in float32 whatever
        the precision policy.

    Reference:
        The flattened head: the report, III.2.
    """
    x = Dropout(config.head_dropout)(_pool(tokens, config.pooling))
    x = mlp(
        x,
        config.head_units,
        config.head_dropout,
        init_scale=config.head_init_scale,
    )
    return layers.Dense(config.num_classes, dtype="float32", name="logits")(x)
