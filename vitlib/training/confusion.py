"""How well maps of classes agree: the confusion matrix, and what is read off it."""

import numpy as np


def confusion_matrix(truth, predicted, classes):
    """Counts how often each class was taken for which.

    Args:
        truth: Integer array of any shape, classes from 0.
        predicted: Integer array of the same shape.
        classes: Integer C, how many classes there are.

    Returns:
        Integer array of shape `(C, C)`: rows are the truth, columns what was predicted.

    Raises:
        ValueError: When the shapes differ or a class is outside of 0 to C - 1.
    """
    truth, predicted = np.asarray(truth), np.asarray(predicted)
    if truth.shape != predicted.shape:
        raise ValueError(
            "truth and predicted must have the same shape. "
            f"Received: {truth.shape} and {predicted.shape}."
        )
    for name, values in (("truth", truth), ("predicted", predicted)):
        if values.size and not 0 <= values.min() <= values.max() < classes:
            raise ValueError(
                f"The classes of {name} must be from 0 to {classes - 1}. "
                f"Received: {values.min()} to {values.max()}."
            )
    pairs = classes * truth.astype("int64").ravel() + predicted.ravel()
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def mean_iou(matrix, background=0):
    """Averages the intersection over union of the classes that occur in the truth.

    Args:
        matrix: Integer array `(C, C)` from `confusion_matrix`, over all images at once.
        background: Integer, the class that is left out; None to keep all.

    Returns:
        Float from 0 to 1; NaN where no class but the background occurs. A class that is
        predicted and does not occur has no value of its own, but takes pixels of those
        that do.

    Reference:
        Everingham et al., 2015, section 4.2.3
        (https://doi.org/10.1007/s11263-014-0733-5).
    """
    occurs = matrix.sum(axis=1) > 0
    if background is not None:
        occurs[background] = False
    if not occurs.any():
        return float("nan")
    both = np.diag(matrix)[occurs]
    either = (matrix.sum(axis=0) + matrix.sum(axis=1))[occurs] - both
    return float(np.mean(both / either))


def grid_ceiling(maps, patch_size):
    """The mean IoU that no answer of one class a patch can exceed.

    For each class but the background, 0, the best set of patches is found: those with
    the largest share of its pixels, as many as make its IoU largest. The mean over the
    classes is reached where no patch is in two of the sets, and else is a little too
    high. To give each patch the class of most of its pixels is best for the accuracy,
    and not for the IoU: that a class claims a patch can pay from a share of IoU / (1 +
    IoU) on, which is below one half.

    Args:
        maps: Integer array of shape `(N, H, W)`, the class of each pixel, from 0.
        patch_size: Integer P, which divides H and W.

    Returns:
        Float from 0 to 1; NaN where there is nothing but background.

    Raises:
        ValueError: When P does not divide H and W.
    """
    pixels = _count_pixels(maps, patch_size)
    best = []
    for shares in np.moveaxis(pixels[..., 1:], -1, 0):  # of a kind, in each patch
        both = np.cumsum(np.sort(shares, axis=None)[::-1])  # the fullest, two, ...
        claimed = patch_size**2 * np.arange(1, both.size + 1)
        if both[-1]:
            best.append(np.max(both / (claimed + both[-1] - both)))
    return float(np.mean(best)) if best else float("nan")


def majority_iou(maps, patch_size):
    """The mean IoU where each patch has the class of most of its pixels.

    It is what a head of one class a patch comes to whose cross-entropy is as small as
    can be: best for the accuracy, and below `grid_ceiling`.

    Args:
        maps: As for `grid_ceiling`.
        patch_size: As for `grid_ceiling`.

    Returns:
        Float from 0 to 1; NaN where there is nothing but background.

    Raises:
        ValueError: As `grid_ceiling`.
    """
    pixels = _count_pixels(maps, patch_size)
    answer = pixels.argmax(axis=-1)
    answer = answer.repeat(patch_size, axis=1).repeat(patch_size, axis=2)
    return mean_iou(confusion_matrix(maps, answer, pixels.shape[-1]))


def _count_pixels(maps, patch_size):
    """How many pixels of each class a patch has: `(N, rows, columns, classes)`."""
    count, height, width = maps.shape
    if height % patch_size or width % patch_size:
        raise ValueError(
            f"patch_size must divide the {height} x {width} pixels of the maps. "
            f"Received: {patch_size}."
        )
    tiles = maps.reshape(count, height // patch_size, patch_size, -1, patch_size)
    classes = range(int(maps.max()) + 1)
    return np.stack([(tiles == k).sum(axis=(2, 4)) for k in classes], axis=-1)
