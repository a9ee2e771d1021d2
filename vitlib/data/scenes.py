"""Draw scenes for dense tasks: one to four things that overlap, and where they are."""

import numpy as np

from vitlib.data.layout import MOST_THINGS, SCENE_SIZE, TRIES, find_boxes, lay_out
from vitlib.data.painting import add_noise, paint_dots, tint
from vitlib.data.splits import Dataset, draw_splits, make_split
from vitlib.data.tiles import (
    BACKGROUND_COLOR,
    COLOR_JITTER,
    KINDS,
    TILE_SIZE,
    draw_kinds,
)
from vitlib.data.words import draw_words, require_stream, split_words

SIDES = range(10, 21)  # pixels, of a thing before others cover it
GRID_SIZE = SCENE_SIZE // TILE_SIZE  # tiles, the side of the grid of clutter

# Of the three channels of a thing one is dark, which no background is, and none is as
# light as to overflow with noise.
DARK = range(20, 92)
ANY = range(20, 212)

# Random words that an image takes: its number of things and its background, its things,
# their places, its tiles, and the noise, 8 values a word.
WORDS = np.array(
    [1, MOST_THINGS, TRIES * MOST_THINGS, GRID_SIZE**2, SCENE_SIZE**2 * 3 // 8]
)


def _make_stamps():
    """Returns the kinds and, last, none, `(5 + 1, 11, 20, 20)`, at the upper left."""
    stamps = np.zeros((len(KINDS) + 1, len(SIDES), *2 * (SIDES[-1],)), bool)
    for index, side in enumerate(SIDES):
        stamps[:-1, index, :side, :side] = draw_kinds(side)
    return stamps


STAMPS = _make_stamps()


def _draw_things(words, count):
    """Draws kinds, -1 behind the last thing of an image, sides, and colours."""
    sizes = len(KINDS), len(SIDES), 3, len(DARK), len(ANY), len(ANY)
    kinds, sides, channel, *values = split_words(words, *sizes)  # (N, 4)
    colors = np.stack(values, axis=-1) + (DARK[0], ANY[0], ANY[0])
    turned = (np.arange(3) - channel[..., None]) % 3  # the first is the dark one
    kinds[np.arange(MOST_THINGS) >= count[:, None]] = -1
    return kinds, sides, np.take_along_axis(colors, turned, axis=-1).astype(np.uint8)


def draw_scenes(num_images, seed=0):
    """Draws scenes of one to four things, and tells where each is.

    A thing is one of five kinds, 10 to 20 pixels wide, and of any colour that differs
    from the background. Later things lie in front of earlier ones, and at least half of
    each is visible; masks and boxes are those of the visible pixels. The middles of two
    boxes are 8 pixels apart along one axis at least, so that they lie in different
    cells of a grid. Fewer images are the first of more.

    Args:
        num_images: Integer N of at least 1.
        seed: Integer of at least 0, or a tuple of such, as of `draw_shapes`.

    Returns:
        A `Split` of N images of 64 x 64 pixels with room for 4 things each, the same on
        every machine. The label is the kind of the thing with the most visible pixels,
        of equals the first.

    Raises:
        ValueError: When `num_images` or `seed` breaks its rule.

    Example:
        >>> scenes = draw_scenes(num_images=100, seed=0)
        >>> scenes.masks.shape
        (100, 4, 64, 64)
    """
    require_stream(num_images, seed)
    scene, things, places, dots, noise = draw_words(num_images, WORDS, seed)
    more, *jitter = split_words(scene[:, 0], MOST_THINGS, *COLOR_JITTER)
    kinds, sides, colors = _draw_things(things, 1 + more)
    _, masks = lay_out(STAMPS[kinds, sides], places)

    grid = np.empty((num_images, *2 * (GRID_SIZE, TILE_SIZE), 3), np.uint8)
    grid[:] = tint(BACKGROUND_COLOR, jitter)[:, None, None, None, None]
    paint_dots(grid, dots)
    images = grid.reshape(num_images, SCENE_SIZE, SCENE_SIZE, 3)
    thing, pixel = np.divmod(np.flatnonzero(masks), SCENE_SIZE**2)
    flat = images.reshape(num_images, -1, 3)
    flat[thing // MOST_THINGS, pixel] = colors.reshape(-1, 3)[thing]
    add_noise(images, noise)

    largest = masks.sum(axis=(2, 3)).argmax(axis=1)
    labels = kinds[np.arange(num_images), largest]
    return make_split(images, labels, masks, find_boxes(masks), kinds)


def load_scenes(train=10_000, validation=1_000, test=1_000, seed=0):
    """Draws the data set of scenes: three independent draws, no file, no network.

    Args:
        train: Integer of at least 1, the number of images to learn from.
        validation: Integer of at least 1, the number of images to select with.
        test: Integer of at least 1, the number of images to test on.
        seed: Integer of at least 0. The draws use the seeds `(seed, 0)`, `(seed, 1)`
            and `(seed, 2)`.

    Returns:
        A `Dataset` of which the classes are the five kinds. Its fingerprint is that of
        `draw_splits`.

    Raises:
        ValueError: When an argument breaks its rule.
    """
    splits, fingerprint = draw_splits(
        draw_scenes, seed, train=train, validation=validation, test=test
    )
    return Dataset("scenes", fingerprint, KINDS, **splits)
