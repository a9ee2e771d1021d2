from dataclasses import replace

import keras
import numpy as np
import pytest

from vitlib import (
    REPORT_VIT,
    TINY_VIT,
    SelfAttention,
    build_vit,
    count_flops,
    transformer_block,
)

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


def test_each_call_of_a_layer_counts_with_its_own_shape():
    """In a model, and in one that is called twice itself, once a token."""
    short, long = keras.Input((3, 7)), keras.Input((5, 7))
    dense = keras.layers.Dense(2)
    joined = keras.ops.sum(dense(short), 1) + keras.ops.sum(dense(long), 1)
    both = keras.Model([short, long], joined)
    assert count_flops(both) == 2 * (3 + 5) * 7 * 2
    one, other = keras.Input((3, 7)), keras.Input((5, 7))
    twice = keras.Model([one, other], both([one, other]) + both([one, other]))
    assert count_flops(twice) == 2 * count_flops(both)


def test_a_call_beside_a_model_does_not_count_in_it():
    inputs = keras.Input((7,))
    dense = keras.layers.Dense(7)
    model = keras.Model(inputs, dense(inputs))
    dense(dense(inputs))
    assert count_flops(model) == 2 * 7 * 7


def test_a_model_that_is_not_made_of_inputs_and_outputs_is_refused():
    class Own(keras.Model):
        pass

    for model in (Own(name="own"), keras.Sequential(name="own")):
        with pytest.raises(ValueError, match="of inputs and outputs.*'own'"):
            count_flops(model)


def test_images_of_any_size_are_refused():
    inputs = keras.Input((None, None, 3), name="any")
    model = keras.Model(inputs, keras.layers.Conv2D(2, 3)(inputs))
    with pytest.raises(ValueError, match="known size.*'any'.*None"):
        count_flops(model)


class Counted:
    """A number that counts how often numbers of its kind are multiplied."""

    products = 0

    def __mul__(self, other):
        Counted.products += 1
        return self

    def __add__(self, other):
        return self


def numbers(*shape):
    return np.full(shape, Counted())


@pytest.mark.parametrize("sizes", [(3, 4, 2, 3, 5), (6, 4, 2, 3, 5), (5, 6, 3, 2, 4)])
def test_a_block_takes_the_multiplications_that_are_made_in_its_products(sizes):
    tokens, width, heads, key_dim, hidden = sizes
    Counted.products = 0
    for _ in range(heads):
        query, key, value = (
            numbers(tokens, width) @ numbers(width, key_dim) for _ in range(3)
        )
        weights = query @ key.T
        (weights @ value) @ numbers(key_dim, width)
    numbers(tokens, width) @ numbers(width, hidden) @ numbers(hidden, width)

    inputs = keras.Input((tokens, width))
    attention = SelfAttention(heads, key_dim)
    outputs = transformer_block(inputs, attention, (hidden, width))
    assert count_flops(keras.Model(inputs, outputs)) == 2 * Counted.products
    linear = 4 * width * heads * key_dim + 2 * width * hidden
    assert Counted.products == tokens * linear + 2 * tokens**2 * heads * key_dim


# The layer whose code a saved model brings along; nothing of the course may have it.
Lambda = getattr(keras.layers, "Lambda")  # noqa: B009


def squared(x):
    """The product of a sequence with itself, `(N, 8, 8)`."""
    return keras.ops.matmul(x, keras.ops.transpose(x, (0, 2, 1)))


@pytest.mark.parametrize(
    ("layer", "name"),
    [
        (keras.layers.Conv1D(4, 3), "Conv1D"),
        (keras.layers.GRU(4), "GRU"),
        (Lambda(squared, output_shape=(8, 8)), "Lambda"),
        (squared, "Matmul"),
        (lambda x: keras.ops.einsum("nld,nmd->nlm", x, x), "Einsum"),
        (lambda x: keras.layers.Dot(axes=2)([x, x]), "Dot"),
        (lambda x: keras.layers.Attention()([x, x]), "Attention"),
        (lambda x: keras.ops.conv(x, np.ones((3, 3, 4), "float32")), "Conv"),
    ],
)
def test_what_nobody_counts_is_named(layer, name):
    inputs = keras.Input((8, 3))
    with pytest.raises(ValueError, match=rf"Received: {name}, which multiplies"):
        count_flops(keras.Model(inputs, layer(inputs)))


def test_what_is_no_model_is_named():
    with pytest.raises(ValueError, match=r"needs a keras.Model .* Received: str 'x'"):
        count_flops("x")
