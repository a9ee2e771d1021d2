"""Checks for the chapter on the data."""

import numpy as np

from vitlib.checks.verdict import RIGHT, ask, compare, not_yet

PER_CLASS = 3


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
    mistakes = {
        "the mean and the deviation are those of the images themselves; take them from "
        "the training images, or the test set helps to choose.": (
            lambda x, train: _normalize(x, x)
        ),
        "all channels share one mean and one deviation; each channel has its own.": (
            lambda x, train: _normalize(x, train, None)
        ),
        "each place in the image has a mean of its own; average over rows and columns, "
        "too.": lambda x, train: _normalize(x, train, 0),
        "the divisor is the variance; it must be its square root.": (
            lambda x, train: (x - train.mean((0, 1, 2))) / train.var((0, 1, 2))
        ),
        "the mean is taken off, and nothing is divided.": (
            lambda x, train: x - train.mean((0, 1, 2))
        ),
        "the mean is missing; take it off before you divide.": (
            lambda x, train: x / train.std((0, 1, 2))
        ),
        "the pixels are scaled to 0 to 1; the mean and the deviation of the training "
        "images are not used.": lambda x, train: x / 255,
    }
    return compare(normalize, _normalize, mistakes, questions)


def check_stratified_split(split):
    """Checks `split(labels, per_class, rng)`.

    It returns two arrays of row numbers: of the validation images, `per_class` random
    ones of each class, and of all others. `rng` is a `numpy.random.Generator`.
    """
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(7), 20))
    questions = [(labels, PER_CLASS, np.random.default_rng(seed)) for seed in (1, 2)]
    answers, failure = ask(split, questions)
    if failure is not None:
        return failure
    try:
        (rows, rest), (others, _) = [map(np.asarray, answer) for answer in answers]
        counts = np.bincount(labels[rows], minlength=7)
    except (TypeError, ValueError, IndexError):
        return not_yet("two arrays of row numbers must come back, validation first.")
    return _judge_split(labels, rows, rest, others, counts)


def _judge_split(labels, rows, rest, others, counts):
    if len(np.unique(rows)) < len(rows):
        return not_yet("a row is drawn twice; draw without replacement.")
    if np.isin(rows, rest).any():
        return not_yet(
            "a validation row is among the rest, too; a model would be tested on what "
            "it was trained on."
        )
    if len(rows) == 7 * PER_CLASS and (counts != PER_CLASS).any():
        return not_yet(
            "the number is right, but not in each class; draw in every class by itself."
        )
    if (counts != PER_CLASS).any():
        return not_yet(
            f"validation must have {PER_CLASS} rows of each class. Received: "
            f"{counts.tolist()}."
        )
    if len(rest) < len(labels) - len(rows):
        return not_yet("some rows are in neither part; the rest must hold all others.")
    if np.array_equal(np.sort(rows), np.sort(others)):
        return not_yet(
            "two generators give the same rows; draw them with `rng`, for the first of "
            "a file may all come from one source."
        )
    return RIGHT


def _final_accuracy(history, by="val_top1", told="test_top1", chosen=np.argmax):
    return history[told][chosen(history[by])]


def check_final_accuracy(final_accuracy):
    """Checks `final_accuracy(history)`: the number that a paper may print.

    `history` has the lists `top1`, `val_top1` and `test_top1`, one value an epoch, of
    training, validation and test images.
    """
    history = {
        "top1": [0.20, 0.45, 0.60, 0.75, 0.90, 0.85],
        "val_top1": [0.18, 0.40, 0.52, 0.50, 0.47, 0.44],
        "test_top1": [0.17, 0.50, 0.47, 0.44, 0.46, 0.43],
    }
    mistakes = {
        "the epoch is chosen on the test images; the validation images choose, the test "
        "images only tell.": lambda h: _final_accuracy(h, by="test_top1"),
        "the accuracy is that of the training images, which a model can know by heart.": (
            lambda h: _final_accuracy(h, told="top1")
        ),
        "the highest training accuracy says how well the model knows what it has "
        "seen.": lambda h: max(h["top1"]),
        "the epoch is chosen on the training images; they say nothing about others.": (
            lambda h: _final_accuracy(h, by="top1")
        ),
        "that is the validation accuracy; the epoch was chosen by it, so that it is too "
        "high.": lambda h: _final_accuracy(h, told="val_top1"),
        "the last epoch is taken; take the one that validation prefers.": (
            lambda h: h["test_top1"][-1]
        ),
        "the epoch after the chosen one is read; lists count from 0.": lambda h: h[
            "test_top1"
        ][int(np.argmax(h["val_top1"])) + 1],
    }
    return compare(final_accuracy, _final_accuracy, mistakes, [(history,)])
