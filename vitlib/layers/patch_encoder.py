"""Turn patches into tokens: project each patch, and say where it was."""

import keras

from vitlib.config.models import POSITIONS
from vitlib.config.rules import COUNT, one_of, require
from vitlib.layers.inputs import require_grid, require_numbers, require_shape
from vitlib.layers.positions import ADDED


@keras.saving.register_keras_serializable(package="vitlib")
class PatchEncoder(keras.layers.Layer):
    """Projects each patch to a token and adds its position.

    Args:
        projection_dim: Integer D. Length of a token.
        position: One of `POSITIONS`. Those in `vitlib.layers.positions.ADDED` add a
            vector to each token; "none" adds nothing, and the others act inside the
            attention.
        grid_size: `(rows, columns)` of the grid of patches. Needed by those that know
            rows and columns.
        **kwargs: Passed to `keras.layers.Layer` (`name`, `dtype`, ...).

    Input shape:
        `(batch, N, length of a patch)`.

    Output shape:
        `(batch, N, D)`.

    Raises:
        ValueError: When `projection_dim` or the numbers of the grid are not positive
            integers, `position` is not one of `POSITIONS`, "2d" has no grid, or the
            patches have another shape or hold neither floats nor integers.

    Reference:
        Dosovitskiy et al., 2021, section 3.1, equation 1
        (https://arxiv.org/abs/2010.11929). There is no class token, as in the report.
    """

    def __init__(self, projection_dim, position="1d", grid_size=None, **kwargs):
        super().__init__(**kwargs)
        require(self, "projection_dim", projection_dim, *COUNT)
        require(self, "position", position, *one_of(POSITIONS))
        kind = ADDED.get(position)
        if (kind and kind.needs_grid) or grid_size is not None:
            require_grid(self, grid_size)
        self.projection_dim = projection_dim
        self.position = position
        self.grid_size = grid_size

    def build(self, input_shape):
        require_shape(self, input_shape, "batch", "patches", "length")
        policy = self.dtype_policy
        self.projection = keras.layers.Dense(self.projection_dim, dtype=policy)
        self.projection.build(input_shape)
        self.add_position = None
        if kind := ADDED.get(self.position):
            place = {"grid_size": self.grid_size} if kind.needs_grid else {}
            self.add_position = kind(**place, dtype=policy)
            self.add_position.build((*input_shape[:-1], self.projection_dim))

    def call(self, patches):
        require_numbers(self, patches)
        tokens = self.projection(patches)
        return tokens if self.add_position is None else self.add_position(tokens)
