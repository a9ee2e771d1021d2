import numpy as np

from vitlib import PositionEmbedding1D, PositionEmbedding2D, relative_offsets


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
