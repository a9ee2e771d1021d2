from dataclasses import replace

import keras
import pytest

from vitlib import REPORT_VIT, TINY_VIT, build_vit, count_flops

pytestmark = pytest.mark.backend


def test_the_report_vit_takes_2_6_billion_operations():
    tokens, width = 144, 8 * 128
    block = tokens * (4 * 128 * width + 2 * 128 * 256) + 2 * tokens**2 * width
    head = 18_432 * 2048 + 2048 * 1024 + 1024 * 100
    expected = 2 * (tokens * 108 * 128 + 10 * block + head)
    assert count_flops(build_vit(REPORT_VIT)) == expected
    assert expected / 1e9 == pytest.approx(2.632, abs=0.001)  # 2.632 worked out by hand


def test_relative_positions_add_one_product_a_block():
    plain = count_flops(build_vit(TINY_VIT))
    relative = count_flops(build_vit(replace(TINY_VIT, position="relative")))
    assert relative - plain == TINY_VIT.num_layers * 2 * 16**2 * 64


def test_a_convolution_counts_each_place_of_its_output():
    inputs = keras.Input((8, 8, 3))
    outputs = keras.layers.Conv2D(5, 3, strides=2, padding="same")(inputs)
    assert count_flops(keras.Model(inputs, outputs)) == 2 * 4 * 4 * 3 * 3 * 3 * 5


def test_a_model_inside_a_model_is_counted():
    inputs = keras.Input((7,))
    inner = keras.Sequential([keras.Input((7,)), keras.layers.Dense(3)])
    outputs = keras.layers.Dense(2)(inner(inputs))
    assert count_flops(keras.Model(inputs, outputs)) == 2 * (7 * 3 + 3 * 2)
