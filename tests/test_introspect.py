from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import ops

from vitlib import POSITIONS, TINY_VIT, SelfAttention, build_vit, join_patches
from vitlib.inspection.introspect import (
    attention_maps,
    attention_rollout,
    mean_attention_distance,
    patch_distances,
    patch_filters,
    position_similarity,
    position_table,
)
from vitlib.layers.patches import Patches

pytestmark = pytest.mark.backend

CONFIG = replace(
    TINY_VIT,
    patch_size=8,
    projection_dim=32,
    num_heads=2,
    key_dim=8,
    num_layers=2,
    mlp_units=(32,),
    dropout=0.3,
    augmentation="shift_flip",
)
IMAGES = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3))
IDENTITY = np.broadcast_to(np.eye(4, dtype="float32"), (2, 3, 2, 4, 4))
UNIFORM = np.full_like(IDENTITY, 1 / 4)


def build(**changes):
    """A model whose weights are large enough to tell its tokens apart."""
    keras.utils.set_random_seed(0)
    model = build_vit(replace(CONFIG, **changes))
    for weight in model.trainable_weights:
        if "position" in weight.name:
            weight.assign(np.random.default_rng(1).normal(size=weight.shape))
    return model


def random_maps(layers=3, batch=2, heads=2, size=4):
    values = np.random.default_rng(0).random((layers, batch, heads, size, size))
    return values / values.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("position", POSITIONS)
def test_every_block_gives_a_distribution_over_the_keys(position):
    maps = attention_maps(build(position=position), IMAGES)
    assert maps.shape == (2, 3, 2, 16, 16)
    assert maps.dtype == np.float32
    assert maps.min() >= 0
    np.testing.assert_allclose(maps.sum(axis=-1), 1, atol=1e-5)
    assert np.ptp(maps) > 1e-3


def hand_made_maps(layer, tokens):
    """Softmax of query times key, from the weights alone, without the layer's call."""
    (wq, bq), (wk, bk) = (
        [ops.convert_to_numpy(weight).astype("float64") for weight in dense.weights]
        for dense in (layer.query_dense, layer.key_dense)
    )
    shape = (*tokens.shape[:2], layer.num_heads, layer.key_dim)
    query = (tokens @ wq + bq).reshape(shape).swapaxes(1, 2)
    key = (tokens @ wk + bk).reshape(shape).swapaxes(1, 2)
    logits = query @ key.swapaxes(2, 3) / np.sqrt(key.shape[-1])
    exponents = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponents / exponents.sum(axis=-1, keepdims=True)


def test_the_maps_are_the_softmax_of_query_times_key():
    model = build()
    norms = [m for m in model.layers if isinstance(m, keras.layers.LayerNormalization)]
    heads = [m for m in model.layers if isinstance(m, SelfAttention)]
    entrances = keras.Model(model.input, [norms[0].output, norms[2].output])
    tokens = entrances(IMAGES.astype("float32"), training=False)
    maps = attention_maps(model, IMAGES)
    for layer, x, found in zip(heads, tokens, maps, strict=True):
        expected = hand_made_maps(layer, ops.convert_to_numpy(x))
        np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("position", ["1d", "relative"])
def test_maps_are_the_same_again_and_leave_the_model_as_it_was(position):
    model = build(position=position)
    before = [ops.convert_to_numpy(v) for v in model.variables]
    nodes = [len(layer._inbound_nodes) for layer in model.layers]
    logits = ops.convert_to_numpy(model(IMAGES.astype("float32"), training=False))
    first = attention_maps(model, IMAGES)
    np.testing.assert_array_equal(first, attention_maps(model, IMAGES))
    after = [ops.convert_to_numpy(v) for v in model.variables]
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(old, new)
    assert nodes == [len(layer._inbound_nodes) for layer in model.layers]
    again = ops.convert_to_numpy(model(IMAGES.astype("float32"), training=False))
    np.testing.assert_array_equal(logits, again)


def test_without_positions_permuted_patches_give_permuted_maps():
    model = build(position="none", num_layers=1)
    order = np.random.default_rng(2).permutation(16)
    patches = ops.convert_to_numpy(Patches(8)(IMAGES))[:, order]
    permuted = attention_maps(model, join_patches(patches, (32, 32)))
    expected = attention_maps(model, IMAGES)[..., order, :][..., order]
    np.testing.assert_allclose(permuted, expected, atol=1e-5)


def test_half_precision_gives_float32_maps():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build()
    finally:
        keras.config.set_dtype_policy("float32")
    maps = attention_maps(model, IMAGES)
    assert maps.dtype == np.float32
    np.testing.assert_allclose(maps.sum(axis=-1), 1, atol=0.02)


def test_a_model_without_attention_is_refused():
    inputs = keras.Input((32, 32, 3))
    model = keras.Model(inputs, keras.layers.Flatten()(inputs), name="flat")
    with pytest.raises(ValueError, match=r"a layer SelfAttention.*Received: 'flat'"):
        attention_maps(model, IMAGES)


def test_rollout_multiplies_the_blocks_half_attention_half_identity():
    maps = random_maps()
    expected = np.eye(4)
    for layer in range(3):
        expected = (0.5 * maps[layer, 1].mean(axis=0) + 0.5 * np.eye(4)) @ expected
    np.testing.assert_allclose(attention_rollout(maps)[1], expected, atol=1e-12)


def test_rollout_of_rows_that_sum_to_one_has_such_rows():
    rollout = attention_rollout(random_maps())
    assert rollout.shape == (2, 4, 4)
    np.testing.assert_allclose(rollout.sum(axis=-1), 1)


def test_rollout_normalises_rows_that_do_not_sum_to_one():
    rollout = attention_rollout(3 * random_maps())
    np.testing.assert_allclose(rollout.sum(axis=-1), 1)


def test_rollout_of_the_identity_is_the_identity():
    np.testing.assert_array_equal(attention_rollout(IDENTITY), IDENTITY[0, :, 0])


def test_rollout_of_uniform_attention_keeps_a_fourth_of_each_patch():
    own = 1 / 4 + 3 / 4 * 1 / 4  # two blocks, each half identity and half a fourth
    rollout = attention_rollout(UNIFORM)
    np.testing.assert_allclose(np.diagonal(rollout, axis1=1, axis2=2), own, atol=1e-6)
    assert rollout.dtype == np.float32


def test_distances_of_centers_are_those_of_a_ruler():
    distances = patch_distances((2, 3), patch_size=4)
    assert distances.shape == (6, 6)
    np.testing.assert_array_equal(distances, distances.T)
    np.testing.assert_allclose(distances[0], 4 * np.sqrt([0, 1, 4, 1, 2, 5]))


def test_attention_to_oneself_has_distance_zero():
    distance = mean_attention_distance(IDENTITY, (2, 2), patch_size=8)
    np.testing.assert_array_equal(distance, np.zeros((2, 2)))


def test_uniform_attention_on_four_patches_has_the_distance_of_hand():
    expected = (0 + 8 + 8 + 8 * np.sqrt(2)) / 4  # itself, beside, below, diagonal
    distance = mean_attention_distance(UNIFORM, (2, 2), patch_size=8)
    np.testing.assert_allclose(distance, np.full((2, 2), expected), rtol=1e-6)


def test_each_head_of_each_layer_has_its_own_distance():
    maps = UNIFORM.copy()
    maps[1, :, 0] = np.eye(4)[::-1]  # each corner looks at the opposite one
    distance = mean_attention_distance(maps, (2, 2), patch_size=1)
    np.testing.assert_allclose(distance[1, 0], np.sqrt(2))
    np.testing.assert_allclose(distance[[0, 0, 1], [0, 1, 1]], 0.25 * (2 + np.sqrt(2)))


def test_a_grid_of_the_wrong_size_is_refused():
    with pytest.raises(ValueError, match=r"4 patches.*Received: 2 \* 3"):
        mean_attention_distance(UNIFORM, (2, 3), patch_size=8)
    with pytest.raises(ValueError, match=r"6 patches.*Received: 2 \* 2"):
        position_similarity(np.ones((6, 5)), (2, 2))


@pytest.mark.parametrize("position", ["1d", "2d"])
def test_the_table_is_what_the_encoder_adds(position):
    model = build(position=position)
    encoder = next(m for m in model.layers if hasattr(m, "add_position"))
    added = ops.convert_to_numpy(encoder.add_position(np.zeros((1, 16, 32), "float32")))
    table = position_table(model)
    assert table.shape == (16, 32)
    np.testing.assert_array_equal(table, added[0])


@pytest.mark.parametrize("position", ["none", "relative"])
def test_a_model_that_adds_no_position_has_no_table(position):
    with pytest.raises(ValueError, match=f"one of .*'1d'.*Received: .*'{position}'"):
        position_table(build(position=position))


def test_a_model_without_a_patch_encoder_is_refused():
    inputs = keras.Input((32, 32, 3))
    model = keras.Model(inputs, keras.layers.Flatten()(inputs), name="flat")
    for question in (position_table, patch_filters):
        with pytest.raises(ValueError, match=r"PatchEncoder.*Received: 'flat'"):
            question(model)


def test_similarity_is_the_cosine_of_two_places():
    embedding = np.random.default_rng(0).normal(size=(6, 5))
    similarity = position_similarity(embedding, (2, 3))
    assert similarity.shape == (2, 3, 2, 3)
    first, other = embedding[1], embedding[5]  # (0, 1) and (1, 2)
    lengths = np.sqrt(first @ first) * np.sqrt(other @ other)
    np.testing.assert_allclose(similarity[0, 1, 1, 2], first @ other / lengths)
    np.testing.assert_allclose(similarity[0, 1, 0, 1], 1)
    swapped = similarity.transpose(2, 3, 0, 1)
    np.testing.assert_allclose(similarity, swapped)


def test_a_place_without_an_embedding_is_similar_to_none():
    embedding = np.eye(4) - np.diag([0, 0, 0, 1])
    similarity = position_similarity(embedding, (2, 2)).reshape(4, 4)
    np.testing.assert_array_equal(similarity, np.diag([1, 1, 1, 0]))


def with_kernel(kernel):
    model = build()
    encoder = next(m for m in model.layers if hasattr(m, "projection"))
    encoder.projection.kernel.assign(kernel)
    return model


def test_a_kernel_of_two_patterns_gives_these_two():
    rng = np.random.default_rng(0)
    patterns, _ = np.linalg.qr(rng.normal(size=(192, 2)))
    mixes, _ = np.linalg.qr(rng.normal(size=(32, 2)))
    model = with_kernel(patterns @ np.diag([3.0, 1.0]) @ mixes.T)
    filters, shares = patch_filters(model, components=3)
    assert filters.shape == (3, 8, 8, 3)
    np.testing.assert_allclose(shares, [0.9, 0.1, 0], atol=1e-6)
    for found, pattern in zip(filters, patterns.T, strict=False):
        sign = np.sign(pattern[np.abs(pattern).argmax()])
        np.testing.assert_allclose(found.ravel(), sign * pattern, atol=1e-5)


def test_all_patterns_together_stand_for_the_whole_kernel():
    filters, shares = patch_filters(build(), components=32)
    np.testing.assert_allclose(shares.sum(), 1)
    assert (np.diff(shares) <= 0).all()
    rows = filters.reshape(32, -1)
    np.testing.assert_allclose(rows @ rows.T, np.eye(32), atol=1e-9)


@pytest.mark.parametrize("components", [0, 33])
def test_more_patterns_than_there_are_are_refused(components):
    with pytest.raises(ValueError, match=f"from 1 to 32.*Received: {components}"):
        patch_filters(build(), components)
