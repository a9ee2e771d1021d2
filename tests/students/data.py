"""What students hand in for the exercises of the chapter on the data."""

import numpy as np

from vitlib import checks


def normalize(images, training):
    answer = np.empty(images.shape)
    for channel in range(3):
        pixels = training[..., channel].ravel()
        answer[..., channel] = (images[..., channel] - np.mean(pixels)) / np.std(pixels)
    return answer


def by_channel(images, training, rule):
    planes = [rule(images[..., c], training[..., c].ravel()) for c in range(3)]
    return np.stack(planes, axis=-1)


def with_the_variance(images, training):
    return by_channel(images, training, lambda x, t: (x - np.mean(t)) / np.var(t))


def without_the_mean(images, training):
    return by_channel(images, training, lambda x, t: x / np.std(t))


NORMALIZE = {
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

EXERCISES = {
    checks.check_normalize: (normalize, NORMALIZE),
    checks.check_stratified_split: (split, SPLIT),
    checks.check_final_accuracy: (final_accuracy, FINAL_ACCURACY),
}
