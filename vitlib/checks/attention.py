"""Checks for the chapter on attention."""

import numpy as np

from vitlib.checks.verdict import compare
from vitlib.introspect import attention_rollout


def _softmax(x, axis=-1):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def _attend(q, k, v, scale=lambda q: np.sqrt(q.shape[-1]), axis=-1):
    return _softmax(q @ k.swapaxes(-1, -2) / scale(q), axis) @ v


def check_attend(attend):
    """Checks `attend(queries, keys, values)`, all of shape `(heads, N, d)`."""
    rng = np.random.default_rng(0)
    questions = [tuple(rng.normal(size=(3, 3, 5, 4)))]
    mistakes = {
        "the scale is missing; divide the products of queries and keys by the root of "
        "their length before the softmax.": lambda q, k, v: _attend(
            q, k, v, lambda q: 1
        ),
        "the products are divided by the length of a query, not by its root.": (
            lambda q, k, v: _attend(q, k, v, lambda q: q.shape[-1])
        ),
        "the scale is that of the whole model; take the length of a query in one "
        "head.": lambda q, k, v: _attend(
            q, k, v, lambda q: np.sqrt(q.shape[-1] * len(q))
        ),
        "the products are multiplied by the root, where they must be divided.": (
            lambda q, k, v: _attend(q, k, v, lambda q: 1 / np.sqrt(q.shape[-1]))
        ),
        "the softmax goes over the queries; the weights of each query must sum to 1.": (
            lambda q, k, v: _attend(q, k, v, axis=-2)
        ),
        "the softmax goes over the heads; it must go over the keys.": lambda q, k, v: (
            _attend(q, k, v, axis=0)
        ),
        "queries and keys are swapped.": lambda q, k, v: _attend(k, q, v),
        "the softmax is missing; the weights of a query must be positive and sum to "
        "1.": lambda q, k, v: q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1]) @ v,
    }
    return compare(attend, _attend, mistakes, questions)


def _rollout(maps):
    return attention_rollout(maps[:, None])[0]


def _product(maps):
    result = np.eye(maps.shape[-1])
    for attention in maps:
        result = attention @ result
    return result


def check_rollout(rollout):
    """Checks `rollout(maps)`: from `(layers, heads, N, N)` to `(N, N)`, a row a token.

    The first layer comes first. Reference: Abnar and Zuidema, 2020, section 3.
    """
    rng = np.random.default_rng(0)
    questions = [(_softmax(3 * rng.normal(size=(3, 2, 5, 5))),)]
    identity = np.eye(5)
    mistakes = {
        "the residual connection is missing; mix each layer with the identity.": (
            lambda maps: _product(maps.mean(1))
        ),
        "the layers are multiplied in the wrong order; the first one stands at the "
        "right.": lambda maps: _rollout(maps[::-1]),
        "the rows do not sum to 1; halve the sum of attention and identity.": (
            lambda maps: _product(maps.mean(1) + identity)
        ),
        "the heads are summed; take their mean.": lambda maps: _product(
            (maps.sum(1) + identity) / 2
        ),
        "one head alone is followed; take the mean over the heads.": lambda maps: (
            _rollout(maps[:, :1])
        ),
        "that is the last layer alone; multiply the layers.": lambda maps: _rollout(
            maps[-1:]
        ),
        "the product is turned; a row is a token of the last layer, a column a patch.": (
            lambda maps: _rollout(maps).T
        ),
    }
    return compare(rollout, _rollout, mistakes, questions)


def _distances(columns, patch_size, num_patches, norm=np.hypot):
    row, column = np.divmod(np.arange(num_patches), columns)
    return patch_size * norm(row - row[:, None], column - column[:, None])


def _mean_distance(weights, columns, patch_size, norm=np.hypot):
    distances = _distances(columns, patch_size, weights.shape[-1], norm)
    return (weights * distances).sum(-1).mean()


def check_mean_distance(mean_distance):
    """Checks `mean_distance(weights, columns, patch_size)` of one head, in pixels.

    `weights` has the shape `(N, N)`, a row a query; the patches are the rows of a grid
    one after the other.
    """
    rng = np.random.default_rng(0)
    questions = [(_softmax(rng.normal(size=(n, n))), c, p) for n, c, p in [(12, 4, 6)]]
    mistakes = {
        "the distance is in patches; multiply by the side of a patch.": (
            lambda w, c, p: _mean_distance(w, c, 1)
        ),
        "rows and columns are added; the distance is that of a straight line.": (
            lambda w, c, p: _mean_distance(w, c, p, lambda x, y: np.abs(x) + np.abs(y))
        ),
        "the distance is counted along the sequence; the patch below is a neighbour.": (
            lambda w, c, p: _mean_distance(w, w.shape[-1], p)
        ),
        "the weights are not used; a key with more attention counts more.": (
            lambda w, c, p: _distances(c, p, w.shape[-1]).mean()
        ),
        "the sum is divided by all pairs; a query's weights sum to 1 already, so that "
        "only the queries are averaged.": lambda w, c, p: (
            _mean_distance(w, c, p) / w.shape[-1]
        ),
        "the squares of the distances are averaged; take the roots before.": (
            lambda w, c, p: _mean_distance(w, c, p * p, lambda x, y: x**2 + y**2)
        ),
        "the rows and columns of the grid are swapped; a row has `columns` patches.": (
            lambda w, c, p: _mean_distance(w, w.shape[-1] // c, p)
        ),
    }
    return compare(mean_distance, _mean_distance, mistakes, questions)


def _look_left(rows, columns, wraps=False, edge="itself"):
    patches = rows * columns
    places = np.arange(patches)
    target = places - 1
    if not wraps:
        first = places % columns == 0
        target = np.where(first, places if edge == "itself" else -1, target)
    weights = np.eye(patches)[target]
    return weights if edge != "nothing" else weights * (places % columns > 0)[:, None]


def check_look_left(look_left):
    """Checks `look_left(rows, columns)`: the weights `(N, N)` of a head that looks left.

    Each query gives all its attention to the patch at its left; one of the first column
    gives it to itself.
    """
    mistakes = {
        "the head looks right.": lambda r, c: (
            _look_left(r, c).reshape(r, c, r, c)[:, ::-1, :, ::-1].reshape(r * c, r * c)
        ),
        "a patch of the first column looks at the end of the row above; it has no left "
        "neighbour and looks at itself.": lambda r, c: _look_left(r, c, wraps=True),
        "a patch of the first column looks nowhere; its weights must sum to 1, too.": (
            lambda r, c: _look_left(r, c, edge="nothing")
        ),
        "queries and keys are swapped; a row is a query.": lambda r, c: (
            _look_left(r, c).T
        ),
        "the head looks up; the patch at the left is one place earlier in the "
        "sequence.": lambda r, c: np.eye(r * c)[
            np.maximum(np.arange(r * c) - c, np.arange(r * c) % c)
        ],
    }
    return compare(look_left, _look_left, mistakes, [(2, 4), (3, 3)])
