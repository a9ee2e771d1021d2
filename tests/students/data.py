"""What students hand in for the exercises of the chapter on the data."""

import math
from itertools import product

import numpy as np

from vitlib import checks
from vitlib.data import shapes


def superclass_accuracy(accuracy, classes, members):
    right = accuracy / 100
    by_luck = (1 - right) / (classes - 1) * (members - 1)
    return 100 * (right + by_luck)


def luck(accuracy, siblings, others):
    """A hundred answers: the right ones, and the siblings among the others."""
    return accuracy + siblings * (100 - accuracy) / others


SUPERCLASS_ACCURACY = {
    "that is the accuracy of the fine labels": lambda a, c, m: a,
    "only the wrong answers are counted": lambda a, c, m: (100 - a) / (c - 1) * (m - 1),
    "not 1 - accuracy": lambda a, c, m: a + (m - 1) / (c - 1) * (1 - a),
    "one of `classes - 1` fine labels": lambda a, c, m: luck(a, m - 1, c),
    "of the wrong fine labels": lambda a, c, m: luck(a, m, c - 1),
    "off the members and off the classes": lambda a, c, m: luck(a, m, c),
    "that is a share; the answer": lambda a, c, m: luck(a, m - 1, c - 1) / 100,
}


def table_accuracy(images, copies, right, classes):
    hits = right
    for label in range(classes):
        hits += (label == 0) * (images - copies) / classes
    return hits / images * 100


TABLE_ACCURACY = {
    "that is a constant predictor": lambda n, d, r, k: n / k / n * 100,
    "every copy counts as a hit": lambda n, d, r, k: (d + (n - d) / k) / n * 100,
    "count for nothing": lambda n, d, r, k: r / n * 100,
    "looked up and guessed as well": lambda n, d, r, k: (r + n / k) / n * 100,
    "a copy with a wrong label": lambda n, d, r, k: (r + (n - r) / k) / n * 100,
    "divided by the other images": lambda n, d, r, k: 100 / k + 100 * r / (n - d),
    "that is the number of hits": lambda n, d, r, k: (
        n * table_accuracy(n, d, r, k) / 100
    ),
    "that is a share of the images": lambda n, d, r, k: r / n + (1 - d / n) / k,
}


def shear_angle(pixels, side):
    rows = np.arange(side) - np.arange(side).mean()
    return math.degrees(math.atan2(pixels, -rows[0]))


SHEAR_ANGLE = {
    "from edge to edge": lambda p, s: math.degrees(math.atan(p / s)),
    "over the bottom row": lambda p, s: math.degrees(math.atan2(p, s - 1)),
    "half a pixel too large": lambda p, s: math.degrees(math.atan(p / (s / 2))),
    "the angle is in radians": lambda p, s: math.radians(shear_angle(p, s)),
    "that is the tangent": lambda p, s: math.tan(math.radians(shear_angle(p, s))),
    "as if it were the angle": lambda p, s: p / (s - 1) * 360 / math.pi,
    "that is the arcsine": lambda p, s: math.degrees(math.asin(p / (s / 2 - 0.5))),
    "the angle is that to the rows": lambda p, s: math.degrees(
        math.atan((s - 1) / 2 / p)
    ),
}


def flip_ceiling(left_right, top_bottom):
    sure = []
    for pair in product(shapes.STAMPS[:, -1], repeat=2):  # these fill their tiles
        same_in_mirror = all((stamp == stamp[:, ::-1]).all() for stamp in pair)
        same_on_its_head = all((stamp == stamp[::-1]).all() for stamp in pair)
        sure += 2 * [not (left_right and same_in_mirror)]
        sure += 2 * [not (top_bottom and same_on_its_head)]
    return sum(1 if is_sure else 0.5 for is_sure in sure)


FLIP_CEILING = {
    "the same upside down": lambda a, b: 100 - 25 * (a + b),
    "counted twice": lambda a, b: 100 - 25 * a - 25 * b * (1 - 2 / 5),
    "changed by both flips": lambda a, b: [100, 84, 68][a + b],
    "are multiplied": lambda a, b: 100 * (0.75 if a else 1) * (0.84 if b else 1),
    "on all classes": lambda a, b: 100 // (1 + a) // (1 + b),
    "counts as lost": lambda a, b: 50 * (not a) + 18 + 32 * (not b),
    "from top to bottom counts": lambda a, b: 75 if a else 100,
    "from left to right counts": lambda a, b: 84 if b else 100,
    "as much harm as one": lambda a, b: 75 if a else flip_ceiling(a, b),
    "guesses among four": lambda a, b: [100, 84, 75, 25][2 * a + b],
    "given as a share": lambda a, b: flip_ceiling(a, b) * 0.01,
}

# The same mistakes of those who did not see that the triangle has a top.
FLIP_CEILING_OF_SYMMETRIC_KINDS = {
    "are multiplied": lambda a, b: 100 * (0.75 if a else 1) * (0.75 if b else 1),
    "counts as lost": lambda a, b: 50 * (not a) + 50 * (not b),
    "from left to right counts": lambda a, b: 75 if b else 100,
    "as much harm as one": lambda a, b: 75 if a or b else 100,
    "guesses among four": lambda a, b: [100, 75, 25][a + b],
    "given as a share": lambda a, b: [1, 0.75, 0.5][a + b],
}


def normalize(images, training):
    answer = np.empty(images.shape)
    for channel in range(3):
        pixels = training[..., channel].ravel().tolist()
        answer[..., channel] = (images[..., channel] - np.mean(pixels)) / np.std(pixels)
    return answer


def by_channel(images, training, rule):
    planes = [rule(images[..., c], training[..., c].ravel()) for c in range(3)]
    return np.stack(planes, axis=-1)


def with_the_variance(images, training):
    return by_channel(images, training, lambda x, t: (x - np.mean(t)) / np.var(t))


def without_the_mean(images, training):
    return by_channel(images, training, lambda x, t: x / np.std(t))


def with_rounded_sums(images, training):
    mean, deviation = np.mean(training, (0, 1, 2)), np.std(training, (0, 1, 2))
    return (images - mean) / deviation


NORMALIZE = {
    "`float32` numbers is rounded": with_rounded_sums,
    "one too small": lambda images, training: by_channel(
        images, training, lambda x, t: (x - np.mean(t)) / np.std(t, ddof=1)
    ),
    "those of the images themselves": lambda images, training: normalize(
        images, images
    ),
    "share one mean": lambda images, training: (
        (images - np.mean(training)) / np.std(training)
    ),
    "each place in the image": lambda images, training: (
        (images - np.mean(training, axis=0)) / np.std(training, axis=0)
    ),
    "the divisor is the variance": with_the_variance,
    "nothing is divided": lambda images, training: by_channel(
        images, training, lambda x, t: x - np.mean(t)
    ),
    "the mean is missing": without_the_mean,
    "scaled to 0 to 1": lambda images, training: images / 255.0,
}


def split(labels, per_class, rng):
    validation, rest = [], []
    for label in range(max(labels) + 1):
        rows = [row for row in range(len(labels)) if labels[row] == label]
        rng.shuffle(rows)
        validation += rows[:per_class]
        rest += rows[per_class:]
    return validation, rest


def others(labels, rows):
    return [row for row in range(len(labels)) if row not in set(rows)]


def masks(labels, per_class, rng):
    rows, _ = split(labels, per_class, rng)
    chosen = np.isin(np.arange(len(labels)), rows)
    return chosen, ~chosen


def labels_for_rows(labels, per_class, rng):
    rows, rest = split(labels, per_class, rng)
    return labels[rows], labels[rest]


def count_from_one(labels, per_class, rng):
    rows, rest = split(labels, per_class, rng)
    return np.array(rows) + 1, np.array(rest) + 1


def draw_with_replacement(labels, per_class, rng):
    rows = []
    for label in range(max(labels) + 1):
        rows += list(rng.choice(np.flatnonzero(labels == label), per_class))
    return rows, others(labels, rows)


def draw_from_all(labels, per_class, rng):
    order = rng.permutation(len(labels))
    number = per_class * len(set(labels))
    return order[:number], order[number:]


def draw_a_number_in_all(labels, per_class, rng):
    order = rng.permutation(len(labels))
    return order[:per_class], order[per_class:]


def forget_the_last(labels, per_class, rng):
    rows, rest = split(labels, per_class, rng)
    return rows, rest[:-1]


def take_the_first(labels, per_class, rng):
    rows = []
    for label in range(max(labels) + 1):
        rows += list(np.flatnonzero(labels == label)[:per_class])
    return rows, others(labels, rows)


SPLIT = {
    "two lists of row numbers": lambda *question: split(*question)[0],
    "masks of True and False": masks,
    "the labels of the rows": labels_for_rows,
    "some numbers belong to no row": count_from_one,
    "drawn twice": draw_with_replacement,
    "the two parts are swapped": lambda *question: split(*question)[::-1],
    "among the rest, too": lambda labels, per_class, rng: (
        split(labels, per_class, rng)[0],
        range(len(labels)),
    ),
    "but not in each class": draw_from_all,
    "rows of each class; count": draw_a_number_in_all,
    "must be in the rest once": forget_the_last,
    "two generators": take_the_first,
    "the same generator": lambda labels, per_class, rng: split(
        labels, per_class, np.random.default_rng()
    ),
}


def final_accuracy(history):
    best = 0
    for epoch, accuracy in enumerate(history["val_top1"]):
        if accuracy > history["val_top1"][best]:
            best = epoch
    return history["test_top1"][best]


def best_epoch(accuracies):
    return accuracies.index(max(accuracies))


FINAL_ACCURACY = {
    "chosen on the test images": lambda h: max(h["test_top1"]),
    "the epoch is right": lambda h: h["top1"][best_epoch(h["val_top1"])],
    "the highest training accuracy": lambda h: sorted(h["top1"])[-1],
    "chosen on the training images": lambda h: h["test_top1"][best_epoch(h["top1"])],
    "that is the validation accuracy": lambda h: max(h["val_top1"]),
    "the last epoch": lambda h: h["test_top1"][len(h["test_top1"]) - 1],
    "the epoch after": lambda h: h["test_top1"][best_epoch([0, *h["val_top1"]])],
}

AGAIN = {checks.check_flip_ceiling: FLIP_CEILING_OF_SYMMETRIC_KINDS}
EXERCISES = {
    checks.check_superclass_accuracy: (superclass_accuracy, SUPERCLASS_ACCURACY),
    checks.check_table_accuracy: (table_accuracy, TABLE_ACCURACY),
    checks.check_shear_angle: (shear_angle, SHEAR_ANGLE),
    checks.check_flip_ceiling: (flip_ceiling, FLIP_CEILING),
    checks.check_normalize: (normalize, NORMALIZE),
    checks.check_stratified_split: (split, SPLIT),
    checks.check_final_accuracy: (final_accuracy, FINAL_ACCURACY),
}
