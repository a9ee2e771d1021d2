"""Checks for the chapter on patches."""

from functools import partial

import numpy as np

from vitlib.checks.verdict import compare


def _cut(images, size, order=(0, 1, 3, 2, 4, 5)):
    """Cuts patches; `order` is that of (B, rows, size, columns, size, C)."""
    batch, height, width, channels = images.shape
    x = images.reshape(batch, height // size, size, width // size, size, channels)
    return x.transpose(order).reshape(batch, -1, size * size * channels)


def _cut_strips(images, size):
    batch, *_, channels = images.shape
    return images.reshape(batch, -1, size * size * channels)


def _images(height, width):
    """Two images of which no two numbers are equal."""
    numbers = np.random.default_rng(0).permutation(2 * height * width * 3)
    return numbers.reshape(2, height, width, 3)


QUESTIONS = [(_images(6, 12), 3), (_images(8, 4), 2)]


def check_cut(cut):
    """Checks `cut(images, size)`: `(B, H, W, C)` to patches `(B, N, size * size * C)`.

    The patches are read left to right, then top to bottom; inside a patch the numbers
    keep the order (row, column, channel).
    """
    mistakes = {
        "a reshape alone cuts strips, not squares; before the last reshape, swap the "
        "axis of rows inside a patch and that of patch columns.": _cut_strips,
        "the patches go down the columns; the sequence must go row by row, so that the "
        "axis of patch rows stands before that of patch columns.": partial(
            _cut, order=(0, 3, 1, 2, 4, 5)
        ),
        "inside a patch, rows and columns are swapped; the axis of rows inside must "
        "stand before that of columns inside.": partial(_cut, order=(0, 1, 3, 4, 2, 5)),
        "inside a patch, the channels come first; the three numbers of a pixel must "
        "stay side by side, so that C is the last axis.": partial(
            _cut, order=(0, 1, 3, 5, 2, 4)
        ),
        "the channels are in the opposite order; leave the last axis of the images as "
        "it is.": lambda images, size: _cut(images[..., ::-1], size),
    }
    return compare(cut, _cut, mistakes, QUESTIONS)


def _join(patches, height, width, size, order=(0, 1, 3, 2, 4, 5)):
    """Joins patches; `order` is that of (B, rows, columns, size, size, C)."""
    batch, channels = len(patches), patches.shape[-1] // size**2
    x = patches.reshape(batch, height // size, width // size, size, size, channels)
    return x.transpose(order).reshape(batch, height, width, channels)


def _join_strips(patches, height, width, size):
    return patches.reshape(len(patches), height, width, -1)


def _join_down(patches, height, width, size):
    grid = patches.reshape(len(patches), width // size, height // size, -1)
    return _join(grid.swapaxes(1, 2).reshape(patches.shape), height, width, size)


def _join_channels_first(patches, height, width, size):
    planes = patches.reshape(*patches.shape[:2], -1, size * size)
    return _join(planes.swapaxes(2, 3).reshape(patches.shape), height, width, size)


def check_join(join):
    """Checks `join(patches, height, width, size)`, the inverse of `cut`."""
    questions = [
        (_cut(images, size), *images.shape[1:3], size) for images, size in QUESTIONS
    ]
    mistakes = {
        "a reshape alone lays each patch out as a strip; before the last reshape, swap "
        "the axis of patch columns and that of rows inside a patch.": _join_strips,
        "the patches are put back down the columns; the sequence goes row by row.": (
            _join_down
        ),
        "inside each patch, rows and columns are swapped; the first of the two inner "
        "axes is the row.": partial(_join, order=(0, 1, 4, 2, 3, 5)),
        "a patch is read as if its channels came first; the three numbers of a pixel "
        "stand side by side in it.": _join_channels_first,
        "height and width are swapped; the images have the shape `(B, H, W, C)`.": (
            lambda patches, height, width, size: _join(patches, width, height, size)
        ),
    }
    return compare(join, _join, mistakes, questions)


def _cost(tokens, width, heads, key_dim, hidden, projections=4, products=2, layers=2):
    projected = projections * tokens * width * heads * key_dim
    attended = products * tokens**2 * heads * key_dim
    return projected + attended + layers * tokens * width * hidden


def check_block_cost(cost):
    """Checks `cost(tokens, width, heads, key_dim, hidden)`, a block's multiply-adds.

    `width` is the length of a token, `key_dim` that of a query of one head, `hidden`
    the units of the MLP's first layer; its second one returns to `width`. Norms, biases
    and softmax do not count.
    """
    questions = [(144, 128, 8, 128, 256), (64, 96, 3, 32, 192), (16, 64, 2, 48, 64)]
    mistakes = {
        "the heads are taken to share the width of a token; here each head has queries "
        "of length key_dim, whatever the width.": (
            lambda n, d, h, k, m: _cost(n, d, h, d / h, m)
        ),
        "one head alone is counted; projections and attention are done in each.": (
            lambda n, d, h, k, m: _cost(n, d, 1, k, m)
        ),
        "the attention between tokens is missing; it grows with the square of their "
        "number.": partial(_cost, products=0),
        "attention is two products, queries with keys and weights with values; one is "
        "missing.": partial(_cost, products=1),
        "there are four projections, of queries, keys, values and the output; one is "
        "missing.": partial(_cost, projections=3),
        "the MLP has two layers; one is missing.": partial(_cost, layers=1),
        "multiplications and additions are counted apart; one of each counts once, as "
        "one multiply-add.": lambda *sizes: 2 * _cost(*sizes),
    }
    return compare(cost, _cost, mistakes, questions)
