"""Checks for the chapter on positions."""

from functools import partial

import numpy as np

from vitlib.checks.verdict import RIGHT, as_numbers, ask, compare, not_yet


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
        "the sign is turned; a key to the right must have a larger number than one to "
        "the left.": lambda n: _offsets(n).T,
        "the numbers are one too large; the least must be 0.": lambda n: (
            _offsets(n) + 1
        ),
        "the numbers are one too small; -1 would mean the last vector of the table.": (
            lambda n: _offsets(n) - 1
        ),
        "the numbers are negative to the left, where they would count from the end of "
        "the table; shift them so that the least is 0.": lambda n: _offsets(n) - n + 1,
        "left and right share a vector; the distance has a sign.": (
            lambda n: np.abs(_offsets(n) - n + 1)
        ),
        "the number depends on the place of the key alone; take off the place of the "
        "query.": lambda n: np.tile(np.arange(n), (n, 1)),
    }
    return compare(offsets, _offsets, mistakes, [(5,), (3,)])


def check_grid_offsets(grid_offsets):
    """Checks `grid_offsets(rows, columns)`, an array `(N, N)` of integers.

    Two pairs of patches have the same integer if and only if the key is as many rows
    and as many columns away from the query. Which integers is not asked.
    """
    questions = [(3, 4), (4, 3)]
    answers, failure = ask(grid_offsets, questions)
    if failure is not None:
        return failure
    for question, answer in zip(questions, answers, strict=True):
        hint = _judge_grid(as_numbers(answer), *question)
        if hint:
            return not_yet(hint)
    return RIGHT


def _classes(numbers):
    """Numbers the different values in the order in which they first come."""
    _, first, found = np.unique(numbers, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[found.ravel()]


def _wrong_grids(down, right, columns):
    """Tables that number the steps wrongly, by what is wrong with them."""
    up_or_down, left_or_right = 1000 * abs(down), abs(right)
    return {
        "the numbers count along the sequence; the end of a row and the start of the "
        "next one are neighbours there, and not on the grid.": columns * down + right,
        "up and down share a number; the step of the rows has a sign.": (
            up_or_down + right
        ),
        "left and right share a number; the step of the columns has a sign.": (
            1000 * down + left_or_right
        ),
        "neither step has its sign; up and down differ, and so do left and right.": (
            up_or_down + left_or_right
        ),
        "only the step of the rows counts; the keys of a row must differ, too.": down,
        "only the step of the columns counts; the keys of a column must differ, too.": (
            right
        ),
        "the number depends on the key alone; take off the row and the column of the "
        "query.": np.tile(np.arange(len(down)), (len(down), 1)),
    }


def _judge_grid(answer, rows, columns):
    """The hint for a table of numbers, or None when it is right."""
    row, column = np.divmod(np.arange(rows * columns), columns)
    down, right = row - row[:, None], column - column[:, None]
    if answer is None or answer.shape != down.shape:
        return "a table of numbers must come back, as many rows and columns as patches."
    found = _classes(answer)
    for hint, wrong in _wrong_grids(down, right, columns).items():
        if np.array_equal(found, _classes(wrong)):
            return hint
    steps = 1000 * down + right  # a number for each step
    if any(np.ptp(steps[answer == number]) for number in np.unique(answer)):
        return "two different steps share a number; each step needs one of its own."
    if not np.array_equal(found, _classes(steps)):
        return "two equal steps have different numbers; they must share one."
    return None


def _sinusoid(num_places, width, base=10000.0, first=0):
    places = np.arange(first, num_places + first)[:, None]
    angles = places * base ** (-2 * np.arange(width // 2) / width)
    return np.stack([np.sin(angles), np.cos(angles)], -1).reshape(num_places, width)


def _halves(num_places, width):
    table = _sinusoid(num_places, width)
    return np.concatenate([table[:, ::2], table[:, 1::2]], axis=1)


def _cosines_first(num_places, width):
    pairs = _sinusoid(num_places, width).reshape(num_places, -1, 2)
    return pairs[..., ::-1].reshape(num_places, width)


def _wave_each(num_places, width):
    """Each element has a wave of its own; its sine at even, its cosine at odd ones."""
    twice = _sinusoid(num_places, 2 * width).reshape(num_places, width, 2)
    elements = np.arange(width)
    return twice[:, elements, elements % 2]


def check_sinusoid(sinusoid):
    """Checks `sinusoid(num_places, width)`, the fixed table `(N, D)` of Vaswani et al.

    Sine and cosine take turns, and the width is even. Reference: Vaswani et al., 2017,
    section 3.5.
    """
    mistakes = {
        "all sines come first and all cosines after them; they must take turns.": (
            _halves
        ),
        "sine and cosine are swapped; the first element of each pair is the sine.": (
            _cosines_first
        ),
        "the places count from 1; the first one is 0.": partial(_sinusoid, first=1),
        "the exponent is half of what it must be; it is 2 i over the width, and i "
        "counts the pairs.": partial(_sinusoid, base=100.0),
        "the exponent lacks its minus; the waves must get slower from pair to pair.": (
            partial(_sinusoid, base=1e-4)
        ),
        "the sine and the cosine of a pair are waves of different lengths; the "
        "exponent counts pairs, not elements.": _wave_each,
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
    sizes = (2, 6, 6), (6, 6), 6, (6, 6)
    questions = [tuple(rng.normal(size=size) for size in sizes)]
    mistakes = {
        "the positions are added before the projection, which mixes them with the "
        "pixels; project first.": lambda x, w, b, t: (x + t) @ w + b,
        "the positions are missing; add the table to the tokens.": (
            lambda x, w, b, t: x @ w + b
        ),
        "the bias is missing; the projection adds it to each token.": (
            lambda x, w, b, t: x @ w + t
        ),
        "the table is transposed; its row is the place, its column the element of the "
        "token.": lambda x, w, b, t: x @ w + b + t.T,
        "every token gets the position of the first place; the table has a row for "
        "each.": lambda x, w, b, t: x @ w + b + t[0],
        "the kernel is transposed; it has a row for each number of a patch.": (
            lambda x, w, b, t: x @ w.T + b + t
        ),
    }
    return compare(encode, _encode, mistakes, questions)
