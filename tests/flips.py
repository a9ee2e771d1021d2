"""What flips cost on the embedded set: every image that can be drawn, counted."""

from itertools import product

import numpy as np

from vitlib.data.tiles import KINDS, PLACES, STAMPS


def count_stamps(kinds):
    """All stamps, `(S, 8, 8)`, and how often each kind is drawn as each, `(K, S)`."""
    drawn = STAMPS[[KINDS.index(kind) for kind in kinds]]
    count, variants = drawn.shape[:2]
    flat = drawn.reshape(count * variants, -1)
    different, which = np.unique(flat, axis=0, return_inverse=True)
    often = np.zeros((count, len(different)))
    rows = np.arange(count).repeat(variants)
    np.add.at(often, (rows, which.ravel()), 1 / variants)
    return different.reshape(-1, *drawn.shape[2:]), often


def turn_places(axes):
    """Which arrangement each one becomes when the image is flipped, `(4,)`."""
    turned = PLACES.copy()
    turned[..., axes] = 3 - turned[..., axes]
    before, after = (
        [sorted(map(str, places.tolist())) for places in four]
        for four in (PLACES, turned)
    )
    return [before.index(places) for places in after]


def ceiling(left_right, top_bottom, kinds=KINDS):
    """The best accuracy, in %, on images as drawn, after a training on flipped ones.

    Each flip that is in use happens with a probability of 1/2, and the labels stay.
    For each class and each pair of stamps at each arrangement it is counted how often
    the training set shows it. The best model says the class that shows it most often;
    between equals it guesses.
    """
    stamps, often = count_stamps(kinds)
    keys = [stamp.tobytes() for stamp in stamps]
    never = np.zeros((len(kinds), 1))
    padded = np.hstack([often, never])  # the last column: no stamp of the set
    flips = list(
        product(*([False, True][: 1 + used] for used in (top_bottom, left_right)))
    )
    trained = 0
    for flip in flips:
        axes = [axis for axis in (0, 1) if flip[axis]]  # rows, columns
        turned = [np.flip(stamp, axes).tobytes() for stamp in stamps]
        shapes = padded[:, [keys.index(k) if k in keys else -1 for k in turned]]
        arranged = np.eye(4)[:, turn_places(axes)]
        trained = trained + np.einsum("ri,bj,ac->rbaijc", shapes, shapes, arranged)
    drawn = np.einsum("ri,bj,ac->rbaijc", often, often, np.eye(4))
    best = np.isclose(trained, trained.max(axis=(0, 1, 2)))
    share = best / best.sum(axis=(0, 1, 2))
    return 100 * float((drawn * share).sum()) / (4 * len(kinds) ** 2)
