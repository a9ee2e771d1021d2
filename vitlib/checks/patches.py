"""Checks for the chapter on patches."""

from functools import partial

import numpy as np

from vitlib.checks.softmax import softmax
from vitlib.checks.verdict import compare, oblongs


def _cut(images, size, order=(0, 1, 3, 2, 4, 5)):
    """Cuts patches; `order` is that of (B, rows, size, columns, size, C)."""
    batch, height, width, channels = images.shape
    x = images.reshape(batch, height // size, size, width // size, size, channels)
    return x.transpose(order).reshape(batch, -1, size * size * channels)


def _cut_strips(images, size):
    batch, *_, channels = images.shape
    return images.reshape(batch, -1, size * size * channels)


def _images(height, width, seed=0):
    """Two images of which no two numbers are equal."""
    numbers = np.random.default_rng(seed).permutation(2 * height * width * 3)
    return numbers.reshape(2, height, width, 3).astype("float32")


QUESTIONS = [(_images(6, 12), 3), (_images(8, 4), 2)]


def _green_place(
    row,
    column,
    width,
    size,
    patch=lambda a, b, per_row, size: a * per_row + b,
    element=lambda i, j, size: 3 * (size * i + j) + 1,
):
    """Finds a green value; (a, b) is the place of its patch, (i, j) that inside it."""
    (a, i), (b, j) = divmod(row, size), divmod(column, size)
    return patch(a, b, width // size, size), element(i, j, size)


# Elements that students take for the green value of the pixel (i, j) of a patch.
WRONG_ELEMENTS = {
    "inside the patch, row and column are swapped; its pixels are read like text, "
    "too.": lambda i, j, size: 3 * (size * j + i) + 1,
    "the element counts pixels; each of them has three values.": (
        lambda i, j, size: size * i + j
    ),
    "that is the red value; the green one is the next.": (
        lambda i, j, size: 3 * (size * i + j)
    ),
    "the green values are taken to stand together; the three values of a pixel stand "
    "side by side.": lambda i, j, size: size**2 + size * i + j,
}


def check_green_place(green_place):
    """Checks `green_place(row, column, width, size)`: the place of a green value.

    The pixel lies in an image that is `width` pixels wide, cut into patches of `size`
    x `size` pixels. It returns two numbers: that of the patch, and that of the element
    in it. Everything counts from 0.
    """
    questions = [(40, 13, 72, 6), (5, 30, 36, 4), (10, 3, 24, 3)]
    mistakes = {
        "row and column are swapped; the row says how far down the pixel is.": (
            lambda row, column, *sizes: _green_place(column, row, *sizes)
        ),
        "a row of the grid holds `width // size` patches, not `size`.": partial(
            _green_place, patch=lambda a, b, per_row, size: a * size + b
        ),
        "the patches are numbered down the columns; they are read like text.": partial(
            _green_place, patch=lambda a, b, per_row, size: b * per_row + a
        ),
        "patch and element count from 1; the first of each is 0.": (
            lambda *question: np.add(_green_place(*question), 1)
        ),
        "inside the patch, rows and columns start again at 0; take the remainders.": (
            lambda row, column, width, size: (
                _green_place(row, column, width, size)[0],
                3 * (size * row + column) + 1,
            )
        ),
    }
    for hint, element in WRONG_ELEMENTS.items():
        mistakes[hint] = partial(_green_place, element=element)
    return compare(green_place, _green_place, mistakes, questions)


def _cut_planes(images, size, order=(0, 1, 3, 2, 4, 5)):
    return _cut(np.moveaxis(images, 1, -1), size, order)


def _cut_as_if_last(images, size):
    batch, channels, height, width = images.shape
    return _cut(images.reshape(batch, height, width, channels), size)


def check_cut_planes(cut_planes):
    """Checks `cut_planes(images, size)`: `(B, C, H, W)` to patches `(B, N, P)`.

    P is `size * size * C`. The patches are those of `cut`: read left to right, then top
    to bottom, with the numbers of each in the order (row, column, channel).
    """
    questions = [(np.moveaxis(images, -1, 1), size) for images, size in QUESTIONS]
    mistakes = {
        "a single reshape cuts pieces of rows, not squares; split rows and columns, "
        "and transpose before the last reshape.": (
            lambda images, size: images.reshape(
                len(images), -1, size * size * images.shape[1]
            )
        ),
        "a reshape to `(B, H, W, C)` moves no number; it takes a transpose to bring "
        "the channels to the end.": _cut_as_if_last,
        "inside a patch, each channel is a piece of its own; the three numbers of a "
        "pixel must stand side by side, so that the channel is the last axis.": partial(
            _cut_planes, order=(0, 1, 3, 5, 2, 4)
        ),
        "the images are mirrored at their diagonal; the channels move to the end, and "
        "the rows stay before the columns.": (
            lambda images, size: _cut(images.transpose(0, 3, 2, 1), size)
        ),
        "the patches go down the columns; the sequence must go row by row, so that the "
        "axis of patch rows stands before that of patch columns.": partial(
            _cut_planes, order=(0, 3, 1, 2, 4, 5)
        ),
        "inside a patch, rows and columns are swapped; the axis of rows inside must "
        "stand before that of columns inside.": partial(
            _cut_planes, order=(0, 1, 3, 4, 2, 5)
        ),
    }
    return compare(cut_planes, _cut_planes, mistakes, questions)


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


def check_join(join, seed=0):
    """Checks `join(patches, height, width, size)`, the inverse of cutting patches.

    From patches `(B, N, size * size * C)` come images `(B, height, width, C)`.

    Args:
        join: The reader's function.
        seed: Integer. Another one asks other questions, which nobody has seen.
    """
    questions = []
    for (rows, columns), size in zip(oblongs(seed), (3, 2), strict=True):
        images = _images(rows * size, columns * size, seed)
        questions.append((_cut(images, size), *images.shape[1:3], size))
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


HEADS = 3


def _attend(q, k, v, width=None, power=0.5, axis=-1):
    width = width or q.shape[-1]
    return softmax(q @ k.swapaxes(-1, -2) / width**power, axis) @ v


def _scale_last(q, k, v):
    return softmax(q @ k.swapaxes(-1, -2)) / np.sqrt(q.shape[-1]) @ v


def _no_softmax(q, k, v):
    return q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1]) @ v


def check_attend(attend):
    """Checks `attend(queries, keys, values)`, all of shape `(heads, N, d)`.

    It returns the scaled dot-product attention of each head, of the same shape.
    Reference: Vaswani et al., 2017, section 3.2.1.
    """
    rng = np.random.default_rng(0)
    questions = [tuple(rng.normal(size=(3, HEADS, 5, 4)))]
    mistakes = {
        "the scale is missing; the products of queries and keys are divided by the "
        "root of a query's length before the softmax.": partial(_attend, power=0),
        "the products are divided by the length of a query; the paper divides by the "
        "root of that length.": partial(_attend, power=1),
        "the scale is that of the whole model; take the length that a query has in one "
        "head.": partial(_attend, width=HEADS * 4),
        "the products are multiplied by the root; they must be divided by it.": partial(
            _attend, power=-0.5
        ),
        "the scale comes after the softmax, so that the weights of a query do not sum "
        "to 1; scale before.": _scale_last,
        "the softmax goes over the queries; it must go over the keys, so that the "
        "weights of each query sum to 1.": partial(_attend, axis=-2),
        "the softmax goes over the heads; it must go over the keys.": partial(
            _attend, axis=0
        ),
        "queries and keys are swapped; in the table of products, a row is a query.": (
            lambda q, k, v: _attend(k, q, v)
        ),
        "the softmax is missing; the weights of a query must be positive and sum to "
        "1.": _no_softmax,
    }
    return compare(attend, _attend, mistakes, questions)


EPSILON = 1e-6  # added to the variance, as the layer norms of vitlib do


def _normalize(tokens, axis=-1, power=0.5):
    variance = tokens.var(axis, keepdims=True) + EPSILON
    return (tokens - tokens.mean(axis, keepdims=True)) / variance**power


def _keep(tokens):
    return tokens


def _pre_norm(tokens, attention, mlp, first=_normalize, second=_normalize):
    x = tokens + attention(first(tokens))
    return x + mlp(second(x))


def _norms(**axis_or_power):
    norm = partial(_normalize, **axis_or_power)
    return partial(_pre_norm, first=norm, second=norm)


def _post_norm(tokens, attention, mlp):
    x = _normalize(tokens + attention(tokens))
    return _normalize(x + mlp(x))


def _add_normalized(tokens, attention, mlp):
    x = _normalize(tokens)
    x = _normalize(x + attention(x))
    return x + mlp(x)


def _without_attention_sum(tokens, attention, mlp):
    x = attention(_normalize(tokens))
    return x + mlp(_normalize(x))


def _without_mlp_sum(tokens, attention, mlp):
    return mlp(_normalize(tokens + attention(_normalize(tokens))))


def _add_first(tokens, attention, mlp):
    return tokens + _without_mlp_sum(tokens, attention, mlp)


def _side_by_side(tokens, attention, mlp):
    x = _normalize(tokens)
    return tokens + attention(x) + mlp(x)


# Norms that students take for that of each token.
WRONG_NORMS = {
    "the norm goes down the columns; each token is normalised by itself, over its "
    "own numbers.": _norms(axis=0),
    "the norm takes all tokens together; each token is normalised by itself.": (
        _norms(axis=None)
    ),
    "the norm divides by the variance; it must divide by the root of it.": (
        _norms(power=1)
    ),
    "the mean is subtracted, and that is all; divide by the root of the variance, "
    "too.": _norms(power=0),
}


def check_pre_norm(pre_norm):
    """Checks `pre_norm(tokens, attention, mlp)`, one encoder block.

    `tokens` has the shape `(N, D)`; `attention` and `mlp` are functions from such an
    array to another. Each gets normalised tokens, and what it returns is added to the
    tokens before the norm. The norm of a token is without learned weights: minus the
    mean of its D numbers, divided by the root of their variance + 1e-6.
    Reference: Dosovitskiy et al., 2021, equations 2 and 3.
    """
    rng = np.random.default_rng(0)
    mix, dense = rng.random((5, 5)), rng.normal(size=(4, 4))
    tokens = 2 * rng.normal(size=(5, 4)) + 1
    questions = [(tokens, lambda x: mix @ x, lambda x: np.tanh(x @ dense))]
    mistakes = {
        "no norm is used; attention and MLP must get normalised tokens.": partial(
            _pre_norm, first=_keep, second=_keep
        ),
        "one of the two norms is missing; attention and MLP have one each.": (
            partial(_pre_norm, first=_keep),
            partial(_pre_norm, second=_keep),
        ),
        "the norms come after the sums; in this block they come before attention and "
        "MLP, and the sums stay as they are.": _post_norm,
        "the normalised tokens are added; each sum must take the tokens from before "
        "the norm.": _add_normalized,
        "the input of the attention is not added to its output.": (
            _without_attention_sum
        ),
        "the input of the MLP is not added to its output.": _without_mlp_sum,
        "the last sum takes the tokens that came in; it must take those that the first "
        "sum has made.": _add_first,
        "attention and MLP get the same tokens; the MLP must work on what the first "
        "sum has made.": _side_by_side,
    }
    return compare(pre_norm, _pre_norm, mistakes | WRONG_NORMS, questions)


def _cost(tokens, width, heads, key_dim, hidden, projections=4, products=2, layers=2):
    projected = projections * tokens * width * heads * key_dim
    attended = products * tokens**2 * heads * key_dim
    return projected + attended + layers * tokens * width * hidden


def _narrow_cost(tokens, width, heads, hidden, **products):
    return _cost(tokens, width, heads, width / heads, hidden, **products)


def check_narrow_cost(narrow_cost):
    """Checks `narrow_cost(tokens, width, heads, hidden)`, a block's multiply-adds.

    The heads share the `width` of a token: each has queries of length `width / heads`.
    `hidden` is the number of units of the MLP's first layer; its second one returns to
    `width`. Norms, biases and softmax do not count.
    """
    questions = [(144, 128, 8, 256), (64, 96, 3, 192), (16, 64, 2, 64)]
    mistakes = {
        "each head has queries as long as a token, as in the report; here they are "
        "`width / heads` long.": lambda n, d, h, m: _cost(n, d, h, d, m),
        "one head alone is counted; projections and attention are done in each.": (
            lambda n, d, h, m: _cost(n, d, 1, d / h, m)
        ),
        "the attention between tokens is missing; it grows with the square of their "
        "number.": partial(_narrow_cost, products=0),
        "attention is two products, queries with keys and weights with values; one is "
        "missing.": partial(_narrow_cost, products=1),
        "there are four projections, of queries, keys, values and the output; one is "
        "missing.": partial(_narrow_cost, projections=3),
        "the MLP has two layers; one is missing.": partial(_narrow_cost, layers=1),
        "multiplications and additions are counted apart; one of each counts once, as "
        "one multiply-add.": lambda *sizes: 2 * _narrow_cost(*sizes),
    }
    return compare(narrow_cost, _narrow_cost, mistakes, questions)


def check_count_windows(count_windows):
    """Checks `count_windows(side, window, stride)`, the tokens of overlapping patches.

    Windows of `window` x `window` pixels move by `stride` pixels over an image of
    `side` x `side` pixels; no window leaves the image.
    """
    questions = [(72, 6, 3), (32, 5, 2), (20, 7, 4)]
    mistakes = {
        "a window starts at every multiple of the stride; the last ones leave the "
        "image.": lambda s, w, step: (s // step) ** 2,
        "the moves are counted; there is one window more than moves.": (
            lambda s, w, step: ((s - w) // step) ** 2
        ),
        "the windows of one direction are counted; they move down, too.": (
            lambda s, w, step: (s - w) // step + 1
        ),
        "the windows do not overlap; each must start a stride after the one before.": (
            lambda s, w, step: (s // w) ** 2
        ),
        "the number of moves is rounded up; the last window leaves the image.": (
            lambda s, w, step: (-((w - s) // step) + 1) ** 2
        ),
        "the number of moves has a fraction; round it down.": (
            lambda s, w, step: ((s - w) / step + 1) ** 2
        ),
    }

    def right(side, window, stride):
        return ((side - window) // stride + 1) ** 2

    return compare(count_windows, right, mistakes, questions)


def _small_weights(weights, size, gather=np.sum):
    parts = weights.reshape(size, 2, size, 2, 3, -1)
    return gather(parts, axis=(1, 3)).reshape(size * size * 3, -1)


def _from_tiles(weights, size):
    parts = weights.reshape(2, size, 2, size, 3, -1)
    return parts.sum(axis=(0, 2)).reshape(size * size * 3, -1)


def _from_planes(weights, size):
    parts = weights.reshape(3, size, 2, size, 2, -1)
    return parts.sum(axis=(2, 4)).reshape(size * size * 3, -1)


def check_small_weights(small_weights):
    """Checks `small_weights(weights, size)`, of shape `(size * size * 3, D)`.

    `weights`, `(4 * size * size * 3, D)`, make tokens of patches of an image in which
    each pixel was copied into a square of 2 x 2. The answer makes the same tokens of
    the patches of the image itself, `size` pixels a side.
    """
    rng = np.random.default_rng(0)
    questions = [(rng.normal(size=(12 * size**2, 5)), size) for size in (4, 2)]
    mistakes = {
        "that is the mean of the weights of four copies; each copy adds its product, "
        "so that their sum is needed.": partial(_small_weights, gather=np.mean),
        "the weights of one copy are taken; the other three add their products, too.": (
            lambda weights, size: weights.reshape(size, 2, size, 2, 3, -1)[
                :, 0, :, 0
            ].reshape(size * size * 3, -1)
        ),
        "the first quarter of the weights is taken, which belongs to the upper rows of "
        "the patch; add up the four of each pixel.": (
            lambda weights, size: weights[: 3 * size**2]
        ),
        "four rows of weights that follow each other are added; they belong to "
        "different colours, and the copies stand in a square.": (
            lambda weights, size: weights.reshape(3 * size**2, 4, -1).sum(axis=1)
        ),
        "pixels half a patch apart are added; the copies of a pixel are neighbours.": (
            _from_tiles
        ),
        "the colours are taken to come first; they are the last axis of a patch.": (
            _from_planes
        ),
    }
    return compare(small_weights, _small_weights, mistakes, questions)


SHAPES = [(5, 3, 2, 2), (4, 2, 3, 3)]  # of kernels of PyTorch


def _from_torch(kernel, order=(2, 3, 1, 0)):
    return kernel.transpose(order).reshape(-1, len(kernel))


def check_from_torch(from_torch):
    """Checks `from_torch(kernel)`: `(D, C, P, P)` to `(P * P * C, D)`.

    PyTorch keeps the kernel of a convolution in the order (output, channel, row,
    column). The weights of a `Dense` layer make the same tokens from patches whose
    numbers have the order (row, column, channel).
    """
    rng = np.random.default_rng(0)  # no two numbers are equal
    questions = [(rng.permutation(np.prod(s)).reshape(s),) for s in SHAPES]
    mistakes = {
        "a reshape alone mixes the outputs; move their axis to the end first.": (
            lambda kernel: kernel.reshape(-1, len(kernel))
        ),
        "the channels still come before rows and columns; a patch has the order row, "
        "column, channel.": partial(_from_torch, order=(1, 2, 3, 0)),
        "rows and columns of the kernel are swapped; the third axis is the row.": (
            partial(_from_torch, order=(3, 2, 1, 0))
        ),
        "the outputs are the rows; a Dense layer has them as columns.": (
            lambda kernel: _from_torch(kernel).T
        ),
    }
    return compare(from_torch, _from_torch, mistakes, questions)


def _agree(cut, images=QUESTIONS[0][0], size=3, patches=slice(None)):
    return np.array_equal(cut(images, size)[:, patches], _cut(images, size)[:, patches])


def _cut_turned(images, size):
    """Takes height for width: right for square images alone."""
    batch, height, width, channels = images.shape
    return _cut(images.reshape(batch, width, height, channels), size)


# Functions that cut wrongly, each in its own way.
WRONG_CUTS = [
    _cut_strips,
    _cut_turned,
    lambda images, size: _cut(images, size, (0, 3, 1, 2, 4, 5)),
    lambda images, size: _cut(images, size, (0, 1, 3, 4, 2, 5)),
    lambda images, size: _cut(images, size, (0, 1, 3, 5, 2, 4)),
    lambda images, size: _cut(images[..., ::-1], size),
]


def check_is_right(is_right):
    """Checks `is_right(cut)`, which tests a function `cut(images, size)`.

    It returns whether the function cuts images `(B, H, W, C)` into patches
    `(B, N, size * size * C)` right. It is given one that does, and six that do not.
    """
    questions = [(cut,) for cut in (_cut, *WRONG_CUTS)]
    wide, _ = QUESTIONS[0]
    square = wide[:, :, :6]
    mistakes = {
        "every wrong cut passes; all of them have the right shape and the right "
        "numbers, so that only the places tell.": lambda cut: True,
        "no cut passes, not even the right one; compare with `vitlib.Patches`.": (
            lambda cut: False
        ),
        "a cut that takes height for width passes; test with an image that is not "
        "square.": partial(_agree, images=square),
        "a cut with the channels in a wrong place passes; test with more than one "
        "channel, and with channels that differ.": (
            partial(_agree, images=wide[..., :1]),
            partial(_agree, images=square[..., :1]),
        ),
        "a cut that mixes patches passes; test with an image of more than one patch.": (
            partial(_agree, images=square[:, :3, :3])
        ),
        "a cut that goes down the columns passes; compare all patches of an image with "
        "several in a row and in a column.": (
            partial(_agree, patches=slice(1)),
            partial(_agree, images=square, patches=slice(1)),
        ),
    }
    return compare(is_right, _agree, mistakes, questions)
