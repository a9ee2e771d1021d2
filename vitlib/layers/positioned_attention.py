"""Self-attention that knows where the patches of its tokens stand."""

import keras
import numpy as np
from keras import ops

from vitlib.config.rules import BOOLEAN, COUNT, POSITIVE, or_none, require
from vitlib.layers.attention import SelfAttention
from vitlib.layers.inputs import require_grid, require_tokens
from vitlib.layers.positions import INITIAL_STDDEV, grid_angles, require_span

ROTARY_BASE = 100  # for grids of tens of patches: Heo et al., 2024, section 3.2


def relative_offsets(num_patches):
    """Numbers the offset from each patch to each other patch.

    Entry (q, k) is k - q + N - 1: 0 when the key stands N - 1 places before the query,
    N - 1 when it is the query itself, 2 N - 2 when it stands N - 1 places after it.

    Args:
        num_patches: Integer N.

    Returns:
        NumPy array of int32, shape `(N, N)`, values from 0 to 2 N - 2.

    Example:
        >>> relative_offsets(3).tolist()
        [[2, 3, 4], [1, 2, 3], [0, 1, 2]]

    Reference:
        Dosovitskiy et al., 2021, appendix D.4, "1-dimensional Relative Attention"
        (https://arxiv.org/abs/2010.11929).
    """
    places = np.arange(num_patches, dtype="int32")
    return places[None, :] - places[:, None] + num_patches - 1


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


def grid_offsets(grid_size, max_distance=None):
    """Numbers the offset of rows, and that of columns, from each patch to each other.

    Args:
        grid_size: `(rows, columns)` of the grid of patches.
        max_distance: Integer of at least 1. Larger offsets count as this one; None: the
            largest of the grid, so that each has a number of its own.

    Returns:
        Two NumPy arrays of int32, shape `(N, N)`, of rows and of columns: 0 for the
        largest offset up or to the left, `2 * max_distance` for the largest down or to
        the right.

    Example:
        >>> [axis[0].tolist() for axis in grid_offsets((2, 2))]
        [[1, 1, 2, 2], [1, 2, 1, 2]]

    Reference:
        Shaw et al., 2018, section 3.2 (https://arxiv.org/abs/1803.02155), on each axis.
    """
    offsets = []
    for axis, size in zip(np.indices(grid_size, "int32"), grid_size, strict=True):
        places, most = axis.ravel(), max_distance or max(size - 1, 1)
        distances = places[None, :] - places[:, None]
        offsets.append(np.clip(distances, -most, most) + most)
    return tuple(offsets)


@keras.saving.register_keras_serializable(package="vitlib")
class GridRelativeSelfAttention(SelfAttention):
    """Self-attention with learned embeddings for offsets of rows and of columns.

    As `RelativeSelfAttention`, but the embedding of an offset is that of its rows, of
    length `key_dim / 2`, beside that of its columns: two patches that touch are near
    each other here, whichever side it is. Each table has `2 * max_distance + 1`
    embeddings. They come first in `get_weights`: rows and columns for the keys, then
    for the values.

    Args:
        num_heads: As of `SelfAttention`.
        key_dim: As of `SelfAttention`; even.
        dropout: As of `SelfAttention`.
        grid_size: `(rows, columns)` of the grid of patches.
        max_distance: Integer of at least 1, the largest offset with an embedding of its
            own; None: the largest of the grid.
        on_values: Boolean, whether a second pair of tables is added to the values, too.
        stddev: Number above 0, the spread of the first embeddings.
        **kwargs: Passed to `keras.layers.Layer` (`name`, `dtype`, ...).

    Input shape:
        `(batch, rows * columns, D)`.

    Output shape:
        As of `SelfAttention`.

    Raises:
        ValueError: As `SelfAttention`, and when 2 does not divide `key_dim`, another
            argument breaks its rule, or the tokens do not fill the grid.

    Reference:
        Shaw et al., 2018, equations 3 and 4 (https://arxiv.org/abs/1803.02155); on two
        axes: Wu et al., 2021 (https://arxiv.org/abs/2107.14222).
    """

    needs_grid = True

    def __init__(
        self,
        num_heads,
        key_dim,
        dropout=0.0,
        *,
        grid_size,
        max_distance=None,
        on_values=False,
        stddev=INITIAL_STDDEV,
        **kwargs,
    ):
        super().__init__(num_heads, key_dim, dropout, **kwargs)
        words = "even: one half for the row, the other for the column"
        require(self, "key_dim", key_dim, words, lambda value: value % 2 == 0)
        require_grid(self, grid_size)
        require(self, "max_distance", max_distance, *or_none(COUNT))
        require(self, "on_values", on_values, *BOOLEAN)
        require(self, "stddev", stddev, *POSITIVE)
        self.grid_size = tuple(grid_size)
        self.max_distance, self.on_values = max_distance, on_values
        self.stddev = stddev
        self.fits_kernel = not on_values

    def build(self, input_shape):
        super().build(input_shape)
        require_tokens(self, input_shape, self.grid_size)
        self.offsets = grid_offsets(self.grid_size, self.max_distance)
        self.key_tables = self._tables("key")
        self.value_tables = self._tables("value") if self.on_values else None

    def _tables(self, use):
        """The embeddings of rows and of columns for a use."""
        normal = keras.initializers.RandomNormal
        return [
            self.add_weight(
                name=f"{axis}_{use}_offset_position_embedding",
                shape=(int(offsets.max()) + 1, self.key_dim // 2),
                initializer=normal(stddev=self.stddev),
            )
            for axis, offsets in zip(("row", "column"), self.offsets, strict=True)
        ]

    def _embedding(self, tables, dtype):
        """The embedding of the offset from each patch to each other: `(N, N, D_h)`."""
        pairs = zip(tables, self.offsets, strict=True)
        parts = [ops.take(table, offsets, 0) for table, offsets in pairs]
        return ops.cast(ops.concatenate(parts, axis=-1), dtype)

    def _position_logits(self, query):
        offset = self._embedding(self.key_tables, query.dtype)
        return ops.einsum("bhqd,qkd->bhqk", query, offset)

    def _place_mixed(self, weights, mixed):
        if self.value_tables is None:
            return mixed
        offset = self._embedding(self.value_tables, weights.dtype)
        return mixed + ops.einsum("bhqk,qkd->bhqd", weights, offset)

    def count_position_products(self):
        """The multiply-adds of queries, and of weights, with offsets, an image."""
        uses = 2 if self.on_values else 1
        return uses * self.offsets[0].size * self.num_heads * self.key_dim


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
        span: `(rows, columns)` of the grid that the places fill, where it is another:
            see `vitlib.layers.positions.grid_angles`.
        **kwargs: Passed to `keras.layers.Layer` (`name`, `dtype`, ...).

    Input shape:
        `(batch, rows * columns, D)`.

    Output shape:
        As of `SelfAttention`.

    Raises:
        ValueError: As `SelfAttention`, and when 4 does not divide `key_dim`,
            `grid_size` or `span` is not two positive integers, or the tokens do not
            fill the grid.

    Reference:
        Su et al., 2021, section 3 (https://arxiv.org/abs/2104.09864); on two axes: Heo
        et al., 2024, section 3.2, "axial frequency" (https://arxiv.org/abs/2403.13298).
    """

    needs_grid = True

    def __init__(
        self, num_heads, key_dim, dropout=0.0, *, grid_size, span=None, **kwargs
    ):
        super().__init__(num_heads, key_dim, dropout, **kwargs)
        words = "a multiple of 4: a row and a column turn pairs of its elements"
        require(self, "key_dim", key_dim, words, lambda value: value % 4 == 0)
        require_grid(self, grid_size)
        self.grid_size = tuple(grid_size)
        self.span = require_span(self, span)

    def build(self, input_shape):
        super().build(input_shape)
        require_tokens(self, input_shape, self.grid_size)
        self.set_span(self.span)

    def set_span(self, span):
        """Has the places fill another grid, or with None their own, from now on."""
        self.span = require_span(self, span)
        angles = grid_angles(self.grid_size, self.key_dim // 4, ROTARY_BASE, span)
        angles = np.concatenate(angles, axis=-1)  # (N, key_dim / 2), one a pair
        self.cos, self.sin = (f(angles).astype("float32") for f in (np.cos, np.sin))

    def get_config(self):
        names = "num_heads", "key_dim", "dropout", "grid_size", "span"
        own = {name: getattr(self, name) for name in names}
        return super().get_config() | own

    def _place(self, query, key):
        return self._turn(query), self._turn(key)

    def _turn(self, x):
        """Turns each pair; the partner of an element stands half a vector away."""
        cos, sin = (ops.cast(part, x.dtype) for part in (self.cos, self.sin))
        one, two = ops.split(x, 2, axis=-1)
        return ops.concatenate([one * cos - two * sin, one * sin + two * cos], axis=-1)


# The positions that act inside the attention, by name: the layer and its arguments. The
# last of them is what a public study has (github.com/s-chh, 2D-Positional-Encoding);
# those before it take one step each on the way there from "relative".
CLIPPED = {"max_distance": 2}
POSITIONED = {
    "relative": (RelativeSelfAttention, {}),
    "rope": (RotarySelfAttention, {}),
    "relative2d": (GridRelativeSelfAttention, {}),
    "relative2d-clipped": (GridRelativeSelfAttention, CLIPPED),
    "relative2d-values": (GridRelativeSelfAttention, CLIPPED | {"on_values": True}),
    "relative2d-wide": (
        GridRelativeSelfAttention,
        CLIPPED | {"on_values": True, "stddev": 1.0},
    ),
}


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
    kind, options = POSITIONED.get(position, (SelfAttention, {}))
    place = {"grid_size": grid_size} if kind.needs_grid else {}
    return kind(num_heads, key_dim, dropout, **place, **options)
