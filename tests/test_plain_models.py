"""The masked autoencoder that is timed beside ours is the same function."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from vitlib import PRESETS
from vitlib.layers.masking import MaskTokens
from vitlib.layers.positions import SinCosPosition2D
from vitlib.models.masked_autoencoder import build_masked_autoencoder
from vitlib.models.walk import find

pytestmark = pytest.mark.backend

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
IMAGES = np.random.default_rng(0).uniform(0, 255, (5, 32, 32, 3)).astype("float32")
# Without augmentation, so that nothing but the masks is drawn.
MASKED = replace(PRESETS["masked"].model, augmentation="none")


@pytest.fixture
def models(monkeypatch):
    """Ours and the plain one, with the same weights."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    from plain_models import build_plain

    keras.utils.set_random_seed(0)
    ours, plain = build_masked_autoencoder(MASKED), build_plain(MASKED)
    tokens = find(ours, MaskTokens)[0].mask_token, plain.mask_token
    others = [
        [weight for weight in model.trainable_weights if weight is not token]
        for model, token in zip((ours, plain), tokens, strict=True)
    ]
    tokens[1].assign(tokens[0])
    for mine, other in zip(*others, strict=True):
        other.assign(ops.reshape(mine, other.shape))
    (places,) = plain.decoder.non_trainable_weights
    places.assign(find(ours, SinCosPosition2D)[0].table)
    return ours, plain


def test_it_misses_each_hidden_patch_by_as_much(models):
    ours, plain = models
    errors = np.array(plain(IMAGES))
    assert errors.shape == (5, MASKED.num_hidden)
    np.testing.assert_allclose(errors, ours(IMAGES), rtol=1e-4)
    assert len(np.unique(np.round(errors, 3))) > 100


def test_each_step_draws_new_masks_and_trains_all_weights(models):
    _, plain = models
    first, second = (np.array(plain(IMAGES, training=True)) for _ in range(2))
    assert not np.allclose(first, second)
    before = [np.array(weight) for weight in plain.trainable_weights]
    plain.compile("sgd", loss=lambda _, errors: ops.mean(errors, axis=-1))
    plain.train_on_batch(IMAGES, np.zeros(5))
    still = [
        weight.path
        for weight, old in zip(plain.trainable_weights, before, strict=True)
        if np.array_equal(weight, old)
    ]
    # Softmax does not feel what is added to all keys alike.
    assert all("key/bias" in path for path in still), still
