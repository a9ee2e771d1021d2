"""Random numbers that are the same on every machine and in every version of NumPy.

NumPy promises that of the words of a bit generator, of `Generator.integers` and its
like it does not, nor do the last bits of floating point agree.
"""

import numpy as np

from vitlib.config.rules import require_integer


def require_stream(num_images, seed):
    """Refuses a number of images that cannot be drawn, or the seed of no stream.

    Args:
        num_images: Must be an integer of at least 1.
        seed: Must be an integer of at least 0, or a tuple of such.

    Raises:
        ValueError: When one of them breaks its rule.
    """
    require_integer("num_images", num_images, 1)
    numbers = seed if isinstance(seed, tuple) else (seed,)
    if not numbers or any(type(number) is not int or number < 0 for number in numbers):
        raise ValueError(
            "seed must be an integer of at least 0, or a tuple of such integers. "
            f"Received: {seed!r}."
        )


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
