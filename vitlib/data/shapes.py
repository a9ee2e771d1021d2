"""Draw the embedded data set: two shapes, and how they stand to each other."""

from dataclasses import dataclass

import numpy as np

from vitlib.data.painting import add_noise, paint_dots, tint
from vitlib.data.splits import Dataset, draw_splits, make_split
from vitlib.data.tiles import (
    ARRANGEMENTS,
    BACKGROUND_COLOR,
    BOXES,
    CLASS_NAMES,
    COLOR_JITTER,
    GRID_SIZE,
    IMAGE_SIZE,
    KINDS,
    NUM_TILES,
    PLACES,
    SHAPE_COLORS,
    STAMPS,
    TILE_SIZE,
    VARIANTS,
)
from vitlib.data.words import draw_words, require_stream, split_words

# Random words that an image takes: its order, its background and place, two shapes, its
# tiles, and the noise, 8 values a word.
WORDS = np.array([1, 1, 2, NUM_TILES, IMAGE_SIZE**2 * 3 // 8])


@dataclass(frozen=True, eq=False)
class Scenes:
    """N images, and what is drawn on them.

    The shape that the class names first is red and has index 0, the other is blue and
    has index 1. `label // 4` tells the pair of kinds, `label % 4` the arrangement.

    Args:
        images: uint8 array of shape `(N, 32, 32, 3)`.
        labels: int32 array of shape `(N,)`, indices into `CLASS_NAMES`.
        masks: Boolean array of shape `(N, 2, 32, 32)`, the pixels of each shape.
        boxes: int32 array of shape `(N, 2, 4)`, top, left, bottom, right of each shape
            in pixels; bottom and right are the first row and column outside.
    """

    images: np.ndarray
    labels: np.ndarray
    masks: np.ndarray
    boxes: np.ndarray


def _paint_shapes(grid, words, kinds, tiles):
    """Paints both shapes on a grid of tiles, and returns their masks and boxes.

    How a shape looks, and where in its tile it lies, does not depend on which tile.
    """
    variants, *jitter = split_words(words, len(VARIANTS), *COLOR_JITTER)  # (N, 2)
    stamps = STAMPS[kinds, variants]  # (N, 2, 8, 8)
    colors = tint(SHAPE_COLORS, jitter)[:, :, None, None]  # (N, 2, 1, 1, 3)
    image, (row, column) = np.arange(len(grid))[:, None], np.moveaxis(tiles, -1, 0)
    below = grid[image, row, :, column]  # (N, 2, 8, 8, 3)
    grid[image, row, :, column] = np.where(stamps[..., None], colors, below)
    masks = np.zeros((len(grid), 2, *grid.shape[1:-1]), bool)
    masks[image, (0, 1), row, :, column] = stamps
    boxes = BOXES[variants] + TILE_SIZE * np.tile(tiles, 2)
    return masks.reshape(-1, 2, IMAGE_SIZE, IMAGE_SIZE), boxes.astype(np.int32)


def draw_shapes(num_images, seed=0):
    """Draws images of a red and a blue shape among clutter.

    The label says which kinds the two are, and how the red one stands to the blue one:
    5 * 5 pairs of kinds times 4 arrangements (so flipping an image changes its class).
    Left and right share a row of tiles, above and below a column, at any distance. Each
    hundred images hold each class once, in random order; fewer images are the first of
    more.

    A model that sees the patches as a set is right 25 % of the time at best, for every
    patch size that divides 8. What the 16 tiles of 8 x 8 pixels hold is drawn without
    regard to the arrangement, which decides only where the two tiles with shapes stand.
    So the set of tiles, and of the patches cut from them, has the same distribution
    under all four arrangements, and tells nothing about them. As the four are equally
    likely, no guess from the set names the right one more often than 1 time in 4.

    Args:
        num_images: Integer N of at least 1.
        seed: Integer of at least 0, or a tuple of such: `(seed, 0)`, `(seed, 1)`, ...
            are independent streams of images, as the splits of a data set need.

    Returns:
        `Scenes`, with the same values on every machine.

    Raises:
        ValueError: When `num_images` or `seed` breaks its rule.

    Example:
        >>> scenes = draw_shapes(num_images=100, seed=0)
        >>> scenes.images.shape
        (100, 32, 32, 3)
        >>> CLASS_NAMES[scenes.labels[0]]
        'square above ring'
    """
    require_stream(num_images, seed)
    hundreds = -(-num_images // len(CLASS_NAMES))
    words = draw_words(hundreds * len(CLASS_NAMES), WORDS, seed)
    order, scene, shapes, dots, noise = words
    labels = order.reshape(hundreds, -1).argsort(axis=1, kind="stable").ravel()
    pairs, arrangements = np.divmod(labels, len(ARRANGEMENTS))
    place, *jitter = split_words(scene[:, 0], PLACES.shape[1], *COLOR_JITTER)

    grid = np.empty((len(labels), *2 * (GRID_SIZE, TILE_SIZE), 3), np.uint8)
    grid[:] = tint(BACKGROUND_COLOR, jitter)[:, None, None, None, None]
    paint_dots(grid, dots)
    kinds = np.stack(np.divmod(pairs, len(KINDS)), axis=1)
    masks, boxes = _paint_shapes(grid, shapes, kinds, PLACES[arrangements, place])

    images = grid.reshape(-1, IMAGE_SIZE, IMAGE_SIZE, 3)
    add_noise(images, noise)
    scenes = images, labels.astype(np.int32), masks, boxes
    return Scenes(*(array[:num_images] for array in scenes))


def load_shapes(train=20_000, validation=2_000, test=2_000, seed=0):
    """Draws the embedded data set: three independent draws, no file, no network.

    Args:
        train: Integer of at least 1, the number of images to learn from.
        validation: Integer of at least 1, the number of images to select with.
        test: Integer of at least 1, the number of images to test on.
        seed: Integer of at least 0. The draws use the seeds `(seed, 0)`, `(seed, 1)`
            and `(seed, 2)`.

    Returns:
        A `Dataset`. Its fingerprint is the SHA-256 over the images and the labels (as
        little-endian int32) of training, validation and test split.

    Raises:
        ValueError: When an argument breaks its rule.
    """
    splits, fingerprint = draw_splits(
        lambda *stream: make_split(*vars(draw_shapes(*stream)).values()),
        seed,
        train=train,
        validation=validation,
        test=test,
    )
    return Dataset("shapes", fingerprint, CLASS_NAMES, **splits)
