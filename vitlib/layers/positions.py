"""Tell the encoder where each patch was: learned tables, and the table of offsets."""

import keras
import numpy as np
from keras import ops

from vitlib.config.rules import require
from vitlib.layers.inputs import (
    is_grid,
    require_floats,
    require_grid,
    require_shape,
    require_tokens,
)
from vitlib.layers.tables import spread

# The initial spread of BERT's and ViT's position tables (Dosovitskiy et al., 2021, the
# authors' code). The report's `Embedding` layer starts in U(-0.05, 0.05), spread 0.029.
INITIAL_STDDEV = 0.02
SINCOS_BASE = 10_000  # Vaswani et al., 2017, section 3.5


class _AddedPosition(keras.layers.Layer):
    """Adds a vector to each token of a sequence whose length does not change."""

    needs_grid = False  # whether it has the argument `grid_size`

    def build(self, input_shape):
        require_shape(self, input_shape, "batch", "tokens", "length")
        # Later inputs must be as the first: one token would get all the vectors.
        self.input_spec = keras.layers.InputSpec(shape=(None, *input_shape[1:]))

    def call(self, tokens):
        require_floats(self, tokens)
        return tokens + ops.cast(self.vectors(), tokens.dtype)


class _GridPosition(_AddedPosition):
    """Adds a vector that depends on the row and the column of a patch."""

    needs_grid = True
    divisor = 1  # of the length of a token

    def __init__(self, grid_size, **kwargs):
        super().__init__(**kwargs)
        require_grid(self, grid_size)
        self.grid_size = tuple(grid_size)

    def build(self, input_shape):
        super().build(input_shape)
        require_tokens(self, input_shape, self.grid_size, self.divisor)


@keras.saving.register_keras_serializable(package="vitlib")
class PositionEmbedding1D(_AddedPosition):
    """Adds one learned vector to each token: the patches are numbered 0 to N - 1.

    The table has N * D weights. It knows nothing of rows and columns.

    Args:
        **kwargs: Passed to `keras.layers.Layer` (`name`, `dtype`, ...).

    Input shape:
        `(batch, N, D)`, N tokens of length D.

    Output shape:
        The same.

    Raises:
        ValueError: When the shape is another, or the tokens hold no floats.

    Reference:
        Dosovitskiy et al., 2021, section 3.1 and appendix D.4
        (https://arxiv.org/abs/2010.11929).
    """

    def build(self, input_shape):
        super().build(input_shape)
        self.table = self.add_weight(
            name="position_embedding",
            shape=input_shape[1:],
            initializer=keras.initializers.RandomNormal(stddev=INITIAL_STDDEV),
        )

    def vectors(self):
        """What is added: a tensor of shape `(N, D)`."""
        return ops.convert_to_tensor(self.table)


@keras.saving.register_keras_serializable(package="vitlib")
class PositionEmbedding2D(_GridPosition):
    """Adds a learned row vector next to a learned column vector to each token.

    The token of row r and column c gets `concatenate(row[r], column[c])`, each of
    length D / 2. The two tables have (rows + columns) * D / 2 weights.

    Args:
        grid_size: `(rows, columns)` of the grid of patches.
        **kwargs: Passed to `keras.layers.Layer` (`name`, `dtype`, ...).

    Input shape:
        `(batch, rows * columns, D)`, with an even D.

    Output shape:
        The same.

    Raises:
        ValueError: When `grid_size` is not two positive integers, D is odd, the tokens
            do not fill the grid, or they hold no floats.

    Reference:
        Dosovitskiy et al., 2021, appendix D.4 (https://arxiv.org/abs/2010.11929).
    """

    divisor = 2

    def build(self, input_shape):
        super().build(input_shape)
        for name, size in zip(("row", "column"), self.grid_size, strict=True):
            table = self.add_weight(
                name=f"{name}_position_embedding",
                shape=(size, input_shape[-1] // 2),
                initializer=keras.initializers.RandomNormal(stddev=INITIAL_STDDEV),
            )
            setattr(self, f"{name}_table", table)

    def vectors(self):
        """What is added: a tensor of shape `(rows * columns, D)`."""
        rows, columns = self.grid_size
        row = ops.repeat(self.row_table, columns, axis=0)
        return ops.concatenate([row, ops.tile(self.column_table, (rows, 1))], axis=-1)


@keras.saving.register_keras_serializable(package="vitlib")
class SinCosPosition2D(_GridPosition):
    """Adds sines and cosines of the row and of the column, which do not train.

    The row fills the first half of the vector, the column the second: of each, D / 4
    sines and then as many cosines, of `place / 10000^(4 i / D)` with i from 0.

    Args:
        grid_size: `(rows, columns)` of the grid of patches.
        span: `(rows, columns)` of the grid that the places fill, where it is another:
            see `grid_angles`.
        **kwargs: Passed to `keras.layers.Layer` (`name`, `dtype`, ...).

    Input shape:
        `(batch, rows * columns, D)`, with D a multiple of 4.

    Output shape:
        The same.

    Raises:
        ValueError: When `grid_size` or `span` is not two positive integers, 4 does not
            divide D, the tokens do not fill the grid, or they hold no floats.

    Reference:
        Vaswani et al., 2017, section 3.5 (https://arxiv.org/abs/1706.03762), for each
        axis; Beyer et al., 2022, section 2 (https://arxiv.org/abs/2205.01580).
    """

    divisor = 4

    def __init__(self, grid_size, span=None, **kwargs):
        super().__init__(grid_size, **kwargs)
        self.span = require_span(self, span)

    def build(self, input_shape):
        super().build(input_shape)
        self.length = input_shape[-1]
        self.set_span(self.span)

    def set_span(self, span):
        """Has the places fill another grid, or with None their own, from now on."""
        self.span = require_span(self, span)
        angles = grid_angles(self.grid_size, self.length // 4, SINCOS_BASE, span)
        parts = [wave(angle) for angle in angles for wave in (np.sin, np.cos)]
        self.table = np.concatenate(parts, axis=-1).astype("float32")

    def get_config(self):
        names = "grid_size", "span"
        own = {name: getattr(self, name) for name in names}
        return super().get_config() | own

    def vectors(self):
        """What is added: a tensor of shape `(rows * columns, D)`."""
        return ops.convert_to_tensor(self.table)


# The positions that are added to the tokens, by name.
ADDED = {
    "1d": PositionEmbedding1D,
    "2d": PositionEmbedding2D,
    "sincos": SinCosPosition2D,
}


def require_span(layer, span):
    """Refuses a `span` that is neither None nor a grid, and returns it as a tuple."""
    if span is None:
        return None
    words = "None or (rows, columns), two integers of at least 1"
    require(layer, "span", span, words, is_grid)
    return tuple(span)


def grid_angles(grid_size, count, base, span=None):
    """The angles by which the places of a grid are told, in geometric steps.

    Args:
        grid_size: `(rows, columns)` of the grid of patches.
        count: Integer, how many angles an axis has.
        base: Number. Angle i of place p is `p / base^(i / count)`, in radians.
        span: `(rows, columns)` of another grid, whose length the places then divide:
            place p of R rows is `(p + 0.5) * rows / R - 0.5`. None: place p is p.

    Returns:
        Two NumPy arrays of shape `(rows * columns, count)`: of the row of each patch,
        and of its column.
    """
    speeds = base ** -(np.arange(count) / count)
    places = [
        spread(*sizes) for sizes in zip(grid_size, span or grid_size, strict=True)
    ]
    axes = np.meshgrid(*places, indexing="ij")
    return tuple(axis.reshape(-1, 1) * speeds for axis in axes)
