import numpy as np
import pytest

from vitlib import (
    POSITIONS,
    PositionEmbedding1D,
    PositionEmbedding2D,
    relative_offsets,
)
from vitlib.config.models import INSIDE
from vitlib.layers.positioned_attention import POSITIONED, grid_offsets
from vitlib.layers.positions import ADDED, SinCosPosition2D

pytestmark = pytest.mark.backend


def test_the_1d_table_adds_one_vector_a_place():
    layer = PositionEmbedding1D()
    layer.build((None, 6, 4))
    table = np.random.default_rng(0).random((6, 4), "float32")
    layer.set_weights([table])
    np.testing.assert_array_equal(np.array(layer(np.zeros((2, 6, 4))))[1], table)


def test_the_2d_table_joins_row_and_column():
    layer = PositionEmbedding2D((2, 3))
    layer.build((None, 6, 4))
    rows, columns = (np.array(weight) for weight in layer.get_weights())
    table = np.array(layer(np.zeros((1, 6, 4))))[0]
    for row in range(2):
        for column in range(3):
            expected = np.concatenate([rows[row], columns[column]])
            np.testing.assert_array_equal(table[3 * row + column], expected)


def test_the_2d_table_is_smaller_than_the_1d_table():
    one, two = PositionEmbedding1D(), PositionEmbedding2D((12, 12))
    one.build((None, 144, 128))
    two.build((None, 144, 128))
    assert (one.count_params(), two.count_params()) == (144 * 128, 24 * 64)


def test_relative_offsets_depend_on_the_distance_alone():
    offsets = relative_offsets(5)
    query, key = np.indices((5, 5))
    np.testing.assert_array_equal(offsets, key - query + 4)
    assert sorted(set(offsets.ravel().tolist())) == list(range(9))


def test_the_names_of_the_configs_are_those_of_the_tables():
    assert set(POSITIONS) == {"none", *ADDED, *POSITIONED}
    assert set(INSIDE) == set(POSITIONED)


def build_sincos(grid_size, dim):
    layer = SinCosPosition2D(grid_size)
    layer.build((None, grid_size[0] * grid_size[1], dim))
    return layer


def test_sines_and_cosines_tell_row_and_column():
    """Worked out by hand for the patch of row 1 and column 2."""
    layer = build_sincos((2, 3), 8)
    angles = [1, 1 / 100], [2, 2 / 100]  # 10,000 ** (-4 * 1 / 8) is 1 / 100
    expected = [
        np.sin(angles[0]),
        np.cos(angles[0]),
        np.sin(angles[1]),
        np.cos(angles[1]),
    ]
    np.testing.assert_allclose(layer.vectors()[5], np.ravel(expected), atol=1e-6)
    assert layer.count_params() == 0


def test_products_of_sines_and_cosines_depend_on_the_offset_alone():
    vectors = np.array(build_sincos((4, 5), 16).vectors()).reshape(4, 5, 16)
    products = vectors[:3, :3].reshape(9, 16) @ vectors[1, 2]
    moved = vectors[1:, 1:4].reshape(9, 16) @ vectors[2, 3]
    np.testing.assert_allclose(products, moved, atol=1e-5)
    assert np.ptp(products) > 1


@pytest.mark.parametrize(
    ("shape", "rule"), [((6, 6), "a multiple of 4"), ((5, 8), r"2 \* 3")]
)
def test_tokens_that_do_not_fit_sines_and_cosines_are_refused(shape, rule):
    with pytest.raises(ValueError, match=rf"SinCosPosition2D.*{rule}.*Received: "):
        SinCosPosition2D((2, 3)).build((None, *shape))


@pytest.mark.parametrize("span", [(2, 3), (4, 9)])
def test_places_fill_the_span_in_equal_steps(span):
    layer = SinCosPosition2D((4, 6), span)
    layer.build((None, 24, 8))
    places = np.arctan2(layer.table[:, 0], layer.table[:, 2]).reshape(4, 6)[:3, 0]
    expected = (np.arange(4) + 0.5) * span[0] / 4 - 0.5  # the sine of the row itself
    np.testing.assert_allclose(places, expected[:3], atol=1e-5)
    own = SinCosPosition2D((4, 6))
    own.build((None, 24, 8))
    layer.set_span(None)
    np.testing.assert_array_equal(layer.table, own.table)
    assert layer.get_config()["span"] is None


def test_offsets_of_rows_and_columns_are_counted_apart_and_clipped():
    rows, columns = np.indices((3, 4)).reshape(2, 12)
    for most, clipped in ((None, (2, 3)), (1, (1, 1))):
        offsets = grid_offsets((3, 4), most)
        for places, number, limit in zip(
            (rows, columns), offsets, clipped, strict=True
        ):
            distance = places[None, :] - places[:, None]
            expected = np.sign(distance) * np.minimum(abs(distance), limit) + limit
            np.testing.assert_array_equal(number, expected)
