"""Self-attention: each token asks all tokens of its own image.

`SelfAttention` is the same function as `keras.layers.MultiHeadAttention` with one
sequence for queries, keys and values. It is faster on a CPU: each projection is one
product of two matrices, and the heads move once, before queries meet keys. On a GPU
under JAX it takes the fused kernel where no attention weight is dropped.
"""

import math

import keras
from keras import ops

from vitlib.config.rules import COUNT, RATE, require
from vitlib.layers.dropout import Dropout
from vitlib.layers.inputs import require_floats, require_shape


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
    fits_kernel = True  # whether the fused kernel can do all that it does

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

    def _place_mixed(self, weights, mixed):
        """Lets the position act on the weighted values: it does nothing here."""
        return mixed

    def count_position_products(self):
        """The multiply-adds that the position costs, an image: none here."""
        return 0

    def call(self, tokens, training=None, return_attention_scores=False):
        require_floats(self, tokens)
        query, key, value = self.project(tokens)
        query, key = self._place(query / math.sqrt(self.key_dim), key)
        bias = self._position_logits(query)
        dropping = training and self.dropout > 0
        if (
            self.fused
            and self.fits_kernel
            and not dropping
            and not return_attention_scores
        ):
            mixed, scores = _fused_attention(query, key, value, bias), None
        else:
            logits = ops.einsum("bhqd,bhkd->bhqk", query, key)
            scores = ops.softmax(logits if bias is None else logits + bias, axis=-1)
            weights = self.dropout_layer(scores, training=training)
            mixed = ops.matmul(weights, value)
            mixed = self._place_mixed(weights, mixed)
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
