"""Checks for the chapter on the comparison."""

import numpy as np

from vitlib.checks.verdict import compare


def _standard_error(accuracy, images):
    return np.sqrt(accuracy * (1 - accuracy) / images)


def check_standard_error(standard_error):
    """Checks `standard_error(accuracy, images)` of an accuracy, a share from 0 to 1."""
    questions = [(0.4793, 10_000), (0.01, 10_000), (0.9, 250)]
    mistakes = {
        "that is the variance of the accuracy; take its root.": (
            lambda a, n: a * (1 - a) / n
        ),
        "that is the standard deviation of a single image; divide by the root of the "
        "number of images.": lambda a, n: np.sqrt(a * (1 - a)),
        "the deviation is divided by the number of images; divide by its root.": (
            lambda a, n: np.sqrt(a * (1 - a)) / n
        ),
        "the factor 1 - accuracy is missing; a model that is always right has a "
        "standard error of 0.": lambda a, n: np.sqrt(a / n),
        "that is half the width of the 95 % interval; the standard error is 1.96 times "
        "smaller.": lambda a, n: 1.96 * _standard_error(a, n),
        "the worst case, an accuracy of 0.5, is taken for all; use the one given.": (
            lambda a, n: _standard_error(0.5, n)
        ),
        "the answer is in percentage points; give a share, as the accuracy is one.": (
            lambda a, n: 100 * _standard_error(a, n)
        ),
    }
    return compare(standard_error, _standard_error, mistakes, questions)


def _paired_error(first_only, second_only, images):
    difference = (first_only - second_only) / images
    return np.sqrt(((first_only + second_only) / images - difference**2) / images)


def _unpaired_error(first_only, second_only, images):
    first, second = first_only / images, second_only / images
    return np.hypot(_standard_error(first, images), _standard_error(second, images))


def check_paired_error(paired_error):
    """Checks `paired_error(first_only, second_only, images)`.

    The standard error of the difference of two accuracies on the same images, of which
    the first model alone got `first_only` right and the second alone `second_only`.
    """
    questions = [(500, 100, 10_000), (40, 60, 400)]
    mistakes = {
        "the two counts are treated as if they came from different images; no image is "
        "in both, so that they depend on each other.": _unpaired_error,
        "that is the variance of the difference; take its root.": (
            lambda a, b, n: _paired_error(a, b, n) ** 2
        ),
        "that is the standard deviation of one image's part; divide by the root of the "
        "number of images.": lambda a, b, n: _paired_error(a, b, n) * np.sqrt(n),
        "the counts are subtracted; the square of an image's part is 1 whoever of the "
        "two is right, so that both counts add to the variance.": (
            lambda a, b, n: np.sqrt(abs(a - b)) / n
        ),
        "the square of the difference is not taken off; a variance is the mean of the "
        "squares less the square of the mean.": lambda a, b, n: np.sqrt(a + b) / n,
        "that is the difference itself; its standard error is asked.": (
            lambda a, b, n: (a - b) / n
        ),
        "only the images on which the models disagree are counted; divide by the "
        "number of all images.": lambda a, b, n: _paired_error(a, b, a + b),
    }
    return compare(paired_error, _paired_error, mistakes, questions)


def _unequal(first, second):
    return sum(first.get(key) != second.get(key) for key in {*first, *second})


def check_count_unequal(count_unequal):
    """Checks `count_unequal(first, second)`: how many settings of two recipes differ.

    A recipe is a dict. A setting that only one of them has counts as one.
    """
    first = {"epochs": 30, "batch": 256, "dropout": 0.5, "flip": True, "rate": 1e-3}
    second = {"epochs": 30, "batch": 128, "decay": 1e-4, "flip": True, "crop": 4}
    third = {"epochs": 20, "batch": 256}
    mistakes = {
        "only what both recipes name is compared; a setting that one of them lacks "
        "differs, too.": lambda a, b: sum(a[key] != b[key] for key in {*a} & {*b}),
        "what only the second recipe has is missed; go through the names of both.": (
            lambda a, b: sum(a[key] != b.get(key) for key in a)
        ),
        "what only the first recipe has is missed; go through the names of both.": (
            lambda a, b: sum(a.get(key) != b[key] for key in b)
        ),
        "that is how many settings agree; count the others.": (
            lambda a, b: sum(a.get(key) == b.get(key) for key in {*a, *b})
        ),
        "a setting that differs is counted on each side; it is one.": (
            lambda a, b: len({*a.items()} ^ {*b.items()})
        ),
        "that is the number of settings, whether they differ or not.": (
            lambda a, b: len({*a, *b})
        ),
    }
    questions = [(first, second), (first, third), (third, second)]
    return compare(count_unequal, _unequal, mistakes, questions)
