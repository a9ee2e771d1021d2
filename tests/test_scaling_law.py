"""The fits of scaling laws find what made-up losses were made of."""

from itertools import product

import numpy as np
import pytest

from vitlib.records.scaling_law import ScalingLaw, bootstrap, fit_law, predict

LAW = ScalingLaw(0.4, (60.0, 300.0), (0.5, 0.6))
SIZES, IMAGES = np.array(
    list(product(np.geomspace(3e4, 1e6, 5), np.geomspace(1e4, 6.4e5, 4)))
).T
LARGEST = 2e6, 1.28e6  # twice as large as any, on twice as many images


def measured(rng, spread):
    """Losses of a grid of runs that scatter by so large a share."""
    return LAW(SIZES, IMAGES) * (1 + spread * rng.normal(size=len(SIZES)))


def test_without_noise_the_law_itself_comes_back():
    found = fit_law(LAW(SIZES, IMAGES), SIZES, IMAGES)
    assert found.floor == pytest.approx(LAW.floor, rel=1e-3)
    assert found.factors == pytest.approx(LAW.factors, rel=1e-2)
    assert found.powers == pytest.approx(LAW.powers, rel=1e-3)


@pytest.mark.parametrize("power", [0.1, 0.35, 1.5])
def test_a_law_of_one_quantity_comes_back(power):
    law = ScalingLaw(0.2, (1000.0**power,), (power,))
    sizes = np.geomspace(1e3, 1e6, 9)
    assert fit_law(law(sizes), sizes).powers == pytest.approx((power,), rel=1e-3)


def test_the_unit_of_a_quantity_changes_its_factor_alone():
    losses = measured(np.random.default_rng(0), 0.01)
    one = fit_law(losses, SIZES, IMAGES)
    other = fit_law(losses, SIZES / 1e6, IMAGES)
    assert other.powers == pytest.approx(one.powers, rel=1e-3)
    assert other.factors[0] == pytest.approx(
        one.factors[0] * 1e6 ** -one.powers[0], rel=1e-2
    )


def test_a_quantity_without_effect_gets_none():
    images = np.geomspace(10, 1000, 12)
    sizes = np.tile([1.0, 2.0, 4.0], 4)
    found = fit_law(1 + 5 / images, sizes, images)
    said = found([1.0, 4.0], 100)
    assert said[0] == pytest.approx(said[1], rel=1e-4)


def test_the_power_lies_within_what_the_bootstrap_gives():
    rng = np.random.default_rng(0)
    laws, errors = bootstrap(measured(rng, 0.01), SIZES, IMAGES, rounds=60)
    powers = np.array([law.powers for law in laws])
    low, high = np.quantile(powers, [0.02, 0.98], axis=0)
    assert (low < LAW.powers).all() and (high > LAW.powers).all()
    assert (high < 2 * low).all()  # and it is known well
    assert np.std(errors) == pytest.approx(0.01, rel=0.5)


def test_the_interval_of_a_prediction_holds_the_run_as_often_as_it_says():
    rng, held = np.random.default_rng(1), []
    for seed in range(24):
        low, high = predict(
            measured(rng, 0.01), SIZES, IMAGES, at=LARGEST, rounds=16, seed=seed
        )
        held += [low < LAW(*LARGEST) * (1 + 0.01 * rng.normal()) < high]
    assert 17 <= sum(held) <= 24  # 90 % of 24 are 21.6
    assert high / low < 1.2


def test_more_scatter_makes_the_interval_wider():
    widths = []
    for spread in (0.003, 0.03):
        losses = measured(np.random.default_rng(2), spread)
        low, high = predict(losses, SIZES, IMAGES, at=LARGEST, rounds=16)
        widths.append(high - low)
    assert widths[1] > 3 * widths[0]


@pytest.mark.parametrize(
    ("losses", "quantities", "message"),
    [
        ([1, 2, -3], [[1, 2, 3]], "losses must .* above 0. Received: .*-3.0"),
        ([1, 2, 3], [[1, 2, np.nan]], "quantities must .* Received: .*nan"),
        ([1, 2, 3], [[1, 2]], r"a number for each run. Received: lengths of \[3, 2\]"),
        ([1, 2, 3], [], r"Received: lengths of \[3\]"),
        ([1, 2], [[1, 2]], "A law of 3 numbers .* Received: 2 runs, 2 values"),
        ([1, 2, 3, 4], [[1, 1, 2, 2]], "Received: 4 runs, 2 values"),
        ([1] * 4, [[1, 2, 3, 4]] * 2, "A law of 5 numbers .* Received: 4 runs"),
    ],
)
def test_what_no_law_can_be_fitted_to_is_refused(losses, quantities, message):
    with pytest.raises(ValueError, match=message):
        fit_law(losses, *quantities)


def test_as_many_runs_as_numbers_leave_nothing_to_draw_from():
    with pytest.raises(ValueError, match="at least 4 runs here.* Received: 3 runs"):
        bootstrap([3, 2, 1.5], [1, 2, 3])
