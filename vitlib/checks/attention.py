"""Checks for the chapter on attention."""

from functools import partial

import numpy as np

from vitlib.checks.verdict import compare
from vitlib.introspect import attention_rollout

HEADS = 3


def softmax(x, axis=-1):
    """Turns numbers into positive ones that sum to 1 along an axis."""
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def _attend(q, k, v, width=None, power=0.5, axis=-1):
    width = width or q.shape[-1]
    return softmax(q @ k.swapaxes(-1, -2) / width**power, axis) @ v


def _scale_last(q, k, v):
    return softmax(q @ k.swapaxes(-1, -2)) / np.sqrt(q.shape[-1]) @ v


def _no_softmax(q, k, v):
    return q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1]) @ v


def check_attend(attend):
    """Checks `attend(queries, keys, values)`, all of shape `(heads, N, d)`.

    It returns the scaled dot-product attention of each head, of the same shape.
    Reference: Vaswani et al., 2017, section 3.2.1.
    """
    rng = np.random.default_rng(0)
    questions = [tuple(rng.normal(size=(3, HEADS, 5, 4)))]
    mistakes = {
        "the scale is missing; the products of queries and keys are divided by the "
        "root of a query's length before the softmax.": partial(_attend, power=0),
        "the products are divided by the length of a query; the paper divides by the "
        "root of that length.": partial(_attend, power=1),
        "the scale is that of the whole model; take the length that a query has in one "
        "head.": partial(_attend, width=HEADS * 4),
        "the products are multiplied by the root; they must be divided by it.": partial(
            _attend, power=-0.5
        ),
        "the scale comes after the softmax, so that the weights of a query do not sum "
        "to 1; scale before.": _scale_last,
        "the softmax goes over the queries; it must go over the keys, so that the "
        "weights of each query sum to 1.": partial(_attend, axis=-2),
        "the softmax goes over the heads; it must go over the keys.": partial(
            _attend, axis=0
        ),
        "queries and keys are swapped; in the table of products, a row is a query.": (
            lambda q, k, v: _attend(k, q, v)
        ),
        "the softmax is missing; the weights of a query must be positive and sum to "
        "1.": _no_softmax,
    }
    return compare(attend, _attend, mistakes, questions)


def _rollout(maps):
    return attention_rollout(maps[:, None])[0]


def _product(matrices):
    """The product of the matrices, the first one at the right."""
    return np.linalg.multi_dot(matrices[::-1])


def check_rollout(rollout):
    """Checks `rollout(maps)`: attention maps `(layers, heads, N, N)` to `(N, N)`.

    The first layer comes first. A row of the result is a token of the last layer, a
    column a patch. Reference: Abnar and Zuidema, 2020, section 3.
    """
    rng = np.random.default_rng(0)
    questions = [(softmax(3 * rng.normal(size=(3, 2, 5, 5))),)]
    identity = np.eye(5)
    mistakes = {
        "the residual connection is missing; mix each layer with the identity.": (
            lambda maps: _product(maps.mean(1))
        ),
        "the layers are multiplied in the wrong order; the first one stands at the "
        "right of the product.": lambda maps: _rollout(maps[::-1]),
        "the rows do not sum to 1; after the identity is added, each layer must be "
        "halved.": lambda maps: _product(maps.mean(1) + identity),
        "the heads are summed; take their mean.": (
            lambda maps: _product((maps.sum(1) + identity) / 2)
        ),
        "the first head alone is followed; take the mean over the heads.": (
            lambda maps: _rollout(maps[:, :1])
        ),
        "that is the last layer alone; multiply the layers.": (
            lambda maps: _rollout(maps[-1:])
        ),
        "that is the mean of the layers; multiply them, for each one mixes what the "
        "one before it made.": lambda maps: _rollout(maps.mean((0, 1))[None, None]),
        "the result is transposed; a row is a token of the last layer, a column a "
        "patch.": lambda maps: _rollout(maps).T,
    }
    return compare(rollout, _rollout, mistakes, questions)


def _distances(columns, patch_size, num_patches, norm=np.hypot):
    row, column = np.divmod(np.arange(num_patches), columns)
    return patch_size * norm(row - row[:, None], column - column[:, None])


def _mean_distance(weights, columns, patch_size, norm=np.hypot):
    distances = _distances(columns, patch_size, len(weights), norm)
    return (weights * distances).sum(-1).mean()


def _block(down, right):
    return np.abs(down) + np.abs(right)


def _square(down, right):
    return down**2 + right**2


def check_mean_distance(mean_distance):
    """Checks `mean_distance(weights, columns, patch_size)` of one head, in pixels.

    `weights` has the shape `(N, N)`, a row a query; the patches are the rows of a grid
    one after the other. For each query the distances between the centres of its patch
    and the keys' are weighted with the attention; then the queries are averaged.
    """
    rng = np.random.default_rng(0)
    questions = [(softmax(rng.normal(size=(12, 12))), 4, 6)]
    mistakes = {
        "the distance is in patches; multiply by the side of a patch.": (
            lambda w, c, p: _mean_distance(w, c, 1)
        ),
        "the steps along rows and columns are added; the distance is that of a "
        "straight line.": partial(_mean_distance, norm=_block),
        "the distance is counted along the sequence; on the grid, the patch below is a "
        "neighbour.": lambda w, c, p: _mean_distance(w, len(w), p),
        "the weights are not used; a key with more attention counts more.": (
            lambda w, c, p: _distances(c, p, len(w)).mean()
        ),
        "the sum is divided by the number of pairs; a query's weights sum to 1 "
        "already, so that only the queries are averaged.": (
            lambda w, c, p: _mean_distance(w, c, p) / len(w)
        ),
        "the distances are summed over the queries; take their mean.": (
            lambda w, c, p: _mean_distance(w, c, p) * len(w)
        ),
        "the squares of the distances are averaged; take the roots before.": (
            lambda w, c, p: _mean_distance(w, c, p**2, _square)
        ),
        "the rows and columns of the grid are swapped; a row has `columns` patches.": (
            lambda w, c, p: _mean_distance(w, len(w) // c, p)
        ),
    }
    return compare(mean_distance, _mean_distance, mistakes, questions)


def _look(rows, columns, down=0, right=-1):
    """The weights of a head that looks so many steps away, but not over the edge."""
    row, column = np.indices((rows, columns))
    row = np.clip(row + down, 0, rows - 1)
    column = np.clip(column + right, 0, columns - 1)
    return np.eye(rows * columns)[(row * columns + column).ravel()]


def _look_back(rows, columns):
    """The weights of a head that looks one place back in the sequence, and wraps."""
    return np.eye(rows * columns)[np.arange(rows * columns) - 1]


def _look_left_or_nowhere(rows, columns):
    is_first = np.arange(rows * columns) % columns == 0
    return _look(rows, columns) * ~is_first[:, None]


def check_look_left(look_left):
    """Checks `look_left(rows, columns)`, the weights of a head that looks left.

    They have the shape `(N, N)`, a row a query. Each query gives all its attention to
    the patch at its left; one of the first column gives it to itself.
    """
    mistakes = {
        "the head looks right; the patch at the left is one place earlier in the "
        "sequence.": partial(_look, right=1),
        "the head looks up; the patch at the left is one place earlier in the "
        "sequence, not one row.": partial(_look, down=-1, right=0),
        "a patch of the first column looks at the end of the row above; it has no left "
        "neighbour and looks at itself.": _look_back,
        "a patch of the first column looks nowhere; its weights must sum to 1, too.": (
            _look_left_or_nowhere
        ),
        "queries and keys are swapped; a row of the table is a query.": (
            lambda rows, columns: _look(rows, columns).T
        ),
    }
    return compare(look_left, _look, mistakes, [(2, 4), (3, 3)])
