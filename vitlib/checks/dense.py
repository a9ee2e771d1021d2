"""Checks for the chapter on segmentation and detection."""

from functools import partial

import numpy as np

from vitlib.checks.verdict import compare


def _cut(maps, size):
    """The pixels of each patch, as `(patches, size * size)`."""
    count, height, width = maps.shape
    grid = maps.reshape(count, height // size, size, width // size, size)
    return grid.swapaxes(2, 3).reshape(-1, size * size)


def _of_majority(rows):
    """How many pixels of each row have the class that is most frequent in it."""
    return np.array([np.bincount(row).max() for row in rows])


def _grid_ceiling(maps, patch_size):
    return _of_majority(_cut(maps, patch_size)).sum() / maps.size


def _share_of_mean(maps, size, to_class):
    rows = _cut(maps, size)
    return np.mean(rows == to_class(rows.mean(axis=1, keepdims=True)))


def _of_one_pixel(maps, size, middle):
    rows, place = _cut(maps, size), size // 2 * (size + 1) if middle else 0
    return np.mean(rows == rows[:, place : place + 1])


def _of_pure_patches(maps, size):
    rows = _cut(maps, size)
    return np.mean(rows.min(axis=1) == rows.max(axis=1))


def _of_foreground(maps, size):
    rows = _cut(maps, size)
    named = np.array([np.bincount(row).argmax() for row in rows])[:, None]
    return np.mean((rows == named)[rows > 0])


def _maps(rng, count, side, classes, chance):
    """Class maps of large blots: few patches are of one class, few are all mixed."""
    blots = rng.choice(classes, (count, side // 2, side // 2), p=chance)
    maps = blots.repeat(2, axis=1).repeat(2, axis=2)
    return np.roll(maps, 1, axis=(1, 2))


def check_grid_ceiling(grid_ceiling, seed=0):
    """Checks `grid_ceiling(maps, patch_size)`, a share of the pixels.

    `maps`, `(n, H, W)`, holds class numbers. Each patch is given one class; the answer
    is the largest share of all pixels that can be right.

    Args:
        grid_ceiling: The reader's function.
        seed: Integer. Another one asks other questions, which nobody has seen.
    """
    rng = np.random.default_rng(seed)
    chance = 0.5, 0.2, 0.15, 0.15
    questions = [
        (_maps(rng, 3, 12, 4, chance), 3),
        (_maps(rng, 2, 16, 4, chance), 4),
    ]
    mistakes = {
        "the class numbers are averaged; they are names, so count them.": (
            partial(_share_of_mean, to_class=np.round),
            partial(_share_of_mean, to_class=np.floor),
        ),
        "one pixel speaks for the whole patch; let the most frequent class do so.": (
            partial(_of_one_pixel, middle=False),
            partial(_of_one_pixel, middle=True),
        ),
        "patches of several classes count as wrong; most of their pixels may be "
        "right.": _of_pure_patches,
        "a whole image gets one class; each patch has its own.": (
            lambda maps, size: _grid_ceiling(maps, maps.shape[1])
        ),
        "background is left out; its pixels count, too.": _of_foreground,
        "that is the share of wrong pixels; take the right ones.": (
            lambda maps, size: 1 - _grid_ceiling(maps, size)
        ),
        "that is a number of pixels; divide by all of them.": (
            lambda maps, size: _grid_ceiling(maps, size) * maps.size
        ),
    }
    return compare(grid_ceiling, _grid_ceiling, mistakes, questions)


def _overlaps(truth, predicted):
    """Pixels of both, and of either, for each class, from masks `(..., C)`."""
    places = tuple(range(truth.ndim - 1))
    return (truth & predicted).sum(places), (truth | predicted).sum(places)


def _masks(truth, logits):
    """Each class as a mask, in the truth and where its logit is the largest."""
    classes = np.arange(logits.shape[-1])
    return truth[..., None] == classes, logits.argmax(-1)[..., None] == classes


def _mean_iou(truth, logits, first=1, absent=np.nan, masks=_masks, predicted_too=False):
    of_truth, predicted = masks(truth, logits)
    both, either = _overlaps(of_truth, predicted)
    counts = either > 0 if predicted_too else of_truth.any((0, 1, 2))
    ious = np.where(counts, both / np.maximum(either, 1), absent)
    return np.nanmean(ious[first:])


AS_ONE = tuple(partial(_mean_iou, absent=1, predicted_too=p) for p in (False, True))


def _masks_of_signs(truth, logits):
    return _masks(truth, logits)[0], logits > 0


def _over_images(truth, logits):
    pairs = zip(truth, logits, strict=True)
    return np.mean([_mean_iou(t[None], x[None]) for t, x in pairs])


def _over_truth(truth, logits, doubled=False):
    of_truth, predicted = _masks(truth, logits)
    both, either = _overlaps(of_truth, predicted)
    pixels = of_truth.sum((0, 1, 2))
    below = both + either if doubled else pixels
    above = 2 * both if doubled else both
    return np.mean((above / np.maximum(below, 1))[1:][pixels[1:] > 0])


def _of_all_classes(truth, logits):
    of_truth, predicted = _masks(truth, logits)
    both, either = _overlaps(of_truth, predicted)
    occurs = of_truth.any((0, 1, 2))
    return both[1:][occurs[1:]].sum() / either[1:][occurs[1:]].sum()


def _segmented(rng, classes, absent, wrongly_said):
    """Three class maps without one of the classes, and logits that often agree.

    The logits name the absent class in so many pixels of the first image.
    """
    present = [c for c in range(classes) if c != absent]
    truth = rng.choice(present, (3, 6, 6))
    truth[0] = rng.choice(present[:2], (6, 6))  # so that images differ in classes
    logits = rng.normal(size=(*truth.shape, classes))
    logits += 2 * (truth[..., None] == np.arange(classes))
    logits[..., absent] -= 100
    logits[0, 0, :wrongly_said, absent] = 100
    return truth, logits


def check_mean_iou(mean_iou, seed=0):
    """Checks `mean_iou(truth, logits)`: a single number from 0 to 1.

    `truth`, `(n, H, W)`, holds class numbers, 0 for the background; `logits` has the
    shape `(n, H, W, C)`. The intersection of true and predicted pixels over their
    union, over all images together, averaged over the classes from 1 that occur in the
    truth.

    Args:
        mean_iou: The reader's function.
        seed: Integer. Another one asks other questions, which nobody has seen.
    """
    rng = np.random.default_rng(seed)
    questions = [_segmented(rng, 5, 3, 0), _segmented(rng, 5, 4, 2)]
    mistakes = {
        "a class that occurs nowhere counts as 0; leave it out of the mean.": partial(
            _mean_iou, absent=0
        ),
        "a class that occurs nowhere counts as 1; leave it out of the mean.": AS_ONE,
        "a class that is only predicted counts; the mean goes over those of the "
        "truth.": partial(_mean_iou, predicted_too=True),
        "the background counts as a class; begin with class 1.": partial(
            _mean_iou, first=0
        ),
        "each image has a mean of its own; count the pixels of all images first.": (
            _over_images
        ),
        "a pixel may get several classes; its largest logit says which one it has.": (
            partial(_mean_iou, masks=_masks_of_signs)
        ),
        "that is the share of right pixels; background would make it look good.": (
            lambda truth, logits: np.mean(truth == logits.argmax(-1))
        ),
        "the intersection is divided by the true pixels; take the union.": _over_truth,
        "that is the Dice score; it counts the intersection twice.": partial(
            _over_truth, doubled=True
        ),
        "the pixels of all classes are put together; each class should have the same "
        "weight.": _of_all_classes,
    }
    return compare(mean_iou, _mean_iou, mistakes, questions)


def _sides(first, second, nearer=np.minimum, farther=np.maximum, floor=0, added=0):
    """Height and width of what each two boxes share, as `(n, m, 2)`."""
    first, second = first[:, None], second[None]
    end = nearer(first[..., 2:], second[..., 2:])
    start = farther(first[..., :2], second[..., :2])
    return np.maximum(end - start + added, floor)


def _areas(boxes, added=0):
    return np.prod(boxes[:, 2:] - boxes[:, :2] + added, axis=-1)


def _box_iou(first, second, floor=0, added=0, below=None):
    both = _sides(first, second, floor=floor, added=added).prod(-1)
    a, b = _areas(first, added)[:, None], _areas(second, added)
    below = a + b - both if below is None else below(a, b)
    with np.errstate(divide="ignore"):  # areas below 0, of a mistake, may add up to 0
        return both / below


def _over_frame(first, second):
    frame = _sides(first, second, np.maximum, np.minimum).prod(-1)
    return _sides(first, second).prod(-1) / frame


def _to_corners(boxes):
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)


def _boxes(rng, count, side=20):
    """Boxes of whole numbers, of which some lie apart and some overlap."""
    start = rng.integers(0, side - 8, (count, 2))
    return np.concatenate([start, start + rng.integers(2, 9, (count, 2))], axis=1)


ONE_AREA = np.minimum, lambda a, b: a, lambda a, b: b


def check_box_iou(box_iou, seed=0):
    """Checks `box_iou(first, second)`: the overlap of each box with each, `(n, m)`.

    Boxes, `(n, 4)` and `(m, 4)`, are top, left, bottom, right; bottom and right lie
    outside. The area that two share over the area that they cover together.

    Args:
        box_iou: The reader's function.
        seed: Integer. Another one asks other questions, which nobody has seen.
    """
    rng = np.random.default_rng(seed)
    mistakes = {
        "boxes apart in both directions overlap here; a side below 0 is 0.": partial(
            _box_iou, floor=-np.inf
        ),
        "sides are a pixel too long; ends lie beyond it.": partial(_box_iou, added=1),
        "what two boxes share counts twice; take it off.": partial(
            _box_iou, below=np.add
        ),
        "the shared area is divided by that of one box; divide by what both cover.": (
            tuple(partial(_box_iou, below=area) for area in ONE_AREA)
        ),
        "the shared area is divided by that of a frame around both; the corners of the "
        "frame belong to none.": _over_frame,
        "rows and columns are swapped; a row is a box of `first`.": (
            lambda a, b: _box_iou(b, a)
        ),
        "each box of `first` meets one of `second`; it must meet all.": (
            lambda a, b: _box_iou(a, b).diagonal()
        ),
        "the last two numbers are taken for height and width; they are ends.": (
            lambda a, b: _box_iou(_to_corners(a), _to_corners(b))
        ),
    }
    questions = [(_boxes(rng, 6), _boxes(rng, 6)) for _ in range(2)]
    # Who takes pairs breaks off where there are not as many of both.
    uneven = [(_boxes(rng, 2), _boxes(rng, 5))]
    verdict = compare(box_iou, _box_iou, mistakes, questions)
    return verdict and compare(box_iou, _box_iou, {}, uneven)


def _neighborhoods(heat, reach=1, mode="constant"):
    """The values around each place, that place in the middle: `(H, W, n, n)`."""
    values = {"constant_values": -np.inf} if mode == "constant" else {}
    padded = np.pad(heat, reach, mode=mode, **values)
    return np.lib.stride_tricks.sliding_window_view(padded, 2 * (2 * reach + 1,))


def _find_peaks(heat, threshold, reach=1, mode="constant"):
    largest = _neighborhoods(heat, reach, mode).max(axis=(-2, -1))
    return (heat == largest) & (heat > threshold)


def _of_four(heat, threshold):
    near = _neighborhoods(heat)
    largest = np.maximum(near[..., 1, :].max(-1), near[..., :, 1].max(-1))
    return (heat == largest) & (heat > threshold)


def _strict_peaks(heat, threshold):
    near = _neighborhoods(heat).reshape(*heat.shape, 9)
    others = np.delete(near, 4, axis=-1).max(axis=-1)
    return (heat > others) & (heat > threshold)


def _inner_peaks(heat, threshold):
    inside = np.zeros(heat.shape, bool)
    inside[1:-1, 1:-1] = True
    return _find_peaks(heat, threshold) & inside


def _heat(rng):
    """Heat with peaks in the middle and at a border, and two equal neighbours."""
    heat = rng.integers(0, 60, (7, 9)) / 100
    heat[3, 4:6] = 0.9
    heat[0, 2], heat[6, 8], heat[0, 8] = 0.8, 0.7, 0.75
    heat[6, 2] = 0.82
    return heat


def check_find_peaks(find_peaks, seed=0):
    """Checks `find_peaks(heat, threshold)`: booleans `(H, W)`.

    True where the heat is above the threshold and no smaller than at each of the up to
    eight neighbours.

    Args:
        find_peaks: The reader's function.
        seed: Integer. Another one asks other questions, which nobody has seen.
    """
    rng = np.random.default_rng(seed)
    mistakes = {
        "the map is taken for a ring; what is left of the first column is outside.": (
            partial(_find_peaks, mode="wrap")
        ),
        "neighbours across a corner are forgotten; there are eight.": _of_four,
        "a peak at the border is missed; it has fewer neighbours.": _inner_peaks,
        "two equal neighbours put each other out; a peak is no smaller than its "
        "neighbours.": _strict_peaks,
        "places beside a peak are kept; compare each with its neighbours.": (
            lambda heat, threshold: heat > threshold
        ),
        "weak peaks are kept; compare the heat with the threshold, too.": (
            lambda heat, threshold: _find_peaks(heat, -np.inf)
        ),
        "only the highest peak is kept; there may be several things.": (
            lambda heat, threshold: heat == heat.max()
        ),
        "the neighbourhood is too wide; it is 3 x 3.": partial(_find_peaks, reach=2),
    }
    questions = [(_heat(rng), 0.55), (_heat(rng).T, 0.5)]
    return compare(find_peaks, _find_peaks, mistakes, questions)


def _match(overlaps, threshold, keeps=True, reaches=np.greater_equal):
    hits, free = [], np.ones(overlaps.shape[1], bool)
    for row in overlaps:
        best = np.argmax(np.where(free, row, -1))
        hits.append(bool(free[best] and reaches(row[best], threshold)))
        free[best] &= not (hits[-1] and keeps)
    return np.array(hits)


def _match_favourites(overlaps, threshold):
    """Each prediction asks for the thing that it overlaps most, or for none."""
    hits, free = [], np.ones(overlaps.shape[1], bool)
    for row in overlaps:
        best = np.argmax(row)
        hits.append(bool(free[best] and row[best] >= threshold))
        free[best] &= not hits[-1]
    return np.array(hits)


def _match_by_overlap(overlaps, threshold):
    """The pair with the largest overlap first, whatever the scores."""
    left, hits = overlaps.copy(), np.zeros(len(overlaps), bool)
    while left.max() >= threshold:
        row, column = np.unravel_index(left.argmax(), left.shape)
        hits[row] = True
        left[row], left[:, column] = -1, -1
    return hits


OVERLAPS = [
    # The second finds the first thing once more; the third overlaps a taken one most;
    # the fourth reaches the threshold exactly; the last is the better one for thing 3.
    [
        [0.7, 0.1, 0.0, 0.0],
        [0.8, 0.2, 0.0, 0.1],
        [0.75, 0.6, 0.1, 0.0],
        [0.0, 0.1, 0.5, 0.2],
        [0.0, 0.0, 0.4, 0.55],
        [0.1, 0.0, 0.2, 0.9],
    ],
    [[0.5, 0.45], [0.6, 0.9], [0.55, 0.3], [0.2, 0.7]],
]


def check_match(match):
    """Checks `match(overlaps, threshold)`: booleans `(P,)`, True for a hit.

    `overlaps`, `(P, T)`, is the overlap of each prediction with each thing; the rows
    are sorted by score, the highest first. In this order, each prediction takes that
    thing, among those not yet taken, which it overlaps most, if the overlap is at least
    the threshold.
    """
    mistakes = {
        "a thing is found twice; once taken it is not there for others.": partial(
            _match, keeps=False
        ),
        "a prediction asks for a thing that is taken; look among the free ones.": (
            _match_favourites
        ),
        "an overlap as large as the threshold is refused; it suffices.": partial(
            _match, reaches=np.greater
        ),
        "the predictions come from the last to the first; the highest score chooses "
        "first.": lambda x, t: _match(x[::-1], t)[::-1],
        "the best overlap chooses first; the order of the rows, by score, decides.": (
            _match_by_overlap
        ),
        "the threshold is forgotten; a small overlap is no hit.": (
            lambda x, t: _match(x, 0.0)
        ),
        "that is which things are found; tell for each prediction whether it is a "
        "hit.": lambda x, t: x.max(axis=0) >= t,
    }
    questions = [(np.array(overlaps), 0.5) for overlaps in OVERLAPS]
    return compare(match, _match, mistakes, questions)


RECALLS = np.linspace(0, 1, 101)


def _curve(scores, hits, num_things):
    """Precision and recall after each prediction, the highest score first."""
    found = np.cumsum(hits[np.argsort(-scores, kind="stable")])
    return found / np.arange(1, len(found) + 1), found / num_things


def _best_from_here(precision):
    return np.maximum.accumulate(precision[::-1])[::-1]


def _average_precision(
    scores, hits, num_things, recalls=RECALLS, raise_to=_best_from_here, beyond=0.0
):
    precision, recall = _curve(scores, hits, num_things)
    precision = np.append(raise_to(precision), beyond * precision[-1])
    return precision[np.searchsorted(recall, recalls)].mean()


def _over_hits(scores, hits, num_things):
    precision, _ = _curve(scores, hits, num_things)
    in_order = hits[np.argsort(-scores, kind="stable")]
    return precision[in_order].sum() / num_things


def _as_they_stand(scores, hits, num_things):
    return _average_precision(-np.arange(len(scores)), hits, num_things)


def check_average_precision(average_precision, seed=0):
    """Checks `average_precision(scores, hits, num_things)`, from 0 to 1.

    `scores` and `hits`, `(P,)`, tell of each prediction how sure it is and whether it
    is a hit; `num_things` is how many things there are. The precision at a recall is
    the best that is reached at this recall or a higher one, and 0 where none is that
    high. It is averaged over the 101 recalls 0, 0.01, ..., 1.

    Args:
        average_precision: The reader's function.
        seed: Integer. Another one asks other questions, which nobody has seen.
    """
    rng = np.random.default_rng(seed)
    mistakes = {
        "the predictions are taken as they stand; sort them by score.": _as_they_stand,
        "the lowest score comes first; begin with the highest.": (
            lambda s, h, n: _average_precision(-s, h, n)
        ),
        "the precision of a recall is the one that is reached there; a later and "
        "better one counts.": partial(_average_precision, raise_to=np.asarray),
        "the recall is the share of the hits; things that nobody found are missing.": (
            lambda s, h, n: _average_precision(s, h, h.sum())
        ),
        "a recall that is never reached has a precision here; it must have 0.": partial(
            _average_precision, beyond=1.0
        ),
        "11 recalls are averaged; COCO takes 101.": partial(
            _average_precision, recalls=np.linspace(0, 1, 11)
        ),
        "the precisions at the hits are averaged; go through the 101 recalls.": (
            _over_hits,
            lambda s, h, n: _over_hits(s, h, n) * n / h.sum(),
        ),
        "that is the precision of all predictions; follow it along the recall.": (
            lambda s, h, n: h.mean()
        ),
        "that is the recall of all predictions; their mistakes count, too.": (
            lambda s, h, n: h.sum() / n
        ),
    }
    return compare(average_precision, _average_precision, mistakes, _ranked(rng))


def _ranked(rng):
    """Predictions in no order, of which a late one is often a hit.

    No recall is a hundredth but 0 and 1, so that no rounding decides.
    """
    questions = []
    for things, order in ((7, "1011001101"), (13, "0110111010011")):
        hits = np.array([digit == "1" for digit in order])
        scores = np.sort(rng.random(len(hits)))[::-1]
        shuffle = rng.permutation(len(hits))
        questions.append((scores[shuffle], hits[shuffle], things))
    return questions


def _flip_boxes(boxes, width):
    top, left, bottom, right = boxes.T
    return np.stack([top, width - right, bottom, width - left], axis=1)


TURNED = [1, 0, 3, 2]  # rows and columns have changed places


def _mirror_left_ends(boxes, width):
    top, left, bottom, right = boxes.T
    return np.stack([top, width - left, bottom, width - left + right - left], axis=1)


def check_flip_boxes(flip_boxes, seed=0):
    """Checks `flip_boxes(boxes, width)`: boxes `(n, 4)` of the image seen in a mirror.

    Left and right of an image that is `width` pixels wide change places. A box is top,
    left, bottom, right; bottom and right lie outside.

    Args:
        flip_boxes: The reader's function.
        seed: Integer. Another one asks other questions, which nobody has seen.
    """
    rng = np.random.default_rng(seed)
    swapped = [0, 3, 2, 1]
    mistakes = {
        "the left end is to the right of the right one; they change places.": (
            lambda boxes, width: _flip_boxes(boxes, width)[:, swapped]
        ),
        "the boxes lie a pixel too far to the left; the right end is outside "
        "already.": lambda boxes, width: _flip_boxes(boxes, width) - [0, 1, 0, 1],
        "top and bottom are turned over; a mirror swaps left and right.": (
            lambda boxes, width: _flip_boxes(boxes[:, TURNED], width)[:, TURNED]
        ),
        "left and right are swapped, but where they lie is not mirrored.": (
            lambda boxes, width: boxes[:, swapped]
        ),
        "the boxes stay where they were; only the image was turned.": (
            lambda boxes, width: boxes
        ),
        "the left end is mirrored, and the box goes on from there to the right; it "
        "goes to the left.": _mirror_left_ends,
    }
    questions = [(_boxes(rng, 5), 20), (_boxes(rng, 4), 33)]
    return compare(flip_boxes, _flip_boxes, mistakes, questions)
