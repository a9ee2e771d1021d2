"""Random numbers that are the same on every machine and in every version of NumPy.

NumPy promises that of the words of a bit generator, of `Generator.integers` and its
like it does not, nor do the last bits of floating point agree.
"""

import numpy as np


def draw_words(num_images, uses, seed):
    """Draws the random words of 64 bits of images.

    Args:
        num_images: Integer N.
        uses: Integer array. For each use, how many words an image takes.
        seed: Integer, or a tuple of a seed and the numbers of a stream.

    Returns:
        List of arrays of shape `(N, words)`, one a use.
    """
    first, *stream = seed if isinstance(seed, tuple) else (seed,)
    bits = np.random.PCG64(np.random.SeedSequence(first, spawn_key=stream))
    words = bits.random_raw(num_images * uses.sum()).reshape(num_images, -1)
    return np.split(words, uses.cumsum()[:-1], axis=1)


def split_words(words, *sizes):
    """Yields, for each size, an array of numbers below it, all equally likely."""
    for size in sizes:
        yield (words % np.uint64(size)).astype(int)
        words = words // np.uint64(size)
