import numpy as np
import pytest

from vitlib import PatchEncoder
from vitlib.layers.tables import resize_grid

pytestmark = pytest.mark.backend


def count(position, grid_size=None):
    encoder = PatchEncoder(128, position, grid_size)
    encoder.build((None, 144, 108))
    return encoder.count_params()


def test_the_encoder_of_the_report_has_its_parameters():
    assert count("1d") == 32_384


def test_each_position_has_its_own_parameters():
    projection = 108 * 128 + 128
    assert count("none") == count("relative") == projection
    assert count("2d", (12, 12)) == projection + 24 * 64


def test_a_token_is_the_projected_patch_plus_its_position():
    encoder = PatchEncoder(8, "1d")
    patches = np.random.default_rng(0).random((2, 5, 12), "float32")
    tokens = encoder(patches)
    kernel, bias = encoder.projection.get_weights()
    expected = patches @ kernel + bias + encoder.add_position.get_weights()[0]
    np.testing.assert_allclose(tokens, expected, atol=1e-5)


def test_a_vector_common_to_all_places_may_be_in_the_bias_as_well():
    """So the mean of a table says nothing about places."""
    encoder = PatchEncoder(8, "1d")
    patches = np.random.default_rng(0).random((2, 5, 12), "float32")
    before = np.array(encoder(patches))
    kernel, bias = encoder.projection.get_weights()
    (table,) = encoder.add_position.get_weights()
    common = np.random.default_rng(1).random(8, "float32")
    encoder.projection.set_weights([kernel, bias - common])
    encoder.add_position.set_weights([table + common])
    np.testing.assert_allclose(encoder(patches), before, atol=1e-5)


@pytest.mark.parametrize("position", ["none", "1d", "2d", "sincos"])
def test_patches_of_a_smaller_image_get_the_vectors_of_their_places(position):
    encoder = PatchEncoder(8, position, (4, 4))
    encoder(np.zeros((1, 16, 12), "float32"))
    patches = np.random.default_rng(0).random((2, 9, 12), "float32")
    expected = np.array(encoder.projection(patches))
    if position != "none":
        vectors = np.array(encoder.add_position.vectors())
        expected += resize_grid(vectors, (4, 4), (3, 3))
    np.testing.assert_allclose(encoder(patches), expected, atol=1e-5)


def test_patches_of_no_square_are_refused():
    encoder = PatchEncoder(8, "1d", (4, 4))
    encoder(np.zeros((1, 16, 12), "float32"))
    with pytest.raises(ValueError, match="patches must be as many.*Received: 8"):
        encoder(np.zeros((1, 8, 12), "float32"))
