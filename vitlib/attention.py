"""Self-attention that knows how far apart two patches are."""

import math

import keras
from keras import ops

from vitlib.positions import INITIAL_STDDEV, relative_offsets


@keras.saving.register_keras_serializable(package="vitlib")
class RelativeSelfAttention(keras.layers.Layer):
    """Multi-head self-attention with a learned embedding for each offset of patches.

    A second attention is run with the same queries and with the offset embeddings as
    keys; its logits are added to those of the content:
    `logits[q, k] = query[q] . (key[k] + offset[k - q]) / sqrt(key_dim)`.
    The 2 N - 1 offset embeddings of length `key_dim` are shared by all heads. With all
    of them zero the layer is `keras.layers.MultiHeadAttention` of a sequence with
    itself. `get_weights` lists the offset embeddings, then the weights of that layer in
    its order.

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

    Reference:
        Shaw et al., 2018, equation 4 (https://arxiv.org/abs/1803.02155), here without
        offsets on the values; Dosovitskiy et al., 2021, appendix D.4
        (https://arxiv.org/abs/2010.11929); the report, III.1.
    """

    def __init__(self, num_heads, key_dim, dropout=0.0, **kwargs):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.key_dim = key_dim
        self.dropout = dropout

    def build(self, input_shape):
        _, num_patches, projection_dim = input_shape
        heads = (None, self.num_heads, self.key_dim)
        for name in ("query", "key", "value"):
            dense = self._dense("abc,cde->abde", heads, "de", name)
            dense.build(input_shape)
            setattr(self, f"{name}_dense", dense)
        self.output_dense = self._dense(
            "abcd,cde->abe", (None, projection_dim), "e", "attention_output"
        )
        self.output_dense.build((None, num_patches, self.num_heads, self.key_dim))
        self.offset_embedding = self.add_weight(
            name="offset_position_embedding",
            shape=(2 * num_patches - 1, self.key_dim),
            initializer=keras.initializers.RandomNormal(stddev=INITIAL_STDDEV),
        )
        self.offsets = relative_offsets(num_patches)
        self.dropout_layer = keras.layers.Dropout(self.dropout, dtype=self.dtype_policy)

    def _dense(self, equation, output_shape, bias_axes, name):
        return keras.layers.EinsumDense(
            equation,
            output_shape,
            bias_axes=bias_axes,
            name=name,
            dtype=self.dtype_policy,
        )

    def call(self, tokens, training=None, return_attention_scores=False):
        query = self.query_dense(tokens) / math.sqrt(self.key_dim)  # (B, N, heads, K)
        key, value = self.key_dense(tokens), self.value_dense(tokens)
        offset = ops.cast(ops.take(self.offset_embedding, self.offsets, 0), query.dtype)
        logits = ops.einsum("bqhd,bkhd->bhqk", query, key)
        logits += ops.einsum("bqhd,qkd->bhqk", query, offset)
        scores = ops.softmax(logits, axis=-1)
        weights = self.dropout_layer(scores, training=training)
        output = self.output_dense(ops.einsum("bhqk,bkhd->bqhd", weights, value))
        return (output, scores) if return_attention_scores else output
