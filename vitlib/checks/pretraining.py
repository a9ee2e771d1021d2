"""Checks for the chapter on pre-training."""

from functools import partial

import numpy as np

from vitlib.checks.verdict import compare
from vitlib.records.intervals import mean_interval, welch_interval


def _hide(scores, num_hidden):
    ranks = scores.argsort(axis=1).argsort(axis=1)
    return ranks >= scores.shape[1] - num_hidden


def _hide_together(scores, num_hidden):
    """Hides as many patches, but of all images taken as one."""
    return _hide(scores.reshape(1, -1), len(scores) * num_hidden).reshape(scores.shape)


def _scores(rng, images, patches):
    """Random numbers, smaller from image to image: no threshold fits all of them."""
    return rng.random((images, patches)) / np.arange(1, images + 1)[:, None]


def check_hide(hide):
    """Checks `hide(scores, num_hidden)`: booleans `(batch, N)`, True where hidden.

    `scores` has the shape `(batch, N)`, a random number from 0 to 1 for each patch. In
    each image, the `num_hidden` patches with the largest scores are hidden.
    """
    rng = np.random.default_rng(0)
    questions = [(_scores(rng, 4, 12), 9), (_scores(rng, 3, 8), 3)]
    mistakes = {
        "all images hide the patches of the first one; look at the scores of each.": (
            lambda s, m: np.repeat(_hide(s[:1], m), len(s), axis=0)
        ),
        "how many patches are hidden differs from image to image; a threshold hides "
        "`num_hidden` only on average, so rank the scores.": (
            lambda s, m: s > 1 - m / s.shape[1],
            lambda s, m: s < m / s.shape[1],
        ),
        "the scores of all images are ranked together; rank each row on its own.": (
            _hide_together
        ),
        "the smallest scores are hidden; the largest ones must be.": (
            lambda s, m: _hide(-s, m)
        ),
        "`num_hidden` patches stay visible; so many must be hidden.": (
            lambda s, m: _hide(s, s.shape[1] - m)
        ),
        "visible and hidden are swapped; True stands for a hidden patch.": (
            lambda s, m: ~_hide(s, m)
        ),
        "`argsort` tells which patch stands at each place of the order; ask for the "
        "place of each patch, which is the inverse of that order.": (
            lambda s, m: s.argsort(axis=1) >= s.shape[1] - m
        ),
    }
    return compare(hide, _hide, mistakes, questions)


def _pick(tokens, places):
    return np.take_along_axis(tokens, places[..., None], axis=1)


def _shuffled(tokens, hidden, mask_token):
    """The visible tokens, and then a mask token for each hidden patch."""
    masks = np.broadcast_to(mask_token, (*hidden.shape, len(mask_token)))
    return np.concatenate([tokens, masks], axis=1)


def _restore(tokens, visible, hidden, mask_token, places=np.argsort):
    order = np.concatenate([visible, hidden], axis=1)
    return _pick(_shuffled(tokens, hidden, mask_token), places(order))


def _first_places(order):
    return np.repeat(np.argsort(order[:1]), len(order), axis=0)


def _masked(rng, num_visible, num_hidden):
    """Three images of which some tokens are left, in random order."""
    places = np.tile(np.arange(num_visible + num_hidden), (3, 1))
    visible, hidden = np.split(rng.permuted(places, axis=1), [num_visible], axis=1)
    return rng.normal(size=(3, num_visible, 4)), visible, hidden, rng.normal(size=4)


def check_restore(restore, seed=0):
    """Checks `restore(tokens, visible, hidden, mask_token)`: all tokens in place.

    Visible tokens `(batch, K, D)` have the places `visible`, `(batch, K)`; the places
    `hidden`, `(batch, M)`, get the mask token, `(D,)`. The result has the shape
    `(batch, K + M, D)`.

    Args:
        restore: The reader's function.
        seed: Integer. Another one asks other questions, which nobody has seen.
    """
    rng = np.random.default_rng(seed)
    mistakes = {
        "the mask tokens stand behind the others; each token has a place in the image "
        "to go back to.": lambda x, v, h, m: _shuffled(x, h, m),
        "the order is applied once more; the way back is its inverse.": partial(
            _restore, places=np.asarray
        ),
        "all images get the order of the first; each one has its own mask.": partial(
            _restore, places=_first_places
        ),
        "zeros stand at the hidden places; the mask token belongs there.": (
            lambda x, v, h, m: _restore(x, v, h, 0 * m)
        ),
        "visible and hidden places are swapped; the mask token goes where nothing was "
        "seen.": lambda x, v, h, m: _restore(x, h, v, m),
        "the visible tokens are laid out from left to right; `visible` is not sorted, "
        "and has a place for each token.": (
            lambda x, v, h, m: _restore(x, np.sort(v), h, m)
        ),
    }
    # Who swaps the two breaks off where there are not as many of both.
    verdict = compare(restore, _restore, mistakes, [_masked(rng, 5, 5)])
    return verdict and compare(restore, _restore, {}, [_masked(rng, 3, 6)])


def _centre(patches, axis=-1):
    return patches - patches.mean(axis, keepdims=True)


def _standardize(patches, axis=-1, added=1e-6):
    variance = patches.var(axis, keepdims=True)
    return _centre(patches, axis) / np.sqrt(variance + added)


def _hidden_error(
    predicted, patches, is_hidden, standardize=_standardize, measure=np.square
):
    return measure(predicted - standardize(patches))[is_hidden].mean()


# What stands in the place of the normalised patches, by the hint for it.
WRONG_TARGETS = {
    "the pixels are compared as they are; shift and scale each patch first.": (
        np.asarray
    ),
    "the target is shifted alone; scale it to variance 1, too.": _centre,
    "mean and variance are those of a whole image; each patch has its own.": partial(
        _standardize, axis=(1, 2)
    ),
    "mean and variance go over the images; take them over the values of one patch.": (
        partial(_standardize, axis=0)
    ),
    "the variance of a patch of almost one colour is nearly 0; add 1e-6 under the "
    "root.": partial(_standardize, added=0),
    "1e-6 stands beside the root; it belongs under it, added to the variance.": (
        lambda patches: _centre(patches) / (patches.std(-1, keepdims=True) + 1e-6)
    ),
}


def _predictions(rng):
    predicted, patches = rng.normal(size=(3, 6, 5)), rng.random((3, 6, 5))
    is_hidden = _hide(rng.random((3, 6)), 4)
    patches[tuple(np.argwhere(is_hidden)[0])] *= 1e-4  # almost black
    return predicted, patches, is_hidden


def check_hidden_error(hidden_error, seed=0):
    """Checks `hidden_error(predicted, patches, is_hidden)`, a single number.

    The first two have the shape `(batch, N, L)`; `is_hidden`, `(batch, N)`, holds
    booleans, equally many True in each row. Each patch of the target is shifted and
    scaled to mean 0 and variance 1 over its L values, with 1e-6 added to the variance
    under the root. The squared differences are averaged over all values of hidden
    patches.

    Args:
        hidden_error: The reader's function.
        seed: Integer. Another one asks other questions, which nobody has seen.
    """
    rng = np.random.default_rng(seed)
    # Two errors may be alike by chance, but not three times.
    questions = [_predictions(rng) for _ in range(3)]
    mistakes = {
        hint: partial(_hidden_error, standardize=wrong)
        for hint, wrong in WRONG_TARGETS.items()
    }
    mistakes |= {
        "the visible patches are compared; the model has seen them, so take the "
        "others.": lambda p, t, h: _hidden_error(p, t, ~h),
        "all patches are compared; those that the model has seen do not count.": (
            lambda p, t, h: _hidden_error(p, t, np.ones_like(h))
        ),
        "the sum over the hidden patches is divided by the number of all; the visible "
        "ones do not count.": lambda p, t, h: _hidden_error(p, t, h) * h.mean(),
        "the prediction is normalised as well; it must meet the target as it is.": (
            lambda p, t, h: _hidden_error(_standardize(p), t, h)
        ),
        "the sizes of the differences are averaged; square them.": partial(
            _hidden_error, measure=np.abs
        ),
        "that is the root of the error; leave the mean of the squares.": (
            lambda p, t, h: np.sqrt(_hidden_error(p, t, h))
        ),
    }
    return compare(hidden_error, _hidden_error, mistakes, questions)


def _multiply_adds(tokens, width, hidden_units, products=2):
    matrices = 4 * width**2 + 2 * width * hidden_units
    return tokens * matrices + products * tokens**2 * width


def _masked_share(tokens, width, hidden_units, ratio, left=round, products=2):
    visible = left(tokens * (1 - ratio))
    part, whole = (
        _multiply_adds(n, width, hidden_units, products) for n in (visible, tokens)
    )
    return part / whole


def _share_of_tokens(tokens, ratio):
    return round(tokens * (1 - ratio)) / tokens


def check_masked_share(masked_share):
    """Checks `masked_share(tokens, width, hidden_units, ratio)`, from 0 to 1.

    The multiply-adds of a pre-norm Transformer block on the visible tokens, as a share
    of those on all. Its matrix products cost n (4 width² + 2 width hidden_units) + 2 n²
    width for n tokens. The visible tokens are `round(tokens * (1 - ratio))`.
    """
    mistakes = {
        "that is the share of the tokens; attention multiplies tokens by tokens.": (
            lambda n, d, h, r: 1 - r,
            lambda n, d, h, r: _share_of_tokens(n, r),
        ),
        "that is the square of the share; only attention grows with the square of the "
        "tokens.": (
            lambda n, d, h, r: (1 - r) ** 2,
            lambda n, d, h, r: _share_of_tokens(n, r) ** 2,
        ),
        "that is the share for the hidden tokens; the encoder sees the others.": (
            lambda n, d, h, r: _masked_share(n, d, h, 1 - r)
        ),
        "that is how many times as fast the block becomes; turn it over.": (
            lambda n, d, h, r: 1 / _masked_share(n, d, h, r)
        ),
        "attention multiplies tokens by tokens twice: for the scores, and for the "
        "weighted values.": partial(_masked_share, products=1),
        "the MLP is missing; it has two matrices.": (
            lambda n, d, h, r: _masked_share(n, d, 0, r)
        ),
        "the number of visible tokens is whole; take the nearest.": (
            partial(_masked_share, left=float),
            partial(_masked_share, left=int),
            partial(_masked_share, left=np.ceil),
        ),
    }
    questions = [(49, 32, 64, 0.75), (196, 64, 256, 0.6), (17, 48, 96, 0.25)]
    return compare(masked_share, _masked_share, mistakes, questions)


def _seconds_left(minutes, images_seen, masked_rate):
    return 60 * minutes - images_seen / masked_rate


def _images_left(minutes, images_seen, masked_rate, labelled_rate):
    return max(0, _seconds_left(minutes, images_seen, masked_rate)) * labelled_rate


def check_images_left(images_left):
    """Checks `images_left(minutes, images_seen, masked_rate, labelled_rate)`.

    How many images fine-tuning can see, at `labelled_rate` images a second, when there
    are so many minutes in all and pre-training takes `images_seen` images at
    `masked_rate` images a second: 0 if no time is left. The number need not be rounded.
    """
    mistakes = {
        "the rates are images a second; turn the minutes into seconds.": (
            lambda t, n, m, r: _images_left(t / 60, n, m, r)
        ),
        "the rates are swapped; the first one is that of pre-training.": (
            lambda t, n, m, r: _images_left(t, n, r, m)
        ),
        "pre-training costs nothing here; take its time off the budget.": (
            lambda t, n, m, r: 60 * t * r
        ),
        "the number falls below 0; when no time is left, no image is seen.": (
            lambda t, n, m, r: _seconds_left(t, n, m) * r
        ),
        "pre-training is charged at the rate of fine-tuning; it has one of its own.": (
            lambda t, n, m, r: _images_left(t, n, r, r),
            lambda t, n, m, r: 60 * t * r - n,
        ),
        "that is the time that is left; ask how many images fit into it.": (
            lambda t, n, m, r: max(0, _seconds_left(t, n, m))
        ),
    }
    # So many images that rounding changes none by more than a check forgives.
    questions = [
        (30, 10_000, 1_000, 400),
        (10, 250_000, 800, 300),
        (2, 100_000, 500, 150),
    ]
    return compare(images_left, _images_left, mistakes, questions)


def _cosines(features, new):
    lengths = np.linalg.norm(features, axis=1) * np.linalg.norm(new)
    return features @ new / lengths


def _minus_distances(features, new):
    return -np.linalg.norm(features - new, axis=1)


def _nearest(features, labels, new, k, nearness=_cosines):
    """The labels of the k nearest images."""
    return labels[np.argsort(-nearness(features, new))[:k]]


def _vote(*question, nearness=_cosines):
    return np.bincount(_nearest(*question, nearness=nearness)).argmax()


def _neighbors(k):
    """Images around a new one, such that each mistake finds another label.

    The nearest image and those that outvote it are short. Others lie at larger angles,
    but are long, or end near the new one; some point the other way, and most across.
    """
    rng = np.random.default_rng(k)
    counts = [1, k - 1, k, k, k, 2 * k]
    angles = np.repeat([0.1, 0.2, 1.0, 0.6, 3.0, 1.6], counts)
    lengths = np.repeat([0.2, 0.2, 5.0, 0.9, 0.5, 1.0], counts)
    angles = angles * rng.uniform(0.95, 1.05, len(angles))
    features = lengths * [np.cos(angles), np.sin(angles)]  # (2, n)
    labels = np.repeat(10 * rng.permutation(6) + 10, counts)
    order = rng.permutation(len(labels))
    return features.T[order], labels[order], np.array([1.0, 0.0]), k


def check_vote(vote):
    """Checks `vote(features, labels, new, k)`, the label of a new image.

    `features` has the shape `(n, D)`, `labels` `(n,)`, `new` `(D,)`. It is the most
    frequent label of the k images whose features have the largest cosine with `new`.
    """
    mistakes = {
        "long features win; divide the products by the lengths.": partial(
            _vote, nearness=np.matmul
        ),
        "the distance depends on the lengths, too; compare the directions alone.": (
            partial(_vote, nearness=_minus_distances)
        ),
        "the farthest images vote; the largest cosine is the nearest.": partial(
            _vote, nearness=lambda x, new: -_cosines(x, new)
        ),
        "a single image decides; let k of them vote.": (
            lambda x, y, new, k: _vote(x, y, new, 1)
        ),
        "all images vote; only the k nearest may.": (
            lambda x, y, new, k: _vote(x, y, new, len(y))
        ),
        "the labels are averaged; they are names, so count how often each occurs.": (
            lambda *question: _nearest(*question).mean(),
            lambda *question: _nearest(*question).mean().round(),
            lambda *question: _nearest(*question).mean() // 1,
        ),
    }
    return compare(vote, _vote, mistakes, [_neighbors(3), _neighbors(5)])


def _in_points(interval):
    """The middle of an interval of shares, and half its width, in points."""
    low, high = interval
    return 50 * np.array([high + low, high - low])


def _gain(first, second):
    return _in_points(welch_interval(second, first))


def _with_half_width(first, second, half_width):
    return np.array([_gain(first, second)[0], half_width])


def _normal_half_width(first, second):
    parts = [values.var(ddof=1) / len(values) for values in (first, second)]
    return 196 * np.sqrt(sum(parts))


def check_gain(gain):
    """Checks `gain(first, second)`: two numbers, in points.

    Accuracies over seeds come in, in shares: `(s,)` of one way and `(t,)` of another.
    The difference of their means comes out, second less first, and half the width of
    its 95 % interval by Welch.
    """
    mistakes = {
        "the sign is turned; a gain is above 0 when the second way is better.": (
            lambda a, b: _gain(b, a)
        ),
        "those are shares; a point is a hundredth.": lambda a, b: _gain(a, b) / 100,
        "the best seeds are compared; luck decides between those, so take the means.": (
            lambda a, b: np.array([100 * (b.max() - a.max()), _gain(a, b)[1]])
        ),
        "the half-width is that of one mean; both means are uncertain.": (
            lambda a, b: _with_half_width(a, b, _in_points(mean_interval(a))[1]),
            lambda a, b: _with_half_width(a, b, _in_points(mean_interval(b))[1]),
        ),
        "the seeds are taken in pairs; for Welch, the two ways are independent.": (
            lambda a, b: _in_points(mean_interval(b - a))
        ),
        "1.96 is for many seeds; with a few, the quantile of t is larger.": (
            lambda a, b: _with_half_width(a, b, _normal_half_width(a, b))
        ),
        "the second number is the whole width; halve it.": (
            lambda a, b: _gain(a, b) * [1, 2]
        ),
        "those are the ends of the interval; give its middle and half its width.": (
            lambda a, b: 100 * np.array(welch_interval(b, a))
        ),
    }
    first, second = np.array([[0.312, 0.301, 0.304], [0.331, 0.322, 0.345]])
    more = np.array([0.29, 0.296, 0.287, 0.299])
    # Who takes pairs breaks off where one way has more seeds.
    verdict = compare(gain, _gain, mistakes, [(first, second)])
    return verdict and compare(gain, _gain, {}, [(first, more)])
