"""Small images first: the same weights, one more compilation, and full-size looks."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from train_micro import MODEL, TRAINING, micro_data

from vitlib import SmallResNetConfig, build_model, build_vit, train
from vitlib.config.models import INSIDE
from vitlib.layers.patches import Patches
from vitlib.training.sizes import require_size

pytestmark = pytest.mark.backend

CONFIG = replace(MODEL, augmentation="none", dropout=0.0)
SMALL_FIRST = replace(TRAINING, epochs=4, first_size=16, first_epochs=2)


def test_the_first_epochs_see_fewer_patches_and_all_others_see_all(monkeypatch):
    seen, make = [], keras.Model.make_train_function
    plain = Patches.call

    def call(layer, images):
        seen.append(images.shape[1])
        return plain(layer, images)

    compiled = []

    def make_counting(model, **options):
        compiled.append(model.train_function is None)
        make(model, **options)

    model = build_model(CONFIG, SMALL_FIRST)
    shapes = [weight.shape for weight in model.weights]
    monkeypatch.setattr(Patches, "call", call)
    monkeypatch.setattr(keras.Model, "make_train_function", make_counting)
    train(model, micro_data(), SMALL_FIRST, report=str)
    first, *rest = (
        size for n, size in enumerate(seen) if n == 0 or size != seen[n - 1]
    )
    # Predictions have the size of the later epochs; JAX makes the weights at that size.
    assert (first, *rest)[-2:] == (16, 32) and set(seen) == {16, 32}
    assert sum(compiled) == 2
    assert [weight.shape for weight in model.weights] == shapes


@pytest.mark.parametrize(
    ("changes", "size", "rule"),
    [
        ({}, 20, "a multiple of 8, .*, and at most 32, .*Received: 20"),
        ({}, 40, "at most 32, those of the model. Received: 40"),
        ({"pooling": "flatten"}, 16, "any number of patches. Received: one with Flat"),
        *(
            ({"position": name}, 16, "Received: one with .*Attention")
            for name in INSIDE
        ),
    ],
)
def test_a_size_or_a_model_that_does_not_fit_is_refused(changes, size, rule):
    with pytest.raises(ValueError, match=rule):
        require_size(build_vit(replace(MODEL, **changes)), size)
    require_size(build_vit(MODEL), 24)


def test_a_model_without_patches_is_refused():
    config = SmallResNetConfig(filters=(4,), blocks_per_stage=(1,))
    model = build_model(config, SMALL_FIRST)
    with pytest.raises(ValueError, match="must have a layer PatchEncoder"):
        train(model, micro_data(), SMALL_FIRST, report=str)


def test_an_image_of_one_colour_has_the_same_answer_at_both_sizes():
    """Tokens of the small image get the mean of the vectors around their place."""
    model = build_vit(replace(CONFIG, position="none"))
    images = np.full((2, 32, 32, 3), 90.0, "float32")
    before = np.array(model(images, training=True))
    model.layers[2].training_size = 16
    after = np.array(model(images, training=True))
    np.testing.assert_allclose(after, before, atol=1e-5)
    np.testing.assert_allclose(model(images), before, atol=1e-5)
