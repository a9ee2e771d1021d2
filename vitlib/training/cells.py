"""Cells that find things: the cell at the centre tells the kind and the box."""

import keras
import numpy as np
from keras import ops
from scipy.special import expit

from vitlib.training.average_precision import MOST, Detections

SPREAD = 6  # a thing is as wide as 6 standard deviations of its bump in the heat map
LARGEST = 10.0  # of the logarithm of a side in cells, so that none is infinite


@keras.saving.register_keras_serializable(package="vitlib")
class CellsLoss(keras.losses.Loss):
    """What cells get wrong: the heat map of each kind, and the boxes at the centres.

    The heat map to be met is 1 at the cell of a centre and falls like a Gaussian about
    it: a cell beside the centre is less wrong than one far off. The loss of a cell is
    small where it is nearly right, so that the many cells without a thing do not drown
    the others. Boxes count at the centres alone.

    Args:
        cell_size: Integer, the side of a cell in pixels.
        **kwargs: Passed to `keras.losses.Loss` (`name`, `dtype`, ...).

    Input shape:
        Things `(B, T, 5)`: top, left, bottom, right in pixels, and the kind, -1 where
        there is none. Answers `(B, G, G, C + 4)`: a logit for each kind; the centre,
        down and right of the middle of its cell, in cells; and the logarithms of height
        and width in cells.

    Reference:
        Zhou et al., 2019, equations 1 to 4 (https://arxiv.org/abs/1904.07850), with a
        bump that is as oblong as its box and logarithms of the sides.
    """

    def __init__(self, cell_size, **kwargs):
        super().__init__(**kwargs)
        self.cell_size = cell_size

    def get_config(self):
        return super().get_config() | {"cell_size": self.cell_size}

    def call(self, things, answers):
        kinds = answers.shape[-1] - 4
        there = ops.cast(things[..., 4] >= 0, "float32")[..., None]  # (B, T, 1)
        kind = ops.one_hot(ops.cast(things[..., 4], "int32"), kinds) * there
        start, end = things[..., :2] / self.cell_size, things[..., 2:4] / self.cell_size
        centre, sides = (start + end) / 2, ops.where(there > 0, end - start, 1.0)
        cell = ops.clip(ops.floor(centre), 0, answers.shape[1] - 1)
        heat = _bumps(cell, sides / SPREAD, kind, answers.shape[1])
        count = ops.maximum(ops.sum(there, axis=(1, 2)), 1.0)
        wrong = ops.sum(_focal(heat, answers[..., :kinds]), axis=(1, 2, 3))
        at_centre = _at(cell, answers.shape[1])
        boxes = ops.einsum("btrc,brcf->btf", at_centre, answers[..., kinds:])
        target = ops.concatenate([centre - cell - 0.5, ops.log(sides)], axis=-1)
        wrong += ops.sum(there * ops.abs(boxes - target), axis=(1, 2))
        return wrong / count


def _at(cell, size):
    """One at a cell `(B, T, 2)` of a grid, and zero elsewhere: `(B, T, G, G)`."""
    rows, columns = (
        ops.one_hot(ops.cast(cell[..., axis], "int32"), size) for axis in (0, 1)
    )
    return rows[..., :, None] * columns[..., None, :]


def _bumps(cell, deviations, kind, size):
    """The heat map of each kind, the highest bump counting: `(B, G, G, C)`."""
    steps = ops.arange(size, dtype="float32")
    away = (steps - cell[..., None]) / deviations[..., None]  # (B, T, 2, G)
    rows, columns = (ops.exp(-ops.square(away[:, :, axis]) / 2) for axis in (0, 1))
    bumps = rows[..., :, None] * columns[..., None, :]  # (B, T, G, G)
    return ops.max(bumps[..., None] * kind[:, :, None, None, :], axis=1)


def _focal(heat, logits):
    """The penalty-reduced focal loss of each cell and kind."""
    share = ops.sigmoid(logits)
    centre = -ops.square(1 - share) * ops.log_sigmoid(logits)
    around = -((1 - heat) ** 4) * ops.square(share) * ops.log_sigmoid(-logits)
    return ops.where(heat >= 1, centre, around)


def find_peaks(heat, most=MOST):
    """Finds the cells that no neighbour exceeds: no other suppression is needed.

    Of equal neighbours, diagonal ones included, the first in reading order is kept.

    Args:
        heat: Array of shape `(N, G, G, C)`, a map for each kind.
        most: Integer K, how many peaks of an image are returned, the highest first.

    Returns:
        Rows, columns and kinds, integer arrays of shape `(N, K)`, and the values there;
        where an image has fewer peaks, kind -1 and value 0.
    """
    count, rows, columns, kinds = heat.shape
    padded = np.pad(heat, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=-np.inf)
    near = [
        padded[:, down : down + rows, right : right + columns]
        for down in range(3)
        for right in range(3)
    ]
    is_peak = np.all([heat > x for x in near[:4]], 0)
    is_peak &= np.all([heat >= x for x in near[5:]], 0)
    values = np.where(is_peak, heat, -np.inf).reshape(count, -1)
    best = np.argsort(-values, axis=1, kind="stable")[:, :most]
    values = np.take_along_axis(values, best, axis=1)
    row, column, kind = np.unravel_index(best, (rows, columns, kinds))
    found = np.isfinite(values)
    return row, column, np.where(found, kind, -1), np.where(found, values, 0)


def decode_cells(answers, cell_size, most=MOST):
    """Reads the boxes off the answers of cells.

    Args:
        answers: Array of shape `(N, G, G, C + 4)`: see `CellsLoss`.
        cell_size: Integer, the side of a cell in pixels.
        most: Integer K, as for `find_peaks`.

    Returns:
        `Detections`, the surest first, with boxes inside the image.
    """
    answers = np.asarray(answers, "float64")
    row, column, kind, score = find_peaks(expit(answers[..., :-4]), most)
    offset = answers[np.arange(len(row))[:, None], row, column, -4:]
    centre = np.stack([row, column], axis=-1) + 0.5 + offset[..., :2]
    sides = np.exp(np.minimum(offset[..., 2:], LARGEST))
    boxes = np.concatenate([centre - sides / 2, centre + sides / 2], axis=-1)
    limit = cell_size * answers.shape[1]
    return Detections(np.clip(cell_size * boxes, 0, limit), kind, score)
