"""What students hand in for the exercises of the chapter on attention."""

import math

import keras
import numpy as np

from vitlib import checks


def attend(queries, keys, values):
    answer = np.zeros(values.shape)
    for head in range(len(queries)):
        for i, query in enumerate(queries[head]):
            scores = [query @ key / math.sqrt(len(query)) for key in keys[head]]
            total = sum(math.exp(score) for score in scores)
            for score, value in zip(scores, values[head], strict=True):
                answer[head, i] += math.exp(score) / total * value
    return answer


def products(queries, keys):
    return np.einsum("hqd,hkd->hqk", queries, keys)


def soften(scores, axis=2):
    return np.array(keras.ops.softmax(scores, axis=axis))


def mix(weights, values):
    return np.einsum("hqk,hkd->hqd", weights, values)


ATTEND = {
    "the scale is missing": lambda q, k, v: mix(soften(products(q, k)), v),
    "divided by the length of a query": lambda q, k, v: mix(
        soften(products(q, k) / q.shape[2]), v
    ),
    "that of the whole model": lambda q, k, v: mix(
        soften(products(q, k) / math.sqrt(q.shape[0] * q.shape[2])), v
    ),
    "multiplied by the root": lambda q, k, v: mix(
        soften(products(q, k) * math.sqrt(q.shape[2])), v
    ),
    "comes after the softmax": lambda q, k, v: mix(
        soften(products(q, k)) / math.sqrt(q.shape[2]), v
    ),
    "goes over the queries": lambda q, k, v: mix(
        soften(products(q, k) / math.sqrt(q.shape[2]), axis=1), v
    ),
    "goes over the heads": lambda q, k, v: mix(
        soften(products(q, k) / math.sqrt(q.shape[2]), axis=0), v
    ),
    "in the table of products": lambda q, k, v: mix(
        soften(products(k, q) / math.sqrt(q.shape[2])), v
    ),
    "the softmax is missing": lambda q, k, v: mix(
        products(q, k) / math.sqrt(q.shape[2]), v
    ),
}


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


ROLLOUT = {
    "the residual connection is missing": without_residual,
    "multiplied in the wrong order": in_wrong_order,
    "the rows do not sum to 1": lambda maps: 2 ** len(maps) * rollout(maps),
    "the heads are summed": sum_heads,
    "the first head alone": lambda maps: rollout([heads[[0, 0]] for heads in maps]),
    "the last layer alone": lambda maps: mix_layer(maps[2]),
    "the mean of the layers": lambda maps: sum(mix_layer(heads) for heads in maps) / 3,
    "the result is transposed": lambda maps: np.transpose(rollout(maps)),
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

EXERCISES = {
    checks.check_attend: (attend, ATTEND),
    checks.check_rollout: (rollout, ROLLOUT),
    checks.check_mean_distance: (mean_distance, MEAN_DISTANCE),
    checks.check_look_left: (look_left, LOOK_LEFT),
}
