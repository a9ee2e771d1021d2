"""Checks for the chapter on defects: a program handed in as it was is recognised."""

from functools import partial

import numpy as np

from vitlib.checks.softmax import softmax
from vitlib.checks.verdict import RIGHT, as_numbers, ask, compare, not_yet


def _deviation(images):
    return images.std(axis=(0, 1, 2))


def check_repaired_deviation(deviation):
    """Checks `deviation(images)`, that of each colour over all pixels of all images.

    `images` has the shape `(B, H, W, 3)`; it returns three numbers.
    """
    rng = np.random.default_rng(0)
    brightness = rng.uniform(size=(6, 1, 1, 1))  # so that the images differ as a whole
    questions = [(rng.uniform(size=(6, 4, 5, 3)) * [0.2, 0.5, 1] + brightness,)]
    mistakes = {
        "this still takes the deviation inside each image and then the mean; take one "
        "deviation over all pixels of all images.": lambda x: x.std((1, 2)).mean(0),
        "the variances inside the images are averaged; what the images differ by as a "
        "whole is still missing.": lambda x: np.sqrt(x.var((1, 2)).mean(0)),
        "that is the deviation of the means of the images; what varies inside an image "
        "is missing.": lambda x: x.mean((1, 2)).std(0),
        "the deviation of each place is averaged; take one over all places, too.": (
            lambda x: x.std(0).mean((0, 1))
        ),
        "that is the variance; take its root.": lambda x: x.var((0, 1, 2)),
        "the colours share one deviation; take one for each.": (
            lambda x: np.full(3, x.std())
        ),
    }
    return compare(deviation, _deviation, mistakes, questions)


def _variant(image, random, border=((4, 4), (4, 4), (0, 0)), places=9, order=(0, 1)):
    """The image inside a border, cut at a random place, and perhaps flipped."""
    size = len(image)
    wide = np.pad(image, border)
    top, left = (int(random[i] * places) for i in order)
    cut = wide[top : top + size, left : left + size]
    return cut[:, ::-1] if random[2] < 0.5 else cut


def _flip_first(image, random):
    flipped = image[:, ::-1] if random[2] < 0.5 else image
    return _variant(flipped, (*random[:2], 1))


def _gray_border(image, random):
    shifted = _variant(image + 1.0, random)  # the border alone is 0
    return np.where(shifted > 0, shifted - 1, image.mean())


def check_repaired_variant(variant):
    """Checks `variant(image, random)`: a shift of up to 4 pixels, perhaps a flip.

    The square image gets a black border of 4 pixels. The first two of the three random
    numbers choose one of 9 rows and one of 9 columns for the cut; the result is flipped
    when the third is below 0.5.
    """
    image = np.random.default_rng(0).uniform(1, 255, size=(32, 32, 3))
    draws = [(0.0, 0.9, 0.2), (0.99, 0.3, 0.7), (0.2, 0.5, 0.9), (0.7, 0.99, 0.1)]
    border = ((0, 8), (0, 8), (0, 0))
    mistakes = {
        "this still cuts a square out of an image of the same size, so that one place "
        "is left; add the border first.": partial(_variant, border=0, places=1),
        "the border is on two sides alone, so that the image moves one way; add 4 "
        "pixels on each side.": partial(_variant, border=border),
        "the last row and column of places are never chosen; there are 9 places.": (
            partial(_variant, places=8)
        ),
        "rows and columns are swapped; the first number chooses the row.": (
            partial(_variant, order=(1, 0))
        ),
        "the flip is lost; it comes after the cut.": (
            lambda image, random: _variant(image, (*random[:2], 1))
        ),
        "the flip comes before the cut, and turns the shift around; it comes after.": (
            _flip_first
        ),
        "the border has the colour of the image; it must be black.": _gray_border,
    }
    questions = [(image, np.array(random)) for random in draws]
    return compare(variant, _variant, mistakes, questions)


def _patches(image, size, order=(0, 2, 1, 3, 4)):
    """The patches of an image; the axes are tile row, row, tile column, column, C."""
    height, width, channels = image.shape
    shape = (height // size, size, width // size, size, channels)
    tiles = image.reshape(shape).transpose(order)
    return tiles.reshape(-1, size * size * channels)


def check_repaired_patches(patches):
    """Checks `patches(image, size)`: an image `(H, W, 3)` to `(N, size * size * 3)`.

    Patches go left to right and then down, the numbers in a patch, too: row, column,
    colour.
    """
    image = np.arange(6 * 9 * 3).reshape(6, 9, 3)
    mistakes = {
        "this still keeps the colours in front, so that a patch has pixels of three "
        "places; the colour belongs to the end.": partial(
            _patches, order=(4, 0, 2, 1, 3)
        ),
        "each patch has the right numbers, but one colour after the other; the three "
        "colours of a pixel are side by side.": partial(
            _patches, order=(0, 2, 4, 1, 3)
        ),
        "the image is cut along its rows; a patch must be a square.": (
            lambda image, size: image.reshape(-1, 3 * size**2)
        ),
        "the patches are right and go down first; they go to the right first.": (
            partial(_patches, order=(2, 0, 1, 3, 4))
        ),
        "each patch is transposed; its numbers go along a row first.": (
            partial(_patches, order=(0, 2, 3, 1, 4))
        ),
    }
    return compare(patches, _patches, mistakes, [(image, 3)])


def _block(head_size, heads, hidden, width=None, inner=None):
    """The parameters of a block: two layer norms, attention, MLP."""
    width, inner = width or head_size * heads, inner or head_size * heads
    attention = 3 * (width * inner + inner) + inner * width + width
    return 4 * width + attention + width * hidden + hidden + hidden * width + width


def check_repaired_block(block):
    """Checks `block(head_size, heads, hidden)`, the parameters of a Transformer block.

    A token is as long as all heads side by side. Reference: Dosovitskiy et al., 2021,
    table 1 and appendix A (https://arxiv.org/abs/2010.11929).
    """
    mistakes = {
        "this still makes a token as long as one head; it is as long as all heads side "
        "by side.": lambda size, heads, hidden: _block(size, heads, hidden, width=size),
        "now each head is as wide as the whole token; a head has its own size.": (
            lambda size, heads, hidden: _block(
                size, heads, hidden, inner=heads**2 * size
            )
        ),
        "the heads share the length of one head, so that the token is too short; a "
        "token is as long as all heads side by side.": (
            lambda size, heads, hidden: _block(size, heads, hidden, size, size)
        ),
        "the biases are missing; each dense layer has one number an output.": (
            lambda size, heads, hidden: (
                _block(size, heads, hidden) - 5 * heads * size - hidden
            )
        ),
    }
    return compare(block, _block, mistakes, [(4, 3, 10), (8, 2, 32)])


def _attention(queries, keys, power=-0.5, width=None, axis=-1):
    products = queries @ keys.swapaxes(-1, -2)
    return softmax(products * (width or queries.shape[-1]) ** power, axis)


def check_repaired_attention(attention):
    """Checks `attention(queries, keys)`: two arrays `(heads, N, d)` to `(heads, N, N)`.

    Reference: Vaswani et al., 2017, section 3.2.1 (https://arxiv.org/abs/1706.03762).
    """
    rng = np.random.default_rng(0)
    heads, length = 3, 4
    questions = [tuple(rng.normal(size=(2, heads, 5, length)))]
    mistakes = {
        "this still divides after the softmax, so that the weights of a query sum to "
        "less than 1; divide the products.": lambda q, k: _attention(q, k, 0) / 2,
        "the rows sum to 1, but nothing is divided; divide the products by the root of "
        "a query's length.": partial(_attention, power=0),
        "the products are divided by the length; divide by its root.": (
            partial(_attention, power=-1)
        ),
        "the products are multiplied by the root; divide by it.": (
            partial(_attention, power=0.5)
        ),
        "the root is that of all heads together; take the length in one head.": (
            partial(_attention, width=heads * length)
        ),
        "the columns sum to 1 and not the rows; a row is a query.": (
            partial(_attention, axis=-2)
        ),
    }
    return compare(attention, _attention, mistakes, questions)


BLOCKS, WIDTH = 4, 6


def _judge_weights(first, again, other):
    """The hint for three draws, of which the first two have the same seed; or None."""
    stacks = [first.reshape(BLOCKS, -1), other.reshape(BLOCKS, -1)]
    same = np.isclose(stacks[0][:, None], stacks[0]).all(-1)
    shared = np.isclose(stacks[0][:, None], stacks[1]).all(-1)
    limit = np.sqrt(3 / WIDTH) * 1.001
    faults = {
        "this still gives every block the same weights; each must draw its own.": (
            same.all()
        ),
        "two blocks still have the same weights; each must draw its own.": (
            same.sum() > BLOCKS
        ),
        "the same seed gives other weights each time; draw from `seed` alone, so that "
        "others can repeat your run.": not np.allclose(first, again),
        "another seed gives the same weights; draw from `seed`.": (
            np.diagonal(shared).all()
        ),
        "a block of one seed has the weights of another block of the next seed; draw "
        "the seeds of the blocks, do not count them up.": shared.any(),
        "each weight must be within the limit of Glorot, the root of 3 / width.": (
            abs(first).max() > limit
        ),
        "the weights are too small; `GlorotUniform` draws them from up to the root of "
        "3 / width.": abs(first).max() < 0.9 * limit,
    }
    return next((hint for hint, is_found in faults.items() if is_found), None)


def check_repaired_weights(weights):
    """Checks `weights(width, blocks, seed)`: first weights `(blocks, width, width)`.

    Each block draws its own, uniform up to the limit of Glorot, and the seed decides.
    """
    questions = [(WIDTH, BLOCKS, seed) for seed in (1, 1, 2)]
    answers, failure = ask(weights, questions)
    if failure is not None:
        return failure
    drawn = [as_numbers(answer) for answer in answers]
    if any(x is None or x.shape != (BLOCKS, WIDTH, WIDTH) for x in drawn):
        return not_yet(
            "the function must return an array of shape (blocks, width, width)."
        )
    hint = _judge_weights(*drawn)
    return not_yet(hint) if hint else RIGHT


def _drop(x, noise, rate):
    return np.where(noise < rate, 0, x / (1 - rate))


def _mix(weights, values, noise, rate, training, inner=None, outer=None):
    """Attention with dropout before and after the mean, each when it is told to."""
    inner = training if inner is None else inner
    outer = training if outer is None else outer
    mixed = (_drop(weights, noise, rate) if inner else weights) @ values
    return _drop(mixed, noise[:, : values.shape[1]], rate) if outer else mixed


def _shrunk(weights, values, noise, rate, training):
    share = 1 if training else 1 - rate
    return share * _mix(weights, values, noise, rate, training)


def check_repaired_mix(mix):
    """Checks `mix(weights, values, noise, rate, training)`: attention with dropout.

    `weights` and `noise` have the shape `(N, N)`, `values` and the result `(N, d)`. In
    training the weights and the result are dropped out, otherwise nothing is.
    """
    rng = np.random.default_rng(0)
    arrays = softmax(rng.normal(size=(6, 6))), rng.normal(size=(6, 3))
    noise = rng.uniform(size=(6, 6))
    questions = [(*arrays, noise, 0.4, training) for training in (True, False)]
    mistakes = {
        "this still drops weights when nothing is trained; look at `training` in both "
        "places.": partial(_mix, inner=True),
        "nothing is dropped any more, not in training either.": (
            partial(_mix, inner=False, outer=False)
        ),
        "the weights are never dropped; in training they must be.": (
            partial(_mix, inner=False)
        ),
        "now both places drop when nothing is trained.": (
            partial(_mix, inner=True, outer=True)
        ),
        "the dropout is on when it must be off, and off when it must be on.": (
            lambda w, v, noise, rate, training: _mix(w, v, noise, rate, not training)
        ),
        "without training the result is made smaller; `drop` makes what it keeps "
        "larger, so that nothing is left to correct.": _shrunk,
    }
    return compare(mix, _mix, mistakes, questions)


def _path(target, peak, warmup, steps, rate=None):
    """Where a number is after each step; `rate(step)` replaces the schedule."""

    def planned(step):
        share = np.clip((step - warmup) / (steps - warmup), 0, 1)
        return peak * min((step + 1) / warmup, 1) * (1 + np.cos(np.pi * share)) / 2

    path = [0.0]
    for step in range(steps):
        used = planned(step) if rate is None else rate(step, planned)
        path.append(path[-1] - used * (path[-1] - target))
    return path


def check_repaired_path(path):
    """Checks `path(target, peak, warmup, steps)`, of a number that is learned.

    It returns `steps + 1` numbers, 0 first. Step s is one of gradient descent on half
    the squared error, at the rate of `WarmupSchedule` with a cosine.
    """

    def with_rate(rate):
        return lambda *question: _path(*question, rate)

    mistakes = {
        "this still trains at the highest rate throughout; hand the schedule to the "
        "optimiser.": lambda target, peak, *counts: _path(
            target, peak, *counts, lambda step, planned: peak
        ),
        "the rate of step 0 is used throughout; hand over the schedule and not one "
        "value of it.": with_rate(lambda step, planned: planned(0)),
        "each step has the rate of the next one; the first step is step 0.": (
            with_rate(lambda step, planned: planned(step + 1))
        ),
        "the warm-up is lost; the rate rises first.": (
            lambda target, peak, warmup, steps: _path(
                target,
                peak,
                warmup,
                steps,
                lambda step, planned: planned(max(step, warmup - 1)),
            )
        ),
        "the fall is lost; after the warm-up the rate follows a cosine.": (
            with_rate(lambda step, planned: max(map(planned, range(step + 1))))
        ),
    }
    return compare(path, _path, mistakes, [(3.0, 0.5, 3, 9), (-2.0, 0.3, 4, 8)])


def _losses(outputs, labels):
    return -np.log(softmax(outputs)[np.arange(len(labels)), labels])


def check_repaired_loss(loss):
    """Checks `loss(features, kernel, labels)`, the mean cross-entropy of a classifier.

    `features` has the shape `(B, D)`, `kernel` `(D, C)`; their product are logits.
    """
    rng = np.random.default_rng(0)
    arrays = rng.normal(size=(6, 4)), rng.normal(size=(4, 5))
    questions = [(*arrays, rng.permutation([0, 1, 2, 3, 4, 1]))]
    mistakes = {
        "this still takes the softmax twice; the score wants logits.": (
            lambda x, w, y: _losses(softmax(x @ w), y).mean()
        ),
        "the softmax is taken over the images; the probabilities of an image must sum "
        "to 1.": lambda x, w, y: (
            -np.log(softmax(x @ w, 0)[np.arange(len(y)), y]).mean()
        ),
        "the logarithm is missing; that is minus the mean probability.": (
            lambda x, w, y: -np.exp(-_losses(x @ w, y)).mean()
        ),
        "the losses are summed; take their mean.": lambda x, w, y: _losses(
            x @ w, y
        ).sum(),
        "that is the accuracy; return the loss.": (
            lambda x, w, y: np.mean((x @ w).argmax(1) == y)
        ),
    }
    return compare(loss, lambda x, w, y: _losses(x @ w, y).mean(), mistakes, questions)


def _in_batches(is_right, batch_size):
    return [is_right[i : i + batch_size] for i in range(0, len(is_right), batch_size)]


def check_repaired_accuracy(accuracy):
    """Checks `accuracy(answers, labels, batch_size)`, the share of right answers.

    The images come in batches, the last of which may be smaller.
    """
    labels = np.random.default_rng(0).permutation(np.arange(23) % 3)
    answers = np.where(np.arange(23) < 19, labels, 3)  # the last ones are wrong
    answers[[2, 5]] = 3

    def judged(rule):
        return lambda a, y, size: rule(_in_batches(a == y, size), a == y, size)

    mistakes = {
        "this still gives the last batch the weight of a whole one; each image counts "
        "once.": judged(
            lambda batches, right, size: np.mean([b.mean() for b in batches])
        ),
        "the last batch is left out.": judged(
            lambda batches, right, size: right[: len(right) // size * size].mean()
        ),
        "the right answers are divided by the places of all batches; the last one has "
        "empty ones.": judged(
            lambda batches, right, size: right.sum() / (len(batches) * size)
        ),
        "the right answers are counted; divide by the number of images.": judged(
            lambda batches, right, size: right.sum()
        ),
        "that is the share of wrong answers.": judged(
            lambda batches, right, size: 1 - right.mean()
        ),
    }
    questions = [(answers, labels, size) for size in (8, 5)]
    return compare(accuracy, lambda a, y, size: np.mean(a == y), mistakes, questions)
