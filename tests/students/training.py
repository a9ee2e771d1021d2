"""What students hand in for the exercises of the chapter on training."""

import math

import numpy as np

from vitlib import checks


def is_silent(activations, threshold):
    return all(abs(activation) < threshold for activation in activations)


def dead_units(activations, threshold):
    dead = 0
    for unit in range(activations.shape[1]):
        dead += is_silent(activations[:, unit], threshold)
    return dead / activations.shape[1]


DEAD_UNITS = {
    "single activations": lambda a, t: sum(abs(x) < t for x in a.ravel()) / a.size,
    "one image finds it silent": lambda a, t: np.mean(np.any(np.abs(a) < t, axis=0)),
    "a negative activation": lambda a, t: np.mean(np.all(a < t, axis=0)),
    "averaged over the images": lambda a, t: np.mean(abs(np.mean(a, axis=0)) < t),
    "images are judged": lambda a, t: np.mean([is_silent(image, t) for image in a]),
    "the share of units that live": lambda a, t: np.mean(
        np.any(np.abs(a) >= t, axis=0)
    ),
    "the dead units are counted": lambda a, t: sum(is_silent(unit, t) for unit in a.T),
}


def probabilities(logits):
    powers = [math.exp(logit - max(logits)) for logit in logits]
    return [power / sum(powers) for power in powers]


def losses(logits, labels):
    rows = zip(logits, labels, strict=True)
    return [-math.log(probabilities(row)[label]) for row, label in rows]


def cross_entropy(logits, labels):
    return sum(losses(logits, labels)) / len(labels)


def over_the_images(logits, labels):
    columns = np.array([probabilities(column) for column in logits.T])
    own = [columns[label, image] for image, label in enumerate(labels)]
    return -np.mean(np.log(own))


def mean_first(logits, labels):
    return -math.log(np.mean([math.exp(-loss) for loss in losses(logits, labels)]))


def for_small_logits(logits, labels):
    with np.errstate(over="ignore", invalid="ignore"):
        powers = np.exp(logits)
        rows = powers / powers.sum(axis=1, keepdims=True)
    return -np.mean([np.log(rows[image, y]) for image, y in enumerate(labels)])


CROSS_ENTROPY = {
    "right for small logits": for_small_logits,
    "taken twice": lambda x, y: cross_entropy([probabilities(row) for row in x], y),
    "the minus is missing": lambda x, y: -cross_entropy(x, y),
    "the sum over the images": lambda x, y: sum(losses(x, y)),
    "base 2": lambda x, y: np.mean(
        [math.log2(math.exp(loss)) for loss in losses(x, y)]
    ),
    "goes over the images": over_the_images,
    "the mean probability": mean_first,
    "minus the logit": lambda x, y: -np.mean([x[i, y[i]] for i in range(len(y))]),
}


def rate(step, peak, warmup, steps):
    if step <= warmup:
        return step * (peak / warmup)
    done = (step - warmup) / (steps - warmup)
    return peak * math.cos(done * math.pi / 2) ** 2


def after_warmup(fall):
    """A rate with the right warm-up, and what follows as a function of both counts."""

    def wrong(step, peak, warmup, steps):
        if step < warmup:
            return step * (peak / warmup)
        return peak * fall(step, warmup, steps)

    return wrong


def half_cosine(share):
    return 0.5 + 0.5 * math.cos(math.pi * share)


RATE = {
    "stays at its peak": lambda s, p, w, n: min(p, s * p / w),
    "the peak at every step": lambda s, p, w, n: p,
    "the warm-up is missing": lambda s, p, w, n: p * half_cosine(s / n),
    "the cosine starts at step 0": after_warmup(lambda s, w, n: half_cosine(s / n)),
    "stretched over all steps": after_warmup(lambda s, w, n: half_cosine((s - w) / n)),
    "in a straight line; it must": after_warmup(lambda s, w, n: (n - s) / (n - w)),
    "rises again": after_warmup(
        lambda s, w, n: math.cos(math.pi * (s - w) / (n - w)) ** 2
    ),
    "falls below 0": after_warmup(
        lambda s, w, n: math.cos(math.pi * (s - w) / (n - w))
    ),
}


def left(weight, decay, rate, updates):
    for _ in range(updates):
        weight -= rate * decay * weight
    return weight


def take_off_a_number(weight, decay, rate, updates):
    for _ in range(updates):
        weight -= rate * decay
    return weight


def take_off_of_the_first(weight, decay, rate, updates):
    return weight - sum(rate * decay * weight for _ in range(updates))


DECAY = {
    "TensorFlow Addons": lambda w, d, r, n: left(w, d, 1, n),
    "one update alone": lambda w, d, r, n: left(w, d, r, 1),
    "of the first weight": take_off_of_the_first,
    "the same number": take_off_a_number,
    "the weight grows": lambda w, d, r, n: left(w, -d, r, n),
}


def decisive(outcomes, first, second):
    return [n for n, run in enumerate(outcomes) if bool(run[first]) ^ bool(run[second])]


DECISIVE = {
    "come out alike for both": lambda o, a, b: [
        n for n, run in enumerate(o) if run[a] == run[b]
    ],
    "a mask of True and False": lambda o, a, b: [run[a] != run[b] for run in o],
    "all suspects are compared": lambda o, a, b: [
        n for n, run in enumerate(o) if len(set(run)) == 2
    ],
    "rows and columns are swapped": lambda o, a, b: decisive(o.T, a, b),
    "in which both learn decides nothing": lambda o, a, b: [
        n for n, run in enumerate(o) if run[a] or run[b]
    ],
    "counted from 1": lambda o, a, b: [n + 1 for n in decisive(o, a, b)],
}


def lowest_loss(shares):
    return sum(-share * math.log(share) for share in shares)


LOWEST_LOSS = {
    "the logarithm of the number": lambda q: math.log(np.size(q)),
    "the largest class alone": lambda q: -math.log(max(q)),
    "every class counts alike": lambda q: sum(-math.log(p) for p in q) / len(q),
    "the unit is the bit": lambda q: sum(-p * math.log2(p) for p in q),
    "the sign is wrong": lambda q: sum(p * math.log(p) for p in q),
    "the accuracy of the constant": lambda q: sorted(q)[-1],
}


def pooled_parameters(total, head, tokens, width, classes):
    blocks = total - head
    return blocks + (width + 1) * classes


POOLED_PARAMETERS = {
    "the new dense layer is missing": lambda t, h, n, d, c: t - h,
    "the biases of the new layer": lambda t, h, n, d, c: t - h + c * d,
    "one mean, not all tokens": lambda t, h, n, d, c: t - h + (n * d + 1) * c,
    "the old head is still counted": lambda t, h, n, d, c: t + (d + 1) * c,
    "the new head alone": lambda t, h, n, d, c: (d + 1) * c,
}


def same_bound(rate, inputs, new_inputs):
    bound = rate * inputs
    return bound / new_inputs


SAME_BOUND = {
    "the ratio is upside down": lambda r, n, m: r * (m / n),
    "the root of the ratio": lambda r, n, m: r * math.sqrt(n) / math.sqrt(m),
    "the ratio is squared": lambda r, n, m: r * n**2 / m**2,
    "that is the factor": lambda r, n, m: 1 / (m / n),
    "the rate is unchanged": lambda r, n, m: r,
}

EXERCISES = {
    checks.check_dead_units: (dead_units, DEAD_UNITS),
    checks.check_cross_entropy: (cross_entropy, CROSS_ENTROPY),
    checks.check_rate: (rate, RATE),
    checks.check_decay: (left, DECAY),
    checks.check_decisive: (decisive, DECISIVE),
    checks.check_lowest_loss: (lowest_loss, LOWEST_LOSS),
    checks.check_pooled_parameters: (pooled_parameters, POOLED_PARAMETERS),
    checks.check_same_bound: (same_bound, SAME_BOUND),
}
