"""What students hand in for the exercises of the chapter on patches."""

import numpy as np

from vitlib import checks


def squares(images, size):
    """The patches of an image after the other, in the order in which they are read."""
    _, height, width, _ = images.shape
    for top in range(0, height, size):
        for left in range(0, width, size):
            yield images[:, top : top + size, left : left + size]


def flatten(patches):
    return np.stack([patch.reshape(len(patch), -1) for patch in patches], axis=1)


def cut(images, size):
    return flatten(squares(images, size))


def cut_down(images, size):
    turned = images.transpose(0, 2, 1, 3)
    return flatten(patch.transpose(0, 2, 1, 3) for patch in squares(turned, size))


CUT = {
    "a reshape alone cuts": lambda images, size: np.reshape(
        images, (len(images), -1, size * size * 3)
    ),
    "go down the columns": cut_down,
    "the axis of rows inside must": lambda images, size: flatten(
        patch.transpose(0, 2, 1, 3) for patch in squares(images, size)
    ),
    "the channels come first": lambda images, size: flatten(
        patch.transpose(0, 3, 1, 2) for patch in squares(images, size)
    ),
    "in the opposite order": lambda images, size: flatten(
        patch[..., [2, 1, 0]] for patch in squares(images, size)
    ),
}


def join(patches, height, width, size):
    images = np.zeros((len(patches), height, width, 3))
    for place in range(patches.shape[1]):
        row, column = divmod(place, width // size)
        for i in range(size):
            for j in range(size):
                start = 3 * (i * size + j)
                pixel = patches[:, place, start : start + 3]
                images[:, row * size + i, column * size + j] = pixel
    return images


def join_squares(patches, height, width, size, in_columns=False, axes=(0, 1, 2, 3)):
    """Lays one square after the other; `axes` turns the square before."""
    images = np.zeros((len(patches), height, width, 3))
    for place in range(patches.shape[1]):
        if in_columns:
            column, row = divmod(place, height // size)
        else:
            row, column = divmod(place, width // size)
        square = patches[:, place].reshape(-1, size, size, 3).transpose(axes)
        rows = slice(row * size, row * size + size)
        images[:, rows, column * size : column * size + size] = square
    return images


def join_planes(patches, height, width, size):
    planes = patches.reshape(len(patches), -1, 3, size * size)
    pixels = [planes[:, :, :, i] for i in range(size * size)]
    return join(np.concatenate(pixels, axis=2), height, width, size)


JOIN = {
    "lays each patch out as a strip": lambda x, height, width, size: np.reshape(
        x, (len(x), height, width, 3)
    ),
    "back down the columns": lambda *question: join_squares(*question, in_columns=True),
    "the first of the two inner": lambda *question: join_squares(
        *question, axes=(0, 2, 1, 3)
    ),
    "as if its channels came first": join_planes,
    "height and width are swapped": lambda x, height, width, size: join(
        x, width, height, size
    ),
}


def cost(tokens, width, heads, key_dim, hidden):
    total = 0
    for _ in range(heads):
        total += 3 * tokens * width * key_dim  # queries, keys and values
        total += tokens * tokens * key_dim  # queries with keys
        total += tokens * tokens * key_dim  # weights with values
        total += tokens * key_dim * width  # the head's share of the output
    return total + tokens * width * hidden + tokens * hidden * width


def cost_of_narrow_heads(tokens, width, heads, key_dim, hidden):
    return 4 * tokens * width**2 + 2 * tokens**2 * width + 2 * tokens * width * hidden


BLOCK_COST = {
    "share the width of a token": cost_of_narrow_heads,
    "one head alone": lambda n, d, h, k, m: cost(n, d, 1, k, m),
    "the attention between tokens": lambda n, d, h, k, m: (
        4 * n * d * h * k + 2 * n * d * m
    ),
    "attention is two products": lambda n, d, h, k, m: (
        h * (4 * n * d * k + n * n * k) + 2 * n * d * m
    ),
    "four projections": lambda n, d, h, k, m: (
        h * (3 * n * d * k + 2 * n * n * k) + 2 * n * d * m
    ),
    "the MLP has two layers": lambda n, d, h, k, m: (
        h * (4 * n * d * k + 2 * n * n * k) + n * d * m
    ),
    "counted apart": lambda n, d, h, k, m: (
        h * (8 * n * d * k + 4 * n * n * k) + 4 * n * d * m
    ),
}

EXERCISES = {
    checks.check_cut: (cut, CUT),
    checks.check_join: (join, JOIN),
    checks.check_block_cost: (cost, BLOCK_COST),
}
