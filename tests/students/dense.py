"""What students hand in for the exercises of the chapter on dense prediction."""

from collections import Counter
from itertools import product

import numpy as np
from scipy import ndimage, stats
from sklearn import metrics

from vitlib import checks


def patches(maps, size):
    """Each patch of each map, as a list of class numbers."""
    _, height, width = maps.shape
    corners = product(range(0, height, size), range(0, width, size))
    for row, column in corners:
        for image in maps:
            yield image[row : row + size, column : column + size].ravel().tolist()


def right_with(maps, size, choose):
    """How many pixels are right where a patch gets the class that is chosen for it."""
    return sum(patch.count(choose(patch)) for patch in patches(maps, size))


def most_frequent(patch):
    return Counter(patch).most_common(1)[0][0]


def grid_ceiling(maps, patch_size):
    return right_with(maps, patch_size, most_frequent) / maps.size


def of_things(maps, size):
    """Counts the pixels of the foreground alone."""
    right = total = 0
    for patch in patches(maps, size):
        named = int(stats.mode(patch).mode)
        right += named > 0 and patch.count(named)
        total += len(patch) - patch.count(0)
    return right / total


GRID_CEILING = {
    "they are names": lambda maps, size: (
        right_with(maps, size, lambda patch: round(np.mean(patch))) / maps.size
    ),
    "one pixel speaks": lambda maps, size: (
        right_with(maps, size, lambda patch: patch[0]) / maps.size
    ),
    "patches of several classes": lambda maps, size: np.mean(
        [len(set(patch)) == 1 for patch in patches(maps, size)]
    ),
    "a whole image": lambda maps, size: np.mean(
        [max(Counter(image.ravel()).values()) / image.size for image in maps]
    ),
    "background is left out": of_things,
    "the share of wrong": lambda maps, size: 1 - grid_ceiling(maps, size),
    "a number of pixels": lambda maps, size: right_with(maps, size, most_frequent),
}


def jaccard(truth, predicted, classes, average="macro"):
    return metrics.jaccard_score(
        truth.ravel(), predicted.ravel(), labels=classes, average=average
    )


def occurring(*maps):
    return sorted({number for each in maps for number in each.flat} - {0})


def mean_iou(truth, logits):
    predicted = np.argmax(logits, axis=-1)
    return jaccard(truth, predicted, occurring(truth))


def with_predicted(truth, logits):
    predicted = np.argmax(logits, axis=-1)
    return jaccard(truth, predicted, occurring(truth, predicted))


def with_absent(truth, logits, value):
    """The mean over all classes but the background, absent ones at a value."""
    predicted, classes = np.argmax(logits, axis=-1), logits.shape[-1] - 1
    present = occurring(truth, predicted)
    total = len(present) * jaccard(truth, predicted, present)
    return (total + value * (classes - len(present))) / classes


def with_background(truth, logits):
    predicted = np.argmax(logits, axis=-1)
    return jaccard(truth, predicted, [0, *occurring(truth)])


def of_signs(truth, logits):
    ious = []
    for number in range(1, logits.shape[-1]):
        here, said = truth == number, logits[..., number] > 0
        if np.any(here):
            ious.append(np.sum(here & said) / np.sum(here | said))
    return np.mean(ious)


def of_one_kind(score, truth, logits, **options):
    predicted = np.argmax(logits, axis=-1)
    options = {"labels": occurring(truth), "average": "macro"} | options
    return score(truth.ravel(), predicted.ravel(), **options)


MEAN_IOU = {
    "counts as 0": lambda truth, logits: with_absent(truth, logits, 0),
    "counts as 1": lambda truth, logits: with_absent(truth, logits, 1),
    "is only predicted counts": with_predicted,
    "the background counts": with_background,
    "a mean of its own": lambda truth, logits: np.mean(
        [mean_iou(*image) for image in zip(truth, logits, strict=True)]
    ),
    "a pixel may get": of_signs,
    "the share of right pixels": lambda truth, logits: metrics.accuracy_score(
        truth.ravel(), np.argmax(logits, axis=-1).ravel()
    ),
    "divided by the true pixels": lambda truth, logits: of_one_kind(
        metrics.recall_score, truth, logits, zero_division=0
    ),
    "the Dice score": lambda truth, logits: of_one_kind(
        metrics.f1_score, truth, logits
    ),
    "put together": lambda truth, logits: of_one_kind(
        metrics.jaccard_score, truth, logits, average="micro"
    ),
}


def area(box):
    top, left, bottom, right = box
    return (bottom - top) * (right - left)


def shared(a, b):
    """The box that two boxes have in common, which may be turned inside out."""
    return [*np.maximum(a[:2], b[:2]), *np.minimum(a[2:], b[2:])]


def common_area(a, b):
    top, left, bottom, right = shared(a, b)
    return area((top, left, bottom, right)) if bottom > top and right > left else 0


def iou(a, b):
    both = common_area(a, b)
    return both / (area(a) + area(b) - both)


def each_pair(measure):
    return lambda first, second: [[measure(a, b) for b in second] for a in first]


def frame(a, b):
    return [*np.minimum(a[:2], b[:2]), *np.maximum(a[2:], b[2:])]


def inside_out(a, b):
    with np.errstate(divide="ignore"):
        return area(shared(a, b)) / (area(a) + area(b) - area(shared(a, b)))


def grown(box):
    return [*box[:2], box[2] + 1, box[3] + 1]


def as_sizes(box):
    top, left, height, width = box
    return [top, left, top + height, left + width]


BOX_IOU = {
    "apart in both": each_pair(inside_out),
    "a pixel too long": each_pair(lambda a, b: iou(grown(a), grown(b))),
    "counts twice; take": each_pair(
        lambda a, b: common_area(a, b) / (area(a) + area(b))
    ),
    "by that of one box": each_pair(lambda a, b: common_area(a, b) / area(a)),
    "a frame around both": each_pair(
        lambda a, b: common_area(a, b) / area(frame(a, b))
    ),
    "rows and columns": lambda first, second: each_pair(iou)(second, first),
    "meets one of": lambda first, second: list(map(iou, first, second)),
    "for height and width": each_pair(lambda a, b: iou(as_sizes(a), as_sizes(b))),
}


def find_peaks(heat, threshold, **options):
    options = {"size": 3, "mode": "constant", "cval": -np.inf} | options
    largest = ndimage.maximum_filter(heat, **options)
    return np.logical_and(heat >= largest, heat > threshold)


CROSS = ndimage.generate_binary_structure(2, 1)


def larger_than_others(heat, threshold):
    peaks = np.zeros(heat.shape, bool)
    for row, column in np.ndindex(heat.shape):
        near = heat[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
        here = heat[row, column]
        peaks[row, column] = here > threshold and np.sum(near >= here) == 1
    return peaks


def without_border(heat, threshold):
    return np.pad(find_peaks(heat, threshold)[1:-1, 1:-1], 1)


FIND_PEAKS = {
    "for a ring": lambda heat, t: find_peaks(heat, t, mode="wrap"),
    "across a corner": lambda heat, t: find_peaks(heat, t, size=None, footprint=CROSS),
    "at the border": without_border,
    "put each other out": larger_than_others,
    "beside a peak": lambda heat, t: np.greater(heat, t),
    "weak peaks": lambda heat, t: find_peaks(heat, -1),
    "only the highest": lambda heat, t: find_peaks(heat, np.max(heat) - 1e-9),
    "too wide": lambda heat, t: find_peaks(heat, t, size=5),
}


def match(overlaps, threshold):
    taken, hits = set(), []
    for row in overlaps:
        free = [(overlap, n) for n, overlap in enumerate(row) if n not in taken]
        best = max(free, default=(-1, None))
        hits.append(best[0] >= threshold)
        if hits[-1]:
            taken.add(best[1])
    return hits


def insist(overlaps, threshold):
    taken, hits = set(), []
    for row in overlaps:
        best = int(np.argmax(row))
        hits.append(row[best] >= threshold and best not in taken)
        if hits[-1]:
            taken.add(best)
    return hits


def by_overlap(overlaps, threshold):
    pairs = sorted(np.ndindex(overlaps.shape), key=lambda pair: -overlaps[pair])
    found = {}
    for row, column in pairs:
        fits = overlaps[row, column] >= threshold
        if fits and row not in found and column not in found.values():
            found[row] = column
    return [row in found for row in range(len(overlaps))]


MATCH = {
    "found twice": lambda x, t: [max(row) >= t for row in x],
    "that is taken": insist,
    "as large as the threshold": lambda x, t: match(x, t + 1e-9),
    "from the last to the first": lambda x, t: match(x[::-1], t)[::-1],
    "chooses first; the order": by_overlap,
    "is forgotten": lambda x, t: match(x, 1e-9),
    "which things are found": lambda x, t: [max(column) >= t for column in x.T],
}


def points(scores, hits, num_things):
    """Pairs of recall and precision, the highest score first."""
    found, pairs = 0, []
    ranked = sorted(zip(scores, hits, strict=True), reverse=True)
    for place, (_, is_hit) in enumerate(ranked, start=1):
        found += int(is_hit)
        pairs.append((found / num_things, found / place))
    return pairs


def area_below(pairs, recalls=101, beyond=0):
    total = 0
    for number in range(recalls):
        asked = number / (recalls - 1)
        reached = [precision for recall, precision in pairs if recall >= asked]
        total += max(reached, default=beyond)
    return total / recalls


def average_precision(scores, hits, num_things):
    return area_below(points(scores, hits, num_things))


def as_they_stand(scores, hits, num_things):
    return average_precision(range(len(scores), 0, -1), hits, num_things)


def first_reached(scores, hits, num_things):
    pairs, precisions = points(scores, hits, num_things), []
    for asked in np.linspace(0, 1, 101):
        reached = [precision for recall, precision in pairs if recall >= asked]
        precisions.append(reached[0] if reached else 0)
    return np.mean(precisions)


def beyond_the_last(scores, hits, num_things):
    pairs = points(scores, hits, num_things)
    return area_below(pairs, beyond=pairs[-1][1])


AVERAGE_PRECISION = {
    "as they stand": as_they_stand,
    "the lowest score": lambda s, h, n: average_precision(np.negative(s), h, n),
    "a later and better": first_reached,
    "the share of the hits": lambda s, h, n: average_precision(s, h, sum(h)),
    "never reached": beyond_the_last,
    "11 recalls": lambda s, h, n: area_below(points(s, h, n), recalls=11),
    "at the hits": lambda s, h, n: metrics.average_precision_score(h, s),
    "the precision of all": lambda s, h, n: sum(h) / len(h),
    "the recall of all": lambda s, h, n: sum(h) / n,
}


def flip_boxes(boxes, width):
    flipped = [[top, width - r, bottom, width - x] for top, x, bottom, r in boxes]
    return np.array(flipped)


FLIP_BOXES = {
    "they change places": lambda boxes, width: [
        [top, width - left, bottom, width - right] for top, left, bottom, right in boxes
    ],
    "too far to the left": lambda boxes, width: [
        [top, width - 1 - right, bottom, width - 1 - left]
        for top, left, bottom, right in boxes
    ],
    "turned over": lambda boxes, width: [
        [width - bottom, left, width - top, right] for top, left, bottom, right in boxes
    ],
    "is not mirrored": lambda boxes, width: boxes[:, [0, 3, 2, 1]],
    "stay where they were": lambda boxes, width: boxes.tolist(),
    "goes on from there": lambda boxes, width: [
        [top, width - left, bottom, width - left + right - left]
        for top, left, bottom, right in boxes
    ],
}

EXERCISES = {
    checks.check_grid_ceiling: (grid_ceiling, GRID_CEILING),
    checks.check_mean_iou: (mean_iou, MEAN_IOU),
    checks.check_box_iou: (each_pair(iou), BOX_IOU),
    checks.check_find_peaks: (find_peaks, FIND_PEAKS),
    checks.check_match: (match, MATCH),
    checks.check_average_precision: (average_precision, AVERAGE_PRECISION),
    checks.check_flip_boxes: (flip_boxes, FLIP_BOXES),
}
