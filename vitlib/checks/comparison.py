"""Checks for the chapter on the comparison."""

import numpy as np

from vitlib.checks.verdict import compare


def _standard_error(accuracy, images):
    return np.sqrt(accuracy * (1 - accuracy) / images)


def check_standard_error(standard_error):
    """Checks `standard_error(accuracy, images)` of an accuracy, a share from 0 to 1."""
    questions = [(0.4793, 10_000), (0.01, 10_000), (0.9, 250)]
    mistakes = {
        "that is the variance; take its root.": lambda a, n: a * (1 - a) / n,
        "that is the deviation of a single image; divide by the root of their number.": (
            lambda a, n: np.sqrt(a * (1 - a))
        ),
        "divide by the root of the number of images, not by the number.": lambda a, n: (
            np.sqrt(a * (1 - a)) / n
        ),
        "the factor 1 - accuracy is missing; a model that is always right has no "
        "error.": lambda a, n: np.sqrt(a / n),
        "that is half the width of the 95 % interval; the standard error is 1.96 times "
        "smaller.": lambda a, n: 1.96 * _standard_error(a, n),
        "the worst case of 50 % is taken for every accuracy.": lambda a, n: (
            0.5 / np.sqrt(n)
        ),
        "the answer is in points; accuracy is a share here.": lambda a, n: (
            100 * _standard_error(a, n)
        ),
    }
    return compare(standard_error, _standard_error, mistakes, questions)


def _paired_error(first_only, second_only, images):
    difference = (first_only - second_only) / images
    return np.sqrt(((first_only + second_only) / images - difference**2) / images)


def check_paired_error(paired_error):
    """Checks `paired_error(first_only, second_only, images)`.

    The standard error of the difference of two accuracies on the same images, of which
    the first model alone got `first_only` right and the second alone `second_only`.
    """
    questions = [(500, 100, 10_000), (40, 60, 400)]

    def share(count, images):
        return _standard_error(count / images, images)

    mistakes = {
        "the two counts are treated as if they came from different images.": (
            lambda a, b, n: np.hypot(share(a, n), share(b, n))
        ),
        "that is the variance; take its root.": lambda a, b, n: (
            _paired_error(a, b, n) ** 2
        ),
        "that is the deviation of one image; divide by the root of their number.": (
            lambda a, b, n: _paired_error(a, b, n) * np.sqrt(n)
        ),
        "the counts are subtracted; an image counts in the variance whoever is right.": (
            lambda a, b, n: np.sqrt(abs(a - b) / n / n)
        ),
        "that is the difference itself; its standard error is asked.": lambda a, b, n: (
            (a - b) / n
        ),
        "only the images that the models disagree on are counted; divide by all.": (
            lambda a, b, n: _paired_error(a, b, a + b)
        ),
    }
    return compare(paired_error, _paired_error, mistakes, questions)
