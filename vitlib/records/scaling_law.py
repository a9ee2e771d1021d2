"""How a loss falls with size and with images: a power law with a floor, and its errors.

The law of one quantity or of several, such as parameters N and training images D, is
`E + A / N**a + B / D**b`: a floor E, which no size and no data gets below, and for each
quantity a factor and a power.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.optimize import minimize, nnls

POWERS = np.geomspace(0.05, 3, 12)  # where the search for each power begins
MOST_POWER = 6.0  # steeper than that is no law, but one run that differs


@dataclass(frozen=True)
class ScalingLaw:
    """The loss that sizes, or sizes and images, lead to.

    Args:
        floor: Number of at least 0, E.
        factors: Tuple of numbers of at least 0, one a quantity: A, B.
        powers: Tuple of numbers above 0, one a quantity: a, b.
    """

    floor: float
    factors: tuple
    powers: tuple

    def __call__(self, *quantities):
        """The loss at some values of the quantities, arrays that broadcast."""
        terms = zip(quantities, self.factors, self.powers, strict=True)
        return self.floor + sum(
            factor * np.asarray(quantity, float) ** -power
            for quantity, factor, power in terms
        )


def fit_law(losses, *quantities):
    """Fits a scaling law by variable projection.

    Once the powers are given, floor and factors are a linear problem with one answer.
    So the search goes over the powers alone, and cannot be lost among five numbers that
    make up for each other. What is made small is the sum of the squares of the relative
    errors, as a loss of 3 varies more than one of 0.3. Floor and factors are never
    below 0.

    Args:
        losses: Sequence of n numbers above 0, one a run.
        *quantities: For each quantity a sequence of n numbers above 0.

    Returns:
        `ScalingLaw`.

    Raises:
        ValueError: When a number is not above 0, the lengths differ, a quantity has
            fewer than three values, or there are fewer runs than the law has numbers.

    Source: Golub and Pereyra, 1973, https://doi.org/10.1137/0710036; Hoffmann et al.,
    2022, equation 2, https://arxiv.org/abs/2203.15556
    """
    losses, quantities = _require(losses, quantities)
    units = [np.exp(np.log(each).mean()) for each in quantities]
    scaled = [each / unit for each, unit in zip(quantities, units, strict=True)]
    starts = list(product(POWERS, repeat=len(scaled)))
    start = min(starts, key=lambda powers: _project(powers, losses, scaled)[1])
    return _descend(start, losses, scaled, units)


def _project(powers, losses, scaled):
    """The best floor and factors for some powers, and the error that they leave."""
    terms = [x**-power for x, power in zip(scaled, powers, strict=True)]
    columns = np.stack([np.ones_like(losses), *terms], axis=1)
    return nnls(columns / losses[:, None], np.ones_like(losses))


def _descend(start, losses, scaled, units):
    """The law at the lowest error that is found downhill from some powers."""

    def error(logs):
        powers = np.exp(logs)
        beyond = np.maximum(powers / MOST_POWER, 1).prod()
        return beyond * _project(np.minimum(powers, MOST_POWER), losses, scaled)[1]

    options = {"xatol": 1e-5, "fatol": 1e-10}
    found = minimize(error, np.log(start), method="Nelder-Mead", options=options)
    powers = np.minimum(np.exp(found.x), MOST_POWER)
    floor, *factors = _project(powers, losses, scaled)[0]
    factors = np.array(factors) * np.array(units) ** powers
    return ScalingLaw(float(floor), tuple(factors.tolist()), tuple(powers.tolist()))


def bootstrap(losses, *quantities, rounds=200, seed=0):
    """Fits a law again and again, to losses that could have been measured as well.

    The sizes and budgets of a grid were chosen and not drawn, so they stay. Each round
    multiplies what the law says by `1 + e`, where e is the relative error of a run that
    is drawn at random. The errors are made larger by `sqrt(n / (n - p))`, for a law of
    p numbers comes closer to its own n runs than to others.

    Args:
        losses: As for `fit_law`, of more runs than the law has numbers.
        *quantities: As for `fit_law`.
        rounds: Integer of at least 1.
        seed: Integer of at least 0, of the draws.

    Returns:
        List of `ScalingLaw`, one a round, and the array of the errors that were drawn
        from. The spread of a number over the laws is what is not known of it.

    Raises:
        ValueError: As `fit_law` says.

    Source: Efron and Tibshirani, 1993, section 9.4, An Introduction to the Bootstrap
    """
    law = fit_law(losses, *quantities)
    losses, quantities = _require(losses, quantities, spare=1)
    said = law(*quantities)
    count = len(losses)
    errors = (losses / said - 1) * np.sqrt(count / (count - _numbers(quantities)))
    rng, units = np.random.default_rng(seed), [1.0] * len(quantities)
    laws = []
    for _ in range(rounds):
        drawn = said * (1 + rng.choice(errors, count))
        drawn = np.maximum(drawn, said / 100)  # a loss stays above 0
        laws.append(_descend(law.powers, drawn, quantities, units))
    return laws, errors


def predict(losses, *quantities, at, level=0.9, rounds=200, seed=0):
    """The interval in which the loss of a run that was not made yet is expected.

    It covers both what the fit does not know of the law, and how far a single run lies
    from it.

    Args:
        losses: As for `bootstrap`.
        *quantities: As for `fit_law`.
        at: Sequence of one number a quantity: where the new run is.
        level: Number between 0 and 1: the share of such runs that the interval holds.
        rounds: As for `bootstrap`.
        seed: As for `bootstrap`.

    Returns:
        `(low, high)`, in the unit of the losses.

    Raises:
        ValueError: As `fit_law` says.
    """
    laws, errors = bootstrap(losses, *quantities, rounds=rounds, seed=seed)
    said = np.array([law(*at) for law in laws])
    runs = said[:, None] * (1 + errors)  # each law with each error
    low, high = np.quantile(runs, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _numbers(quantities):
    """How many numbers a law has: its floor, and two a quantity."""
    return 1 + 2 * len(quantities)


def _require(losses, quantities, spare=0):
    """Turns what was measured into arrays, and refuses what no law can be fitted to."""
    losses, *quantities = (np.asarray(x, float) for x in (losses, *quantities))
    for name, values in (("losses", losses), *(("quantities", q) for q in quantities)):
        if not (values.ndim == 1 and np.isfinite(values).all() and (values > 0).all()):
            raise ValueError(
                f"{name} must be sequences of finite numbers above 0. "
                f"Received: {values.tolist()}."
            )
    lengths = [len(losses), *(len(each) for each in quantities)]
    if len(set(lengths)) > 1 or len(lengths) < 2:
        raise ValueError(
            "losses and one or more quantities must have a number for each run. "
            f"Received: lengths of {lengths}."
        )
    least = _numbers(quantities) + spare
    different = min(len(np.unique(each)) for each in quantities)
    if len(losses) < least or different < 3:
        raise ValueError(
            f"A law of {least - spare} numbers must have at least {least} runs here, "
            "and three values of each quantity. "
            f"Received: {len(losses)} runs, {different} values."
        )
    return losses, quantities
