"""Checks for the chapter on training."""

import numpy as np

from vitlib.checks.verdict import compare
from vitlib.instruments import dead_units


def check_dead_units(measure):
    """Checks `measure(activations, threshold)`, the share of units that are dead.

    `activations` has the shape `(B, units)`. A unit is dead when its activation is
    smaller than the threshold, in size, for every image.
    """
    rng = np.random.default_rng(0)
    activations = rng.normal(size=(6, 10))
    activations[:, :3] *= 1e-5  # dead
    activations[:5, 3:6] *= 1e-5  # silent for most images
    activations[:, [7, 9]] = -1.0  # alive, and never positive
    activations[:, 8] = [-1, 1, -1, 1, -1, 1]  # alive, with a mean of 0
    questions = [(activations, 1e-3), (10 * activations, 1e-3)]
    mistakes = {
        "single activations are counted; a unit is dead only if it is silent for every "
        "image.": lambda a, t: (np.abs(a) < t).mean(),
        "a unit counts as dead when one image finds it silent; all images must.": (
            lambda a, t: (np.abs(a).min(0) < t).mean()
        ),
        "a negative activation is taken for silence; look at its size.": (
            lambda a, t: (a.max(0) < t).mean()
        ),
        "the units are averaged over the images first; one loud image is enough for a "
        "unit to be alive.": lambda a, t: (np.abs(a.mean(0)) < t).mean(),
        "images are judged, not units; compare along the other axis.": lambda a, t: (
            np.abs(a).max(1) < t
        ).mean(),
        "that is the share of units that live; the others are dead.": lambda a, t: (
            1 - dead_units(a, t)
        ),
        "the units are counted; divide by their number.": lambda a, t: (
            dead_units(a, t) * a.shape[1]
        ),
    }
    return compare(measure, dead_units, mistakes, questions)


def _softmax(x, axis=-1):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def _cross_entropy(logits, labels, probabilities=_softmax):
    shares = probabilities(logits)[np.arange(len(labels)), labels]
    return -np.log(shares).mean()


def check_cross_entropy(loss):
    """Checks `loss(logits, labels)`, the mean cross-entropy in nats.

    `logits` has the shape `(B, C)`, `labels` holds B class numbers.
    """
    rng = np.random.default_rng(0)
    questions = [(3 * rng.normal(size=(6, 4)), rng.integers(0, 4, 6))]
    mistakes = {
        "the softmax is taken twice; the loss was given logits, and one softmax makes "
        "them probabilities.": lambda x, y: _cross_entropy(
            x, y, lambda x: _softmax(_softmax(x))
        ),
        "the minus is missing; a loss falls when the model improves.": lambda x, y: (
            -_cross_entropy(x, y)
        ),
        "the sum over the images is taken; take the mean.": lambda x, y: (
            len(y) * _cross_entropy(x, y)
        ),
        "the logarithm has base 2; nats have the natural one.": lambda x, y: (
            _cross_entropy(x, y) / np.log(2)
        ),
        "the softmax goes over the images; the probabilities of each image must sum to "
        "1.": lambda x, y: _cross_entropy(x, y, lambda x: _softmax(x, 0)),
        "the mean probability is taken before the logarithm; the logarithm comes "
        "first.": lambda x, y: -np.log(_softmax(x)[np.arange(len(y)), y].mean()),
        "that is minus the logit of the right class; the softmax is missing.": (
            lambda x, y: -x[np.arange(len(y)), y].mean()
        ),
    }
    return compare(loss, _cross_entropy, mistakes, questions)


def _rate(step, peak, warmup, steps):
    if step < warmup:
        return peak * step / warmup
    share = (step - warmup) / (steps - warmup)
    return peak * (1 + np.cos(np.pi * share)) / 2


def check_rate(rate):
    """Checks `rate(step, peak, warmup, steps)`, a learning rate.

    It rises in equal parts from 0 at step 0 to `peak` at step `warmup`, and falls along
    half a cosine to 0 at step `steps`.
    """
    questions = [(step, 0.3, 20, 100) for step in (0, 5, 20, 30, 60, 90, 100)]
    mistakes = {
        "the rate stays at its peak; a schedule that is built must also be used.": (
            lambda s, p, w, n: p * min(s / w, 1)
        ),
        "the rate is the peak from the first step on; neither the warm-up nor the "
        "cosine is used.": lambda s, p, w, n: p,
        "the warm-up is missing.": lambda s, p, w, n: _rate(s, p, 0, n),
        "the cosine starts at step 0; it must start where the warm-up ends.": (
            lambda s, p, w, n: _rate(s, p, w, n) if s < w else _rate(s, p, 0, n)
        ),
        "the cosine counts its steps from the end of the warm-up, but divides by all "
        "steps; the rate does not reach 0.": lambda s, p, w, n: (
            _rate(s, p, w, n) if s < w else _rate(s - w, p, 0, n)
        ),
        "the rate falls in a straight line; it must follow a cosine.": (
            lambda s, p, w, n: p * (s / w if s < w else (n - s) / (n - w))
        ),
        "a whole cosine goes up again at the end, or below 0; half a one ends at 0.": (
            lambda s, p, w, n: (
                _rate(s, p, w, n)
                if s < w
                else p * (1 + np.cos(2 * np.pi * (s - w) / (n - w))) / 2
            )
        ),
    }
    return compare(rate, _rate, mistakes, questions)


def _decay(weight, decay, rate, updates):
    return weight * (1 - rate * decay) ** updates


def check_decay(left):
    """Checks `left(weight, decay, rate, updates)` of a weight without a gradient.

    What Keras' AdamW leaves of it after so many updates.
    """
    questions = [(2.0, 0.1, 0.01, 500), (-1.5, 0.05, 0.002, 3000)]
    mistakes = {
        "that is the meaning of TensorFlow Addons; Keras multiplies the decay by the "
        "learning rate.": lambda w, d, r, n: w * (1 - d) ** n,
        "one update alone is done.": lambda w, d, r, n: w * (1 - r * d),
        "the decay is taken off once for all updates; each one takes a share of what is "
        "left.": lambda w, d, r, n: w * (1 - r * d * n),
        "the same number is taken off each time, whatever the weight; decay takes a "
        "share.": lambda w, d, r, n: w - r * d * n,
        "the weight grows; decay takes off.": lambda w, d, r, n: w * (1 + r * d) ** n,
    }
    return compare(left, _decay, mistakes, questions)
