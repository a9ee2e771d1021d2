import keras
import numpy as np
import pytest
from keras import ops

from vitlib.config.models import AUGMENTATIONS
from vitlib.data.shapes import draw_shapes
from vitlib.layers import affine
from vitlib.layers.augment import WARPS, Augmentation, augment_together
from vitlib.layers.random_shift import RandomShift

pytestmark = pytest.mark.backend

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


@pytest.mark.parametrize("recipe", AUGMENTATIONS)
def test_an_augmentation_without_training_is_the_resizing_of_keras(recipe):
    layer = Augmentation(recipe, 72)
    expected = keras.layers.Resizing(72, 72)(IMAGES)
    np.testing.assert_array_equal(layer(IMAGES), expected)
    np.testing.assert_array_equal(layer(IMAGES, training=False), expected)
    assert layer(IMAGES, training=True).shape == (64, 72, 72, 3)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("recipe", AUGMENTATIONS)
def test_bytes_are_varied_as_floats_are(recipe, training):
    images = (255 * IMAGES).astype("uint8")
    results = []
    for pixels in (images, images.astype("float32")):
        keras.utils.set_random_seed(0)
        results.append(Augmentation(recipe, 40)(pixels, training=training))
        assert keras.backend.standardize_dtype(results[-1].dtype) == "float32"
    np.testing.assert_array_equal(*map(ops.convert_to_numpy, results))


@pytest.mark.parametrize("recipe", AUGMENTATIONS)
def test_a_mixed_policy_rounds_the_pixels_and_nothing_else(recipe):
    results = []
    for policy in ("float32", "mixed_bfloat16"):
        keras.utils.set_random_seed(0)
        varied = Augmentation(recipe, 40, dtype=policy)(IMAGES, training=True)
        results.append(ops.convert_to_numpy(ops.cast(varied, "float32")))
    assert keras.backend.standardize_dtype(varied.dtype) == "bfloat16"
    np.testing.assert_allclose(*results, atol=0.01)


@pytest.mark.parametrize("recipe", AUGMENTATIONS[1:])
def test_the_same_seed_gives_the_same_images_and_the_next_batch_others(recipe):
    batches = []
    for _ in range(2):
        keras.utils.set_random_seed(3)
        layer = Augmentation(recipe)
        both = [layer(IMAGES, training=True) for _ in range(2)]
        batches.append([ops.convert_to_numpy(batch) for batch in both])
    np.testing.assert_array_equal(*batches)
    assert np.abs(batches[0][0] - batches[0][1]).max() > 0.1


def observe(recipe, count=2000):
    """Measures what a recipe did to each image, in an image of its own coordinates.

    Returns the matrix from points of the result to points of the image, and the point
    that is seen in the middle, from the middle of the image, in pixels.
    """
    keras.utils.set_random_seed(0)
    ramps = np.stack(np.indices((33, 33)), axis=-1).astype("float32")
    batch = np.broadcast_to(ramps, (count, 33, 33, 2))
    seen = ops.convert_to_numpy(Augmentation(recipe)(batch, training=True))
    by_row, by_column = seen[:, 17, 16] - seen[:, 16, 16], seen[:, 16, 17]
    matrix = np.stack([by_row, by_column - seen[:, 16, 16]], axis=-1)
    return matrix, seen[:, 16, 16] - 16


def split(matrix):
    """Flips (true or false), angles in degrees, zooms of rows and of columns."""
    angles = np.degrees(np.arctan2(-matrix[:, 1, 0], matrix[:, 0, 0]))
    zooms = np.linalg.norm(matrix, axis=1)
    return np.linalg.det(matrix) < 0, angles, *zooms.T


def assert_even(values, limit):
    """Each image has its own value; they fill the range from -limit to limit."""
    assert np.unique(values).size > 0.95 * values.size
    assert np.abs(values).max() < limit
    heights, _ = np.histogram(values, 10, (-limit, limit))
    assert heights.min() > 0.07 * values.size


def test_the_recipe_of_the_vit_draws_in_its_ranges():
    matrix, middle = observe("report_vit")
    flipped, angles, height, width = split(matrix)
    assert 0.46 < flipped.mean() < 0.54
    assert_even(angles, 7.2 + 1e-3)
    assert_even(height - 1, 0.2 + 1e-4)
    assert_even(width - 1, 0.2 + 1e-4)
    assert np.abs(np.corrcoef([flipped, angles, height, width])).sum() < 4.5
    np.testing.assert_allclose(middle, 0, atol=1e-4)


def test_the_recipe_of_the_resnet_draws_in_its_ranges():
    matrix, middle = observe("report_resnet")
    flipped, angles, height, width = split(matrix)
    assert 0.46 < flipped.mean() < 0.54
    # The shear turns the columns by up to 0.2 degrees, and hardly moves the middle.
    assert_even(angles, 20 + 0.21)
    assert_even(height - 1, 0.2 + 1e-4)
    assert_even(width - 1, 0.2 + 1e-4)
    cos, sin = np.cos(np.radians(angles)), np.sin(np.radians(angles))
    down, right = middle.T
    assert_even((cos * down - sin * right) / 33, 0.2 + 0.005)
    assert_even((sin * down + cos * right) / 33, 0.2 + 0.005)


def test_the_shear_of_the_report_moves_no_pixel_by_an_eighth_of_its_width():
    limits = {change: limit for change, *limit in WARPS["report_resnet"]}
    assert 0 < limits[affine.shear][0] * 32 < 1 / 8


@pytest.mark.parametrize("recipe", AUGMENTATIONS)
@pytest.mark.parametrize("image_size", [None, 24, 48])
def test_a_mask_goes_where_its_image_goes(recipe, image_size):
    """Two masks, and an image whose channels show them: they agree at each pixel."""
    scenes = draw_shapes(8, seed=5)
    masks = scenes.masks
    shown = np.stack([*np.moveaxis(masks, 1, 0), masks.any(axis=1)], axis=-1)
    layer = Augmentation(recipe, image_size)
    images, moved = augment_together(layer, 255 * shown.astype("float32"), masks)
    size = image_size or 32
    assert (tuple(images.shape), tuple(moved.shape)) == (
        (8, size, size, 3),
        (8, 2, size, size),
    )
    images, moved = np.array(images), np.array(moved)
    np.testing.assert_array_equal(moved, np.moveaxis(images[..., :2], -1, 1) >= 127.5)
    kept = moved.mean() / masks.mean()
    assert 0.5 < kept < 1.5
    if image_size is None:
        assert (recipe == "none") == np.array_equal(moved, masks)
