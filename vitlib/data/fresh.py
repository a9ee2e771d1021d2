"""Scenes without end: a training that never sees an image twice."""

import numpy as np

from vitlib.data.layout import SCENE_SIZE
from vitlib.data.scenes import draw_scenes
from vitlib.data.splits import Dataset, draw_splits, make_split
from vitlib.data.tiles import KINDS
from vitlib.data.words import require_stream

BLOCK = 1_000  # scenes that are drawn at a time: masks take memory
SIDE = SCENE_SIZE // 2  # pixels


def draw_small_scenes(num_images, seed=0):
    """Draws scenes at half their size, without masks: each pixel is the mean of four.

    Args:
        num_images: Integer N of at least 1.
        seed: Integer of at least 0, or a tuple of such, as of `draw_scenes`.

    Returns:
        A `Split` of N images of 32 x 32 pixels. The label is that of `draw_scenes`: the
        kind of the thing with the most visible pixels.

    Raises:
        ValueError: When `num_images` or `seed` breaks its rule.
    """
    require_stream(num_images, seed)
    stream = seed if isinstance(seed, tuple) else (seed,)
    images = np.empty((num_images, SIDE, SIDE, 3), np.uint8)
    labels = np.empty(num_images, np.int32)
    for block, start in enumerate(range(0, num_images, BLOCK)):
        part = slice(start, start + BLOCK)
        scenes = draw_scenes(len(labels[part]), (*stream, block))
        # Sums of pairs, twice: one sum over two axes takes ten times as long.
        pairs = scenes.images.reshape(-1, SIDE, 2, 2 * SIDE, 3)
        rows = np.add(pairs[:, :, 0], pairs[:, :, 1], dtype=np.uint16)
        images[part] = (rows[:, :, ::2] + rows[:, :, 1::2]) // 4
        labels[part] = scenes.labels
    return make_split(images, labels)


def load_fresh_scenes(train=20_000, validation=10_000, test=10_000, seed=0):
    """Draws a data set of small scenes that never ends, no file, no network.

    Each epoch of a run has images of its own, drawn with the seed
    `(seed, 3, run's seed, epoch)`.

    Args:
        train: Integer of at least 1, the images that tell what those of an epoch are
            like; where fewer are asked for, the ones that are repeated.
        validation: Integer of at least 1, the number of images to select with: many, so
            that the mean loss is known to about a hundredth.
        test: Integer of at least 1, the number of images to test on.
        seed: Integer of at least 0, as of `load_scenes`.

    Returns:
        A `Dataset` whose `fresh` draws on. Its classes are the five kinds.

    Raises:
        ValueError: When an argument breaks its rule.
    """
    splits, fingerprint = draw_splits(
        draw_small_scenes, seed, train=train, validation=validation, test=test
    )

    def fresh(run_seed, epoch, num_images):
        return draw_small_scenes(num_images, (seed, 3, run_seed, epoch))

    return Dataset("fresh-scenes", fingerprint, KINDS, **splits, fresh=fresh)
