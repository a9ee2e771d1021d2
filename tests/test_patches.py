import numpy as np
import pytest
from keras import ops

from vitlib import Patches, join_patches

pytestmark = pytest.mark.backend

SHAPES = [(2, 12, 18, 3, 6), (3, 8, 20, 1, 4), (1, 10, 5, 4, 5), (2, 7, 3, 3, 1)]


def random_images(*shape):
    return np.random.default_rng(0).random(shape, "float32")


@pytest.mark.parametrize(("batch", "height", "width", "channels", "size"), SHAPES)
def test_patches_equal_those_of_keras(batch, height, width, channels, size):
    images = random_images(batch, height, width, channels)
    expected = ops.image.extract_patches(images, size)
    expected = ops.reshape(expected, (batch, -1, size * size * channels))
    np.testing.assert_array_equal(Patches(size)(images), expected)


@pytest.mark.parametrize(("batch", "height", "width", "channels", "size"), SHAPES)
def test_join_patches_inverts_patches_exactly(batch, height, width, channels, size):
    images = random_images(batch, height, width, channels)
    joined = join_patches(Patches(size)(images), (height, width))
    np.testing.assert_array_equal(joined, images)


def test_patches_run_left_to_right_then_down():
    image = np.arange(16, dtype="float32").reshape(1, 4, 4, 1)
    first_pixels = np.array(Patches(2)(image))[0, :, 0]
    assert first_pixels.tolist() == [0, 2, 8, 10]


@pytest.mark.parametrize(
    ("count", "length", "size"), [(5, 12, (4, 4)), (4, 13, (4, 4)), (4, 12, (4, 5))]
)
def test_patches_that_cannot_tile_the_image_are_refused(count, length, size):
    with pytest.raises(ValueError, match=f"Received: {count} patches of {length}"):
        join_patches(np.zeros((1, count, length), "float32"), size)
