"""Interpolate vectors that stand at even distances, along a line or on a grid."""

import numpy as np
from scipy.interpolate import make_interp_spline


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
    return interpolate(table, spread(size, count), axis)


def interpolate(table, places, axis=0):
    """As `resize_table`, at any places on the scale of the vectors of the table.

    Args:
        table: Array, its vectors along `axis`.
        places: Array of shape `(n,)`; vector i of the table stands at i.
        axis: Integer.

    Returns:
        Float array with n vectors along `axis`.
    """
    count = table.shape[axis]
    degree = min(1, count - 1)  # a single vector stands everywhere
    return make_interp_spline(np.arange(count), table, degree, axis=axis)(places)


def spread(count, span):
    """Places that divide the length of another number of places: `(count,)` floats.

    Place i of `count` is `(i + 0.5) * span / count - 0.5` on the scale of the others.
    """
    return (np.arange(count) + 0.5) * span / count - 0.5


def resize_grid(table, grid, size):
    """As `resize_table`, along rows and along columns of a grid.

    Args:
        table: Array of shape `(rows * columns, D)`, row after row.
        grid: `(rows, columns)` of the table.
        size: `(rows, columns)` of the result.

    Returns:
        Float array of shape `(rows * columns, D)`, of the new rows and columns.
    """
    table = table.reshape(*grid, -1)
    for axis, count in enumerate(size):
        table = resize_table(table, count, axis)
    return table.reshape(size[0] * size[1], -1)
