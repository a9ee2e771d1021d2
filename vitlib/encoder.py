"""Turn patches into tokens: project each patch, and say where it was."""

import keras

from vitlib.config import POSITIONS
from vitlib.positions import PositionEmbedding1D, PositionEmbedding2D


@keras.saving.register_keras_serializable(package="vitlib")
class PatchEncoder(keras.layers.Layer):
    """Projects each patch to a token and adds its position.

    Args:
        projection_dim: Integer D. Length of a token.
        position: One of `POSITIONS`. "1d" and "2d" add a learned table; "none" and
            "relative" add nothing here ("relative" acts inside the attention).
        grid_size: `(rows, columns)` of the grid of patches. Needed by "2d" alone.
        **kwargs: Passed to `keras.layers.Layer` (`name`, `dtype`, ...).

    Input shape:
        `(batch, N, length of a patch)`.

    Output shape:
        `(batch, N, D)`.

    Raises:
        ValueError: When `position` is not one of `POSITIONS`, or "2d" has no grid.

    Reference:
        Dosovitskiy et al., 2021, section 3.1, equation 1
        (https://arxiv.org/abs/2010.11929). There is no class token, as in the report.
    """

    def __init__(self, projection_dim, position="1d", grid_size=None, **kwargs):
        super().__init__(**kwargs)
        if position not in POSITIONS:
            raise ValueError(
                f"position must be one of {POSITIONS}. Received: {position!r}."
            )
        if position == "2d" and grid_size is None:
            raise ValueError(
                "position='2d' needs grid_size, the rows and columns of the patches. "
                "Received: grid_size=None."
            )
        self.projection_dim = projection_dim
        self.position = position
        self.grid_size = grid_size

    def build(self, input_shape):
        policy = self.dtype_policy
        self.projection = keras.layers.Dense(self.projection_dim, dtype=policy)
        self.projection.build(input_shape)
        self.add_position = None
        if self.position == "1d":
            self.add_position = PositionEmbedding1D(dtype=policy)
        elif self.position == "2d":
            self.add_position = PositionEmbedding2D(self.grid_size, dtype=policy)
        if self.add_position is not None:
            self.add_position.build((*input_shape[:-1], self.projection_dim))

    def call(self, patches):
        tokens = self.projection(patches)
        return tokens if self.add_position is None else self.add_position(tokens)
