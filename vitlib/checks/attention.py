"""Checks for the chapter on attention."""

from functools import partial

import numpy as np

from vitlib.checks.softmax import softmax
from vitlib.checks.verdict import compare, oblongs
from vitlib.inspection.introspect import attention_rollout


def _product(maps):
    """The product of the means over the heads, the first layer at the right."""
    product = np.eye(maps.shape[-1])
    for weights in maps.mean(1):
        product = weights @ product
    return product


def check_without_identity(without_identity):
    """Checks `without_identity(maps)`: maps `(layers, heads, N, N)` to `(N, N)`.

    The product of the layers' mean maps, without the identity that rollout adds. The
    first layer comes first. A row of the result is a token of the last layer, a column
    a patch.
    """
    rng = np.random.default_rng(0)
    questions = [
        (softmax(3 * rng.normal(size=(layers, 2, 5, 5))),) for layers in (3, 1)
    ]
    mistakes = {
        "the identity is still mixed in; that is rollout.": lambda maps: (
            attention_rollout(maps[:, None])[0]
        ),
        "the layers are multiplied in the wrong order; the first one stands at the "
        "right of the product.": lambda maps: _product(maps[::-1]),
        "the heads are summed; take their mean.": lambda maps: _product(2 * maps),
        "the first head alone is followed; take the mean over the heads.": (
            lambda maps: _product(maps[:, :1])
        ),
        "that is the last layer alone; multiply the layers.": (
            lambda maps: maps[-1].mean(0)
        ),
        "that is the mean of the layers; multiply them, for each one mixes what the "
        "one before it made.": lambda maps: maps.mean((0, 1)),
        "the layers are multiplied element by element; take the product of matrices.": (
            lambda maps: maps.mean(1).prod(0)
        ),
        "the result is transposed; a row is a token of the last layer, a column a "
        "patch.": lambda maps: _product(maps).T,
    }
    return compare(without_identity, _product, mistakes, questions)


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


def check_look_left(look_left, seed=0):
    """Checks `look_left(rows, columns)`, the weights of a head that looks left.

    They have the shape `(N, N)`, a row a query. Each query gives all its attention to
    the patch at its left; one of the first column gives it to itself.

    Args:
        look_left: The reader's function.
        seed: Integer. Another one asks other questions, which nobody has seen.
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
    return compare(look_left, _look, mistakes, oblongs(seed))


def check_shuffle_map(shuffle_map):
    """Checks `shuffle_map(weights, order)`: the map `(N, N)` of shuffled tokens.

    The tokens were put in another order by `tokens[order]`, in a model without
    positions.
    """
    questions = [(np.arange(16.0).reshape(4, 4), np.array([2, 0, 3, 1]))]
    mistakes = {
        "the columns keep their order; the keys are shuffled along with the queries.": (
            lambda weights, order: weights[order]
        ),
        "the rows keep their order; the queries are shuffled along with the keys.": (
            lambda weights, order: weights[:, order]
        ),
        "the map is unchanged; each token takes its row and its column along.": (
            lambda weights, order: weights
        ),
        "that is the way back; row n of the new map is row order[n] of the old one.": (
            lambda weights, order: weights[np.ix_(*[np.argsort(order)] * 2)]
        ),
        "that is the diagonal of the new map; every row goes with every column.": (
            lambda weights, order: weights[order, order]
        ),
    }
    return compare(
        shuffle_map, lambda w, order: w[np.ix_(order, order)], mistakes, questions
    )


def _row_distance(side, columns):
    return side / 3 * (1 - 1 / columns**2)


def check_row_distance(row_distance):
    """Checks `row_distance(side, columns)`, in the unit of the side.

    The mean distance along the rows between two patches, of which the second is drawn
    from all as the first is: an image of that side has `columns` x `columns` patches.
    """
    mistakes = {
        "that is the limit for many patches; a grid lacks a share of 1 / G².": (
            lambda s, g: s / 3
        ),
        "that is a share of the side; multiply by it.": (
            lambda s, g: _row_distance(1, g)
        ),
        "that is in steps; a step is as wide as a patch.": (
            lambda s, g: _row_distance(g, g)
        ),
        "pairs of a patch with itself are left out; even attention has them, too.": (
            lambda s, g: s * (g + 1) / (3 * g)
        ),
        "each pair of places counts once, and the sum is divided by all ordered pairs; "
        "there and back are two.": lambda s, g: _row_distance(s, g) / 2,
    }
    questions = [(32, 4), (1, 2), (72, 12)]
    return compare(row_distance, _row_distance, mistakes, questions)


def _silence(weights, head, key_dim):
    return _write(weights, slice(head * key_dim, (head + 1) * key_dim))


def _write(weights, rows):
    silenced = weights.copy()
    silenced[rows] = 0
    return silenced


def check_silence(silence):
    """Checks `silence(weights, head, key_dim)`: the output matrix without a head.

    `weights` has the shape `(heads * key_dim, D)`, the rows of the first head first.
    """
    questions = [(np.arange(1.0, 73).reshape(12, 6), head, 3) for head in (1, 2)]
    mistakes = {
        "the columns are set to 0; a head speaks through its rows.": (
            lambda w, h, k: _silence(w.T, h, k).T
        ),
        "one row alone is set to 0; a head has `key_dim` rows.": (
            lambda w, h, k: _write(w, h)
        ),
        "the first row is right, the others are left; a head has `key_dim` rows.": (
            lambda w, h, k: _write(w, h * k)
        ),
        "a row of each head is set to 0; the rows of a head stand side by side.": (
            lambda w, h, k: _write(w, slice(h, None, k))
        ),
        "the head before is silenced; heads are numbered from 0.": (
            lambda w, h, k: _silence(w, h - 1, k)
        ),
        "all heads but this one are silenced; the others must keep their weights.": (
            lambda w, h, k: w - _silence(w, h, k)
        ),
        "all heads from this one on are silenced; stop after its rows.": (
            lambda w, h, k: _write(w, slice(h * k, None))
        ),
        "the rows of the head are taken out; set them to 0, so that the shape stays.": (
            lambda w, h, k: np.delete(w, slice(h * k, (h + 1) * k), axis=0)
        ),
    }
    return compare(silence, _silence, mistakes, questions)
