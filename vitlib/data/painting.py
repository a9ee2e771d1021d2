"""What all drawn images share: tinted colours, dots of clutter, and noise."""

from itertools import product

import numpy as np

from vitlib.data.tiles import DOT_COLORS, DOT_RARITY, DOT_SIZE, TILE_SIZE
from vitlib.data.words import split_words


def tint(color, jitter):
    """Makes a colour lighter, channel by channel.

    Args:
        color: Integer array of shape `(..., 3)`, red, green, blue.
        jitter: Sequence of three integer arrays, what to add to each channel.

    Returns:
        uint8 array of the shape of the jitter, with an axis of 3 behind.
    """
    return (color + np.stack(jitter, axis=-1)).astype(np.uint8)


def paint_dots(grid, words):
    """Paints clutter on tiles: on each tile for itself, a dot or none.

    Args:
        grid: uint8 array of shape `(N, rows, 8, columns, 8, 3)`, images cut into tiles;
            the dots are painted there.
        words: Array of shape `(N, rows * columns)`, a random word a tile.
    """
    room = TILE_SIZE - DOT_SIZE + 1
    absent, *choices = split_words(words, DOT_RARITY, room, room, len(DOT_COLORS))
    image, tile = np.nonzero(absent == 0)
    y, x, color = (choice[image, tile] for choice in choices)
    row, column = np.divmod(tile, grid.shape[3])
    for down, right in product(range(DOT_SIZE), repeat=2):
        grid[image, row, y + down, column, x + right] = DOT_COLORS[color]


def add_noise(images, words):
    """Adds to each value of images the sum of two dice of 16 sides, from 0 to 30.

    Args:
        images: uint8 array of `N` images with values of at most 225, changed in place.
        words: Array of shape `(N, words)`, a random byte a value.
    """
    noise = words.astype("<u8").view(np.uint8).reshape(images.shape)
    images += (noise & 15) + (noise >> 4)  # near 15, seldom 0 or 30
