"""Checks for the chapter on the data."""

from functools import partial

import numpy as np

from vitlib.checks.verdict import RIGHT, as_numbers, ask, compare, not_yet

# What the split is tried on.
CLASSES, IMAGES, PER_CLASS = 7, 140, 3


def _normalize(images, training, axis=(0, 1, 2)):
    return (images - training.mean(axis)) / training.std(axis)


def check_normalize(normalize):
    """Checks `normalize(images, training)`, both of shape `(B, H, W, 3)`.

    The mean of each channel is taken off, and the rest divided by its standard
    deviation, both of the training images.
    """
    rng = np.random.default_rng(0)
    spread = np.array([20.0, 50.0, 70.0])
    training = 120 + spread * rng.normal(size=(8, 4, 4, 3))
    questions = [(rng.uniform(0, 255, (5, 4, 4, 3)), training)]
    channels = (0, 1, 2)
    mistakes = {
        "the mean and the deviation are those of the images themselves; take them from "
        "the training images, for a model may know nothing of the test set.": (
            lambda images, training: _normalize(images, images)
        ),
        "all channels share one mean and one deviation; each channel has its own.": (
            partial(_normalize, axis=None)
        ),
        "each place in the image has a mean of its own; average over rows and columns, "
        "too.": partial(_normalize, axis=0),
        "the divisor is the variance; it must be its square root.": (
            lambda images, training: (
                (images - training.mean(channels)) / training.var(channels)
            )
        ),
        "the mean is taken off, and nothing is divided; divide by the deviation.": (
            lambda images, training: images - training.mean(channels)
        ),
        "the mean is missing; take it off before you divide.": (
            lambda images, training: images / training.std(channels)
        ),
        "the pixels are scaled to 0 to 1; use the mean and the deviation of the "
        "training images instead.": lambda images, training: images / 255,
    }
    return compare(normalize, _normalize, mistakes, questions)


def check_stratified_split(split):
    """Checks `split(labels, per_class, rng)`.

    It returns two arrays of row numbers: of the validation images, `per_class` random
    ones of each class, and of all others. `rng` is a `numpy.random.Generator`.
    """
    labels = np.arange(IMAGES) % CLASSES
    np.random.default_rng(0).shuffle(labels)
    questions = [(labels, PER_CLASS, np.random.default_rng(seed)) for seed in (1, 2, 1)]
    answers, failure = ask(split, questions)
    if failure is not None:
        return failure
    drawn = [_row_numbers(answer) for answer in answers]
    if None in drawn:
        return not_yet("two lists of row numbers must come back, validation first.")
    for rows, rest in drawn:
        hint = _judge_split(labels, rows, rest)
        if hint:
            return not_yet(hint)
    first, other, again = (np.sort(rows).tolist() for rows, _ in drawn)
    if first == other:
        return not_yet(
            "two generators give the same rows; draw at random, for the first rows of "
            "a file may all come from one source."
        )
    if first != again:
        return not_yet(
            "the same generator gives other rows each time; draw with `rng` alone, so "
            "that others can repeat your split."
        )
    return RIGHT


def _row_numbers(answer):
    """Two one-dimensional arrays without fractions; None when it is something else."""
    try:
        rows, rest = map(as_numbers, answer)
    except Exception:  # not two things, or none that can be taken apart
        return None
    if any(x is None or x.ndim != 1 or x.dtype.kind == "f" for x in (rows, rest)):
        return None
    return rows, rest


def _judge_split(labels, rows, rest):
    """The hint for one split, or None when it may be right."""
    numbers = np.arange(IMAGES)
    others = np.setdiff1d(numbers, rows)
    counts = np.bincount(labels[np.isin(numbers, rows)], minlength=CLASSES)
    all_labels = np.repeat(np.arange(CLASSES), PER_CLASS)
    faults = {
        "masks of True and False came back; return the numbers of the rows.": (
            rows.dtype == bool or rest.dtype == bool
        ),
        "the labels of the rows came back; return the numbers of the rows.": (
            np.array_equal(np.sort(rows), all_labels)
        ),
        "some numbers belong to no row; the first row is 0, the last one "
        "len(labels) - 1.": not np.isin([*rows, *rest], numbers).all(),
        "a row is drawn twice; draw without replacement.": (
            len(np.unique(rows)) < len(rows)
        ),
        "the two parts are swapped; the validation rows come first.": (
            len(rows) == IMAGES - len(all_labels)
        ),
        "a validation row is among the rest, too; a model would be tested on what it "
        "was trained on.": np.isin(rows, rest).any(),
        "the number of validation rows is right, but not in each class; draw in every "
        "class by itself.": len(rows) == len(all_labels) and np.ptp(counts) > 0,
        "validation must have `per_class` rows of each class; count them.": (
            (counts != PER_CLASS).any()
        ),
        "all rows that are not for validation must be in the rest once; some are "
        "missing, or stand there twice.": not np.array_equal(np.sort(rest), others),
    }
    return next((hint for hint, is_found in faults.items() if is_found), None)


def _final_accuracy(history, by="val_top1", told="test_top1", later=0):
    return history[told][np.argmax(history[by]) + later]


def check_final_accuracy(final_accuracy):
    """Checks `final_accuracy(history)`: the number that a paper may print.

    `history` has the lists `top1`, `val_top1` and `test_top1`, one value an epoch, of
    training, validation and test images.
    """
    history = {  # no two values are equal
        "top1": [0.20, 0.45, 0.60, 0.75, 0.90, 0.85],
        "val_top1": [0.18, 0.40, 0.53, 0.51, 0.49, 0.42],
        "test_top1": [0.17, 0.50, 0.47, 0.44, 0.46, 0.43],
    }
    mistakes = {
        "the epoch is chosen on the test images; the validation images choose, the "
        "test images only tell.": partial(_final_accuracy, by="test_top1"),
        "the epoch is right, but the accuracy is that of the training images, which a "
        "model can know by heart.": partial(_final_accuracy, told="top1"),
        "that is the highest training accuracy, which says how well the model knows "
        "what it has seen; the validation images choose, the test images tell.": (
            partial(_final_accuracy, by="top1", told="top1")
        ),
        "the epoch is chosen on the training images; choose it on images that the "
        "model has not seen.": partial(_final_accuracy, by="top1"),
        "that is the validation accuracy; the epoch was chosen by it, so that it is "
        "too high.": partial(_final_accuracy, told="val_top1"),
        "the last epoch is taken; take the one that validation prefers.": (
            lambda history: history["test_top1"][-1]
        ),
        "the epoch after the chosen one is read; lists count from 0.": (
            partial(_final_accuracy, later=1)
        ),
    }
    return compare(final_accuracy, _final_accuracy, mistakes, [(history,)])
