"""Both residual networks: their sizes, counted by hand, and what they compute."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import layers

from vitlib import (
    PRESETS,
    REPORT_RESNET,
    SmallResNetConfig,
    build_resnet,
    build_small_resnet,
    build_vit,
    count_flops,
)

pytestmark = pytest.mark.backend

MICRO = SmallResNetConfig(
    input_shape=(8, 8, 3), filters=(4, 6), blocks_per_stage=(1, 2), num_classes=5
)


def test_the_report_resnet_has_the_parameters_of_the_report():
    model = build_resnet(replace(REPORT_RESNET, augmentation="none"))
    sizes = [layer.count_params() for layer in model.layers if layer.count_params()]
    assert sizes == [42_626_560, 1_049_088, 525_312, 102_500]
    trainable = sum(int(np.prod(w.shape)) for w in model.trainable_weights)
    assert (model.count_params(), trainable) == (44_303_460, 44_205_796)
    assert model.get_layer("resnet101v2").output.shape == (None, 1, 1, 2048)
    assert model.output.shape == (None, 100)


@pytest.fixture
def micro():
    keras.utils.set_random_seed(0)
    return build_small_resnet(MICRO)


def test_a_small_resnet_has_the_parameters_counted_by_hand(micro):
    stem, first = 9 * 3 * 4, 9 * 4 * 4 + 9 * 4 * 4
    second = 9 * 4 * 6 + 9 * 6 * 6 + 4 * 6  # with its shortcut
    third = 9 * 6 * 6 + 9 * 6 * 6
    norms = [4, 4, 4, 6, 6, 6, 6]  # two a block, one after the last
    logits = 6 * 5 + 5
    trainable = stem + first + second + third + 2 * sum(norms) + logits
    assert sum(int(np.prod(w.shape)) for w in micro.trainable_weights) == trainable
    assert micro.count_params() == trainable + 2 * sum(norms) + 7


def test_a_small_resnet_has_the_arithmetic_counted_by_hand(micro):
    stem, first = 9 * 3 * 4, 2 * 9 * 4 * 4
    rest = 9 * 4 * 6 + 9 * 6 * 6 + 4 * 6 + 2 * 9 * 6 * 6
    assert count_flops(micro) == 2 * (8 * 8 * (stem + first) + 4 * 4 * rest + 6 * 5)


@pytest.mark.parametrize(("side", "sides"), [(32, [32, 32, 16, 8]), (9, [9, 9, 5, 3])])
def test_the_stem_keeps_the_size_and_each_further_stage_halves_it(side, sides):
    config = SmallResNetConfig(input_shape=(side, side, 3))
    found = [layer for layer in build_small_resnet(config).layers]
    stem = next(layer for layer in found if isinstance(layer, layers.Conv2D))
    sums = [layer for layer in found if isinstance(layer, layers.Add)]
    assert [layer.output.shape[1] for layer in (stem, *sums)] == sides


def test_a_block_whose_convolutions_are_0_hands_its_input_on(micro):
    def outputs(model):
        sums = [layer for layer in model.layers if isinstance(layer, layers.Add)]
        return keras.Model(model.input, [layer.output for layer in sums])

    convolutions = [layer for layer in micro.layers if isinstance(layer, layers.Conv2D)]
    for layer in convolutions[-2:]:  # of the last block, which has no shortcut
        layer.set_weights([np.zeros(layer.kernel.shape)])
    images = np.random.default_rng(0).uniform(0, 255, (2, 8, 8, 3))
    _, before, after = outputs(micro)(images)
    np.testing.assert_array_equal(*map(keras.ops.convert_to_numpy, (before, after)))


def test_a_small_resnet_normalises_and_varies_its_images_inside():
    model = build_small_resnet(replace(MICRO, augmentation="shift_flip", dropout=0.5))
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds[:4] == ["InputLayer", "Normalization", "Augmentation", "Conv2D"]
    assert kinds[-3:] == ["GlobalAveragePooling2D", "Dropout", "Dense"]
    images = np.random.default_rng(0).uniform(0, 255, (2, 8, 8, 3))
    still, moved = (model(images, training=training) for training in (False, True))
    assert still.shape == (2, 5)
    assert not np.allclose(*map(keras.ops.convert_to_numpy, (still, moved)))


def test_the_logits_are_float32_under_a_mixed_policy():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build_small_resnet(MICRO)
    finally:
        keras.config.set_dtype_policy("float32")
    logits = model(np.ones((1, 8, 8, 3)))
    assert keras.backend.standardize_dtype(logits.dtype) == "float32"
    assert model.layers[3].compute_dtype == "bfloat16"


@pytest.mark.parametrize(
    ("vit", "resnet", "share"),
    [("small-vit", "small-resnet", 0.01), ("tiny", "tiny-resnet", 0.15)],
)
def test_the_two_sides_of_a_comparison_are_of_a_size(vit, resnet, share):
    size = build_vit(PRESETS[vit].model).count_params()
    other = build_small_resnet(PRESETS[resnet].model).count_params()
    assert other == pytest.approx(size, rel=share)


def test_the_cifar_resnet_has_the_size_of_a_resnet_18():
    model = build_small_resnet(PRESETS["cifar-resnet"].model)
    assert model.count_params() == pytest.approx(11.2e6, rel=0.01)
