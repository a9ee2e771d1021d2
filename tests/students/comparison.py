"""What students hand in for the exercises of the chapter on the comparison."""

import math

import numpy as np

from vitlib import checks


def right_or_not(accuracy, images):
    """A 1 for each image that is right, and a 0 for each other."""
    right = round(accuracy * images)
    return [1] * right + [0] * (images - right)


def standard_error(accuracy, images):
    return np.std(right_or_not(accuracy, images)) / math.sqrt(images)


def images_needed(accuracy, error):
    of_one_image = standard_error(accuracy, 10_000) * 100
    return (of_one_image / error) ** 2


IMAGES_NEEDED = {
    "divide by its square": lambda a, e: (a - a * a) / e,
    "a root is too much": lambda a, e: math.sqrt(a - a * a) / e / e,
    "that is the root of the number": lambda a, e: math.sqrt(images_needed(a, e)),
    "the factor 1 - accuracy": lambda a, e: a / e / e,
    "the worst case": lambda a, e: (1 / (2 * e)) ** 2,
    "the 95 % interval": lambda a, e: images_needed(a, e / 1.96),
}


def parts(first_only, second_only, images):
    """What each image adds to the difference of the two models."""
    both_or_none = images - first_only - second_only
    return np.array([1] * first_only + [-1] * second_only + [0] * both_or_none)


def paired_error(first_only, second_only, images):
    return np.std(parts(first_only, second_only, images)) / math.sqrt(images)


def unpaired(first_only, second_only, images):
    first = standard_error(first_only / images, images)
    second = standard_error(second_only / images, images)
    return math.sqrt(first**2 + second**2)


def among_the_different(first_only, second_only, images):
    different = parts(first_only, second_only, first_only + second_only)
    return np.std(different) / math.sqrt(len(different))


PAIRED_ERROR = {
    "from different images": unpaired,
    "the variance of the difference": lambda a, b, n: np.var(parts(a, b, n)) / n,
    "one image's part": lambda a, b, n: np.std(parts(a, b, n)),
    "the counts are subtracted": lambda a, b, n: math.sqrt(abs(a - b) / n**2),
    "of the difference is not taken off": lambda a, b, n: math.sqrt(
        np.mean(parts(a, b, n) ** 2) / n
    ),
    "the difference itself": lambda a, b, n: np.mean(parts(a, b, n)),
    "on which the models disagree": among_the_different,
}


def count_unequal(first, second):
    missing = object()
    names = list(first) + [name for name in second if name not in first]
    pairs = [(first.get(name, missing), second.get(name, missing)) for name in names]
    return len([1 for a, b in pairs if a != b])


def count(names, is_counted):
    return len([name for name in names if is_counted(name)])


COUNT_UNEQUAL = {
    "that is None in one": lambda a, b: count(
        {**a, **b}, lambda name: a.get(name) != b.get(name)
    ),
    "only what both recipes name": lambda a, b: count(
        a.keys() & b.keys(), lambda name: a[name] != b[name]
    ),
    "only the second recipe has": lambda a, b: count(
        a, lambda name: a[name] != b.get(name)
    ),
    "only the first recipe has": lambda a, b: count(
        b, lambda name: b[name] != a.get(name)
    ),
    "how many settings agree": lambda a, b: count(
        a.keys() & b.keys(), lambda name: a[name] == b[name]
    ),
    "counted on each side": lambda a, b: (
        count(a, lambda name: name not in b or a[name] != b[name])
        + count(b, lambda name: name not in a or b[name] != a[name])
    ),
    "whether they differ or not": lambda a, b: len(a.keys() | b.keys()),
}


def meets(offset, side):
    """Whether a weight that far from the centre ever stands over a cell."""
    return any(0 <= cell + offset < side for cell in range(side))


def offsets(kernel):
    return range(-(kernel // 2), kernel // 2 + 1)


def count_idle(side, kernel):
    pairs = [(i, j) for i in offsets(kernel) for j in offsets(kernel)]
    return len([p for p in pairs if not all(meets(o, side) for o in p)])


def misses(side, kernel):
    return len([o for o in offsets(kernel) if not meets(o, side)])


COUNT_IDLE = {
    "how many weights meet a cell": lambda s, k: k * k - count_idle(s, k),
    "one direction alone": misses,
    "off the centre of the map": lambda s, k: k**2 - s**2 if s < k else 0,
    "more than one cell can be too small": lambda s, k: count_idle(s, k) * (s < 2),
    "weights can be idle": lambda s, k: 0,
    "not only in both": lambda s, k: misses(s, k) * misses(s, k),
}


def conv_growth(filters, side):
    weights, places = filters * filters, side * side
    return [weights, weights * places]


CONV_GROWTH = {
    "so that the filters count twice": lambda f, s: [f, f * s * s],
    "its side counts twice": lambda f, s: [f * f, f * f * s],
    "do not know the size of the map": lambda f, s: [(f * s) ** 2] * 2,
    "the places are missing": lambda f, s: [f * f] * 2,
    "the two are swapped": lambda f, s: conv_growth(f, s)[::-1],
    "the filters are missing": lambda f, s: [f * f, s * s],
}


def seeming_gap(many, one):
    gaps = [max(scores) - single for scores, single in zip(many, one, strict=True)]
    return sum(gaps) / len(gaps)


SEEMING_GAP = {
    "the best of all repetitions": lambda many, one: np.max(many) - np.mean(one),
    "the best repetition of each setting": lambda many, one: (
        np.mean([max(column) for column in many.T]) - np.mean(one)
    ),
    "the mean of the settings": lambda many, one: np.mean(many) - np.mean(one),
    "the sign is wrong": lambda many, one: -seeming_gap(many, one),
    "the single score of the other side": lambda many, one: seeming_gap(many, 0 * one),
    "the gaps of all repetitions": lambda many, one: [
        max(scores) - single for scores, single in zip(many, one, strict=True)
    ],
}


def one_of(*numbers):
    return lambda number: any(number == n for n in numbers)


is_supported = one_of(1, 2, 6)

IS_SUPPORTED = {
    "says nothing about the data it would need": one_of(1, 2, 3, 6),
    "it cannot be named as the cause": one_of(1, 2, 4, 6),
    "ranks no families": one_of(1, 2, 5, 6),
    "not every sentence is supported": lambda number: True,
    "some sentences only say what was measured": lambda number: False,
    "do say that it answers the same": one_of(2, 6),
    "that they differ is plain": lambda number: number < 3,
    "a single run is enough": one_of(1, 6),
}

EXERCISES = {
    checks.check_images_needed: (images_needed, IMAGES_NEEDED),
    checks.check_paired_error: (paired_error, PAIRED_ERROR),
    checks.check_count_unequal: (count_unequal, COUNT_UNEQUAL),
    checks.check_count_idle: (count_idle, COUNT_IDLE),
    checks.check_conv_growth: (conv_growth, CONV_GROWTH),
    checks.check_seeming_gap: (seeming_gap, SEEMING_GAP),
    checks.check_is_supported: (is_supported, IS_SUPPORTED),
}
