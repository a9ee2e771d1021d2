"""Self-attention, and the variant that knows how far apart two patches are.

`SelfAttention` is the same function as `keras.layers.MultiHeadAttention` with one
sequence for queries, keys and values. It is faster on a CPU: each projection is one
product of two matrices, and the heads move once, before queries meet keys. On a GPU
under JAX it takes the fused kernel where no attention weight is dropped.
"""

import math

import keras
import numpy as np
from keras import ops

from vitlib.config.rules import COUNT, RATE, require
from vitlib.layers.dropout import Dropout
from vitlib.layers.inputs import require_floats, require_shape
from vitlib.layers.positions import (
    INITIAL_STDDEV,
    grid_angles,
    relative_offsets,
    require_grid,
    require_tokens,
)

ROTARY_BASE = 100  # for grids of tens of patches: Heo et al., 2024, section 3.2


@keras.saving.register_keras_serializable(package="vitlib")
class SelfAttention(keras.layers.Layer):
    """Multi-head self-attention: each token asks all tokens of its own image.

    Four dense layers hold the weights, in this order: query, key, value and output. The
    heads stand side by side in the units of the first three: those of head h are
    `h * key_dim` to `(h + 1) * key_dim - 1`.

    Args:
        num_heads: Integer. Number of heads.
        key_dim: Integer. Length of a query, a key and a value in one head.
        dropout: Float in [0, 1). Share of the attention weights dropped in training.
        **kwargs: Passed to `keras.layers.Layer` (`name`, `dtype`, ...).

    Call arguments:
        tokens: Tensor of shape `(batch, N, D)`.
        training: Boolean, whether dropout is applied.
        return_attention_scores: Boolean, whether to return the attention weights too.

    Input shape:
        `(batch, N, D)`, with a known N.

    Output shape:
        `(batch, N, D)`; with `return_attention_scores`, also
        `(batch, num_heads, N, N)`, whose rows sum to 1.

    Raises:
        ValueError: When an argument breaks its rule, or the tokens have another shape
            or hold no floats.

    Reference:
        Vaswani et al., 2017, section 3.2 (https://arxiv.org/abs/1706.03762).
    """

    needs_grid = False  # whether it has the argument `grid_size`

    def __init__(self, num_heads, key_dim, dropout=0.0, **kwargs):
        super().__init__(**kwargs)
        require(self, "num_heads", num_heads, *COUNT)
        require(self, "key_dim", key_dim, *COUNT)
        require(self, "dropout", dropout, *RATE)
        self.num_heads = num_heads
        self.key_dim = key_dim
        self.dropout = dropout
        # Only JAX on a GPU has a kernel for it, and none that drops weights; elsewhere
        # Keras would do the same steps as here, in float32.
        self.fused = keras.backend.backend() == "jax" and any(
            device.startswith("gpu") for device in keras.distribution.list_devices()
        )

    def build(self, input_shape):
        require_shape(self, input_shape, "batch", "tokens", "length")
        *batch_and_tokens, projection_dim = input_shape
        width = self.num_heads * self.key_dim
        self.query_dense = self._dense(width, "query", input_shape)
        self.key_dense = self._dense(width, "key", input_shape)
        self.value_dense = self._dense(width, "value", input_shape)
        mixed_shape = (*batch_and_tokens, width)
        self.output_dense = self._dense(projection_dim, "attention_output", mixed_shape)
        self.dropout_layer = Dropout(self.dropout, dtype=self.dtype_policy)

    def _dense(self, units, name, input_shape):
        dense = keras.layers.Dense(units, name=name, dtype=self.dtype_policy)
        dense.build(input_shape)
        return dense

    def project(self, tokens):
        """Turns tokens into queries, keys and values.

        Args:
            tokens: Tensor of shape `(batch, N, D)`.

        Returns:
            Three tensors of shape `(batch, num_heads, N, key_dim)`.
        """
        shape = (-1, tokens.shape[1], self.num_heads, self.key_dim)
        denses = (self.query_dense, self.key_dense, self.value_dense)
        return tuple(
            ops.transpose(ops.reshape(dense(tokens), shape), (0, 2, 1, 3))
            for dense in denses
        )

    def _place(self, query, key):
        """Lets the position act on queries and keys: it does nothing here."""
        return query, key

    def _position_logits(self, query):
        """What the position adds to the logits: nothing here, `None`."""
        return None

    def count_position_products(self):
        """The multiply-adds that the position costs, an image: none here."""
        return 0

    def call(self, tokens, training=None, return_attention_scores=False):
        require_floats(self, tokens)
        query, key, value = self.project(tokens)
        query, key = self._place(query / math.sqrt(self.key_dim), key)
        bias = self._position_logits(query)
        dropping = training and self.dropout > 0
        if self.fused and not dropping and not return_attention_scores:
            mixed, scores = _fused_attention(query, key, value, bias), None
        else:
            logits = ops.einsum("bhqd,bhkd->bhqk", query, key)
            scores = ops.softmax(logits if bias is None else logits + bias, axis=-1)
            weights = self.dropout_layer(scores, training=training)
            mixed = ops.matmul(weights, value)
        shape = (-1, tokens.shape[1], self.num_heads * self.key_dim)
        output = self.output_dense(
            ops.reshape(ops.transpose(mixed, (0, 2, 1, 3)), shape)
        )
        return (output, scores) if return_attention_scores else output


def _fused_attention(query, key, value, bias):
    """Attention in one operation that never writes the weights to the memory."""
    by_token = (ops.transpose(x, (0, 2, 1, 3)) for x in (query, key, value))
    mixed = ops.dot_product_attention(*by_token, bias=bias, scale=1.0)
    return ops.transpose(mixed, (0, 2, 1, 3))


@keras.saving.register_keras_serializable(package="vitlib")
class RelativeSelfAttention(SelfAttention):
    """Self-attention with a learned embedding for each offset of patches.

    A second attention is run with the same queries and with the offset embeddings as
    keys; its logits are added to those of the content:
    `logits[q, k] = query[q] . (key[k] + offset[k - q]) / sqrt(key_dim)`.
    The 2 N - 1 offset embeddings of length `key_dim` are shared by all heads. With all
    of them zero the layer is `SelfAttention`, whose arguments and shapes it has. The
    table comes first in `get_weights`.

    Reference:
        Shaw et al., 2018, equation 4 (https://arxiv.org/abs/1803.02155), here without
        offsets on the values; Dosovitskiy et al., 2021, appendix D.4
        (https://arxiv.org/abs/2010.11929); the report, III.1.
    """

    def build(self, input_shape):
        super().build(input_shape)
        num_patches = input_shape[1]
        self.input_spec = keras.layers.InputSpec(shape=(None, *input_shape[1:]))
        self.offset_embedding = self.add_weight(
            name="offset_position_embedding",
            shape=(2 * num_patches - 1, self.key_dim),
            initializer=keras.initializers.RandomNormal(stddev=INITIAL_STDDEV),
        )
        self.offsets = relative_offsets(num_patches)

    def _position_logits(self, query):
        offset = ops.cast(ops.take(self.offset_embedding, self.offsets, 0), query.dtype)
        return ops.einsum("bhqd,qkd->bhqk", query, offset)

    def count_position_products(self):
        """The multiply-adds of queries and offsets, an image."""
        return self.offsets.size * self.num_heads * self.key_dim


@keras.saving.register_keras_serializable(package="vitlib")
class RotarySelfAttention(SelfAttention):
    """Self-attention whose queries and keys are turned by the place of their patch.

    The elements of a query, and of a key, are taken as pairs, and each pair as a point
    of a plane that is turned by an angle: in the first half of the pairs in proportion
    to the row of the patch, in the second to its column, each pair at a speed of its
    own. The product of a query and a key then depends on the two contents and on the
    offset of row and column alone. There is nothing to train.

    Args:
        num_heads: As of `SelfAttention`.
        key_dim: As of `SelfAttention`; a multiple of 4.
        dropout: As of `SelfAttention`.
        grid_size: `(rows, columns)` of the grid of patches.
        **kwargs: Passed to `keras.layers.Layer` (`name`, `dtype`, ...).

    Input shape:
        `(batch, rows * columns, D)`.

    Output shape:
        As of `SelfAttention`.

    Raises:
        ValueError: As `SelfAttention`, and when 4 does not divide `key_dim`,
            `grid_size` is not two positive integers, or the tokens do not fill it.

    Reference:
        Su et al., 2021, section 3 (https://arxiv.org/abs/2104.09864); on two axes: Heo
        et al., 2024, section 3.2, "axial frequency" (https://arxiv.org/abs/2403.13298).
    """

    needs_grid = True

    def __init__(self, num_heads, key_dim, dropout=0.0, *, grid_size, **kwargs):
        super().__init__(num_heads, key_dim, dropout, **kwargs)
        words = "a multiple of 4: a row and a column turn pairs of its elements"
        require(self, "key_dim", key_dim, words, lambda value: value % 4 == 0)
        require_grid(self, grid_size)
        self.grid_size = tuple(grid_size)

    def build(self, input_shape):
        super().build(input_shape)
        require_tokens(self, input_shape, self.grid_size)
        angles = grid_angles(self.grid_size, self.key_dim // 4, ROTARY_BASE)
        angles = np.concatenate(angles, axis=-1)  # (N, key_dim / 2), one a pair
        self.cos, self.sin = (f(angles).astype("float32") for f in (np.cos, np.sin))

    def _place(self, query, key):
        return self._turn(query), self._turn(key)

    def _turn(self, x):
        """Turns each pair; the partner of an element stands half a vector away."""
        cos, sin = (ops.cast(part, x.dtype) for part in (self.cos, self.sin))
        one, two = ops.split(x, 2, axis=-1)
        return ops.concatenate([one * cos - two * sin, one * sin + two * cos], axis=-1)


# The positions that act inside the attention, by name.
POSITIONED = {"relative": RelativeSelfAttention, "rope": RotarySelfAttention}


def make_attention(position, num_heads, key_dim, dropout=0.0, grid_size=None):
    """The attention that knows a position, and `SelfAttention` for the others.

    Args:
        position: One of `POSITIONS`.
        num_heads: As of `SelfAttention`.
        key_dim: As of `SelfAttention`.
        dropout: As of `SelfAttention`.
        grid_size: `(rows, columns)` of the grid of patches, for what knows of it.

    Returns:
        `SelfAttention`, or a layer that extends it.
    """
    kind = POSITIONED.get(position, SelfAttention)
    place = {"grid_size": grid_size} if kind.needs_grid else {}
    return kind(num_heads, key_dim, dropout, **place)
