"""What students hand in for the exercises of the chapter on positions."""

import math

import numpy as np

from vitlib import checks


def table_of(size, number):
    return [[number(query, key) for key in range(size)] for query in range(size)]


def count_vectors(side):
    """The vectors of 1-D, 2-D (half ones) and relative positions on a square grid."""
    patches = [(row, column) for row in range(side) for column in range(side)]
    numbers = range(len(patches))
    offsets = {key - query for key in numbers for query in numbers}
    return [len(patches), side + side, len(offsets)]


def growth(side, larger):
    counts = zip(count_vectors(larger), count_vectors(side), strict=True)
    return [after / before for after, before in counts]


GROWTH = {
    "the 2-D tables grow": lambda a, b: [
        b * b / a / a,
        b * b / a / a,
        growth(a, b)[2],
    ],
    "the 1-D table grows": lambda a, b: [b / a, b / a, growth(a, b)[2]],
    "2 N - 1 vectors": lambda a, b: [b * b / a / a, b / a, b * b / a / a],
    "as the pairs of patches": lambda a, b: [
        b**2 / a**2,
        b / a,
        b**4 / a**4,
    ],
    "upside down": lambda a, b: [1 / factor for factor in growth(a, b)],
    "the factors minus 1": lambda a, b: [x - 1 for x in growth(a, b)],
}


def steps_of(offset, rows, columns):
    steps = set()
    for query in range(rows * columns):
        key = query + offset
        if 0 <= key < rows * columns:
            (a, b), (c, d) = divmod(query, columns), divmod(key, columns)
            steps.add((c - a, d - b))
    return sorted(steps)


def steps_within(offset, down, right, row_length):
    return [
        [a, b]
        for a in range(-down, down + 1)
        for b in range(-right, right + 1)
        if row_length * a + b == offset
    ]


STEPS_OF = {
    "only one step": lambda n, r, c: [[n // c, n % c]],
    "wider than the grid": lambda n, r, c: steps_within(n, r - 1, c, c),
    "longer than the grid is high": lambda n, r, c: steps_within(n, r, c - 1, c),
    "is turned around": lambda *question: [(b, a) for a, b in steps_of(*question)],
    "the signs are reversed": lambda *question: sorted(
        (-a, -b) for a, b in steps_of(*question)
    ),
    "their order is not": lambda *question: sorted(steps_of(*question), reverse=True),
    "counted as `rows` places": lambda n, r, c: steps_within(n, r - 1, c - 1, r),
}


def can_pass(change):
    looks_over_borders = {
        "smaller patches": False,
        "larger patches": True,
        "class token": False,
        "maximum": False,
        "convolution": True,
    }
    return list(looks_over_borders.values())[change - 1]


CAN_PASS = {
    "into four that move together": lambda change: change in [1, 2, 5],
    "holds 2 x 2 tiles": lambda change: change == 5,
    "the class token is the same": lambda change: change in [2, 3, 5],
    "the largest of some values": lambda change: change in [2, 4, 5],
    "reach over the borders": lambda change: change == 2,
}


def number_pairs(rows, columns, name):
    """Numbers the pairs of patches by the name that each one gets, in a dictionary."""
    numbers = {}

    def number(query, key):
        (a, b), (c, d) = divmod(query, columns), divmod(key, columns)
        return numbers.setdefault(name(c - a, d - b, query, key), len(numbers))

    return table_of(rows * columns, number)


def grid_offsets(rows, columns):
    return number_pairs(rows, columns, lambda down, right, *_: (down, right))


GRID_OFFSETS = {
    "a table of numbers": lambda rows, columns: np.zeros((rows, columns)),
    "count along the sequence": lambda r, c: number_pairs(
        r, c, lambda down, right, query, key: key - query
    ),
    "up and down share": lambda r, c: number_pairs(
        r, c, lambda down, right, *_: (abs(down), right)
    ),
    "left and right share a number": lambda r, c: number_pairs(
        r, c, lambda down, right, *_: (down, abs(right))
    ),
    "neither step has its sign": lambda r, c: number_pairs(
        r, c, lambda down, right, *_: (abs(down), abs(right))
    ),
    "only the step of the rows": lambda r, c: number_pairs(
        r, c, lambda down, right, *_: down
    ),
    "only the step of the columns": lambda r, c: number_pairs(
        r, c, lambda down, right, *_: right
    ),
    "on the key alone": lambda r, c: number_pairs(r, c, lambda *names: names[3]),
    "two different steps": lambda r, c: number_pairs(
        r, c, lambda down, right, *_: abs(down) + abs(right)
    ),
    "two equal steps": lambda r, c: number_pairs(r, c, lambda *names: names[2:]),
}


def sinusoid(num_places, width):
    table = np.zeros((num_places, width))
    for n in range(num_places):
        for i in range(width // 2):
            table[n, 2 * i] = math.sin(n / 10000 ** (2 * i / width))
            table[n, 2 * i + 1] = math.cos(n / 10000 ** (2 * i / width))
    return table


def waves(num_places, width, element):
    return [[element(n, j, width) for j in range(width)] for n in range(num_places)]


def half_and_half(n, j, width):
    i = j % (width // 2)
    wave = math.sin if j < width // 2 else math.cos
    return wave(n / 10000 ** (2 * i / width))


def cosine_first(n, j, width):
    wave = math.sin if j % 2 else math.cos
    return wave(n / 10000 ** (2 * (j // 2) / width))


def half_exponent(n, j, width):
    wave = math.cos if j % 2 else math.sin
    return wave(n / 10000 ** (j // 2 / width))


def no_minus(n, j, width):
    wave = math.cos if j % 2 else math.sin
    return wave(n * 10000 ** (2 * (j // 2) / width))


def exponent_of_elements(n, j, width):
    wave = math.cos if j % 2 else math.sin
    return wave(n / 10000 ** (j / width))


SINUSOID = {
    "all sines come first": lambda n, d: waves(n, d, half_and_half),
    "sine and cosine are swapped": lambda n, d: waves(n, d, cosine_first),
    "the places count from 1": lambda n, d: sinusoid(n + 1, d)[1:],
    "the exponent is half": lambda n, d: waves(n, d, half_exponent),
    "the exponent lacks its minus": lambda n, d: waves(n, d, no_minus),
    "waves of different lengths": lambda n, d: waves(n, d, exponent_of_elements),
}


def encode(patches, kernel, bias, table):
    tokens = np.zeros((*patches.shape[:2], len(bias)))
    for image in range(len(patches)):
        for place, patch in enumerate(patches[image]):
            for element in range(len(bias)):
                value = sum(patch * kernel[:, element]) + bias[element]
                tokens[image, place, element] = value + table[place, element]
    return tokens


ENCODE = {
    "before the projection": lambda x, w, b, t: np.dot(x + t, w) + b,
    "the positions are missing": lambda x, w, b, t: encode(x, w, b, 0 * t),
    "the bias is missing": lambda x, w, b, t: encode(x, w, 0 * b, t),
    "the table is transposed": lambda x, w, b, t: encode(x, w, b, np.transpose(t)),
    "the first place": lambda x, w, b, t: encode(x, w, b, np.array([t[0]] * len(t))),
    "the kernel is transposed": lambda x, w, b, t: encode(x, np.transpose(w), b, t),
}


def undo(order):
    places = [0] * len(order)
    for new, old in enumerate(order):
        places[old] = new
    return places


UNDO = {
    "shuffles once more": lambda order: order,
    "the order backwards": lambda order: order[::-1],
    "leaves the tokens where they are": lambda order: list(range(len(order))),
}


def one_of(*numbers):
    return lambda number: any(number == n for n in numbers)


notices = one_of(4, 5)

NOTICES = {
    "ends in a mean": lambda number: True,
    "keeps the largest value of each element": one_of(2, 4),
    "is read from its class token": one_of(3, 4, 5),
    "lays its tokens side by side": one_of(5),
    "begins with a convolution": one_of(4),
    "ends in a learned query": lambda number: number > 3,
    "True or False": lambda number: int(notices(number)),
}

EXERCISES = {
    checks.check_growth: (growth, GROWTH),
    checks.check_steps_of: (steps_of, STEPS_OF),
    checks.check_grid_offsets: (grid_offsets, GRID_OFFSETS),
    checks.check_sinusoid: (sinusoid, SINUSOID),
    checks.check_encode: (encode, ENCODE),
    checks.check_can_pass: (can_pass, CAN_PASS),
    checks.check_undo: (undo, UNDO),
    checks.check_notices: (notices, NOTICES),
}
