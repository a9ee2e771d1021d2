"""Checks for the chapter on positions."""

from functools import partial

import numpy as np

from vitlib.checks.verdict import RIGHT, as_numbers, ask, compare, not_yet, oblongs


def _growth(side, larger):
    patches = (larger / side) ** 2
    return patches, larger / side, (2 * larger**2 - 1) / (2 * side**2 - 1)


def check_growth(growth):
    """Checks `growth(side, larger)`: by which factors the position parameters grow.

    The grid of patches grows from `side` x `side` to `larger` x `larger`; all else
    stays. It returns three factors: of 1-D, 2-D and relative positions.
    """
    mistakes = {
        "the 2-D tables grow with the side of the grid, not with the number of "
        "patches.": lambda a, b: (_growth(a, b)[0],) * 2 + _growth(a, b)[2:],
        "the 1-D table grows with the number of patches, not with the side of the "
        "grid.": lambda a, b: (b / a,) + _growth(a, b)[1:],
        "the relative table has 2 N - 1 vectors; that does not grow quite as N.": (
            lambda a, b: (*_growth(a, b)[:2], (b / a) ** 2)
        ),
        "the relative table is taken to grow as the pairs of patches; that is its "
        "work, and there is one vector for each offset.": (
            lambda a, b: (*_growth(a, b)[:2], (b / a) ** 4)
        ),
        "the factors are upside down; divide the larger grid by the smaller.": (
            lambda a, b: _growth(b, a)
        ),
        "these are the factors minus 1; return the factors themselves.": (
            lambda a, b: np.subtract(_growth(a, b), 1)
        ),
    }
    return compare(growth, _growth, mistakes, [(12, 16), (4, 8), (2, 3)])


def _steps_of(offset, rows, columns, width=None, most_down=None, most_right=None):
    """Lists steps; a row down is `width` places, and the last two limit the steps."""
    width = columns if width is None else width
    most_down = rows - 1 if most_down is None else most_down
    most_right = columns - 1 if most_right is None else most_right
    down = range(-most_down, most_down + 1)
    steps = [(a, offset - width * a) for a in down]
    return [(a, b) for a, b in steps if abs(b) <= most_right]


def check_steps_of(steps_of):
    """Checks `steps_of(offset, rows, columns)`, the steps that share an offset.

    A step from query to key is a pair (rows down, columns to the right), and its
    offset is counted along the sequence. It returns all steps that fit on a grid of
    `rows` x `columns` patches, shape `(steps, 2)`, in the order of the rows down.
    """
    questions = [(1, 12, 12), (12, 12, 12), (-1, 3, 5), (11, 3, 4), (7, 3, 4)]
    mistakes = {
        "only one step of each offset is listed; the sequence goes on in the next "
        "row, so that there may be another, to the left.": (
            lambda offset, rows, columns: [divmod(offset, columns)]
        ),
        "some steps are wider than the grid; the widest is columns - 1.": (
            lambda d, rows, columns: _steps_of(d, rows, columns, most_right=columns)
        ),
        "some steps are longer than the grid is high; the longest is rows - 1.": (
            lambda d, rows, columns: _steps_of(d, rows, columns, most_down=rows)
        ),
        "each pair is turned around; the rows down come first.": (
            lambda *question: np.flip(_steps_of(*question), axis=1)
        ),
        "the signs are reversed; a step goes from the query to the key.": (
            lambda offset, *grid: _steps_of(-offset, *grid)
        ),
        "the steps are right, and their order is not; the least number of rows down "
        "comes first.": lambda *question: _steps_of(*question)[::-1],
        "a row down is counted as `rows` places; it is as many as there are columns.": (
            lambda d, rows, columns: _steps_of(d, rows, columns, width=rows)
        ),
    }
    return compare(steps_of, _steps_of, mistakes, questions)


def check_grid_offsets(grid_offsets, seed=0):
    """Checks `grid_offsets(rows, columns)`, an array `(N, N)` of integers.

    Two pairs of patches have the same integer if and only if the step from query
    to key is the same in rows and in columns. Which integers these are is free.

    Args:
        grid_offsets: The reader's function.
        seed: Integer. Another one asks other questions, which nobody has seen.
    """
    questions = oblongs(seed)
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
        "the number depends on the key alone; subtract the row and the column of the "
        "query.": np.tile(np.arange(len(down)), (len(down), 1)),
    }


def _judge_grid(answer, rows, columns):
    """The hint for a table of numbers, or None when it is right."""
    row, column = np.divmod(np.arange(rows * columns), columns)
    down, right = row - row[:, None], column - column[:, None]
    if answer is None or answer.shape != down.shape:
        return (
            "the function must return a table of numbers, with a row and a column for "
            "each patch."
        )
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


def check_can_pass(can_pass):
    """Checks `can_pass(change)`: whether a change can lift a set above its ceiling.

    `change` is the number of one of the five changes of the exercise; True or False
    comes back.
    """
    hints = {
        1: "patches of 4 x 4 cut a tile into four that move together, so that the set "
        "of patches still does not tell the arrangement.",
        2: "a patch of 16 x 16 holds 2 x 2 tiles; if both shapes lie in one patch, the "
        "patch itself shows how they stand.",
        3: "the class token is the same for every image, and reads the patches by "
        "attention, which does not see their order.",
        4: "the largest of some values does not depend on their order, just like their "
        "mean.",
        5: "the windows of a convolution reach over the borders of tiles, so that a "
        "patch knows something of its neighbours.",
    }
    return _judge_verdicts(can_pass, hints, (2, 5))


def _judge_verdicts(function, hints, true_for):
    """Judges a function from a number to True or False, by a hint for each number."""
    for number, hint in hints.items():
        answers, failure = ask(function, [(number,)])
        if failure is not None:
            return failure
        answer = as_numbers(answers[0])
        if answer is None or answer.shape or answer.dtype.kind != "b":
            return not_yet("the function must return True or False, and nothing else.")
        if bool(answer) != (number in true_for):
            return not_yet(hint)
    return RIGHT


def check_undo(undo):
    """Checks `undo(order)`: the order that puts back what `order` has shuffled.

    `tokens[order][undo(order)]` are the `tokens`, whatever they are.
    """
    questions = [(np.array([2, 0, 3, 1, 4]),), (np.array([1, 2, 3, 0]),)]
    mistakes = {
        "that shuffles once more in the same way; the way back is the inverse.": (
            np.array
        ),
        "that is the order backwards; the token that came to place 0 must go back to "
        "where it was.": np.flip,
        "that leaves the tokens where they are; it must say for each old place where "
        "its token is now.": np.sort,
    }
    return compare(undo, np.argsort, mistakes, questions)


def check_notices(notices):
    """Checks `notices(number)`: whether a model can tell that patches were shuffled.

    The models have no positions, and numbers from 1 to 6. True or False comes back.
    """
    hints = {
        1: "model 1 ends in a mean; ask what becomes of a sum when its terms change "
        "places.",
        2: "model 2 keeps the largest value of each element; ask whether it matters "
        "from which token that value comes.",
        3: "model 3 is read from its class token, which is one more query; ask how "
        "keys and values move when the patches are shuffled.",
        4: "model 4 lays its tokens side by side; ask which weights a token meets "
        "before the shuffle, and which after it.",
        5: "model 5 begins with a convolution over the grid; ask whether all "
        "neighbours of a token get the same weights.",
        6: "model 6 ends in a learned query; ask on what its weighted sum depends, and "
        "on what it does not.",
    }
    return _judge_verdicts(notices, hints, (4, 5))
