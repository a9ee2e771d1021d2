"""Checks for the chapter on positions."""

import numpy as np

from vitlib.checks.verdict import RIGHT, ask, compare, not_yet


def _offsets(num_patches):
    places = np.arange(num_patches)
    return places - places[:, None] + num_patches - 1


def check_offsets(offsets):
    """Checks `offsets(num_patches)`, an array `(N, N)` of integers.

    The element in the row of a query and the column of a key is the number of the
    vector for the distance from query to key: 0 for the key that is furthest to the
    left, `2 N - 2` for the one furthest to the right.
    """
    mistakes = {
        "the sign is turned: a key to the right must have a larger number than one to "
        "the left.": lambda n: _offsets(n).T,
        "the numbers are one too large; the least must be 0.": lambda n: (
            _offsets(n) + 1
        ),
        "the numbers are one too small; -1 would mean the last vector of the table.": (
            lambda n: _offsets(n) - 1
        ),
        "the numbers are negative to the left, where they would count from the end of "
        "the table; add N - 1.": lambda n: _offsets(n) - n + 1,
        "left and right share a vector; the distance has a sign.": lambda n: np.abs(
            _offsets(n) - n + 1
        ),
        "all keys at the same place share a vector, whoever asks; the number must "
        "depend on key minus query.": lambda n: np.tile(np.arange(n), (n, 1)),
    }
    return compare(offsets, _offsets, mistakes, [(5,), (3,)])


def _steps(rows, columns):
    """The true step from each patch to each other one: rows down, columns right."""
    row, column = np.divmod(np.arange(rows * columns), columns)
    return np.stack([row - row[:, None], column - column[:, None]], -1)


def _classes(values):
    """Numbers the different values in the order in which they first come."""
    _, first, numbers = np.unique(values, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[numbers.reshape(-1)]


def check_grid_offsets(grid_offsets):
    """Checks `grid_offsets(rows, columns)`, an array `(N, N)` of integers.

    Two pairs of patches have the same integer if and only if the key is as many rows
    and as many columns away from the query. Which integers is not asked.
    """
    questions = [(3, 4), (4, 3)]
    answers, failure = ask(grid_offsets, questions)
    if failure is not None:
        return failure
    for (rows, columns), answer in zip(questions, answers, strict=True):
        answer, patches = np.asarray(answer), rows * columns
        if answer.shape != (patches, patches):
            return not_yet(
                f"the array must have the shape {(patches, patches)}. Received: "
                f"{answer.shape}."
            )
        hint = _judge_grid(answer, _steps(rows, columns), columns)
        if hint:
            return not_yet(hint)
    return RIGHT


def _judge_grid(answer, steps, columns):
    """The hint for a table of numbers, or None when it is right."""
    down, right = steps[..., 0], steps[..., 1]
    unique = 1000 * down + right
    known = {
        "the numbers count along the sequence; the end of a row and the start of the "
        "next one are neighbours there, and not on the grid.": columns * down + right,
        "up and down share a number; the step of the rows has a sign.": (
            1000 * np.abs(down) + right
        ),
        "left and right share a number; the step of the columns has a sign.": (
            1000 * down + np.abs(right)
        ),
        "neither step has its sign; the number of rows and of columns alone is not "
        "enough.": 1000 * np.abs(down) + np.abs(right),
        "the columns do not matter; two keys in one row would share a number.": down,
        "the rows do not matter; two keys in one column would share a number.": right,
    }
    found = _classes(answer)
    if np.array_equal(found, _classes(unique)):
        return None
    for hint, numbers in known.items():
        if np.array_equal(found, _classes(numbers)):
            return hint
    shared = [len(np.unique(unique[answer == n])) > 1 for n in np.unique(answer)]
    if any(shared):
        return "some different steps share a number."
    return "some equal steps have different numbers; they must share one."


def _sinusoid(num_places, width, base=10000.0, first=0):
    places = np.arange(first, num_places + first)[:, None]
    angles = places * base ** (-2 * np.arange(width // 2) / width)
    return np.stack([np.sin(angles), np.cos(angles)], -1).reshape(num_places, width)


def check_sinusoid(sinusoid):
    """Checks `sinusoid(num_places, width)`, the fixed table `(N, D)` of Vaswani et al."""
    mistakes = {
        "all sines come first and all cosines after them; they must take turns.": (
            lambda n, d: np.concatenate(
                [_sinusoid(n, d)[:, ::2], _sinusoid(n, d)[:, 1::2]], 1
            )
        ),
        "sine and cosine are swapped; the even elements are sines.": lambda n, d: (
            _sinusoid(n, d).reshape(n, -1, 2)[..., ::-1].reshape(n, d)
        ),
        "the places count from 1; the first one is 0.": lambda n, d: _sinusoid(
            n, d, first=1
        ),
        "the exponent lacks its 2: the slowest wave must be nearly 10,000 times as slow "
        "as the fastest.": lambda n, d: _sinusoid(n, d, base=100.0),
        "the exponent lacks its minus; the waves must get slower.": lambda n, d: (
            _sinusoid(n, d, base=1e-4)
        ),
    }
    return compare(sinusoid, _sinusoid, mistakes, [(6, 8), (5, 4)])


def _encode(patches, kernel, bias, table):
    return patches @ kernel + bias + table


def check_encode(encode):
    """Checks `encode(patches, kernel, bias, table)`: patches to tokens with positions.

    `patches` has the shape `(B, N, P * P * C)`, `kernel` `(P * P * C, D)`, `bias`
    `(D,)`, and `table`, the positional embedding, `(N, D)`.
    """
    rng = np.random.default_rng(0)
    # As long a token as a patch, so that a wrong order has the right shape.
    questions = [
        (rng.normal(size=(2, 6, 6)), *map(rng.normal, [0] * 3, [1] * 3, sizes))
        for sizes in [((6, 6), 6, (6, 6))]
    ]
    mistakes = {
        "the positions are added before the projection, which mixes them with the "
        "pixels; project first.": lambda x, w, b, t: (x + t) @ w + b,
        "the positions are missing.": lambda x, w, b, t: x @ w + b,
        "the bias is missing.": lambda x, w, b, t: x @ w + t,
        "the table is turned: its row is the place, its column the element of the "
        "token.": lambda x, w, b, t: x @ w + b + t.T,
        "every token gets the position of the first place; the table has a row for "
        "each.": lambda x, w, b, t: x @ w + b + t[0],
        "the kernel is turned; a patch times the kernel is a token.": (
            lambda x, w, b, t: x @ w.T + b + t
        ),
    }
    return compare(encode, _encode, mistakes, questions)
