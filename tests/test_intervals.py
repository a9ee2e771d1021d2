"""Accuracies differ where an interval that knows both numbers of seeds says so."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from vitlib.records.intervals import mean_interval, welch_interval

VALUES = st.lists(st.floats(-100, 100), min_size=2, max_size=6)


@given(VALUES, VALUES)
def test_the_interval_is_that_of_scipy(first, second):
    if min(np.var(first), np.var(second)) < 1e-6:
        return  # SciPy warns of values that are all but equal
    expected = stats.ttest_ind(first, second, equal_var=False).confidence_interval()
    assert welch_interval(first, second) == pytest.approx(tuple(expected))


@given(VALUES)
def test_the_interval_of_a_mean_is_that_of_scipy(values):
    if np.var(values) < 1e-6:
        return  # SciPy warns of values that are all but equal
    expected = stats.ttest_1samp(values, 0).confidence_interval()
    assert mean_interval(values) == pytest.approx(tuple(expected))


@pytest.mark.parametrize("values", [[], [1]])
def test_a_mean_of_fewer_than_two_values_has_no_interval(values):
    with pytest.raises(ValueError, match=f"more. Received: {len(values)} values"):
        mean_interval(values)


def test_a_single_seed_borrows_the_spread_of_the_other_side():
    several, one = [61.5, 61.8, 62.15], [62.9]
    low, high = welch_interval(one, several)
    error = np.std(several, ddof=1) * math.sqrt(1 + 1 / 3)
    reach = stats.t.ppf(0.975, df=2) * error
    assert (high - low) / 2 == pytest.approx(reach)
    assert (high + low) / 2 == pytest.approx(62.9 - np.mean(several))
    assert low < 0 < high  # more than two standard deviations apart, and yet chance
    assert 62.9 - np.mean(several) > 2 * np.std(several, ddof=1)


def test_more_seeds_and_a_lower_level_make_it_narrower():
    def width(interval):
        return interval[1] - interval[0]

    few = welch_interval([1, 2], [3, 4])
    assert width(welch_interval([1, 2] * 3, [3, 4] * 3)) < width(few)
    assert width(welch_interval([1, 2], [3, 4], level=0.8)) < width(few)


def test_equal_values_on_both_sides_have_an_interval_of_no_width():
    assert welch_interval([1, 1], [3, 3]) == (-2, -2)


@pytest.mark.parametrize("sides", [([1], [2]), ([], [1, 2]), ([1, 2], [])])
def test_too_few_values_are_refused(sides):
    with pytest.raises(ValueError, match="one of them two or more. Received: "):
        welch_interval(*sides)


@pytest.mark.parametrize(("n", "m"), [(2, 2), (2, 3), (1, 3), (3, 3)])
def test_the_interval_holds_the_truth_as_often_as_it_says(n, m):
    rng = np.random.default_rng(0)
    pairs = [(rng.normal(size=n), rng.normal(size=m)) for _ in range(2000)]
    held = [low < 0 < high for low, high in (welch_interval(*p) for p in pairs)]
    assert np.mean(held) > 0.93
