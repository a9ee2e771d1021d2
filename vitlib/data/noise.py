"""Draw images in which there is nothing to see: what does a model learn of them?"""

import numpy as np

from vitlib.data.splits import Dataset, draw_splits, make_split
from vitlib.data.words import draw_words

SHAPE = (32, 32, 3)
WORDS = np.array([32 * 32 * 3 // 8])  # of 8 bytes, that an image takes


def _draw(count, seed):
    (words,) = draw_words(count, WORDS, seed)
    images = words.astype("<u8").view(np.uint8).reshape(count, *SHAPE)
    return make_split(images, [0] * count)


def load_noise(train=40_000, validation=2_000, test=2_000, seed=0):
    """Draws a data set of uniform noise: each value from 0 to 255, on its own.

    Args:
        train: Integer of at least 1, the number of images to learn from.
        validation: Integer of at least 1, the number of images to select with.
        test: Integer of at least 1, the number of images to test on.
        seed: Integer of at least 0. The draws use the seeds `(seed, 0)`, `(seed, 1)`
            and `(seed, 2)`.

    Returns:
        A `Dataset` of one class, the same on every machine. Its fingerprint is
        that of `draw_splits`.

    Raises:
        ValueError: When an argument breaks its rule.
    """
    splits, fingerprint = draw_splits(
        _draw, seed, train=train, validation=validation, test=test
    )
    return Dataset("noise", fingerprint, ("noise",), **splits)
