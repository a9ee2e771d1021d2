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


STANDARD_ERROR = {
    "the variance of the accuracy": lambda a, n: np.var(right_or_not(a, n)) / n,
    "the standard deviation of a single image": lambda a, n: np.std(right_or_not(a, n)),
    "is divided by the number of images": lambda a, n: np.std(right_or_not(a, n)) / n,
    "the factor 1 - accuracy": lambda a, n: math.sqrt(a) / math.sqrt(n),
    "the 95 % interval": lambda a, n: standard_error(a, n) * 1.96,
    "the worst case": lambda a, n: 1 / (2 * math.sqrt(n)),
    "percentage points": lambda a, n: math.sqrt(100 * a * (100 - 100 * a) / n),
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
    "is not taken off": lambda a, b, n: math.sqrt(np.mean(parts(a, b, n) ** 2) / n),
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
        count(a, lambda name: a[name] != b.get(name))
        + count(b, lambda name: b[name] != a.get(name))
    ),
    "whether they differ or not": lambda a, b: len(a.keys() | b.keys()),
}

EXERCISES = {
    checks.check_standard_error: (standard_error, STANDARD_ERROR),
    checks.check_paired_error: (paired_error, PAIRED_ERROR),
    checks.check_count_unequal: (count_unequal, COUNT_UNEQUAL),
}
