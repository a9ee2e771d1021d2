"""Mixed images: what is seen of each is what their labels say."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from train_micro import TRAINING

from vitlib import Split, evaluate
from vitlib.training.mixing import MixedClassification, with_mixing
from vitlib.training.tasks import CLASSIFICATION, TASKS

pytestmark = pytest.mark.backend

BATCH = TRAINING.batch_size
LABELS = np.arange(400) % 8
# Each image has one colour, which is its number: so one sees where a pixel is from.
IMAGES = np.broadcast_to(np.arange(400.0)[:, None, None, None], (400, 16, 16, 3))


def mixed(images=IMAGES, seed=0, **shares):
    task = MixedClassification(replace(TRAINING, **shares), 8)
    targets = task.targets(Split(np.array(images), LABELS))
    return task.vary(np.array(images), targets, np.random.default_rng(seed))


def partners(images):
    """Of which other image each has a part, and what share of it is its own."""
    for i, image in enumerate(images):
        others = set(np.unique(image)) - {i}
        yield i, int(others.pop()) if others else i, (image == i).mean()


def test_a_rectangle_of_another_image_has_its_share_of_the_label():
    images, targets = mixed(cutmix=0.75)
    changed = 0
    for i, other, share in partners(images):
        assert i // BATCH == other // BATCH
        expected = share * np.eye(8)[LABELS[i]] + (1 - share) * np.eye(8)[LABELS[other]]
        np.testing.assert_allclose(targets[i], expected, atol=1e-6)
        changed += other != i
        rows, columns = np.nonzero(images[i][..., 0] != i)
        if len(rows):
            assert len(rows) == (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
    assert changed == pytest.approx(0.75 * 400, abs=40)


def test_images_that_are_laid_over_each_other_have_a_mean_label():
    images, targets = mixed(mixup=0.5)
    np.testing.assert_allclose(targets.sum(axis=1), 1, atol=1e-6)
    for i, target in enumerate(targets):
        moved = images[i, 0, 0, 0] - i  # (1 - share) * (other - i)
        assert np.ptp(images[i]) < 1e-3
        share, other = target[LABELS[i]], np.argsort(target)[-2:]
        if moved and share < 1 - 1e-6:
            (second,) = set(other[target[other] > 0]) - {LABELS[i]}
            place = i + moved / (1 - share)
            assert round(place) % 8 == second and place == pytest.approx(
                round(place), abs=0.05 / float(1 - share)
            )
    assert (np.abs(images[:, 0, 0, 0] - np.arange(400)) > 0).mean() == pytest.approx(
        0.5, abs=0.1
    )


def test_the_draws_follow_the_seed_and_integers_stay_integers():
    bytes_ = (IMAGES % 256).astype("uint8")
    first, again, other = (
        mixed(bytes_, seed, mixup=0.3, cutmix=0.3) for seed in (0, 0, 1)
    )
    assert first[0].dtype == "uint8"
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, two)
    assert (first[0] != other[0]).any()


def test_targets_of_one_class_are_scored_as_labels_are():
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(8))
    chance = np.random.default_rng(0)
    split = Split(chance.random((40, 4, 4, 3), "float32"), chance.integers(0, 8, 40))
    task = MixedClassification(TRAINING, 8)
    assert evaluate(model, split, task) == evaluate(model, split)
    logits, targets = model.predict(split.images, verbose=0), task.targets(split)
    plain = CLASSIFICATION.loss(TRAINING)(split.labels, logits)
    assert float(task.loss(TRAINING)(targets, logits)) == pytest.approx(float(plain))
    pairs = zip(task.metrics(), CLASSIFICATION.metrics(), strict=True)
    for soft, hard in pairs:
        soft.update_state(targets, logits)
        hard.update_state(split.labels, logits)
        assert (soft.name, float(soft.result())) == (hard.name, float(hard.result()))


def test_the_mean_of_an_image_and_its_mirror_image_is_measured():
    """A model that sees the left half alone, and images whose right half tells."""
    model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(2, use_bias=False))
    model.set_weights([np.array([[-9.0, 9], [0, 0], [-9, 9], [0, 0]])])
    images = np.zeros((6, 2, 2, 1), "float32")
    images[:3, :, 1] = -1
    images[3:, :, 1] = 1
    split = Split(images, np.repeat([0, 1], 3))
    assert evaluate(model, split)["top1"] == 0.5
    assert evaluate(model, split, flip=True)["top1"] == 1.0


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"mixup": 0.5}, "mixup"),
        ({"test_flip": True}, "test_flip"),
        ({"first_size": 16, "first_epochs": 1}, "first_epochs"),
    ],
)
def test_what_is_no_classification_is_left_as_it_is(change, name):
    training = replace(TRAINING, **change)
    with pytest.raises(ValueError, match=f"Received: {name} for a detection."):
        with_mixing(TASKS["detection"], training, 8)
    assert with_mixing(TASKS["detection"], TRAINING, 8) is TASKS["detection"]
    mixes = type(with_mixing(CLASSIFICATION, training, 8)) is MixedClassification
    assert mixes == (name == "mixup")
