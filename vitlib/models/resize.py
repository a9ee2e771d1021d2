"""Take a trained Vision Transformer to another grid of patches: resized positions."""

import numpy as np
from keras import ops
from scipy.interpolate import make_interp_spline

from vitlib.layers.patch_encoder import PatchEncoder
from vitlib.layers.positions import PositionEmbedding1D, PositionEmbedding2D
from vitlib.models.walk import find

SLOPE = -0.75  # of the cubic kernel in PyTorch; -0.5 in TensorFlow and in JAX


def resize_table(table, size, axis=0):
    """Interpolates vectors that stand at even distances to another number of them.

    Old and new vectors divide the same length: new one i of n stands at
    `(i + 0.5) * N / n - 0.5` on the scale of the N old ones. Between two of them it is
    their mean, weighted by the distances; beyond the first or the last one the line
    through the two nearest goes on. So what rises evenly still does.

    Args:
        table: Array, its vectors along `axis`.
        size: Integer n.
        axis: Integer.

    Returns:
        Float array with `size` vectors along `axis`; the table itself if it has them.
    """
    count = table.shape[axis]
    if count == size:
        return table
    places = (np.arange(size) + 0.5) * count / size - 0.5
    degree = min(1, count - 1)  # a single vector stands everywhere
    return make_interp_spline(np.arange(count), table, degree, axis=axis)(places)


def resize_bicubic(table, size, axis=0):
    """As `resize_table`, but with a cubic between four vectors, as PyTorch resizes.

    The places are the same. The cubics have the slope -0.75 of their kernel at 1; from
    beyond the first or the last vector that one is taken.

    Args:
        table: Array, its vectors along `axis`.
        size: Integer n.
        axis: Integer.

    Returns:
        Float array with `size` vectors along `axis`.

    Reference:
        Keys, 1981, equation 4 has the kernel (https://doi.org/10.1109/TASSP.1981.1163711).
    """
    count = table.shape[axis]
    places = (np.arange(size) + 0.5) * count / size - 0.5
    near = np.floor(places)[:, None] + np.arange(-1, 3)  # (n, 4)
    t, a = abs(places[:, None] - near), SLOPE
    inner = (a + 2) * t**3 - (a + 3) * t**2 + 1  # up to a distance of 1
    outer = a * (t**3 - 5 * t**2 + 8 * t - 4)  # up to 2
    weights = np.where(t <= 1, inner, outer)
    taken = np.take(table, np.clip(near, 0, count - 1).astype(int), axis)
    taken = np.moveaxis(taken, (axis, axis + 1), (0, 1))
    return np.moveaxis(np.einsum("nk,nk...->n...", weights, taken), 0, axis)


def _resize_1d(old, new):
    """The table of the new encoder: the old one is laid out as the grid that it is."""
    (rows, columns), (table,) = new.grid_size, old.add_position.get_weights()
    table = table.reshape(*old.grid_size, -1)
    table = resize_table(resize_table(table, rows, axis=0), columns, axis=1)
    return [table.reshape(rows * columns, -1)]


def _resize_2d(old, new):
    """The tables of rows and of columns."""
    tables = zip(old.add_position.get_weights(), new.grid_size, strict=True)
    return [resize_table(table, size) for table, size in tables]


RESIZERS = {PositionEmbedding1D: _resize_1d, PositionEmbedding2D: _resize_2d}


def _tables(old, new):
    """What the position of one patch encoder is on the grid of another.

    Returns:
        List of arrays, one a weight of the position: none of "none", "sincos" and
        "rope".

    Raises:
        ValueError: When the positions are not of one kind, or a grid is not known.
    """
    kinds, grids = (old.position, new.position), (old.grid_size, new.grid_size)
    if len(set(kinds)) > 1 or None in grids:
        raise ValueError(
            "resize_positions needs two models of one position, whose patch encoders "
            f"know their grid_size. Received: {kinds}, grid_size {grids}."
        )
    resizer = RESIZERS.get(type(old.add_position))
    return [] if resizer is None else resizer(old, new)


def resize_positions(model, target):
    """Gives a model the weights of another that was trained on images of another size.

    Both have the same layers; only the grids of their patches differ. The position of
    a patch then follows its place in the image: a table of "1d" is interpolated along
    rows and columns, and those of "2d" along theirs (see `resize_table`). "sincos" and
    "rope" have no weights: their formulas give the places of the new grid, counted in
    patches. All other weights are copied. The new model predicts worse than the old one
    until it is trained a little at its size: what a patch shows of a thing has changed.

    Args:
        model: `keras.Model` from `build_vit` or `build_encoder`, trained.
        target: `keras.Model` built by the same function from the same config, but for
            `image_size` and `input_shape`. Its weights are replaced.

    Returns:
        The target.

    Raises:
        ValueError: When a model has no patch encoder, the positions differ, or another
            weight has another shape: the numbered offsets of "relative" have no rows
            and columns, and the first layer of a flattened head belongs to one grid.
            The target then is as it was.

    Reference:
        Dosovitskiy et al., 2021, section 3.2 (https://arxiv.org/abs/2010.11929).
    """
    old, new = (find(each, PatchEncoder)[0] for each in (model, target))
    tables = _tables(old, new)
    places = new.add_position.weights if tables else []
    resized = dict(zip(map(id, places), tables, strict=True))
    values = []
    for weight, goal in _pairs(model, target):
        value = resized.get(id(goal))
        values.append(ops.convert_to_numpy(weight) if value is None else value)
        if values[-1].shape != tuple(goal.shape):
            raise ValueError(
                "resize_positions resizes the tables of '1d' and '2d'; every other "
                "weight must have one shape in both models. Received: "
                f"{goal.path} of {values[-1].shape} and {tuple(goal.shape)}."
            )
    target.set_weights(values)
    return target


def _pairs(model, target):
    """Each weight of one model beside that of the other."""
    names = [[weight.name for weight in each.weights] for each in (model, target)]
    if names[0] != names[1]:
        raise ValueError(
            "resize_positions needs two models of the same layers. "
            f"Received: {model.name!r} and {target.name!r}, whose weights differ."
        )
    return zip(model.weights, target.weights, strict=True)
