"""Paste pictures that are cut out on blotchy backgrounds, and tell where they are."""

import numpy as np

from vitlib.data.layout import (
    MOST_THINGS,
    SCENE_SIZE,
    TRIES,
    find_boxes,
    index_windows,
    lay_out,
)
from vitlib.data.painting import add_noise
from vitlib.data.splits import make_split
from vitlib.data.words import draw_words, split_words

OPAQUE = 128  # alpha; a pixel of at least so much is one of the thing
STEP = 16  # pixels between the colours of a background
GRID = SCENE_SIZE // STEP + 1  # colours along its side
CHUNK = 1000  # images that are painted at once, which keeps the memory small

# Random words that an image takes: its number of things and the colour of its
# background, its blotches, its things, their places, and the noise, 8 values a word.
BLOTCHES, NOISE = GRID**2 * 3 // 8 + 1, SCENE_SIZE**2 * 3 // 8
WORDS = np.array([1, BLOTCHES, MOST_THINGS, TRIES * MOST_THINGS, NOISE])


def paste_scenes(num_images, seed, pictures):
    """Draws scenes of one to four pictures, each kind equally often.

    Args:
        num_images: Integer N of at least 1.
        seed: Integer, or a tuple of a seed and the numbers of a stream.
        pictures: List of a uint8 array of shape `(P, V, S, S, 4)` for each kind: its
            pictures, each in V variants; red, green, blue and alpha; the thing in the
            upper left corner, S at most 27.

    Returns:
        A `Split` of N images of 64 x 64 pixels, as `draw_scenes` makes it.
    """
    words = draw_words(num_images, WORDS, seed)
    chunks = [
        _paste(pictures, *(word[start : start + CHUNK] for word in words))
        for start in range(0, num_images, CHUNK)
    ]
    return make_split(*map(np.concatenate, zip(*chunks, strict=True)))


def _paste(pictures, scene, blotches, things, places, noise):
    """Returns images, labels, masks, boxes and kinds, as `make_split` takes them."""
    more, *color = split_words(scene[:, 0], MOST_THINGS, 128, 128, 128)
    kinds, patches = _pick(pictures, things, 1 + more)
    corners, masks = lay_out(patches[..., 3] >= OPAQUE, places)
    images = _draw_blotches(np.stack(color, axis=-1), blotches)
    add_noise(images, noise)
    images = _overlay(images, patches, corners)
    largest = masks.sum(axis=(2, 3)).argmax(axis=1)
    labels = kinds[np.arange(len(kinds)), largest]
    return images, labels, masks, find_boxes(masks), kinds


def _pick(pictures, words, count):
    """Returns kinds, -1 behind the last thing of an image, and their pictures."""
    variants = pictures[0].shape[1]
    kinds, variant, number = split_words(words, len(pictures), variants, 2**32)
    sizes = np.array([len(own) for own in pictures])
    rows = (sizes.cumsum() - sizes)[kinds] + number % sizes[kinds]
    patches = np.concatenate(pictures)[rows, variant]  # (N, 4, S, S, 4)
    absent = np.arange(MOST_THINGS) >= count[:, None]
    kinds[absent], patches[absent] = -1, 0
    return kinds, patches


def _draw_blotches(color, words):
    """Returns images that pass from colour to colour, in whole numbers up to 222."""
    values = words.astype("<u8").view(np.uint8)[:, : GRID**2 * 3]
    grid = color[:, None, None] + values.reshape(-1, GRID, GRID, 3) % 96
    grid = grid.astype(np.uint16)  # holds 222 * STEP**2
    before, share = np.divmod(np.arange(SCENE_SIZE, dtype=np.uint16), STEP)
    right, down = share[:, None], share[:, None, None]
    rows = grid[:, :, before] * (STEP - right) + grid[:, :, before + 1] * right
    both = rows[:, before] * (STEP - down) + rows[:, before + 1] * down
    return (both // STEP**2).astype(np.uint8)


def _overlay(images, patches, corners):
    """Returns images with the pictures on them, as far as they are not transparent."""
    size = patches.shape[2]
    # Windows may reach out of the image, pictures do not.
    canvas = np.pad(images, ((0, 0), (0, size), (0, size), (0, 0)))
    for thing in range(MOST_THINGS):
        window = index_windows(corners[:, thing], size)
        color, alpha = np.split(patches[:, thing].astype(np.int32), [3], axis=-1)
        mixed = alpha * color + (255 - alpha) * canvas[window] + 127
        canvas[window] = mixed // 255
    return canvas[:, :SCENE_SIZE, :SCENE_SIZE]
