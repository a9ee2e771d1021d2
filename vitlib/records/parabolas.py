"""Which size is best for a budget, read off parabolas: the quick way, and a biased one.

All runs of a budget cost equally much, so that a larger model sees fewer images. Their
losses against the logarithm of the size make a valley; its floor is the best size.
"""

import numpy as np


def lowest_point(sizes, losses):
    """The lowest point of a parabola through the runs of one budget.

    The parabola is one of the loss in the logarithm of the size. The true valley is
    none: one side is steeper than the other. So the lowest point is a little off, even
    without any noise; `vitlib.records.scaling_law.fit_law` is not.

    Args:
        sizes: Sequence of numbers above 0, such as parameters, of three values or more.
        losses: Sequence of as many numbers.

    Returns:
        `(size, loss)` at the lowest point.

    Raises:
        ValueError: When there are fewer than three sizes, or the lowest point does not
            lie between the smallest and the largest of them.

    Source: Hoffmann et al., 2022, section 3.2, https://arxiv.org/abs/2203.15556; on the
    bias: https://arxiv.org/abs/2603.22339
    """
    sizes, losses = np.asarray(sizes, float), np.asarray(losses, float)
    different = np.unique(sizes)
    if len(different) < 3 or sizes.shape != losses.shape or (sizes <= 0).any():
        raise ValueError(
            "A parabola needs a loss for each run, and sizes above 0 of three values "
            f"or more. Received: {sizes.tolist()} and {losses.tolist()}."
        )
    middle = np.log(sizes).mean()
    bend, slope, height = np.polyfit(np.log(sizes) - middle, losses, 2)
    lowest = -slope / (2 * bend) if bend > 0 else np.inf
    if not np.log(different[0]) < middle + lowest < np.log(different[-1]):
        raise ValueError(
            f"The lowest point must lie between sizes of {different[0]:,.0f} and "
            f"{different[-1]:,.0f}: add runs where the loss still falls. Received: "
            f"losses of {losses.tolist()}."
        )
    return float(np.exp(middle + lowest)), float(height + slope * lowest / 2)


def growth(budgets, sizes):
    """The power with which the best size grows with the budget.

    Args:
        budgets: Sequence of numbers above 0, of two values or more, such as FLOP.
        sizes: Sequence of as many numbers above 0, from `lowest_point`.

    Returns:
        The slope of the line of the logarithms with the smallest squared errors.

    Raises:
        ValueError: When there are fewer than two budgets, or a number is not above 0.
    """
    budgets, sizes = np.asarray(budgets, float), np.asarray(sizes, float)
    wrong = len(np.unique(budgets)) < 2 or budgets.shape != sizes.shape
    if wrong or not ((budgets > 0).all() and (sizes > 0).all()):
        raise ValueError(
            "A growth needs two budgets or more, and a size above 0 for each. "
            f"Received: {budgets.tolist()} and {sizes.tolist()}."
        )
    return float(np.polyfit(np.log(budgets), np.log(sizes), 1)[0])
