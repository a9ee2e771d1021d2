"""How sure a mean over seeds is, and how far two of them are apart."""

import math
import statistics

from scipy.special import stdtrit


def welch_interval(first, second, level=0.95):
    """The interval of Welch for the difference of two means.

    The two may have different spreads and different numbers of seeds. Where one of them
    has a single value, nobody knows its spread: that of the other stands in for it.

    Args:
        first: Sequence of numbers, one a seed.
        second: Sequence of numbers. One of the two has at least two.
        level: Number between 0 and 1: the share of such intervals that hold the true
            difference, if the values of either side scatter normally.

    Returns:
        `(low, high)` around the mean of `first` minus the mean of `second`, in the unit
        of the values. Where 0 lies between them, the difference may be chance.

    Raises:
        ValueError: When one side is empty, or neither has two values.

    Source: Welch, 1947, https://doi.org/10.2307/2332510
    """
    counts = len(first), len(second)
    if min(counts) < 1 or max(counts) < 2:
        raise ValueError(
            "first and second must have a value each, and one of them two or more. "
            f"Received: {counts[0]} and {counts[1]} values."
        )
    spread, freedom = _error(first, second)
    difference = statistics.mean(first) - statistics.mean(second)
    reach = float(stdtrit(freedom, (1 + level) / 2)) * spread
    return difference - reach, difference + reach


def mean_interval(values, level=0.95):
    """The interval of Student for a mean.

    Args:
        values: Sequence of two numbers or more, one a seed.
        level: Number between 0 and 1: the share of such intervals that hold the true
            mean, if the values scatter normally.

    Returns:
        `(low, high)` around the mean of the values, in their unit.

    Raises:
        ValueError: When there are fewer than two values.

    Source: Student, 1908, https://doi.org/10.2307/2331554
    """
    if len(values) < 2:
        raise ValueError(
            f"values must be two numbers or more. Received: {len(values)} values."
        )
    spread, freedom = _error(values)
    reach = float(stdtrit(freedom, (1 + level) / 2)) * spread
    return statistics.mean(values) - reach, statistics.mean(values) + reach


def _error(*groups):
    """The standard error of a mean, or of a difference of two; degrees of freedom."""
    known = [group for group in groups if len(group) > 1]
    variances = [statistics.variance(group) for group in known]
    if len(known) == 1:
        (one,), (variance,) = known, variances
        return math.sqrt(variance * sum(1 / len(g) for g in groups)), len(one) - 1
    parts = [v / len(group) for v, group in zip(variances, known, strict=True)]
    if not any(parts):
        return 0.0, 1
    weights = [p**2 / (len(g) - 1) for p, g in zip(parts, known, strict=True)]
    return math.sqrt(sum(parts)), sum(parts) ** 2 / sum(weights)
