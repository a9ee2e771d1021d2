"""What students hand in for the exercises of the chapter on pre-training."""

import math
import statistics
from collections import Counter

import numpy as np
from scipy import stats

from vitlib import checks


def largest(row, count):
    """Whether each number of a row is among the so many largest."""
    kept = sorted(row, reverse=True)[:count]
    return [score in kept for score in row]


def hide(scores, num_hidden):
    return [largest(row, num_hidden) for row in scores]


def from_the_end_of_the_order(scores, num_hidden):
    order = np.argsort(scores)
    return order >= order.shape[-1] - num_hidden


HIDE = {
    "the patches of the first one": lambda s, m: [largest(s[0], m) for _ in s],
    "a threshold hides": lambda s, m: s >= 1 - m / len(s[0]),
    "are ranked together": lambda s, m: np.reshape(
        largest(s.flatten(), m * len(s)), s.shape
    ),
    "the smallest scores are hidden": lambda s, m: [largest(-row, m) for row in s],
    "stay visible": lambda s, m: hide(s, len(s[0]) - m),
    "visible and hidden are swapped": lambda s, m: np.logical_not(hide(s, m)),
    "`argsort` tells": from_the_end_of_the_order,
}


def restore(tokens, visible, hidden, mask_token):
    images = len(tokens)
    image = np.empty((images, visible.shape[1] + hidden.shape[1], len(mask_token)))
    for n in range(images):
        image[n, visible[n]] = tokens[n]
        image[n, hidden[n]] = mask_token
    return image


def behind_each_other(tokens, visible, hidden, mask_token):
    return [[*seen, *[mask_token] * hidden.shape[1]] for seen in tokens]


def once_more(tokens, visible, hidden, mask_token):
    rows = np.array(behind_each_other(tokens, visible, hidden, mask_token))
    orders = np.hstack([visible, hidden])
    return [row[order] for row, order in zip(rows, orders, strict=True)]


def of_the_first(tokens, visible, hidden, mask_token):
    first = [np.stack([places[0]] * len(tokens)) for places in (visible, hidden)]
    return restore(tokens, *first, mask_token)


def from_left_to_right(tokens, visible, hidden, mask_token):
    image = np.zeros((len(tokens), visible.shape[1] + hidden.shape[1], len(mask_token)))
    is_visible = np.zeros(image.shape[:2], bool)
    np.put_along_axis(is_visible, visible, True, axis=1)
    image[is_visible] = tokens.reshape(-1, len(mask_token))
    image[~is_visible] = mask_token
    return image


RESTORE = {
    "stand behind the others": behind_each_other,
    "applied once more": once_more,
    "the order of the first": of_the_first,
    "zeros stand": lambda x, v, h, m: restore(x, v, h, np.zeros(len(m))),
    "visible and hidden places are swapped": lambda x, v, h, m: restore(x, h, v, m),
    "from left to right": from_left_to_right,
}


def standardized(values, added=1e-6):
    mean = statistics.fmean(values)
    variance = statistics.pvariance(values)
    return [(value - mean) / math.sqrt(variance + added) for value in values]


def each(patches, change):
    """The patches of some images, each one changed."""
    return np.array([[change(patch) for patch in image] for image in patches])


def of_hidden(predicted, target, is_hidden, measure=lambda d: d**2):
    """The mean over the hidden patches, of a target that is as it should be."""
    places = list(zip(*np.nonzero(is_hidden), strict=True))
    differences = [predicted[place] - target[place] for place in places]
    return np.mean([measure(d) for d in np.concatenate(differences)])


def hidden_error(predicted, patches, is_hidden):
    return of_hidden(predicted, each(patches, standardized), is_hidden)


def of_whole_images(patches):
    rows = [standardized(image.ravel()) for image in patches]
    return np.reshape(rows, patches.shape)


def over_the_batch(patches):
    rows = [standardized(values) for values in patches.reshape(len(patches), -1).T]
    return np.transpose(rows).reshape(patches.shape)


def masked_mean(predicted, patches, is_hidden):
    squares = (predicted - each(patches, standardized)) ** 2
    return np.mean(squares * is_hidden[..., None])


HIDDEN_ERROR = {
    "compared as they are": of_hidden,
    "shifted alone": lambda p, t, h: of_hidden(
        p, each(t, lambda patch: patch - np.mean(patch)), h
    ),
    "those of a whole image": lambda p, t, h: of_hidden(p, of_whole_images(t), h),
    "go over the images": lambda p, t, h: of_hidden(p, over_the_batch(t), h),
    "almost one colour": lambda p, t, h: of_hidden(
        p, each(t, lambda patch: (patch - np.mean(patch)) / np.std(patch)), h
    ),
    "1e-6 stands beside": lambda p, t, h: of_hidden(
        p, each(t, lambda patch: (patch - patch.mean()) / (patch.std() + 1e-6)), h
    ),
    "the visible patches are compared": lambda p, t, h: hidden_error(
        p, t, np.logical_not(h)
    ),
    "all patches are compared": lambda p, t, h: np.mean(
        (p - each(t, standardized)) ** 2
    ),
    "by the number of all": masked_mean,
    "the prediction is normalised": lambda p, t, h: hidden_error(
        each(p, standardized), t, h
    ),
    "the sizes of the differences": lambda p, t, h: of_hidden(
        p, each(t, standardized), h, abs
    ),
    "the root of the error": lambda p, t, h: math.sqrt(hidden_error(p, t, h)),
}


def matrix_products(tokens, width, hidden_units):
    """The shapes of a block's products, as (rows, inner side, columns)."""
    projections = [(tokens, width, width)] * 4
    attention = [(tokens, width, tokens), (tokens, tokens, width)]
    mlp = [(tokens, width, hidden_units), (tokens, hidden_units, width)]
    return [*projections, *attention, *mlp]


def count(tokens, width, hidden_units):
    return sum(map(math.prod, matrix_products(tokens, width, hidden_units)))


def masked_share(tokens, width, hidden_units, ratio):
    visible = tokens - round(ratio * tokens)
    return count(visible, width, hidden_units) / count(tokens, width, hidden_units)


def attend_once(n, d, h):
    return count(n, d, h) - n * n * d


MASKED_SHARE = {
    "the share of the tokens": lambda n, d, h, r: 1 - r,
    "the square of the share": lambda n, d, h, r: (1 - r) * (1 - r),
    "for the hidden tokens": lambda n, d, h, r: (
        count(round(n * r), d, h) / count(n, d, h)
    ),
    "how many times as fast": lambda n, d, h, r: masked_share(n, d, h, r) ** -1,
    "tokens by tokens twice": lambda n, d, h, r: (
        attend_once(n - round(n * r), d, h) / attend_once(n, d, h)
    ),
    "the MLP is missing": lambda n, d, h, r: (
        sum(map(math.prod, matrix_products(n - round(n * r), d, h)[:6]))
        / sum(map(math.prod, matrix_products(n, d, h)[:6]))
    ),
    "of visible tokens is whole": lambda n, d, h, r: (
        count(n - n * r, d, h) / count(n, d, h)
    ),
}


def images_left(minutes, images_seen, masked_rate, labelled_rate):
    seconds = minutes * 60
    seconds -= images_seen / masked_rate
    return int(seconds * labelled_rate) if seconds > 0 else 0


IMAGES_LEFT = {
    "turn the minutes into seconds": lambda t, n, m, r: max(t - n / m, 0) * r,
    "the rates are swapped": lambda t, n, m, r: images_left(t, n, r, m),
    "pre-training costs nothing": lambda t, n, m, r: images_left(t, 0, m, r),
    "falls below 0": lambda t, n, m, r: (t * 60 - n / m) * r,
    "at the rate of fine-tuning": lambda t, n, m, r: max(t * 60 * r - n, 0),
    "the time that is left": lambda t, n, m, r: max(t * 60 - n / m, 0),
}


def cosine(a, b):
    return sum(a * b) / math.hypot(*a) / math.hypot(*b)


def sorted_labels(features, labels, new, nearness=cosine):
    """The labels of all images, that of the nearest first."""
    images = zip(features, labels, strict=True)
    images = sorted(images, key=lambda image: nearness(image[0], new), reverse=True)
    return [label for _, label in images]


def most_frequent(labels):
    return Counter(labels).most_common(1)[0][0]


def vote(features, labels, new, k):
    return most_frequent(sorted_labels(features, labels, new)[:k])


def by_distance(a, b):
    return -math.dist(a, b)


VOTE = {
    "long features win": lambda x, y, new, k: most_frequent(
        sorted_labels(x, y, new, np.dot)[:k]
    ),
    "the distance depends": lambda x, y, new, k: most_frequent(
        sorted_labels(x, y, new, by_distance)[:k]
    ),
    "the farthest images vote": lambda x, y, new, k: most_frequent(
        sorted_labels(x, y, new)[-k:]
    ),
    "a single image decides": lambda x, y, new, k: sorted_labels(x, y, new)[0],
    "all images vote": lambda x, y, new, k: most_frequent(y),
    "the labels are averaged": lambda x, y, new, k: round(
        statistics.fmean(sorted_labels(x, y, new)[:k])
    ),
}


def gain(first, second):
    test = stats.ttest_ind(second, first, equal_var=False)
    low, high = test.confidence_interval(0.95)
    return 100 * (np.mean(second) - np.mean(first)), 50 * (high - low)


def half_width(values):
    """Half the interval of Student for one mean, in points."""
    error = np.std(values, ddof=1) / math.sqrt(len(values))
    return 100 * stats.t.ppf(0.975, len(values) - 1) * error


def normal_half_width(first, second):
    errors = [np.std(v, ddof=1) / math.sqrt(len(v)) for v in (first, second)]
    return 100 * 1.96 * math.hypot(*errors)


GAIN = {
    "the sign is turned": lambda a, b: (-gain(a, b)[0], gain(a, b)[1]),
    "those are shares": lambda a, b: np.divide(gain(a, b), 100),
    "the best seeds": lambda a, b: (100 * (max(b) - max(a)), gain(a, b)[1]),
    "that of one mean": lambda a, b: (gain(a, b)[0], half_width(b)),
    "taken in pairs": lambda a, b: (gain(a, b)[0], half_width(b - a)),
    "1.96 is for many seeds": lambda a, b: (gain(a, b)[0], normal_half_width(a, b)),
    "the whole width": lambda a, b: (gain(a, b)[0], 2 * gain(a, b)[1]),
    "the ends of the interval": lambda a, b: (
        gain(a, b)[0] - gain(a, b)[1],
        gain(a, b)[0] + gain(a, b)[1],
    ),
}

EXERCISES = {
    checks.check_hide: (hide, HIDE),
    checks.check_restore: (restore, RESTORE),
    checks.check_hidden_error: (hidden_error, HIDDEN_ERROR),
    checks.check_masked_share: (masked_share, MASKED_SHARE),
    checks.check_images_left: (images_left, IMAGES_LEFT),
    checks.check_vote: (vote, VOTE),
    checks.check_gain: (gain, GAIN),
}
