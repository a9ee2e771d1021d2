"""Positions of another grid: a ramp stays one, and what has no place is copied."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from vitlib import (
    COMPACT_VIT,
    POSITIONS,
    TINY_VIT,
    SmallResNetConfig,
    build_encoder,
    build_small_resnet,
    build_vit,
    resize_positions,
)
from vitlib.layers.patch_encoder import PatchEncoder
from vitlib.layers.positioned_attention import (
    GridRelativeSelfAttention,
    RotarySelfAttention,
)
from vitlib.models.resize import resize_table
from vitlib.models.walk import find

pytestmark = pytest.mark.backend

TINY = replace(TINY_VIT, projection_dim=16, key_dim=4, mlp_units=(8, 16), num_classes=4)
LARGER = 48  # pixels: 6 x 6 patches in place of 4 x 4
# Positions whose weights, if any, belong to no grid.
FREE = ("none", "sincos", "rope", "relative2d-wide")


def changed(model):
    """A model with all of its weights drawn anew, from the same seed each time."""
    chance = np.random.default_rng(2)
    model.set_weights([chance.uniform(0.1, 0.5, w.shape) for w in model.weights])
    return model


def position_of(model):
    return find(model, PatchEncoder)[0].add_position


def places(size, count):
    """Where the patches of a new axis stand on the scale of the old one."""
    return (np.arange(size) + 0.5) * count / size - 0.5


@pytest.mark.parametrize(
    ("table", "resized"),
    [
        ([0.0, 2.0], [-0.5, 0.5, 1.5, 2.5]),
        ([1.0, 3.0, 5.0, 3.0], [2.0, 4.0]),
        ([7.0], [7.0, 7.0, 7.0]),
        ([1.0, 9.0, 2.0], [1.0, 9.0, 2.0]),
    ],
)
def test_a_vector_stands_at_its_place_between_its_neighbours(table, resized):
    both = np.stack([table, np.negative(table)], axis=1)
    expected = np.stack([resized, np.negative(resized)], axis=1)
    np.testing.assert_allclose(resize_table(both, len(resized)), expected)
    turned = resize_table(both.T, len(resized), axis=1)
    np.testing.assert_allclose(turned, expected.T)


@pytest.mark.parametrize(
    ("position", "build"),
    [("1d", build_encoder), *((position, build_vit) for position in POSITIONS)],
)
def test_the_same_grid_keeps_every_weight(position, build):
    config = replace(TINY, position=position)
    model = changed(build(config))
    target = resize_positions(model, build(config))
    for old, new in zip(model.get_weights(), target.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("size", [16, 40, LARGER])
def test_a_ramp_stays_a_ramp(size):
    """Of a table of 4 x 4 vectors that rise evenly, along rows and along columns."""
    count, sides = size // 8, np.arange(4.0)
    slopes = np.random.default_rng(0).normal(size=(2, 16))
    model, target = build_vit(TINY), build_vit(replace(TINY, image_size=size))
    ramp = sides[:, None, None] * slopes[0] + sides[None, :, None] * slopes[1]
    position_of(model).set_weights([ramp.reshape(16, 16)])
    new = places(count, 4)
    expected = new[:, None, None] * slopes[0] + new[None, :, None] * slopes[1]
    (table,) = position_of(resize_positions(model, target)).get_weights()
    np.testing.assert_allclose(table, expected.reshape(-1, 16), atol=1e-5)


def test_rows_and_columns_of_their_own_are_ramps_each():
    config = replace(TINY, position="2d")
    model, target = build_vit(config), build_vit(replace(config, image_size=LARGER))
    slopes = np.random.default_rng(0).normal(size=(2, 8))
    tables = [np.arange(4.0)[:, None] * slope for slope in slopes]
    position_of(model).set_weights(tables)
    resized = position_of(resize_positions(model, target)).get_weights()
    for table, slope in zip(resized, slopes, strict=True):
        expected = places(6, 4)[:, None] * slope
        np.testing.assert_allclose(table, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("base", "position"),
    [(replace(COMPACT_VIT, num_layers=1), "1d"), *((TINY, free) for free in FREE)],
)
def test_all_other_weights_are_copied(base, position):
    config = replace(base, position=position)
    larger = replace(config, image_size=LARGER, input_shape=(LARGER, LARGER, 3))
    model, target = changed(build_vit(config)), build_vit(larger)
    assert resize_positions(model, target) is target
    for old, new in zip(model.weights, target.weights, strict=True):
        if old.name != "position_embedding":
            np.testing.assert_array_equal(old, new)
    images = np.zeros((2, LARGER, LARGER, 3))
    assert np.isfinite(np.array(target(images))).all()


def on_grid(numbers, side):
    return np.reshape(numbers, (side, side, -1))


def test_a_formula_gives_the_places_of_the_new_grid():
    """A place that both grids have keeps its vector, or its angles."""
    for position in ("sincos", "rope"):
        configs = [replace(TINY, position=position, image_size=s) for s in (32, LARGER)]
        old, new = map(build_vit, configs)
        resize_positions(old, new)
        if position == "sincos":
            small, large = position_of(old).table, position_of(new).table
        else:
            small, large = (find(m, RotarySelfAttention)[0].cos for m in (old, new))
        kept = on_grid(large, 6)[:4, :4]
        np.testing.assert_array_equal(kept, on_grid(small, 4))


@pytest.mark.parametrize("position", ["sincos", "rope"])
def test_scaled_places_fill_the_new_grid_as_they_filled_the_old_one(position, tmp_path):
    """A grid of three times as many places has the old ones in the middle of threes.

    A model that was called before has the new places, too, and so has a saved one.
    """
    configs = [replace(TINY, position=position, image_size=s) for s in (32, 96)]
    old, new = map(build_vit, configs)
    images = np.random.default_rng(0).random((2, 32, 32, 3), "float32")
    new.predict(images, verbose=0)
    resize_positions(changed(old), new, scaled=True)
    if position == "sincos":
        small, large = position_of(old).table, position_of(new).table
    else:
        small, large = (find(m, RotarySelfAttention)[0].cos for m in (old, new))
    middle = on_grid(large, 12)[1::3, 1::3]
    np.testing.assert_allclose(middle, on_grid(small, 4), atol=1e-6)
    scaled = new.predict(images, verbose=0)
    new.save(tmp_path / "scaled.keras")
    loaded = keras.saving.load_model(tmp_path / "scaled.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded.predict(images, verbose=0), scaled)
    resize_positions(old, fresh := build_vit(configs[1]))
    counted = fresh.predict(images, verbose=0)
    assert np.abs(counted - scaled).max() > 1e-4


def test_offsets_follow_the_share_of_the_grid_that_they_span():
    """A table that rises evenly does so on the new grid, and 0 stays where it is."""
    configs = [replace(TINY, position="relative2d", image_size=s) for s in (32, LARGER)]
    old, new = map(build_vit, configs)
    slopes = np.random.default_rng(0).normal(size=(2, 2))
    layer = find(old, GridRelativeSelfAttention)[0]
    for table, slope in zip(layer.key_tables, slopes, strict=True):
        table.assign(np.arange(-3.0, 4.0)[:, None] * slope)
    resize_positions(old, new)
    tables = find(new, GridRelativeSelfAttention)[0].key_tables
    for table, slope in zip(tables, slopes, strict=True):
        expected = np.arange(-5.0, 6.0)[:, None] * 4 / 6 * slope
        np.testing.assert_allclose(np.array(table), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "others", "rule"),
    [
        ({"position": "relative"}, {}, r"offset_position_embedding of \(31, 4\) and"),
        ({"pooling": "flatten"}, {}, r"logits/kernel of \(256, 4\) and \(576, 4\)"),
        ({}, {"position": "2d"}, r"two models of one position,.* \('1d', '2d'\)"),
        ({}, {"num_layers": 2}, "two models of the same layers. Received: 'vit' and"),
        ({}, {"num_classes": 5}, r"kernel of \(16, 4\) and \(16, 5\)."),
    ],
)
def test_what_cannot_be_resized_is_refused_and_left_as_it_was(changes, others, rule):
    config = replace(TINY, **changes)
    model = changed(build_vit(config))
    target = build_vit(replace(config, image_size=LARGER, **others))
    before = target.get_weights()
    with pytest.raises(ValueError, match=rule) as caught:
        resize_positions(model, target)
    assert str(caught.value).count("\n") == 0
    for old, new in zip(before, target.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_model_without_patches_is_refused():
    config = SmallResNetConfig(filters=(4,), blocks_per_stage=(1,))
    model = build_small_resnet(config)
    with pytest.raises(ValueError, match="must have a layer PatchEncoder"):
        resize_positions(model, model)


def draw_quadrants(count, seed):
    """Images of noise with a bright square in one of their quarters: the class."""
    chance = np.random.default_rng(seed)
    images = chance.normal(size=(count, 32, 32, 3)).astype("float32")
    labels = chance.integers(0, 4, count)
    for image, label in zip(images, labels, strict=True):
        row, column = chance.integers(0, 9, 2) + 16 * np.array(divmod(label, 2))
        image[row : row + 8, column : column + 8] += 4
    return images, labels


@pytest.mark.parametrize("position", ["1d", "2d"])
def test_a_trained_model_still_knows_places_at_one_and_a_half_times_the_size(position):
    config = replace(TINY, position=position)
    keras.utils.set_random_seed(0)
    model, target = build_vit(config), build_vit(replace(config, image_size=LARGER))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(2e-2), loss)
    model.fit(*draw_quadrants(4000, seed=0), batch_size=100, epochs=6, verbose=0)
    images, labels = draw_quadrants(400, seed=1)

    def accuracy(model):
        return (np.argmax(model.predict(images, verbose=0), axis=1) == labels).mean()

    resize_positions(model, target)
    kept = accuracy(target)
    tables = [np.zeros(weight.shape) for weight in position_of(target).weights]
    position_of(target).set_weights(tables)
    assert accuracy(model) > 0.8 and kept > 0.8
    assert accuracy(target) < 0.4  # without the tables: one of four, as a guess
