"""Checks for the chapter on training."""

from functools import partial

import numpy as np

from vitlib.checks.softmax import softmax
from vitlib.checks.verdict import compare, not_yet
from vitlib.training.instruments import dead_units


def _activations(rng):
    """Six images and some units of each kind, such that every mistake shows."""
    counts = rng.choice(np.arange(2, 12), 5, replace=False)
    dead, quiet, negative, balanced, _ = np.arange(5)[:, None] == np.repeat(
        np.arange(5), counts
    )
    activations = rng.normal(size=(6, counts.sum()))
    activations[:, dead] *= 1e-5
    activations[:5, quiet] *= 1e-5  # silent for most images
    activations[5, quiet] = 1
    activations[:, negative] = -1  # alive, and never positive
    activations[:, balanced] = np.array([[0, 1, -1, 1, -1, 0]]).T  # a mean of 0
    activations[0] = 0  # an image without an answer
    return activations


def check_dead_units(measure, seed=0):
    """Checks `measure(activations, threshold)`, the share of units that are dead.

    `activations` has the shape `(B, units)`. A unit is dead when its activation is
    smaller than the threshold, in size, for every image.

    Args:
        measure: The reader's function.
        seed: Integer. Another one asks other questions, which nobody has seen.
    """
    rng = np.random.default_rng(seed)
    questions = [(_activations(rng), 1e-3), (100 * _activations(rng), 0.1)]
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
        "images are judged, not units; compare along the other axis.": (
            lambda a, t: (np.abs(a).max(1) < t).mean()
        ),
        "that is the share of units that live; the others are dead.": (
            lambda a, t: 1 - dead_units(a, t)
        ),
        "the dead units are counted; divide by the number of units.": (
            lambda a, t: dead_units(a, t) * a.shape[1]
        ),
    }
    return compare(measure, dead_units, mistakes, questions)


def _likelihoods(logits, labels, probabilities=softmax):
    """The probability that each image gives to its own label."""
    return probabilities(logits)[np.arange(len(labels)), labels]


def _cross_entropy(logits, labels, probabilities=softmax):
    return -np.log(_likelihoods(logits, labels, probabilities)).mean()


def check_cross_entropy(loss):
    """Checks `loss(logits, labels)`, the mean cross-entropy in nats.

    `logits` has the shape `(B, C)`, `labels` holds B class numbers.
    """
    rng = np.random.default_rng(0)
    questions = [(3 * rng.normal(size=(6, 4)), rng.permutation([0, 1, 2, 3, 0, 1]))]
    mistakes = {
        "the softmax is taken twice; once turns logits into probabilities.": partial(
            _cross_entropy, probabilities=lambda logits: softmax(softmax(logits))
        ),
        "the minus is missing; a loss falls when the model improves.": (
            lambda logits, labels: -_cross_entropy(logits, labels)
        ),
        "the sum over the images is taken; take the mean.": (
            lambda logits, labels: len(labels) * _cross_entropy(logits, labels)
        ),
        "the logarithm has base 2; nats have the natural one.": (
            lambda logits, labels: _cross_entropy(logits, labels) / np.log(2)
        ),
        "the softmax goes over the images; the probabilities of each image must sum to "
        "1.": partial(_cross_entropy, probabilities=partial(softmax, axis=0)),
        "the mean probability is taken before the logarithm; take the logarithm of "
        "each image, then the mean.": (
            lambda logits, labels: -np.log(_likelihoods(logits, labels).mean())
        ),
        "that is minus the logit of the right class; the softmax is missing.": (
            lambda logits, labels: -_likelihoods(logits, labels, np.asarray).mean()
        ),
    }
    verdict = compare(loss, _cross_entropy, mistakes, questions)
    return _judge_large_logits(loss, questions) if verdict else verdict


def _judge_large_logits(loss, questions):
    large = [(1000 + np.round(logits), labels) for logits, labels in questions]
    verdict = compare(loss, _cross_entropy, {}, large)
    hint = "it is right for small logits, not for 1,000: exp(1,000) is too large."
    return verdict if verdict else not_yet(hint)


def _half_cosine(share):
    return (1 + np.cos(np.pi * share)) / 2


def _rate(step, peak, warmup, steps, fall=_half_cosine, start=None, length=None):
    """A warm-up, then a fall from `start` over `length` steps."""
    if step < warmup:
        return peak * step / warmup
    start = warmup if start is None else start
    return peak * fall((step - start) / (length or steps - start))


def check_rate(rate):
    """Checks `rate(step, peak, warmup, steps)`, a learning rate.

    It rises in equal parts from 0 at step 0 to `peak` at step `warmup`, and falls along
    half a cosine to 0 at step `steps`.
    """
    questions = [(step, 0.3, 20, 100) for step in (0, 5, 20, 30, 60, 90, 100)]
    mistakes = {
        "after the warm-up the rate stays at its peak; the cosine is missing.": partial(
            _rate, fall=lambda share: 1
        ),
        "the rate is the peak at every step; neither the warm-up nor the cosine is "
        "used.": lambda step, peak, warmup, steps: peak,
        "the warm-up is missing; until its last step the rate rises in a straight "
        "line.": lambda step, peak, warmup, steps: _rate(step, peak, 0, steps),
        "the cosine starts at step 0; it must start where the warm-up ends.": partial(
            _rate, start=0
        ),
        "the cosine is stretched over all steps; fewer are left after the warm-up, so "
        "that the rate does not reach 0.": (
            lambda step, peak, warmup, steps: _rate(
                step, peak, warmup, steps, length=steps
            )
        ),
        "the rate falls in a straight line; it must follow a cosine.": partial(
            _rate, fall=lambda share: 1 - share
        ),
        "the rate rises again at the end; that is a whole cosine, half of one ends at "
        "0.": partial(_rate, fall=lambda share: _half_cosine(2 * share)),
        "the rate falls below 0; lift the cosine by 1 and halve it.": partial(
            _rate, fall=lambda share: np.cos(np.pi * share)
        ),
    }
    return compare(rate, _rate, mistakes, questions)


def _decay(weight, decay, rate, updates):
    return weight * (1 - rate * decay) ** updates


def check_decay(left):
    """Checks `left(weight, decay, rate, updates)` of a weight without a gradient.

    What Keras' AdamW leaves of it after so many updates with the `weight_decay` and the
    learning rate that are given.
    """
    questions = [(2.0, 0.1, 0.5, 10), (-1.5, 0.05, 0.2, 30)]
    mistakes = {
        "that is the decay of TensorFlow Addons; Keras multiplies it by the learning "
        "rate.": lambda w, d, r, n: w * (1 - d) ** n,
        "one update alone is done; each update takes a share of what is left.": (
            lambda w, d, r, n: w * (1 - r * d)
        ),
        "every update takes the same share of the first weight; it must take one of "
        "what the update before it left.": lambda w, d, r, n: w * (1 - r * d * n),
        "the same number is taken off each time, whatever the weight; decay takes a "
        "share of the weight.": lambda w, d, r, n: w - r * d * n,
        "the weight grows; decay makes it smaller.": (
            lambda w, d, r, n: w * (1 + r * d) ** n
        ),
    }
    return compare(left, _decay, mistakes, questions)


def _decisive(outcomes, first, second):
    return np.flatnonzero(outcomes[:, first] != outcomes[:, second])


def check_decisive(decisive):
    """Checks `decisive(outcomes, first, second)`: which runs tell two apart.

    `outcomes[run, suspect]` says whether the model would learn in that run if it
    were that suspect. It returns the numbers of the runs, the least first.
    """
    outcomes = np.array(
        [
            [False, True, True, True],
            [False, True, True, False],
            [True, True, False, True],
            [False, False, True, True],
            [True, False, False, False],
            [True, True, True, True],
        ]
    )
    mistakes = {
        "these runs come out alike for both suspects, so that they decide nothing; "
        "return the others.": lambda o, a, b: np.flatnonzero(o[:, a] == o[:, b]),
        "that is a mask of True and False; return the numbers of the runs.": (
            lambda o, a, b: o[:, a] != o[:, b]
        ),
        "all suspects are compared; these two alone are asked for.": (
            lambda o, a, b: np.flatnonzero(o.any(axis=1) != o.all(axis=1))
        ),
        "rows and columns are swapped; a row is a run, a column a suspect.": (
            lambda o, a, b: np.flatnonzero(o[a] != o[b])
        ),
        "a run in which both learn decides nothing; it takes one that learns and one "
        "that does not.": lambda o, a, b: np.flatnonzero(o[:, a] | o[:, b]),
        "the runs are counted from 1; the first is 0.": (
            lambda o, a, b: _decisive(o, a, b) + 1
        ),
    }
    return compare(decisive, _decisive, mistakes, [(outcomes, 0, 1), (outcomes, 2, 3)])


def _lowest_loss(shares):
    return -np.sum(shares * np.log(shares))


def check_lowest_loss(lowest_loss):
    """Checks `lowest_loss(shares)`, that of a constant predictor, in nats.

    `shares` are those of the classes. They are above 0 and sum to 1.
    """
    mistakes = {
        "that is the logarithm of the number of classes, which only equal shares give; "
        "the best probabilities are the shares themselves.": lambda q: np.log(len(q)),
        "the largest class alone is counted; the images of the others have a loss, "
        "too.": lambda q: -np.log(q.max()),
        "every class counts alike; weight each logarithm with the class's share.": (
            lambda q: -np.log(q).mean()
        ),
        "the unit is the bit; a loss of Keras has the natural logarithm.": (
            lambda q: _lowest_loss(q) / np.log(2)
        ),
        "the sign is wrong; a logarithm of a share is below 0, and a loss above.": (
            lambda q: -_lowest_loss(q)
        ),
        "that is the accuracy of the constant predictor; give its loss.": np.max,
    }
    questions = [(np.array([0.6, 0.3, 0.1]),), (np.array([0.05, 0.25, 0.3, 0.4]),)]
    return compare(lowest_loss, _lowest_loss, mistakes, questions)


def _pooled_parameters(total, head, tokens, width, classes):
    return total - head + width * classes + classes


def check_pooled_parameters(pooled_parameters):
    """Checks `pooled_parameters(total, head, tokens, width, classes)`.

    The parameters of a model of `total` ones, whose flatten head of `head` parameters
    is replaced by the mean of the tokens and one dense layer to the classes.
    """
    mistakes = {
        "the new dense layer is missing; it has weights and biases, too.": (
            lambda total, head, n, d, c: total - head
        ),
        "the biases of the new layer are missing; there is one for each class.": (
            lambda total, head, n, d, c: total - head + d * c
        ),
        "the new layer reads one mean, not all tokens side by side; its inputs are as "
        "many as a token is long.": (
            lambda total, head, n, d, c: total - head + n * d * c + c
        ),
        "the old head is still counted; it goes as a whole.": (
            lambda total, head, n, d, c: total + d * c + c
        ),
        "that is the new head alone; the blocks stay.": (
            lambda total, head, n, d, c: d * c + c
        ),
    }
    questions = [(9_000, 5_000, 9, 12, 10), (100_000, 60_000, 16, 32, 7)]
    return compare(pooled_parameters, _pooled_parameters, mistakes, questions)


def _same_bound(rate, inputs, new_inputs):
    return rate * inputs / new_inputs


def check_same_bound(same_bound):
    """Checks `same_bound(rate, inputs, new_inputs)`, a learning rate.

    With it, one step of Adam can move a unit of `new_inputs` inputs as far as `rate`
    moves one of `inputs` inputs.
    """
    mistakes = {
        "the ratio is upside down; a unit with more inputs needs a smaller rate.": (
            lambda r, n, m: r * m / n
        ),
        "the root of the ratio is taken; the bound grows with the number of inputs "
        "itself.": lambda r, n, m: r * np.sqrt(n / m),
        "the ratio is squared; the bound grows with the number of inputs itself.": (
            lambda r, n, m: r * (n / m) ** 2
        ),
        "that is the factor; multiply the rate by it.": lambda r, n, m: n / m,
        "the rate is unchanged; the bound is proportional to the rate and to the "
        "number of inputs.": lambda r, n, m: r,
    }
    questions = [(0.001, 128, 18_432), (0.02, 300, 75)]
    return compare(same_bound, _same_bound, mistakes, questions)
