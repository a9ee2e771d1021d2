"""How well boxes are found: average precision, as COCO measures it."""

from typing import NamedTuple

import numpy as np

THRESHOLDS = np.linspace(0.5, 0.95, 10)  # of the IoU from which on a box is found
RECALLS = np.linspace(0.0, 1.0, 101)
MOST = 100  # detections of one kind that an image may have


class Detections(NamedTuple):
    """What was found in N images, at most K things in each.

    Args:
        boxes: Array of shape `(N, K, 4)`: top, left, bottom, right in pixels.
        kinds: Integer array of shape `(N, K)`, from 0; -1 where there is no detection.
        scores: Array of shape `(N, K)`, the surer the larger.
    """

    boxes: np.ndarray
    kinds: np.ndarray
    scores: np.ndarray


def box_iou(boxes, others):
    """The intersection over union of each box with each other one.

    Args:
        boxes: Array of shape `(..., n, 4)`: top, left, bottom, right.
        others: Array of shape `(..., m, 4)`.

    Returns:
        Array of shape `(..., n, m)`, from 0 to 1.
    """
    first = np.asarray(boxes, "float64")[..., :, None, :]
    second = np.asarray(others, "float64")[..., None, :, :]
    start = np.maximum(first[..., :2], second[..., :2])
    end = np.minimum(first[..., 2:], second[..., 2:])
    both = np.prod(np.maximum(end - start, 0), axis=-1)
    either = box_area(first) + box_area(second) - both
    return np.divide(both, either, out=np.zeros_like(both), where=both > 0)


def box_area(boxes):
    """The area of boxes `(..., 4)`, in square pixels."""
    return np.prod(boxes[..., 2:] - boxes[..., :2], axis=-1)


def average_precision(found, boxes, kinds, thresholds=THRESHOLDS, area=(0, np.inf)):
    """Measures detections: the area under precision over recall, mean over the kinds.

    As COCO does: each image has at most 100 detections of a kind; the surest comes
    first and takes the free box with which it overlaps most; the precision at a recall
    is the best one at this recall or a higher one, read at 101 recalls. Kinds that do
    not occur are left out.

    Args:
        found: `Detections`.
        boxes: Array of shape `(N, T, 4)`, the true boxes.
        kinds: Integer array of shape `(N, T)`; -1 where there is no thing.
        thresholds: Sequence of IoUs from which on a box is found.
        area: The least and the largest area in square pixels. A thing of another size
            counts for nothing, and neither does what finds it.

    Returns:
        Array of shape `(len(thresholds),)`; NaN where no kind occurs.

    Reference:
        Lin et al., 2014 (https://arxiv.org/abs/1405.0312), and their `pycocotools`.
    """
    limits = np.minimum(thresholds, 1 - 1e-10)
    rows = [_of_kind(k, found, boxes, kinds, limits, area) for k in _occurring(kinds)]
    rows = [row for row in rows if row is not None]
    return np.mean(rows, axis=0) if rows else np.full(len(limits), np.nan)


def _occurring(kinds):
    return np.unique(kinds[kinds >= 0])


def _of_kind(kind, found, boxes, kinds, thresholds, area):
    """The average precision of one kind; None where it has nothing of this area."""
    scores, matched, void, count = [], [], [], 0
    for i in range(len(boxes)):
        mine = np.flatnonzero(found.kinds[i] == kind)
        mine = mine[np.argsort(-found.scores[i][mine], kind="stable")][:MOST]
        truths, guesses = boxes[i][kinds[i] == kind], found.boxes[i][mine]
        ignored = _is_outside(truths, area)
        count += np.sum(~ignored)
        hit, idle = _match(box_iou(guesses, truths), ignored, thresholds)
        scores.append(found.scores[i][mine])
        matched.append(hit)
        void.append(idle | (~hit & _is_outside(guesses, area)))
    if not count:
        return None
    counted = ~np.concatenate(void, axis=1)
    hits = np.concatenate(matched, axis=1) & counted
    order = np.argsort(-np.concatenate(scores), kind="stable")
    return _area_under(hits[:, order], counted[:, order], count)


def _is_outside(boxes, area):
    size = box_area(np.asarray(boxes, "float64"))
    return (size < area[0]) | (size > area[1])


def _match(iou, ignored, thresholds):
    """Gives each detection, the surest first, the best box that is free.

    Of equal boxes it is the last, and one that is ignored only where no other fits.

    Args:
        iou: Array of shape `(D, G)`.
        ignored: Boolean array of shape `(G,)`.
        thresholds: Array of shape `(T,)`.

    Returns:
        Two boolean arrays of shape `(T, D)`: what has found a box, and what has found
        an ignored one.
    """
    free = np.ones((len(thresholds), len(ignored)), bool)
    matched, void = np.zeros((2, len(thresholds), len(iou)), bool)
    near = np.flatnonzero(iou.max(axis=1, initial=0) >= min(thresholds))
    for detection in near:
        fits = free & (iou[detection] >= thresholds[:, None])
        real = fits & ~ignored
        fits = np.where(real.any(axis=1, keepdims=True), real, fits)
        backwards = np.where(fits, iou[detection], -1)[:, ::-1]
        best = len(ignored) - 1 - backwards.argmax(axis=1)
        hit = fits.any(axis=1)
        matched[:, detection] = hit
        void[:, detection] = hit & ignored[best]
        free[hit, best[hit]] = False
    return matched, void


def _area_under(hits, counted, count):
    """The mean precision at `RECALLS`, of detections from the surest on."""
    right, shown = np.cumsum(hits, axis=1), np.cumsum(counted, axis=1)
    precision = right / np.maximum(shown, 1)
    best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    best = np.pad(best, ((0, 0), (0, 1)))  # 0 at a recall that is not reached
    places = [np.searchsorted(recall, RECALLS) for recall in right / count]
    return np.take_along_axis(best, np.array(places), axis=1).mean(axis=1)
