"""Checks for the chapter on patches."""

import numpy as np

from vitlib.checks.verdict import compare


def _cut(images, size, order=(0, 1, 3, 2, 4, 5)):
    batch, height, width, channels = images.shape
    x = images.reshape(batch, height // size, size, width // size, size, channels)
    return x.transpose(order).reshape(batch, -1, size * size * channels)


def _as_one_row(images, size):
    batch, *_, channels = images.shape
    return images.reshape(batch, -1, size * size * channels)


def _images(height, width):
    """No two numbers of the images are equal, and no two of their sides are."""
    return (
        np.random.default_rng(0)
        .permutation(2 * height * width * 3)
        .reshape(2, height, width, 3)
    )


QUESTIONS = [(_images(6, 12), 3), (_images(8, 4), 2)]


def check_cut(cut):
    """Checks `cut(images, size)`: `(B, H, W, C)` to patches `(B, N, size * size * C)`."""
    mistakes = {
        "a reshape alone cuts strips, not squares; swap the axes of the rows inside a "
        "patch and of the patch columns before the last reshape.": _as_one_row,
        "the patches go down the columns; the sequence must go row by row, so that the "
        "axis of patch rows stands before that of patch columns.": lambda x, size: _cut(
            x, size, (0, 3, 1, 2, 4, 5)
        ),
        "inside a patch rows and columns are swapped; the row inside the patch must "
        "stand before the column inside.": lambda x, size: _cut(
            x, size, (0, 1, 3, 4, 2, 5)
        ),
        "inside a patch the channels come first; a pixel's three numbers must stay "
        "side by side, so that C is the last axis.": lambda x, size: _cut(
            x, size, (0, 1, 3, 5, 2, 4)
        ),
        "the channels are in the opposite order; nothing must be done to the last "
        "axis.": lambda x, size: _cut(x[..., ::-1], size),
    }
    return compare(cut, _cut, mistakes, QUESTIONS)


def _join(patches, height, width, size, order=(0, 1, 3, 2, 4, 5)):
    batch, channels = len(patches), patches.shape[-1] // size**2
    x = patches.reshape(batch, height // size, width // size, size, size, channels)
    return x.transpose(order).reshape(batch, height, width, channels)


def _join_down(patches, height, width, size):
    grid = patches.reshape(len(patches), width // size, height // size, -1)
    return _join(grid.swapaxes(1, 2).reshape(patches.shape), height, width, size)


def check_join(join):
    """Checks `join(patches, height, width, size)`, the inverse of `cut`."""
    questions = [
        (_cut(images, size), *images.shape[1:3], size) for images, size in QUESTIONS
    ]
    mistakes = {
        "a reshape alone puts strips in the place of squares; swap the axes of patch "
        "columns and of rows inside before the last reshape.": lambda x, h, w, size: (
            x.reshape(len(x), h, w, -1)
        ),
        "the patches are put back down the columns; the sequence goes row by row.": (
            _join_down
        ),
        "inside each patch rows and columns are swapped; the first of the two inner "
        "axes is the row.": lambda x, h, w, size: _join(
            x, h, w, size, (0, 1, 4, 2, 3, 5)
        ),
        "height and width are swapped; the first size of the result is the height.": (
            lambda x, h, w, size: _join(x, w, h, size)
        ),
    }
    return compare(join, _join, mistakes, questions)


def _cost(tokens, width, heads, key_dim, hidden):
    projections = 4 * tokens * width * heads * key_dim
    mlp = 2 * tokens * width * hidden
    return projections + mlp + 2 * tokens**2 * heads * key_dim


def check_block_cost(cost):
    """Checks `cost(tokens, width, heads, key_dim, hidden)`, a block's multiply-adds.

    `width` is the length of a token, `key_dim` that of a query of one head, `hidden`
    the units of the MLP's first layer. Norms, biases and softmax do not count.
    """
    questions = [(144, 128, 8, 128, 256), (64, 96, 3, 32, 192), (16, 64, 2, 48, 64)]
    mistakes = {
        "one head does the work of the width divided by the heads; here a head has "
        "queries of length key_dim, whatever the width.": lambda n, d, h, k, m: _cost(
            n, d, 1, d, m
        ),
        "one head alone is counted; projections and attention are done in each.": (
            lambda n, d, h, k, m: _cost(n, d, 1, k, m)
        ),
        "the attention between tokens is missing; it grows with their square.": (
            lambda n, d, h, k, m: _cost(n, d, h, k, m) - 2 * n**2 * h * k
        ),
        "attention is two products, queries with keys and weights with values; one is "
        "missing.": lambda n, d, h, k, m: _cost(n, d, h, k, m) - n**2 * h * k,
        "there are four projections, of queries, keys, values and the output; one is "
        "missing.": lambda n, d, h, k, m: _cost(n, d, h, k, m) - n * d * h * k,
        "the MLP has two layers; one is missing.": lambda n, d, h, k, m: (
            _cost(n, d, h, k, m) - n * d * m
        ),
        "a multiply-add counts once here; yours counts twice.": (
            lambda *sizes: 2 * _cost(*sizes)
        ),
    }
    return compare(cost, _cost, mistakes, questions)
