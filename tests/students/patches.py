"""What students hand in for the exercises of the chapter on patches."""

import math

import keras
import numpy as np

from vitlib import Patches, checks


def squares(images, size):
    """The patches of an image after the other, in the order in which they are read."""
    _, height, width, _ = images.shape
    for top in range(0, height, size):
        for left in range(0, width, size):
            yield images[:, top : top + size, left : left + size]


def flatten(patches):
    return np.stack([patch.reshape(len(patch), -1) for patch in patches], axis=1)


def green_place(row, column, width, size):
    pixels = np.arange(3 * width * (row + size)).reshape(-1, width, 3)
    rows = len(pixels) // size * size
    for number, patch in enumerate(squares(pixels[None, :rows], size)):
        values = patch.ravel().tolist()
        if pixels[row, column, 1] in values:
            return number, values.index(pixels[row, column, 1])


def read(row, column, width, size, channels=3, channel=1):
    """Patch and element by counting; one channel counts pixels."""
    patch = row // size * (width // size) + column // size
    pixel = row % size * size + column % size
    return [patch, pixel * channels + channel]


GREEN_PLACE = {
    "the row says how far down": lambda r, c, w, s: read(c, r, w, s),
    "patches, not `size`": lambda r, c, w, s: [
        r // s * s + c // s,
        read(r, c, w, s)[1],
    ],
    "numbered down the columns": lambda r, c, w, s: [
        c // s * (w // s) + r // s,
        read(r, c, w, s)[1],
    ],
    "inside the patch, row and column": lambda r, c, w, s: [
        read(r, c, w, s)[0],
        (c % s * s + r % s) * 3 + 1,
    ],
    "the element counts pixels": lambda *question: read(
        *question, channels=1, channel=0
    ),
    "that is the red value": lambda *question: read(*question, channel=0),
    "count from 1": lambda *question: [1 + number for number in read(*question)],
    "the green values are taken": lambda r, c, w, s: read(
        r, c, w, s, channels=1, channel=s * s
    ),
    "start again at 0": lambda r, c, w, s: [
        read(r, c, w, s)[0],
        (r * s + c) * 3 + 1,
    ],
}


def pixels_last(images):
    """Images `(B, C, H, W)` as `(B, H, W, C)`, channel by channel."""
    return np.stack([images[:, channel] for channel in range(3)], axis=-1)


def cut_planes(images, size):
    return flatten(squares(pixels_last(images), size))


def cut_down(images, size):
    turned = pixels_last(images).transpose(0, 2, 1, 3)
    return flatten(patch.transpose(0, 2, 1, 3) for patch in squares(turned, size))


CUT_PLANES = {
    "a single reshape cuts": lambda images, size: np.reshape(
        images, (len(images), -1, size * size * 3)
    ),
    "moves no number": lambda images, size: flatten(
        squares(images.reshape(len(images), *images.shape[2:], 3), size)
    ),
    "each channel is a piece": lambda images, size: flatten(
        patch.transpose(0, 3, 1, 2) for patch in squares(pixels_last(images), size)
    ),
    "mirrored at their diagonal": lambda images, size: flatten(
        squares(np.swapaxes(images, 1, 3), size)
    ),
    "go down the columns": cut_down,
    "the axis of rows inside must": lambda images, size: flatten(
        patch.transpose(0, 2, 1, 3) for patch in squares(pixels_last(images), size)
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


def attend(queries, keys, values):
    answer = np.zeros(values.shape)
    for head in range(len(queries)):
        for i, query in enumerate(queries[head]):
            scores = [query @ key / math.sqrt(len(query)) for key in keys[head]]
            total = sum(math.exp(score) for score in scores)
            for score, value in zip(scores, values[head], strict=True):
                answer[head, i] += math.exp(score) / total * value
    return answer


def products(queries, keys):
    return np.einsum("hqd,hkd->hqk", queries, keys)


def soften(scores, axis=2):
    return np.array(keras.ops.softmax(scores, axis=axis))


def mix(weights, values):
    return np.einsum("hqk,hkd->hqd", weights, values)


ATTEND = {
    "the scale is missing": lambda q, k, v: mix(soften(products(q, k)), v),
    "divided by the length of a query": lambda q, k, v: mix(
        soften(products(q, k) / q.shape[2]), v
    ),
    "that of the whole model": lambda q, k, v: mix(
        soften(products(q, k) / math.sqrt(q.shape[0] * q.shape[2])), v
    ),
    "multiplied by the root": lambda q, k, v: mix(
        soften(products(q, k) * math.sqrt(q.shape[2])), v
    ),
    "comes after the softmax": lambda q, k, v: mix(
        soften(products(q, k)) / math.sqrt(q.shape[2]), v
    ),
    "goes over the queries": lambda q, k, v: mix(
        soften(products(q, k) / math.sqrt(q.shape[2]), axis=1), v
    ),
    "goes over the heads": lambda q, k, v: mix(
        soften(products(q, k) / math.sqrt(q.shape[2]), axis=0), v
    ),
    "in the table of products": lambda q, k, v: mix(
        soften(products(k, q) / math.sqrt(q.shape[2])), v
    ),
    "the softmax is missing": lambda q, k, v: mix(
        products(q, k) / math.sqrt(q.shape[2]), v
    ),
}


def norm(token):
    centred = token - sum(token) / len(token)
    return centred / math.sqrt(sum(centred**2) / len(token) + 1e-6)


def norms(tokens):
    return np.stack([norm(token) for token in tokens])


def pre_norm(tokens, attention, mlp):
    looked = attention(norms(tokens))
    between = np.add(tokens, looked)
    return np.add(between, mlp(norms(between)))


def normed_with(new_norm):
    """The block with another norm."""

    def block(tokens, attention, mlp):
        between = tokens + attention(new_norm(tokens))
        return between + mlp(new_norm(between))

    return block


def add_what_was_normed(tokens, attention, mlp):
    x = norms(tokens)
    y = norms(x + attention(x))
    return y + mlp(y)


def one_norm_left_out(tokens, attention, mlp):
    x = tokens + attention(norms(tokens))
    return x + mlp(x)


PRE_NORM = {
    "no norm is used": normed_with(lambda x: x),
    "one of the two norms": one_norm_left_out,
    "come after the sums": lambda x, attention, mlp: norms(
        (y := norms(x + attention(x))) + mlp(y)
    ),
    "the normalised tokens are added": add_what_was_normed,
    "the input of the attention": lambda x, attention, mlp: (
        (y := attention(norms(x))) + mlp(norms(y))
    ),
    "the input of the MLP": lambda x, attention, mlp: mlp(
        norms(x + attention(norms(x)))
    ),
    "the tokens that came in": lambda x, attention, mlp: (
        x + mlp(norms(x + attention(norms(x))))
    ),
    "get the same tokens": lambda x, attention, mlp: (
        x + attention(norms(x)) + mlp(norms(x))
    ),
    "the norm goes down": normed_with(lambda x: norms(x.T).T),
    "takes all tokens together": normed_with(
        lambda x: norm(x.ravel()).reshape(x.shape)
    ),
    "divides by the variance": normed_with(
        lambda x: norms(x) / np.std(x, axis=1, keepdims=True)
    ),
    "the mean is subtracted": normed_with(lambda x: x - x.mean(1, keepdims=True)),
}


def narrow_cost(tokens, width, heads, hidden):
    key_dim = width // heads
    total = 0
    for _ in range(heads):
        total += 3 * tokens * width * key_dim  # queries, keys and values
        total += tokens * tokens * key_dim  # queries with keys
        total += tokens * tokens * key_dim  # weights with values
        total += tokens * key_dim * width  # the head's share of the output
    return total + tokens * width * hidden + tokens * hidden * width


NARROW_COST = {
    "as long as a token": lambda n, d, h, m: (
        4 * n * d * h * d + 2 * n * n * h * d + 2 * n * d * m
    ),
    "one head alone": lambda n, d, h, m: (
        (4 * n * d * d + 2 * n * n * d) / h + 2 * n * d * m
    ),
    "the attention between tokens": lambda n, d, h, m: 2 * n * d * (2 * d + m),
    "attention is two products": lambda n, d, h, m: n * d * (4 * d + n + 2 * m),
    "four projections": lambda n, d, h, m: n * d * (3 * d + 2 * n + 2 * m),
    "the MLP has two layers": lambda n, d, h, m: n * d * (4 * d + 2 * n + m),
    "counted apart": lambda n, d, h, m: 4 * n * d * (2 * d + n + m),
}


def count_windows(side, window, stride):
    starts = [x for x in range(0, side, stride) if x + window <= side]
    return len([(row, column) for row in starts for column in starts])


COUNT_WINDOWS = {
    "at every multiple of the stride": lambda s, w, step: (
        len(range(0, s - step + 1, step)) ** 2
    ),
    "the moves are counted": lambda s, w, step: int((s - w) / step) ** 2,
    "of one direction": lambda s, w, step: len(range(0, s - w + 1, step)),
    "do not overlap": lambda s, w, step: int(s / w) * int(s / w),
    "is rounded up": lambda s, w, step: (1 + math.ceil((s - w) / step)) ** 2,
    "has a fraction": lambda s, w, step: (1 + (s - w) / step) ** 2,
}


def blocks(weights, size):
    """The four weights of each number of a small patch, with their places."""
    grid = np.array(weights).reshape(2 * size, 2 * size, 3, -1)
    for row in range(size):
        for column in range(size):
            yield grid[2 * row : 2 * row + 2, 2 * column : 2 * column + 2]


def small_weights(weights, size):
    sums = [block.sum(axis=1).sum(axis=0) for block in blocks(weights, size)]
    return np.concatenate(sums)


def sum_apart(weights, size):
    grid = weights.reshape(2 * size, 2 * size, -1)
    upper, lower = grid[:size], grid[size:]
    both = upper + lower
    both = both[:, :size] + both[:, size:]
    return both.reshape(3 * size * size, -1)


def sum_planes(weights, size):
    planes = weights.reshape(3, 2 * size, 2 * size, -1)
    rows = planes[:, ::2] + planes[:, 1::2]
    both = rows[:, :, ::2] + rows[:, :, 1::2]
    return both.reshape(3 * size * size, -1)


SMALL_WEIGHTS = {
    "that is the mean": lambda weights, size: small_weights(weights, size) / 4,
    "the weights of one copy": lambda weights, size: np.concatenate(
        [block[0, 0] for block in blocks(weights, size)]
    ),
    "the first quarter": lambda weights, size: weights[: len(weights) // 4],
    "that follow each other": lambda weights, size: (
        weights[::4] + weights[1::4] + weights[2::4] + weights[3::4]
    ),
    "half a patch apart": sum_apart,
    "the colours are taken to come first": sum_planes,
}


def from_torch(kernel):
    depth, channels, size, _ = kernel.shape
    weights = np.zeros((size * size * channels, depth))
    for row, column, channel in np.ndindex(size, size, channels):
        place = (row * size + column) * channels + channel
        weights[place] = kernel[:, channel, row, column]
    return weights


FROM_TORCH = {
    "a reshape alone mixes": lambda kernel: np.reshape(kernel, (-1, kernel.shape[0])),
    "the channels still come": lambda kernel: np.reshape(kernel, (len(kernel), -1)).T,
    "rows and columns of the kernel": lambda kernel: from_torch(
        np.swapaxes(kernel, 2, 3)
    ),
    "the outputs are the rows": lambda kernel: np.transpose(from_torch(kernel)),
}


def is_right(cut):
    images = np.random.default_rng(3).normal(size=(2, 8, 12, 3))
    return np.allclose(cut(images, 4), Patches(4)(images))


def has_the_right_shape(cut):
    return cut(np.zeros((1, 8, 8, 3)), 4).shape == (1, 4, 48)


def is_right_for(images, size, first=None):
    patches = Patches(size)(images)
    return lambda cut: np.allclose(cut(images, size)[:, :first], patches[:, :first])


LINES = np.arange(16 * 16 * 3.0).reshape(1, 16, 16, 3)
TALL = np.arange(16 * 8 * 3.0).reshape(1, 16, 8, 3)
IS_RIGHT = {
    "every wrong cut passes": has_the_right_shape,
    "no cut passes": lambda cut: np.array_equal(cut(LINES, 4), LINES),
    "that takes height for width passes": is_right_for(LINES, 4),
    "with the channels in a wrong place passes": is_right_for(LINES[..., :1], 4),
    "a cut that mixes patches passes": is_right_for(LINES[:, :4, :4], 4),
    "that goes down the columns passes": is_right_for(LINES, 4, first=1),
}

# The same mistakes with an image that is not square.
IS_RIGHT_FOR_TALL = {
    "with the channels in a wrong place passes": is_right_for(TALL[..., :1], 4),
    "that goes down the columns passes": is_right_for(TALL, 4, first=1),
}

NORM_LEFT_OUT = {
    "one of the two norms": lambda x, attention, mlp: (
        (y := x + attention(x)) + mlp(norms(y))
    ),
}

AGAIN = {
    checks.check_is_right: IS_RIGHT_FOR_TALL,
    checks.check_pre_norm: NORM_LEFT_OUT,
}
EXERCISES = {
    checks.check_green_place: (green_place, GREEN_PLACE),
    checks.check_join: (join, JOIN),
    checks.check_cut_planes: (cut_planes, CUT_PLANES),
    checks.check_attend: (attend, ATTEND),
    checks.check_pre_norm: (pre_norm, PRE_NORM),
    checks.check_narrow_cost: (narrow_cost, NARROW_COST),
    checks.check_count_windows: (count_windows, COUNT_WINDOWS),
    checks.check_small_weights: (small_weights, SMALL_WEIGHTS),
    checks.check_from_torch: (from_torch, FROM_TORCH),
    checks.check_is_right: (is_right, IS_RIGHT),
}
