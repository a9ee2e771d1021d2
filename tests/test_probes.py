"""Two readings of frozen features, against a plain computation of the same."""

import numpy as np
import pytest

from vitlib.inspection.probes import nearest_neighbors, ridge_probe

RNG = np.random.default_rng(0)
CENTRES = RNG.normal(size=(4, 6))
LABELS = np.arange(80) % 4
FEATURES = CENTRES[LABELS] + 0.8 * RNG.normal(size=(80, 6))
NEW_LABELS = np.arange(200) % 4
NEW = CENTRES[NEW_LABELS] + 0.8 * RNG.normal(size=(200, 6))


def standardized(x):
    return (x - FEATURES.mean(0)) / FEATURES.std(0)


def test_the_ridge_probe_minimises_the_penalised_squares():
    targets = np.eye(4)[LABELS]
    x = np.hstack([standardized(FEATURES), np.ones((80, 1))])
    # The same problem as plain least squares: a row for each weight's penalty.
    rows = np.sqrt(0.3 * 80) * np.eye(6, 7)
    more = np.vstack([x, rows]), np.vstack([targets, np.zeros((6, 4))])
    weights = np.linalg.lstsq(*more, rcond=None)[0]
    new = np.hstack([standardized(NEW), np.ones((200, 1))])
    expected = (new @ weights).argmax(1)
    named = ridge_probe(FEATURES, LABELS, NEW, 0.3)
    np.testing.assert_array_equal(named, expected)
    assert (named == NEW_LABELS).mean() > 0.6


@pytest.mark.parametrize("k", [1, 2, 5, 80])
def test_the_neighbours_vote(k):
    def vote(new):
        cosines = []
        for old in standardized(FEATURES):
            cosines.append(old @ new / np.linalg.norm(old) / np.linalg.norm(new))
        order = sorted(range(80), key=lambda i: -cosines[i])[:k]
        votes = [[i for i in order if LABELS[i] == label] for label in range(4)]
        most = max(map(len, votes))
        # Of those with most votes, the one whose neighbours come first in sum.
        places = {v: sum(order.index(i) for i in votes[v]) for v in range(4)}
        return min((v for v in range(4) if len(votes[v]) == most), key=places.get)

    expected = [vote(new) for new in standardized(NEW)]
    np.testing.assert_array_equal(nearest_neighbors(FEATURES, LABELS, NEW, k), expected)


@pytest.mark.parametrize("probe", [ridge_probe, nearest_neighbors])
def test_the_scale_and_the_place_of_a_feature_do_not_matter(probe):
    scale, place = 10.0 ** np.arange(-3, 3), np.arange(6)
    moved = probe(FEATURES * scale + place, LABELS, NEW * scale + place, 1)
    np.testing.assert_array_equal(probe(FEATURES, LABELS, NEW, 1), moved)


@pytest.mark.parametrize("probe", [ridge_probe, nearest_neighbors])
def test_a_constant_feature_tells_nothing(probe):
    wider = [np.hstack([x, np.full((len(x), 1), 7.0)]) for x in (FEATURES, NEW)]
    named = probe(wider[0], LABELS, wider[1], 1)
    np.testing.assert_array_equal(probe(FEATURES, LABELS, NEW, 1), named)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (lambda: ridge_probe(FEATURES, LABELS, NEW, 0), "penalty must be a finite"),
        (lambda: nearest_neighbors(FEATURES, LABELS, NEW, 0), "k must be an integer"),
        (lambda: nearest_neighbors(FEATURES, LABELS, NEW, 81), "at most the 80 images"),
        (lambda: ridge_probe(FEATURES, LABELS[1:], NEW, 1), "with n labels"),
        (lambda: ridge_probe(FEATURES, LABELS, NEW[:, 1:], 1), "with n labels"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        wrong()
