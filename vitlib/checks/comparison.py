"""Checks for the chapter on the comparison."""

import numpy as np

from vitlib.checks.verdict import compare


def _standard_error(accuracy, images):
    return np.sqrt(accuracy * (1 - accuracy) / images)


def _images_needed(accuracy, error):
    return accuracy * (1 - accuracy) / error**2


def check_images_needed(images_needed):
    """Checks `images_needed(accuracy, error)`: how many images give a standard error.

    Both are shares from 0 to 1. The number need not be rounded.
    """
    # So many that rounding, up or down, changes none by more than a check forgives.
    questions = [(0.4793, 0.0017), (0.013, 0.0009), (0.9, 0.0019)]
    mistakes = {
        "the error falls with the root of the images; divide by its square.": (
            lambda p, e: p * (1 - p) / e
        ),
        "a root is too much; the number of images goes with the variance of one image, "
        "accuracy times 1 - accuracy.": lambda p, e: np.sqrt(p * (1 - p)) / e**2,
        "that is the root of the number; square the whole.": (
            lambda p, e: np.sqrt(p * (1 - p)) / e
        ),
        "the factor 1 - accuracy is missing; a model that is always right needs no "
        "images.": lambda p, e: p / e**2,
        "the worst case, an accuracy of 0.5, is taken for all; use the one given.": (
            lambda p, e: 0.25 / e**2
        ),
        "that is for the 95 % interval; it asks for 1.96 squared times as many.": (
            lambda p, e: 1.96**2 * _images_needed(p, e)
        ),
    }
    return compare(images_needed, _images_needed, mistakes, questions)


def _paired_error(first_only, second_only, images):
    difference = (first_only - second_only) / images
    return np.sqrt(((first_only + second_only) / images - difference**2) / images)


def _unpaired_error(first_only, second_only, images):
    first, second = first_only / images, second_only / images
    return np.hypot(_standard_error(first, images), _standard_error(second, images))


def check_paired_error(paired_error, seed=0):
    """Checks `paired_error(first_only, second_only, images)`.

    The standard error of the difference of two accuracies on the same images, of which
    the first model alone got `first_only` right and the second alone `second_only`.

    Args:
        paired_error: The reader's function.
        seed: Integer. Another one asks other questions, which nobody has seen.
    """
    rng = np.random.default_rng(seed)
    more, fewer = rng.integers(301, 600), rng.integers(50, 300)
    questions = [(int(more), int(fewer), 10_000), (int(fewer), int(more), 2_000)]
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
    names, missing = {*first, *second}, object()
    return sum(first.get(n, missing) != second.get(n, missing) for n in names)


def check_count_unequal(count_unequal):
    """Checks `count_unequal(first, second)`: how many settings of two recipes differ.

    A recipe is a dict. A setting that only one of them has counts as one.
    """
    first = {"epochs": 30, "batch": 256, "dropout": 0.5, "flip": True, "rate": 1e-3}
    second = {"epochs": 30, "batch": 128, "decay": 1e-4, "flip": True, "crop": 4}
    third = {"epochs": 20, "batch": 256, "clip": None}
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
            lambda a, b: len({*a, *b}) - _unequal(a, b)
        ),
        "a setting that differs is counted on each side; it is one.": (
            lambda a, b: len({*a.items()} ^ {*b.items()})
        ),
        "that is the number of settings, whether they differ or not.": (
            lambda a, b: len({*a, *b})
        ),
        "a setting that is None in one recipe and missing in the other differs, too.": (
            lambda a, b: sum(a.get(key) != b.get(key) for key in {*a, *b})
        ),
    }
    questions = [(first, second), (first, third), (third, second)]
    return compare(count_unequal, _unequal, mistakes, questions)


def _count_idle(side, kernel, seen=lambda side: 2 * side - 1):
    return kernel**2 - min(kernel, seen(side)) ** 2


def check_count_idle(count_idle):
    """Checks `count_idle(side, kernel)`: how many weights of a filter see only padding.

    The window has `kernel` x `kernel` weights, an odd number each way. It moves by 1
    over a map of `side` x `side` cells, its centre on each cell.
    """
    mistakes = {
        "that is how many weights meet a cell; the others were asked for.": (
            lambda s, k: min(k, 2 * s - 1) ** 2
        ),
        "one direction alone is counted; a weight is idle when it misses in either.": (
            lambda s, k: k - min(k, 2 * s - 1)
        ),
        "the window also stands off the centre of the map; a map of 2 cells is met by "
        "3 weights of a row.": lambda s, k: _count_idle(s, k, lambda side: side),
        "a map of more than one cell can be too small for a window, too.": (
            lambda s, k: k**2 - 1 if s == 1 else 0
        ),
        "weights can be idle; a single cell is met by the centre of a window alone.": (
            lambda s, k: 0
        ),
        "a weight is idle when it misses in either direction, not only in both.": (
            lambda s, k: (k - min(k, 2 * s - 1)) ** 2
        ),
    }
    questions = [(1, 3), (2, 3), (3, 7), (2, 7), (8, 5)]
    return compare(count_idle, _count_idle, mistakes, questions)


def check_conv_growth(conv_growth):
    """Checks `conv_growth(filters, side)`: how a convolution grows, two factors.

    It has `filters` times as many input and as many output channels, and a map with
    `side` times the side. The growth of its weights comes first, then that of its
    arithmetic.
    """
    mistakes = {
        "a weight stands between each input and each output channel, so that the "
        "filters count twice.": lambda f, s: (f, f * s**2),
        "the map grows in both directions; its side counts twice.": (
            lambda f, s: (f**2, f**2 * s)
        ),
        "the weights do not know the size of the map; only the arithmetic grows with "
        "it.": lambda f, s: (f**2 * s**2, f**2 * s**2),
        "the places are missing in the arithmetic; a window is computed at each.": (
            lambda f, s: (f**2, f**2)
        ),
        "the two are swapped; the weights come first.": lambda f, s: (
            f**2 * s**2,
            f**2,
        ),
        "the filters are missing in the arithmetic; each place has more products, "
        "too.": lambda f, s: (f**2, s**2),
    }
    questions = [(2, 1), (1, 2), (3, 2)]
    return compare(conv_growth, lambda f, s: (f**2, f**2 * s**2), mistakes, questions)


def _seeming_gap(many, one):
    return np.mean(many.max(axis=1) - one)


def check_seeming_gap(seeming_gap):
    """Checks `seeming_gap(many, one)`: by how much the best of many seems better.

    `many` has the shape `(repetitions, settings)`, `one` has one score a repetition.
    """
    rng = np.random.default_rng(0)
    questions = [(rng.normal(size=(6, 4)), rng.normal(size=6))]
    mistakes = {
        "the best of all repetitions is taken; take the best in each, then the mean.": (
            lambda many, one: np.mean(many.max() - one)
        ),
        "the best repetition of each setting is taken; take the best setting of each "
        "repetition.": lambda many, one: many.max(axis=0).mean() - one.mean(),
        "the mean of the settings is taken; somebody reports the best.": (
            lambda many, one: many.mean() - one.mean()
        ),
        "the sign is wrong; the side with many trials comes first.": (
            lambda many, one: -_seeming_gap(many, one)
        ),
        "the single score of the other side is not taken off.": (
            lambda many, one: many.max(axis=1).mean()
        ),
        "these are the gaps of all repetitions; take their mean.": (
            lambda many, one: many.max(axis=1) - one
        ),
    }
    return compare(seeming_gap, _seeming_gap, mistakes, questions)


def check_is_supported(is_supported):
    """Checks `is_supported(number)`: whether the report's runs support a sentence.

    The sentences have the numbers 1 to 6.
    """

    def answers(*supported):
        return lambda number: number in supported

    mistakes = {
        "a constant answer in one network says nothing about the data it would need; "
        "nobody varied their amount.": answers(1, 2, 3, 6),
        "nobody varied the amount of data, so that it cannot be named as the cause.": (
            answers(1, 2, 4, 6)
        ),
        "one run a side, with two recipes, ranks no families; one side did not even "
        "train.": answers(1, 2, 5, 6),
        "not every sentence is supported; ask of each what was varied, how often.": (
            answers(1, 2, 3, 4, 5, 6)
        ),
        "some sentences only say what was measured; those are supported.": answers(),
        "the three numbers of the ViT do say that it answers the same for every image; "
        "go back to what guessing scores.": answers(2, 6),
        "the two recipes stand in the report; that they differ is plain.": answers(
            1, 2
        ),
        "a single run is enough to say what that run scored.": answers(1, 6),
    }
    questions = [(number,) for number in range(1, 7)]
    return compare(is_supported, answers(1, 2, 6), mistakes, questions)
