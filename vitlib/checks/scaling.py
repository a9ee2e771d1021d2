"""Checks for the chapter on scaling."""

from functools import partial

import numpy as np

from vitlib.checks.verdict import compare

TFLOP = 1e12  # floating-point operations


def _images_for(budget, forward, passes=3, unit=TFLOP):
    return budget * unit / (passes * forward)


def check_images_for(images_for, seed=0):
    """Checks `images_for(budget, forward)`, how many images a training can see.

    The budget is in TFLOP, `forward` the FLOP of a forward pass for an image. A
    training step costs three such passes.

    Args:
        images_for: The reader's function.
        seed: Integer. Another one asks other questions, which nobody has seen.
    """
    rng = np.random.default_rng(seed)
    budgets = rng.uniform(0.5, 20, 3).round(1).tolist()
    costs = rng.integers(1_000_000, 40_000_000, 3).tolist()
    mistakes = {
        "the way back is not paid for; a step costs three forward passes.": (
            partial(_images_for, passes=1)
        ),
        "the way back costs two forward passes, and the way there is one more.": (
            partial(_images_for, passes=2)
        ),
        "a TFLOP is a million million operations.": (
            partial(_images_for, unit=1),
            partial(_images_for, unit=1e9),
        ),
        "a dearer model must see fewer images; divide by its cost.": (
            lambda budget, forward: budget * TFLOP * 3 * forward
        ),
    }
    questions = list(zip(budgets, costs, strict=True))
    return compare(images_for, _images_for, mistakes, questions)


def _slope(x, y):
    return np.polyfit(x, y, 1)[0]


def _power(quantity, losses, floor):
    return -_slope(np.log(quantity), np.log(losses - floor))


def check_power(power, seed=0):
    """Checks `power(quantity, losses, floor)` of `losses = floor + factor / x**power`.

    Args:
        power: The reader's function.
        seed: Integer. Another one asks other questions, which nobody has seen.
    """
    rng, questions = np.random.default_rng(seed), []
    for _ in range(3):
        x = np.sort(rng.uniform(2, 1000, 6))
        floor, a = rng.uniform(0.2, 0.8), rng.uniform(0.2, 0.9)
        noise = 1 + 0.02 * rng.normal(size=6)
        questions.append((x, floor + 3 * x**-a * noise, floor))
    mistakes = {
        "the floor is still in the losses; take it off before the logarithm.": (
            lambda x, y, floor: -_slope(np.log(x), np.log(y))
        ),
        "a line through the logarithms of the losses alone is no power law; take that "
        "of the quantity, too.": lambda x, y, floor: -_slope(x, np.log(y - floor)),
        "a line without logarithms has a slope, but not the power.": (
            lambda x, y, floor: -_slope(x, y - floor)
        ),
        "the loss falls, so the slope is below 0; the power is above it.": (
            lambda x, y, floor: -_power(x, y, floor)
        ),
        "the axes are exchanged; the quantity belongs on x, the loss on y.": (
            lambda x, y, floor: -_slope(np.log(y - floor), np.log(x))
        ),
        "the two ends alone decide; all runs belong to the line.": (
            lambda x, y, floor: _power(x[[0, -1]], y[[0, -1]], floor)
        ),
    }
    return compare(power, _power, mistakes, questions)


def _solve(columns, losses):
    return np.linalg.lstsq(np.stack(columns, axis=1), losses, rcond=None)[0]


def _project(quantity, losses, power):
    return _solve([np.ones_like(losses), quantity**-power], losses)


def _with_lowest(quantity, losses, power):
    floor = losses.min()
    return np.array([floor, np.mean((losses - floor) * quantity**power)])


def check_project(project, seed=0):
    """Checks `project(quantity, losses, power)`: the best floor and the best factor.

    Args:
        project: The reader's function.
        seed: Integer. Another one asks other questions, which nobody has seen.
    """
    rng, questions = np.random.default_rng(seed), []
    for _ in range(3):
        x, a = np.sort(rng.uniform(1, 50, 7)), rng.uniform(0.3, 1.2)
        losses = rng.uniform(0.2, 0.8) + rng.uniform(1, 4) * x**-a
        questions.append((x, losses + 0.02 * rng.normal(size=7), a))
    mistakes = {
        "the floor is missing; it needs a column of ones.": lambda x, y, a: np.append(
            0, _solve([x**-a], y)
        ),
        "the power has the wrong sign; a larger quantity makes the term smaller.": (
            lambda x, y, a: _solve([np.ones_like(y), x**a], y)
        ),
        "the quantity itself is no column; raise it to minus the power.": (
            lambda x, y, a: _solve([np.ones_like(y), x], y),
            lambda x, y, a: _solve([np.ones_like(y), 1 / x], y),
        ),
        "floor and factor have changed places.": (
            lambda x, y, a: _project(x, y, a)[::-1]
        ),
        "the lowest loss is not the floor; both numbers follow from one solution.": (
            _with_lowest
        ),
    }
    return compare(project, _project, mistakes, questions)


def _best_size(budget, cost, factors, powers):
    (first, second), (a, b) = factors, powers
    return (a * first / (b * second) * (budget / cost) ** b) ** (1 / (a + b))


def _in_terms(change):
    """A function of the product of size and images in place of budget and cost."""
    return lambda budget, cost, factors, powers: change(budget / cost, factors, powers)


def _best_images(product, factors, powers):
    return product / _best_size(product, 1, factors, powers)


def _of_equal_terms(product, factors, powers):
    share = powers[1] / sum(powers)
    return (factors[0] / factors[1]) ** (1 / sum(powers)) * product**share


def check_best_size(best_size, seed=0):
    """Checks `best_size(budget, cost, factors, powers)`, the best number of parameters.

    The excess loss is `A / N**a + B / D**b`, with `factors = (A, B)` and `powers =
    (a, b)`, and a training costs `budget = cost * N * D`.

    Args:
        best_size: The reader's function.
        seed: Integer. Another one asks other questions, which nobody has seen.
    """
    rng, questions = np.random.default_rng(seed), []
    for _ in range(3):
        factors = tuple(rng.uniform(20, 400, 2).round().tolist())
        powers = tuple(rng.uniform(0.3, 0.9, 2).round(2).tolist())
        questions.append((float(10 ** rng.integers(11, 14)), 96.0, factors, powers))

    mistakes = {
        "that is the number of images; the size is asked for.": _in_terms(_best_images),
        "the terms are set equal; at the best size their derivatives cancel.": (
            _in_terms(_of_equal_terms)
        ),
        "the budget is shared evenly; the powers decide who gets more.": _in_terms(
            lambda product, f, p: product**0.5
        ),
        "the cost of a parameter and an image is left out.": (
            lambda budget, cost, f, p: _best_size(budget, 1, f, p)
        ),
        "the two powers are exchanged.": _in_terms(
            lambda product, f, p: _best_size(product, 1, f, p[::-1])
        ),
    }
    return compare(best_size, _best_size, mistakes, questions)


def _worth(seen, different, fades):
    passes = max(seen / different - 1, 0)
    return min(seen, different) + different * fades * -np.expm1(-passes / fades)


def check_worth(worth, seed=0):
    """Checks `worth(seen, different, fades)`: what repeated images count for.

    Args:
        worth: The reader's function.
        seed: Integer. Another one asks other questions, which nobody has seen.
    """
    rng = np.random.default_rng(seed)
    questions = [
        (int(different * passes), different, float(rng.uniform(3, 20)))
        for different, passes in zip(
            rng.integers(10, 900, 4).tolist(), (0.5, 4, 12, 60), strict=True
        )
    ]

    def of_passes(passes):
        return lambda seen, different, fades: (
            different + different * fades * -np.expm1(-passes(seen, different) / fades)
        )

    mistakes = {
        "repeats count as fresh images; they are worth less.": (
            lambda seen, different, fades: seen
        ),
        "repeats count for nothing; the first ones are worth almost as much as fresh "
        "ones.": lambda seen, different, fades: min(seen, different),
        "the first pass is no repeat; take it off the passes.": (
            of_passes(lambda seen, different: seen / different)
        ),
        "the first pass is left out.": lambda seen, different, fades: (
            _worth(seen, different, fades) - min(seen, different)
        ),
        "before the first pass has ended nothing is repeated.": (
            of_passes(lambda seen, different: seen / different - 1)
        ),
    }
    return compare(worth, _worth, mistakes, questions)
