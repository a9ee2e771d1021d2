"""How much of the classes can be read from features that stay as they are?

Both ways have no training and hence no rate to choose: a linear map that has a formula,
and the labels of the nearest training images.
"""

import numpy as np

from vitlib.config.rules import POSITIVE, require_integer

TINY = 1e-12  # the least length of a row, so that one of zeros can be divided


def ridge_probe(features, labels, new_features, penalty):
    """Names classes by the best linear map from features to classes.

    The features are standardised, and the map is the one of least squares with a
    penalty on its squared weights, but not on its constant.

    Args:
        features: Array of shape `(n, D)`, of the training images.
        labels: Integer array of shape `(n,)`, from 0.
        new_features: Array of shape `(m, D)`.
        penalty: Number above 0, as a share of the n images: a weight of a standardised
            feature that tells all shrinks to 1 / (1 + penalty).

    Returns:
        Integer array of shape `(m,)`, the labels that are named.

    Raises:
        ValueError: When the penalty breaks its rule, or the shapes do not fit.
    """
    rule, holds = POSITIVE
    if not holds(penalty):
        raise ValueError(f"penalty must be {rule}. Received: {penalty!r}.")
    x, new = _standardized(features, labels, new_features)
    targets = np.eye(int(np.max(labels)) + 1)[labels]  # (n, classes)
    constant = targets.mean(axis=0)
    squares = x.T @ x + penalty * len(x) * np.eye(x.shape[1])
    weights = np.linalg.solve(squares, x.T @ (targets - constant))  # (D, classes)
    return np.argmax(new @ weights + constant, axis=1)


def nearest_neighbors(features, labels, new_features, k):
    """Names classes by a vote of the k training images that point the same way.

    Nearness is the cosine of the angle between standardised features; of classes with
    as many votes, the one of the nearer images wins.

    Args:
        features: Array of shape `(n, D)`, of the training images.
        labels: Integer array of shape `(n,)`, from 0.
        new_features: Array of shape `(m, D)`.
        k: Integer from 1 to n.

    Returns:
        Integer array of shape `(m,)`, the labels that are named.

    Raises:
        ValueError: When k breaks its rule, or the shapes do not fit.

    Reference:
        Caron et al., 2021, section 4.1 (https://arxiv.org/abs/2104.14294).
    """
    require_integer("k", k, 1)
    if k > len(labels):
        raise ValueError(f"k must be at most the {len(labels)} images. Received: {k}.")
    x, new = _standardized(features, labels, new_features)
    cosines = _units(new) @ _units(x).T  # (m, n)
    nearest = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
    votes = np.eye(int(np.max(labels)) + 1)[np.asarray(labels)[nearest]]
    # A vote counts a little less the farther it is, so little that only ties notice.
    weights = 1 - np.arange(k) / (k + 1) ** 3
    return np.argmax(weights @ votes, axis=1)


def _standardized(features, labels, new_features):
    """Both features, shifted and scaled by the mean and deviation of the first."""
    x, new = np.asarray(features, "float64"), np.asarray(new_features, "float64")
    if x.ndim != 2 or x.shape != (len(labels), *new.shape[1:]):
        raise ValueError(
            "The features must have the shapes (n, D) and (m, D), with n labels. "
            f"Received: {x.shape}, {new.shape} and {len(labels)} labels."
        )
    mean, deviation = x.mean(axis=0), x.std(axis=0)
    scale = np.where(deviation > 0, deviation, 1)  # a constant feature tells nothing
    return (x - mean) / scale, (new - mean) / scale


def _units(x):
    """Each row divided by its length, so that its product with another is a cosine."""
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), TINY)
