from dataclasses import replace

import keras
import numpy as np
import pytest

from vitlib import (
    COMPACT_VIT,
    POSITIONS,
    REPORT_VIT,
    TINY_VIT,
    ViTConfig,
    build_vit,
    join_patches,
)
from vitlib.layers.patches import Patches
from vitlib.studies import PRESETS
from vitlib.training.instruments import head_layers

pytestmark = pytest.mark.backend


def counts(model):
    total = model.count_params()
    trainable = sum(int(np.prod(w.shape)) for w in model.trainable_weights)
    return total, trainable, total - trainable


def random_images(count=2, size=32):
    pixels = np.random.default_rng(0).integers(0, 256, (count, size, size, 3))
    return pixels.astype("float32")


def test_the_report_vit_has_the_parameters_of_the_report():
    model = build_vit(REPORT_VIT)
    assert counts(model) == (45_923_307, 45_923_300, 7)
    sizes = [layer.count_params() for layer in model.layers if layer.count_params()]
    assert sizes[:7] == [7, 32_384, 256, 527_488, 256, 33_024, 32_896]
    assert sizes[-4:] == [256, 37_750_784, 2_098_176, 102_500]


@pytest.mark.parametrize(
    ("position", "total"),
    [
        ("none", 45_923_307 - 144 * 128),
        ("2d", 45_923_307 - 144 * 128 + 24 * 64),
        ("relative", 45_923_307 - 144 * 128 + 10 * 287 * 128),
        ("relative2d", 45_923_307 - 144 * 128 + 10 * 2 * 23 * 64),
        ("relative2d-wide", 45_923_307 - 144 * 128 + 10 * 4 * 5 * 64),
    ],
)
def test_positions_change_the_parameters_by_their_tables(position, total):
    assert build_vit(replace(REPORT_VIT, position=position)).count_params() == total


def permuted_patches(images, size):
    patches = np.array(Patches(size)(images))
    order = np.random.default_rng(1).permutation(patches.shape[1])
    return np.array(join_patches(patches[:, order], images.shape[1:3]))


def logits_change(position, pooling):
    keras.utils.set_random_seed(0)
    config = replace(TINY_VIT, position=position, pooling=pooling)
    model, images = build_vit(config), random_images(4)
    for weight in model.trainable_weights:  # positions start too small to see
        if "position" in weight.name:
            weight.assign(np.random.default_rng(2).normal(size=weight.shape))
    shuffled = permuted_patches(images, TINY_VIT.patch_size)
    difference = np.array(model(images / 99)) - np.array(model(shuffled / 99))
    return np.abs(difference).max()


def test_without_position_the_order_of_the_patches_does_not_matter():
    assert logits_change("none", "mean") < 1e-5


@pytest.mark.parametrize("position", POSITIONS[1:])
def test_with_a_position_the_order_of_the_patches_matters(position):
    assert logits_change(position, "mean") > 1e-3


def test_a_flattened_head_knows_the_order_without_a_position():
    assert logits_change("none", "flatten") > 1e-3


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("base", [TINY_VIT, COMPACT_VIT], ids=["tiny", "compact"])
def test_a_model_gives_one_logit_a_class(base, position):
    model = build_vit(replace(base, position=position, num_classes=7))
    assert tuple(model(random_images(3)).shape) == (3, 7)


def test_a_saved_model_comes_back_the_same(tmp_path):
    model = build_vit(replace(COMPACT_VIT, position="relative", num_layers=1))
    model.save(tmp_path / "vit.keras")
    loaded = keras.saving.load_model(tmp_path / "vit.keras", safe_mode=True)
    images = random_images()
    np.testing.assert_array_equal(model(images), loaded(images))


def test_logits_are_float32_under_a_half_precision_policy():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build_vit(TINY_VIT)
    finally:
        keras.config.set_dtype_policy("float32")
    assert keras.backend.standardize_dtype(model.output.dtype) == "float32"


def test_the_report_vit_takes_small_images_and_raises_them_to_72_pixels():
    model = build_vit(ViTConfig(num_layers=1, head_units=()))
    assert model.input_shape == (None, 32, 32, 3)
    kinds = [type(layer).__name__ for layer in model.layers[:3]]
    assert kinds == ["InputLayer", "Normalization", "Augmentation"]
    assert model.layers[2].output.shape == (None, 72, 72, 3)


def test_the_first_weights_of_the_hidden_head_can_be_scaled():
    made = []
    for scale in (1.0, 0.1):
        config = replace(TINY_VIT, head_units=(24, 12), head_init_scale=scale)
        keras.utils.set_random_seed(0)
        made.append(build_vit(config))
    plain, scaled = (model.get_weights() for model in made)
    kernels = [layer.kernel for layer in head_layers(made[0])[1]]
    for weight, first, second in zip(made[0].weights, plain, scaled, strict=True):
        scale = 0.1 if any(weight is kernel for kernel in kernels) else 1.0
        np.testing.assert_allclose(second, scale * first, rtol=1e-5, atol=1e-7)
    assert len(kernels) == 2


def test_the_compact_vit_is_compact():
    assert build_vit(COMPACT_VIT).count_params() < 0.05 * 45_923_307


def test_the_hybrid_for_a_gpu_has_the_size_of_its_model():
    """CCT-7/3x1 of Hassani et al., 2021, has 3.76 million; ours adds a projection."""
    model = build_vit(PRESETS["small-image-hybrid"].model)
    assert model.count_params() == pytest.approx(3.76e6, rel=0.03)
    assert PRESETS["small-image-hybrid"].model.num_patches == 256
