"""What students hand in for the exercises of the chapter on scaling."""

import math

import numpy as np
from scipy import optimize, stats

from vitlib import checks

IMAGES_FOR = {
    "the way back is not paid for": lambda tflop, flop: tflop * 10**12 / flop,
    "and the way there is one more": lambda tflop, flop: tflop * 10**12 / flop / 2,
    "a million million": lambda tflop, flop: tflop / flop / 3,
    "divide by its cost": lambda tflop, flop: 3e12 * tflop * flop,
}


def power(quantity, losses, floor):
    excess = [loss - floor for loss in losses]
    return -stats.linregress(np.log(quantity), np.log(excess)).slope


POWER = {
    "the floor is still in the losses": lambda x, losses, floor: (
        -stats.linregress(np.log(x), np.log(losses)).slope
    ),
    "logarithms of the losses alone": lambda x, losses, floor: (
        -stats.linregress(x, np.log(losses - floor)).slope
    ),
    "a line without logarithms": lambda x, losses, floor: (
        -stats.linregress(x, losses).slope
    ),
    "the slope is below 0": lambda x, losses, floor: -power(x, losses, floor),
    "the axes are exchanged": lambda x, losses, floor: (
        -stats.linregress(np.log(losses - floor), np.log(x)).slope
    ),
    "the two ends alone": lambda x, losses, floor: (
        math.log((losses[0] - floor) / (losses[-1] - floor)) / math.log(x[-1] / x[0])
    ),
}


def project(quantity, losses, power):
    """The normal equations of two unknowns, written out."""
    term = quantity ** (-power)
    n, s, ss = len(term), term.sum(), (term**2).sum()
    factor = (n * (term * losses).sum() - s * losses.sum()) / (n * ss - s**2)
    return [(losses.sum() - factor * s) / n, factor]


def without_floor(quantity, losses, power):
    term = quantity**-power
    return [0, (term * losses).sum() / (term**2).sum()]


def from_the_lowest(quantity, losses, power):
    floor = min(losses)
    return [floor, ((losses - floor) / quantity**-power).mean()]


PROJECT = {
    "the floor is missing": without_floor,
    "the power has the wrong sign": lambda x, y, a: project(x, y, -a),
    "the quantity itself is no column": lambda x, y, a: project(x, y, -1),
    "floor and factor have changed places": lambda x, y, a: project(x, y, a)[::-1],
    "the lowest loss is not the floor": from_the_lowest,
}


def best_size(budget, cost, factors, powers):
    """Looks for the lowest excess loss over the logarithm of the size."""

    def excess(log_size):
        size = math.exp(log_size)
        images = budget / cost / size
        return factors[0] * size ** -powers[0] + factors[1] * images ** -powers[1]

    found = optimize.minimize_scalar(
        excess, bounds=(0, 40), method="bounded", options={"xatol": 1e-9}
    )
    return math.exp(found.x)


def of_equal_terms(budget, cost, factors, powers):
    """Where both terms are the same."""
    ratio, total = factors[0] / factors[1], sum(powers)
    return (ratio * (budget / cost) ** powers[1]) ** (1 / total)


BEST_SIZE = {
    "that is the number of images": lambda c, k, f, p: c / k / best_size(c, k, f, p),
    "the terms are set equal": of_equal_terms,
    "the budget is shared evenly": lambda c, k, f, p: math.sqrt(c / k),
    "the cost of a parameter": lambda c, k, f, p: best_size(c, 1, f, p),
    "the two powers are exchanged": lambda c, k, f, p: best_size(c, k, f, p[::-1]),
}


def worth(seen, different, fades):
    if seen <= different:
        return seen
    repeats = seen / different - 1
    return different * (1 + fades * (1 - math.exp(-repeats / fades)))


def of_all_passes(seen, different, fades):
    passes = seen / different
    return different + different * fades * (1 - math.exp(-passes / fades))


def without_a_case(seen, different, fades):
    repeats = seen / different - 1
    return different * (1 + fades * (1 - math.exp(-repeats / fades)))


def of_repeats_alone(seen, different, fades):
    repeats = max(0.0, seen / different - 1)
    return different * fades * (1 - math.exp(-repeats / fades))


WORTH = {
    "repeats count as fresh": lambda seen, different, fades: seen,
    "repeats count for nothing": lambda seen, different, fades: min(seen, different),
    "the first pass is no repeat": of_all_passes,
    "the first pass is left out": of_repeats_alone,
    "before the first pass has ended": without_a_case,
}

EXERCISES = {
    checks.check_images_for: (lambda c, flop: c * 1e12 / (3 * flop), IMAGES_FOR),
    checks.check_power: (power, POWER),
    checks.check_project: (project, PROJECT),
    checks.check_best_size: (best_size, BEST_SIZE),
    checks.check_worth: (worth, WORTH),
}
