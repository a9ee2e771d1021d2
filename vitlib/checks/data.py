"""Checks for the chapter on the data."""

from functools import partial

import numpy as np

from vitlib.checks.verdict import RIGHT, as_numbers, ask, compare, not_yet

# What the split is tried on.
CLASSES, IMAGES, PER_CLASS = 7, 140, 3


def _superclass_accuracy(accuracy, classes, members, wrong=1, true=1):
    return accuracy + (100 - accuracy) * (members - true) / (classes - wrong)


def check_superclass_accuracy(superclass_accuracy):
    """Checks `superclass_accuracy(accuracy, classes, members)`, in %.

    `accuracy` is the share of right fine labels, in %. There are `classes` fine labels,
    `members` in each superclass. Wrong answers fall on all other fine labels equally
    often.
    """
    questions = [(47.93, 100, 5), (20.0, 12, 4), (80.0, 30, 3)]
    mistakes = {
        "that is the accuracy of the fine labels; a wrong one may still lie in the "
        "right superclass.": lambda accuracy, *_: accuracy,
        "only the wrong answers are counted; those with the right fine label have the "
        "right superclass, too.": lambda a, *sizes: _superclass_accuracy(a, *sizes) - a,
        "the accuracy is in %, so that 100 - accuracy of the answers are wrong, not "
        "1 - accuracy.": lambda a, c, m: a + (1 - a) * (m - 1) / (c - 1),
        "a wrong answer is one of `classes - 1` fine labels, for the true one is not "
        "among them.": partial(_superclass_accuracy, wrong=0),
        "of the wrong fine labels, `members - 1` lie in the right superclass; the true "
        "one is not among them.": partial(_superclass_accuracy, true=0),
        "the true label is counted among the wrong answers; take it off the members "
        "and off the classes.": partial(_superclass_accuracy, wrong=0, true=0),
        "that is a share; the answer must be in %.": (
            lambda *question: _superclass_accuracy(*question) / 100
        ),
    }
    return compare(superclass_accuracy, _superclass_accuracy, mistakes, questions)


def _table_accuracy(images, copies, right, classes):
    return 100 * (right + (images - copies) / classes) / images


def check_table_accuracy(table_accuracy):
    """Checks `table_accuracy(images, copies, right, classes)`, in %.

    A model looks each of the `images` test images up in a table of training images. It
    finds `copies`, of which `right` have the right label, and answers class 0 for all
    others. The `classes` classes are equally frequent among those.
    """
    questions = [(10_000, 10, 4, 100), (10_000, 10, 10, 100), (500, 30, 20, 10)]
    mistakes = {
        "that is a constant predictor, which finds nothing; add the copies.": (
            lambda n, d, r, k: 100 / k
        ),
        "every copy counts as a hit; only those with the right label are.": (
            lambda n, d, r, k: _table_accuracy(n, d, d, k)
        ),
        "the other images count for nothing; class 0 is right for some of them.": (
            lambda n, d, r, k: 100 * r / n
        ),
        "the copies are looked up and guessed as well; only the other images get "
        "class 0.": lambda n, d, r, k: _table_accuracy(n, 0, r, k),
        "a copy with a wrong label is found, too, and does not get class 0.": (
            lambda n, d, r, k: _table_accuracy(n, r, r, k)
        ),
        "the hits are divided by the other images alone; divide by all.": (
            lambda n, d, r, k: 100 * (r + (n - d) / k) / (n - d)
        ),
        "that is the number of hits; divide by the images, and answer in %.": (
            lambda n, d, r, k: r + (n - d) / k
        ),
        "that is a share of the images; multiply by 100, for the answer must be in "
        "%.": lambda *question: _table_accuracy(*question) / 100,
    }
    return compare(table_accuracy, _table_accuracy, mistakes, questions)


def _shear_angle(pixels, height):
    return np.degrees(np.arctan(pixels / height))


def _top_row_angle(pixels, side):
    return _shear_angle(pixels, (side - 1) / 2)


def check_shear_angle(shear_angle):
    """Checks `shear_angle(pixels, side)`, in degrees.

    A shear by this angle moves the top row of an image of `side` x `side` pixels by so
    many pixels.
    """
    questions = [(1, 32), (3, 72), (0.5, 16)]
    mistakes = {
        "the height is taken from edge to edge; the shear leaves the middle of the "
        "image where it is.": _shear_angle,
        "the height is that over the bottom row; take the one over the middle.": (
            lambda pixels, side: _shear_angle(pixels, side - 1)
        ),
        "the height is half a pixel too large; measure it from the middle of the image "
        "to the middle of the top row.": (
            lambda pixels, side: _shear_angle(pixels, side / 2)
        ),
        "the angle is in radians; `shear_range` wants degrees.": (
            lambda pixels, side: np.arctan(2 * pixels / (side - 1))
        ),
        "that is the tangent of the angle; take the arctangent, in degrees.": (
            lambda pixels, side: 2 * pixels / (side - 1)
        ),
        "the tangent is turned into degrees as if it were the angle; take the "
        "arctangent first.": lambda pixels, side: np.degrees(2 * pixels / (side - 1)),
        "that is the arcsine, which fits the old function, since that stretches the "
        "height, too; a pure shear takes the arctangent.": (
            lambda pixels, side: np.degrees(np.arcsin(2 * pixels / (side - 1)))
        ),
        "the angle is that to the rows; a shear of 0 degrees leaves columns upright.": (
            lambda pixels, side: 90 - _top_row_angle(pixels, side)
        ),
    }
    return compare(shear_angle, _top_row_angle, mistakes, questions)


def _flip_ceiling(left_right, top_bottom, loss=25, without=16 / 25):
    """`without` is the share of the pairs of kinds in which there is no triangle."""
    return 100 - loss * left_right - loss * without * top_bottom


# As if an upside-down triangle were a shape of the set.
_every_pair = partial(_flip_ceiling, without=1)

# What is wrong with the ceilings of two flips: with the triangle, and without.
WRONG_CEILINGS = {
    "the ceilings of the two flips are multiplied; they spoil different classes, so "
    "that their losses add up.": (
        lambda a, b: 100 * 0.75**a * 0.84**b,
        lambda a, b: 100 * 0.75**a * 0.75**b,
    ),
    "a class that a flip changes counts as lost; a guess between two labels is right "
    "half of the time.": (
        partial(_flip_ceiling, loss=50),
        partial(_every_pair, loss=50),
    ),
    "the flip from left to right counts as harmless; it turns *left of* into *right "
    "of*.": (
        lambda a, b: _flip_ceiling(False, b),
        lambda a, b: _every_pair(False, b),
    ),
    "both flips together do as much harm as one; the second spoils the classes that "
    "the first leaves alone.": (
        lambda a, b: min(_flip_ceiling(a, False), _flip_ceiling(False, b)),
        lambda a, b: _every_pair(a or b, False),
    ),
    "with both flips, the model guesses among four; no flip turns *left of* into "
    "*above*, so that it knows two of them are wrong.": (
        lambda a, b: 25 if a and b else _flip_ceiling(a, b),
        lambda a, b: 25 if a and b else _every_pair(a, b),
    ),
    "the best accuracy is given as a share; it must be in %.": (
        lambda a, b: _flip_ceiling(a, b) / 100,
        lambda a, b: _every_pair(a, b) / 100,
    ),
}


def check_flip_ceiling(flip_ceiling):
    """Checks `flip_ceiling(left_right, top_bottom)`, in %.

    That is the best accuracy on the arrangements of the embedded set when its training
    images are flipped with a probability of 1/2, their labels stay, and each argument,
    True or False, says whether that flip is in use.
    """
    questions = [(False, False), (True, False), (False, True), (True, True)]
    mistakes = {
        "the triangle counts as the same upside down; no image of the set shows it so, "
        "and a model that sees it knows of the flip.": _every_pair,
        "the pair of two triangles is counted twice; list the pairs of kinds that hold "
        "none.": partial(_flip_ceiling, without=3 / 5),
        "the triangle counts as changed by both flips; in a mirror it looks the "
        "same.": lambda a, b: 100 - 16 * a - 16 * b,
        "a flip halves the accuracy on all classes; it changes only half of them.": (
            lambda a, b: 100 / 2**a / 2**b
        ),
        "the flip from top to bottom counts as harmless; it turns *above* into "
        "*below*.": lambda a, b: _flip_ceiling(a, False),
        **WRONG_CEILINGS,
    }
    return compare(flip_ceiling, _flip_ceiling, mistakes, questions)


def _normalize(images, training, axis=(0, 1, 2), ddof=0, power=0.5):
    return (images - training.mean(axis)) / training.var(axis, ddof=ddof) ** power


def _compare_on_many(normalize):
    """Compares on 6 MB of images, of which a sum of `float32` numbers goes wrong."""
    images = np.full((8192, 8, 8, 3), 99, "float32")
    images[::2] += 4

    def exactly(some, training):
        return _normalize(some, training.astype("float64"))

    hint = "a sum of so many `float32` numbers is rounded; add them up in `float64`."
    return compare(normalize, exactly, {hint: _normalize}, [(images[:2], images)])


def check_normalize(normalize):
    """Checks `normalize(images, training)`, both of shape `(B, H, W, 3)`.

    The mean of each channel is taken off, and the rest divided by its standard
    deviation, both of the training images.
    """
    rng = np.random.default_rng(0)
    training = 120 + np.array([20, 50, 70]) * rng.normal(size=(8, 4, 4, 3))
    questions = [(rng.uniform(0, 255, (5, 4, 4, 3)), training)]
    mistakes = {
        "the mean and the deviation are those of the images themselves; take them from "
        "the training images, for a model must know nothing of the test set.": (
            lambda images, training: _normalize(images, images)
        ),
        "all channels share one mean and one deviation; each channel has its own.": (
            partial(_normalize, axis=None)
        ),
        "each place in the image has a mean of its own; average over rows and columns, "
        "too.": partial(_normalize, axis=0),
        "the divisor is the variance; it must be its square root.": (
            partial(_normalize, power=1)
        ),
        "the mean is taken off, and nothing is divided; divide by the deviation.": (
            partial(_normalize, power=0)
        ),
        "the mean is missing; take it off before you divide.": (
            lambda images, training: images / training.std((0, 1, 2))
        ),
        "the pixels are scaled to 0 to 1; use the mean and the deviation of the "
        "training images instead.": lambda images, training: images / 255,
        "the divisor of the variance is one too small; it is the number of pixels.": (
            partial(_normalize, ddof=1)
        ),
    }
    verdict = compare(normalize, _normalize, mistakes, questions)
    return _compare_on_many(normalize) if verdict else verdict


def check_stratified_split(split, seed=0):
    """Checks `stratified_split(labels, per_class, rng)`.

    It returns two arrays of row numbers: of the validation images, `per_class` random
    ones of each class, and of all others. `rng` is a `numpy.random.Generator`.

    Args:
        split: The reader's function.
        seed: Integer. Another one asks other questions, which nobody has seen.
    """
    labels = np.arange(IMAGES) % CLASSES
    np.random.default_rng(seed).shuffle(labels)
    rngs = [np.random.default_rng([seed, stream]) for stream in (1, 2, 1)]
    questions = [(labels, PER_CLASS, rng) for rng in rngs]
    answers, failure = ask(split, questions)
    if failure is not None:
        return failure
    drawn = [_row_numbers(answer) for answer in answers]
    if None in drawn:
        return not_yet(
            "the function must return two lists of row numbers, validation first, and "
            "they must be whole numbers."
        )
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
        "these are masks of True and False; return the numbers of the rows.": (
            rows.dtype == bool or rest.dtype == bool
        ),
        "these are the labels of the rows; return the numbers of the rows.": (
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
        "missing, or are there twice.": not np.array_equal(np.sort(rest), others),
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
