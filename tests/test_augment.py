import keras
import numpy as np
import pytest

from vitlib.augment import Augmentation, RandomShift
from vitlib.config import AUGMENTATIONS

IMAGES = np.random.default_rng(0).random((64, 32, 32, 3), "float32")


def test_a_shift_is_a_crop_of_the_reflected_image():
    keras.utils.set_random_seed(0)
    images = IMAGES[:8, :6, :5]
    moved = np.array(RandomShift(2)(images, training=True))
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)), mode="reflect")
    places = [(row, column) for row in range(5) for column in range(5)]
    for image, pad in zip(moved, padded, strict=True):
        crops = [pad[r : r + 6, c : c + 5] for r, c in places]
        assert any(np.array_equal(image, crop) for crop in crops)


def test_each_image_is_shifted_on_its_own():
    same = np.repeat(IMAGES[:1], 64, axis=0)
    moved = np.array(RandomShift(4, seed=0)(same, training=True))
    assert len({image.tobytes() for image in moved}) > 30


def test_all_shifts_are_drawn():
    image = np.zeros((2000, 9, 9, 1), "float32")
    image[:, 4, 4] = 1
    moved = np.array(RandomShift(2, seed=0)(image, training=True))
    places = {tuple(place[1:3]) for place in np.argwhere(moved)}
    assert places == {(r, c) for r in range(2, 7) for c in range(2, 7)}


@pytest.mark.parametrize("recipe", AUGMENTATIONS)
def test_an_augmentation_acts_in_training_alone(recipe):
    keras.utils.set_random_seed(0)
    layer = Augmentation(recipe)
    np.testing.assert_array_equal(layer(IMAGES), IMAGES)
    np.testing.assert_array_equal(layer(IMAGES, training=False), IMAGES)
    changed = np.array(layer(IMAGES, training=True))
    assert changed.shape == IMAGES.shape
    assert (np.abs(changed - IMAGES).max() > 0.1) == (recipe != "none")


def test_the_shear_of_the_report_moves_no_pixel_by_an_eighth_of_its_width():
    shear = Augmentation("report_resnet").steps[2]
    assert type(shear).__name__ == "RandomShear"
    assert 0 < max(shear.x_factor) * 32 < 1 / 8


def test_the_shift_lets_a_model_compile_as_a_whole():
    assert all(step.supports_jit for step in Augmentation("shift_flip").steps)


def test_an_unknown_recipe_is_refused():
    with pytest.raises(ValueError, match="one of .*Received: 'mixup'"):
        Augmentation("mixup")
