"""Turn patches into tokens: project each patch, and say where it was."""

import math

import keras
import numpy as np
from keras import ops

from vitlib.config.models import POSITIONS
from vitlib.config.rules import COUNT, one_of, require
from vitlib.layers.inputs import require_grid, require_numbers, require_shape
from vitlib.layers.positions import ADDED, require_span
from vitlib.layers.tables import resize_grid


@keras.saving.register_keras_serializable(package="vitlib")
class PatchEncoder(keras.layers.Layer):
    """Projects each patch to a token and adds its position.

    A later call may have fewer or more patches, those of a smaller or larger square
    image. What is added then follows the place in the image, as in
    `vitlib.resize_positions`: vectors of the grid are interpolated, also while it
    trains.

    Args:
        projection_dim: Integer D. Length of a token.
        position: One of `POSITIONS`. Those in `vitlib.layers.positions.ADDED` add a
            vector to each token; "none" adds nothing, and the others act inside the
            attention.
        grid_size: `(rows, columns)` of the grid of patches. Needed by those that know
            rows and columns.
        span: As of `SinCosPosition2D`, for "sincos" alone.
        **kwargs: Passed to `keras.layers.Layer` (`name`, `dtype`, ...).

    Input shape:
        `(batch, N, length of a patch)`.

    Output shape:
        `(batch, N, D)`.

    Raises:
        ValueError: When `projection_dim` or the numbers of the grid are not positive
            integers, `position` is not one of `POSITIONS`, "2d" has no grid, `span`
            breaks its rule, or the patches have another shape or hold neither floats
            nor integers.

    Reference:
        Dosovitskiy et al., 2021, section 3.1, equation 1
        (https://arxiv.org/abs/2010.11929). There is no class token, as in the report.
    """

    def __init__(
        self, projection_dim, position="1d", grid_size=None, span=None, **kwargs
    ):
        super().__init__(**kwargs)
        require(self, "projection_dim", projection_dim, *COUNT)
        require(self, "position", position, *one_of(POSITIONS))
        kind = ADDED.get(position)
        if (kind and kind.needs_grid) or grid_size is not None:
            require_grid(self, grid_size)
        self.projection_dim = projection_dim
        self.position = position
        self.grid_size = grid_size
        self.span = require_span(self, span)

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
            self.set_span(self.span)

    def set_span(self, span):
        """Has the places of "sincos" fill another grid; the others have no formula."""
        self.span = require_span(self, span)
        if hasattr(self.add_position, "set_span"):
            self.add_position.set_span(span)

    def get_config(self):
        names = "projection_dim", "position", "grid_size", "span"
        own = {name: getattr(self, name) for name in names}
        return super().get_config() | own

    def call(self, patches):
        require_numbers(self, patches)
        tokens = self.projection(patches)
        if self.add_position is None:
            return tokens
        if self.grid_size is None or tokens.shape[1] == math.prod(self.grid_size):
            return self.add_position(tokens)
        shares = ops.convert_to_tensor(self._shares(tokens.shape[1]))
        vectors = ops.matmul(shares, self.add_position.vectors())
        return tokens + ops.cast(vectors, tokens.dtype)

    def _shares(self, count):
        """How much of each vector of the grid is in each of another: `(count, N)`."""
        side = math.isqrt(count)
        words = "as many as a square has, where they are not those of grid_size"
        require(self, "patches", count, words, lambda value: side**2 == value)
        each = np.eye(math.prod(self.grid_size))
        return resize_grid(each, self.grid_size, (side, side)).astype("float32")
