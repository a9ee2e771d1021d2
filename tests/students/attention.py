"""What students hand in for the exercises of the chapter on attention."""

import math

import numpy as np

from vitlib import checks


def mix_layer(heads):
    patches = heads.shape[1]
    mixed = np.zeros((patches, patches))
    for head in heads:
        mixed += head / len(heads) / 2
    for i in range(patches):
        mixed[i, i] += 1 / 2
    return mixed


def rollout(maps):
    answer = mix_layer(maps[0])
    for heads in maps[1:]:
        answer = mix_layer(heads) @ answer
    return answer


def without_residual(maps):
    first, second, third = (sum(heads) / 2 for heads in maps)
    return third @ second @ first


def in_wrong_order(maps):
    first, second, third = map(mix_layer, maps)
    return first @ second @ third


def sum_heads(maps):
    first, second, third = (0.5 * sum(heads) + 0.5 * np.eye(5) for heads in maps)
    return third @ second @ first


def without_identity(maps):
    answer = np.eye(maps.shape[-1])
    for heads in maps:
        answer = sum(heads) / len(heads) @ answer
    return answer


def mean_of_heads(maps):
    return [sum(heads) / len(heads) for heads in maps]


WITHOUT_IDENTITY = {
    "the identity is still mixed in": rollout,
    "multiplied in the wrong order": lambda maps: without_identity(maps[::-1]),
    "the heads are summed": lambda maps: without_identity(maps * len(maps[0])),
    "the first head alone": lambda maps: without_identity(
        np.stack([maps[:, 0], maps[:, 0]], axis=1)
    ),
    "the last layer alone": lambda maps: mean_of_heads(maps)[-1],
    "the mean of the layers": lambda maps: sum(mean_of_heads(maps)) / len(maps),
    "element by element": lambda maps: np.prod(mean_of_heads(maps), axis=0),
    "the result is transposed": lambda maps: np.transpose(without_identity(maps)),
}


def mean_distance(weights, columns, patch_size, distance=math.dist):
    total = 0
    for query in range(len(weights)):
        for key in range(len(weights)):
            here, there = divmod(query, columns), divmod(key, columns)
            total += weights[query, key] * distance(here, there) * patch_size
    return total / len(weights)


def walk(here, there):
    return sum(abs(a - b) for a, b in zip(here, there, strict=True))


def squared(weights, columns, patch_size):
    return mean_distance(
        weights, columns, patch_size**2, lambda a, b: math.dist(a, b) ** 2
    )


MEAN_DISTANCE = {
    "in patches": lambda w, c, p: mean_distance(w, c, p) / p,
    "are added": lambda w, c, p: mean_distance(w, c, p, walk),
    "along the sequence": lambda w, c, p: mean_distance(w, 1, p),
    "the weights are not used": lambda w, c, p: mean_distance(0 * w + 1 / 12, c, p),
    "by the number of pairs": lambda w, c, p: mean_distance(w, c, p) / 12,
    "summed over the queries": lambda w, c, p: 12 * mean_distance(w, c, p),
    "the squares of the distances": squared,
    "of the grid are swapped": lambda w, c, p: mean_distance(w, 3, p),
}


def table_of(rows, columns, key_of):
    weights = np.zeros((rows * columns, rows * columns))
    for row in range(rows):
        for column in range(columns):
            key = key_of(row, column)
            if key is not None:
                weights[row * columns + column, key[0] * columns + key[1]] = 1
    return weights


def look_left(rows, columns):
    return table_of(rows, columns, lambda i, j: (i, j - 1) if j else (i, j))


def look_right(rows, columns):
    return table_of(rows, columns, lambda i, j: (i, min(j + 1, columns - 1)))


LOOK_LEFT = {
    "looks right": look_right,
    "looks up": lambda r, c: table_of(r, c, lambda i, j: (max(i - 1, 0), j)),
    "the end of the row above": lambda r, c: np.roll(np.eye(r * c), -1, axis=1),
    "looks nowhere": lambda r, c: table_of(
        r, c, lambda i, j: (i, j - 1) if j else None
    ),
    "a row of the table is a query": lambda r, c: np.transpose(look_left(r, c)),
}


def shuffle_map(weights, order):
    return [[weights[query, key] for key in order] for query in order]


SHUFFLE_MAP = {
    "the columns keep their order": lambda w, order: [w[n] for n in order],
    "the rows keep their order": lambda w, order: np.take(w, order, axis=1),
    "the map is unchanged": lambda w, order: w * 1,
    "the way back": lambda w, order: shuffle_map(w, [1, 3, 0, 2]),
    "the diagonal of the new map": lambda w, order: [w[n, n] for n in order],
}


def row_distance(side, columns):
    places = np.arange(columns) * side / columns
    return np.mean([abs(a - b) for a in places for b in places])


def of_pairs(side, columns, ordered):
    places = [n * side / columns for n in range(columns)]
    pairs = [(a, b) for a in places for b in places if a < b]
    return sum(b - a for a, b in pairs) / ordered(columns, len(pairs))


ROW_DISTANCE = {
    "the limit for many patches": lambda s, g: s - 2 * s / 3,
    "a share of the side": lambda s, g: row_distance(s, g) / s,
    "that is in steps": lambda s, g: row_distance(s, g) / (s / g),
    "with itself are left out": lambda s, g: of_pairs(s, g, lambda n, pairs: pairs),
    "counts once": lambda s, g: of_pairs(s, g, lambda n, pairs: n * n),
}


def silence(weights, head, key_dim):
    rows = np.arange(len(weights)) // key_dim
    return np.where((rows == head)[:, None], 0, weights)


def without_rows(weights, is_silent):
    return np.array([row * (not is_silent(n)) for n, row in enumerate(weights)])


SILENCE = {
    "the columns are set to 0": lambda w, h, k: np.where(
        np.arange(w.shape[1]) // k == h, 0, w
    ),
    "one row alone": lambda w, h, k: without_rows(w, lambda n: n == h),
    "the first row is right": lambda w, h, k: without_rows(w, lambda n: n == h * k),
    "a row of each head": lambda w, h, k: without_rows(w, lambda n: n % k == h),
    "the head before": lambda w, h, k: silence(w, h - 1, k),
    "all heads but this one": lambda w, h, k: without_rows(w, lambda n: n // k != h),
    "all heads from this one on": lambda w, h, k: without_rows(
        w, lambda n: n // k >= h
    ),
    "are taken out": lambda w, h, k: [r for n, r in enumerate(w) if n // k != h],
}

EXERCISES = {
    checks.check_without_identity: (without_identity, WITHOUT_IDENTITY),
    checks.check_mean_distance: (mean_distance, MEAN_DISTANCE),
    checks.check_look_left: (look_left, LOOK_LEFT),
    checks.check_shuffle_map: (shuffle_map, SHUFFLE_MAP),
    checks.check_row_distance: (row_distance, ROW_DISTANCE),
    checks.check_silence: (silence, SILENCE),
}
