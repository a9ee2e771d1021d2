"""Parabolas find a best size, say when they cannot, and are as biased as published."""

import numpy as np
import pytest

from vitlib.records.parabolas import growth, lowest_point
from vitlib.records.scaling_law import ScalingLaw, fit_law

BUDGETS = np.geomspace(1e10, 1e12, 4)  # FLOP, six for each parameter and image


def valley(law, budget, center, width=8.0):
    """Seven runs of a budget, at sizes around a center, and their losses."""
    sizes = center * np.geomspace(1 / width, width, 7)
    return sizes, budget / (6 * sizes), law(sizes, budget / (6 * sizes))


def true_size(law, budget):
    """Where the derivative of the loss by the size is zero."""
    (a, b), (A, B) = law.powers, law.factors
    return (a * A / (b * B)) ** (1 / (a + b)) * (budget / 6) ** (b / (a + b))


def test_the_lowest_point_of_a_parabola_is_found():
    sizes = np.array([1e3, 1e4, 1e5])
    size, loss = lowest_point(sizes, 2 + 0.1 * np.log(sizes / 2e4) ** 2)
    assert (size, loss) == (pytest.approx(2e4), pytest.approx(2))


def test_a_law_of_equal_powers_gives_an_unbiased_parabola():
    law = ScalingLaw(0.3, (50.0, 50.0), (0.5, 0.5))
    for budget in BUDGETS:
        center = true_size(law, budget)
        sizes, _, losses = valley(law, budget, center)
        assert lowest_point(sizes, losses)[0] == pytest.approx(center, rel=1e-3)


def test_the_published_bias_of_parabolas_and_its_cure():
    """Unequal powers, and a grid whose center drifts: wrong without any noise.

    Czech et al., 2026, https://arxiv.org/abs/2603.22339
    """
    law = ScalingLaw(0.3, (20.0, 4000.0), (0.3, 0.9))
    true = law.powers[1] / sum(law.powers)
    found, runs = [], []
    for budget, drift in zip(BUDGETS, np.geomspace(0.5, 2, 4), strict=True):
        center = true_size(law, budget)
        centered, _, losses = valley(law, budget, center)
        assert abs(lowest_point(centered, losses)[0] / center - 1) > 0.2
        sizes, images, losses = valley(law, budget, center * drift)
        found.append(lowest_point(sizes, losses)[0])
        runs += zip(losses, sizes, images, strict=True)
    assert abs(growth(BUDGETS, found) - true) > 0.02
    a, b = fit_law(*np.array(runs).T).powers
    assert b / (a + b) == pytest.approx(true, abs=1e-3)


def test_the_growth_is_the_power_of_the_best_sizes():
    assert growth(BUDGETS, 3 * BUDGETS**0.7) == pytest.approx(0.7)


@pytest.mark.parametrize("losses", [[3, 2, 1], [1, 2, 3], [1, 2, 1]])
def test_a_lowest_point_that_is_not_among_the_sizes_is_refused(losses):
    with pytest.raises(
        ValueError, match="sizes of 10 and 1,000: .* Received: losses of"
    ):
        lowest_point([10, 100, 1000], losses)


@pytest.mark.parametrize("sizes", [[10, 10, 100], [0, 10, 100], [10, 100]])
def test_sizes_without_a_parabola_are_refused(sizes):
    with pytest.raises(ValueError, match="three values or more. Received: "):
        lowest_point(sizes, [3, 1, 2])


@pytest.mark.parametrize("budgets", [[1, 1], [1], [0, 2]])
def test_budgets_without_a_growth_are_refused(budgets):
    with pytest.raises(ValueError, match="A growth needs .* Received: "):
        growth(budgets, [3, 4])
