"""The maps against Keras' own layers, given the same amounts, on smooth images."""

import math

import keras
import numpy as np
import pytest
from keras import layers, ops

from vitlib.layers import affine

pytestmark = pytest.mark.backend

SIZE = (24, 40)  # not square, so that rows and columns cannot be taken for each other
COUNT = 16  # images
BORDERS = {"reflect": affine.reflect, "nearest": affine.nearest}


def smooth_images(size):
    """Sums of cosines of at most one period, without slope at the edge of the image.

    So they are as smooth beyond a border, reflected or continued, as inside of it.
    Their values lie between -1 and 1.
    """
    shares = np.random.default_rng(0).normal(size=(COUNT, 3, 3, 3))  # i, k, l, c
    shares /= np.abs(shares).sum(axis=(1, 2), keepdims=True)
    rows, columns = (
        np.cos(np.pi * np.arange(3)[:, None] * (np.arange(n) + 0.5) / n) for n in size
    )
    images = np.einsum("iklc,ky,lx->iyxc", shares, rows, columns)
    return ops.convert_to_tensor(images.astype("float32"))


def amounts_of(layer, images, seed):
    """Draws with a layer of Keras: what it takes, and what the map of ours takes."""
    drawn = layer.get_random_transformation(images, training=True, seed=seed)
    height, width = images.shape[1:3]
    match layer:
        case layers.RandomFlip():
            step = affine.flip, ops.where(drawn["flips"], -1, 1)
        case layers.RandomRotation():
            step = affine.rotate, drawn["angle"] * (math.pi / 180)
        case layers.RandomZoom():
            step = affine.zoom, drawn["height_zoom"] - 1, drawn["width_zoom"] - 1
        case layers.RandomTranslation():
            right, down = ops.split(drawn["translations"], 2, axis=1)
            step = affine.shift, down / height, right / width
        case layers.RandomShear():
            step = affine.shear, drawn["shear_factor"][:, 0]
    change, *amounts = step
    return drawn, (change, *(ops.reshape(amount, (-1, 1, 1)) for amount in amounts))


def both(images, chain, border, size):
    """Images after a chain of Keras' layers, and after the same chain of maps."""
    expected = layers.Resizing(*size)(images)
    steps, seed = [], keras.random.SeedGenerator(0)  # each draw has its own numbers
    for layer in chain:
        drawn, step = amounts_of(layer, expected, seed)
        expected = layer.transform_images(expected, drawn, training=True)
        steps.append(step)
    result = affine.warp(images, steps, border, size)
    return ops.convert_to_numpy(result), ops.convert_to_numpy(expected)


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize(
    ("kind", "factors"),
    [
        (layers.RandomRotation, (0.1,)),
        (layers.RandomZoom, (0.4, 0.2)),
        (layers.RandomTranslation, (0.4, 0.2)),
        (layers.RandomShear, (0.3,)),
    ],
)
def test_a_map_does_what_the_layer_of_keras_does(kind, factors, border):
    images = smooth_images(SIZE)
    layer = kind(*factors, fill_mode=border)
    result, expected = both(images, [layer], BORDERS[border], SIZE)
    np.testing.assert_allclose(result, expected, atol=1e-5)
    assert np.abs(expected - ops.convert_to_numpy(images)).max() > 0.2


def test_a_flip_is_the_flip_of_keras():
    images = smooth_images(SIZE)
    flip = layers.RandomFlip("horizontal")
    result, expected = both(images, [flip], affine.reflect, SIZE)
    np.testing.assert_array_equal(result, expected)
    changed = (result != ops.convert_to_numpy(images)).any(axis=(1, 2, 3))
    assert 0 < changed.sum() < COUNT


@pytest.mark.parametrize("size", [(72, 72), (24, 40), (31, 50), (8, 9)])
def test_without_steps_a_warp_is_the_resizing_of_keras(size):
    result, expected = both(smooth_images(SIZE), [], affine.nearest, size)
    np.testing.assert_allclose(result, expected, atol=1e-5)


# A bilinear interpolation is wrong by at most an eighth of the second derivative in
# each of the two directions: here of a cosine of one period in 32 pixels.
ERROR = 2 * (2 * math.pi / 32) ** 2 / 8


def test_the_chain_of_the_vit_is_that_of_keras():
    chain = [
        layers.RandomFlip("horizontal"),
        layers.RandomRotation(0.02),
        layers.RandomZoom(0.2, 0.2),
    ]
    images = smooth_images((32, 32))
    result, expected = both(images, chain, affine.reflect, (72, 72))
    # Keras interpolates once between pixels of 1/32 and twice of 1/72; we do it once.
    bound = (1 + 2 * (32 / 72) ** 2 + 1) * ERROR
    assert 0.001 < np.abs(result - expected).max() < bound < 0.025


def test_the_chain_of_the_resnet_is_that_of_keras():
    border = {"fill_mode": "nearest"}
    chain = [
        layers.RandomRotation(20 / 360, **border),
        layers.RandomTranslation(0.2, 0.2, **border),
        layers.RandomShear(math.tan(math.radians(0.2)), **border),
        layers.RandomZoom(0.2, 0.2, **border),
        layers.RandomFlip("horizontal"),
    ]
    images = smooth_images((32, 32))
    result, expected = both(images, chain, affine.nearest, (32, 32))
    bound = (4 + 1) * ERROR  # Keras interpolates four times
    assert 0.001 < np.abs(result - expected).max() < bound < 0.05


def read(points, image):
    points = [ops.reshape(ops.convert_to_tensor(p), (1, 1, -1)) for p in points]
    images = ops.convert_to_tensor(np.array(image)[None, ..., None])
    return ops.convert_to_numpy(affine.sample(images, points))[0, 0, :, 0].tolist()


def test_an_image_is_read_between_its_pixels():
    image = np.array([[0, 10, 20], [100, 110, 120]], "float32")
    rows, columns = [0.0, 0.5, 1.0, 0.25], [1.0, 0.0, 1.5, 2.0]
    assert read((rows, columns), image) == [10, 50, 115, 45]


def test_outside_of_an_image_its_border_is_read():
    image = np.array([[0, 10, 20], [100, 110, 120]], "uint8")
    assert read(([-5.0, 9.0, 0.5], [-0.1, 7.0, 2.1]), image) == [0, 120, 70]


def test_a_point_is_reflected_at_the_edge_of_the_image():
    points = ops.convert_to_tensor([-3.0, -1.5, -0.75, 0.0, 4.0, 4.75, 5.0, 7.0])
    rows, columns = affine.reflect((points, points), (5, 100))
    assert ops.convert_to_numpy(rows).tolist() == [2, 0.5, 0, 0, 4, 4, 4, 2]
    assert ops.convert_to_numpy(columns).tolist()[4:] == [4, 4.75, 5, 7]


def test_each_image_has_its_own_amount():
    rows = np.arange(8, dtype="float32")[:, None, None]
    ramps = ops.convert_to_tensor(np.broadcast_to(rows, (3, 8, 8, 1)))
    down = ops.reshape(ops.convert_to_tensor([0.0, 0.25, -0.5]), (3, 1, 1))
    steps = [(affine.shift, down, ops.zeros_like(down))]
    moved = affine.warp(ramps, steps, affine.nearest, (8, 8))
    assert ops.convert_to_numpy(moved)[:, 3, 4, 0].tolist() == [3, 1, 7]
