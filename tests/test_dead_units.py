"""What the chapter on training says of `dead-units` is what the records say."""

from pathlib import Path

import numpy as np
import pytest

from vitlib import PRESETS, load_runs

RATES = [1e-4, 3e-4, 1e-3, 3e-3, 1e-2]
INPUTS = [64, 256, 1_024, 4_096, 16_384]


@pytest.fixture(scope="module")
def dead():
    """The share of dead units at the end, by inputs, rate, seed and layer."""
    runs = load_runs(Path(__file__).parents[1] / "results", "dead-units")
    shares = np.full((5, 5, 3, 2), np.nan)
    for run in runs:
        row = INPUTS.index(PRESETS[run.preset].model.head_inputs)
        column = RATES.index(run.training["learning_rate"])
        shares[row, column, run.seed] = run.history["dead"][-1]
    assert not np.isnan(shares).any()
    return shares


def test_the_border_is_oblique_where_the_head_is_wide(dead):
    last = dead[..., 1].mean(axis=-1)
    assert last[:3, 2].max() == 0  # at 0.001 with 1,024 inputs or fewer
    assert 0.25 < last[3, 2] < 0.4  # "about a third"
    assert last[4, 2] > 0.9  # "nearly all"
    assert np.all(np.diff(last, axis=0) >= -0.01)  # with more inputs no fewer


def test_the_last_layer_dies_in_every_head_at_the_highest_rate(dead):
    assert dead[:, -1, :, 1].min() > 0.95


def test_the_first_layer_lives_below_the_bound_and_seldom_dies_above(dead):
    bound = np.outer(INPUTS, RATES) * np.sqrt(2 / np.pi)
    assert 1_024 * dead[bound < 3.4, :, 0].max() <= 1  # "at most one unit"
    above = dead[bound > 3.4, :, 0]
    assert 0 < above.mean() and (above > 0.5).mean() < 0.25
