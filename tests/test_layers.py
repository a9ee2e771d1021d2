"""What every layer of vitlib must do: shapes, configuration, saving, precision."""

import keras
import numpy as np
import pytest

from vitlib import (
    PatchEncoder,
    Patches,
    PositionEmbedding1D,
    PositionEmbedding2D,
    RelativeSelfAttention,
    SelfAttention,
)
from vitlib.augment import Augmentation, RandomShift
from vitlib.dropout import Dropout
from vitlib.normalize import Normalization

IMAGES, PATCHES, TOKENS = (8, 12, 3), (6, 12), (6, 16)
LAYERS = [
    (Patches, {"patch_size": 4}, IMAGES, (6, 48)),
    (PositionEmbedding1D, {}, TOKENS, TOKENS),
    (PositionEmbedding2D, {"grid_size": (2, 3)}, TOKENS, TOKENS),
    (PatchEncoder, {"projection_dim": 16, "position": "none"}, PATCHES, TOKENS),
    (PatchEncoder, {"projection_dim": 16, "position": "1d"}, PATCHES, TOKENS),
    (
        PatchEncoder,
        {"projection_dim": 16, "position": "2d", "grid_size": (2, 3)},
        PATCHES,
        TOKENS,
    ),
    (SelfAttention, {"num_heads": 2, "key_dim": 8}, TOKENS, TOKENS),
    (RelativeSelfAttention, {"num_heads": 2, "key_dim": 8}, TOKENS, TOKENS),
    (Normalization, {}, IMAGES, IMAGES),
    (Dropout, {"rate": 0.1}, TOKENS, TOKENS),
    (RandomShift, {"pixels": 2}, IMAGES, IMAGES),
    (Augmentation, {"recipe": "report_vit"}, IMAGES, IMAGES),
    (Augmentation, {"recipe": "shift_flip"}, IMAGES, IMAGES),
    (Augmentation, {"recipe": "report_resnet", "image_size": 6}, IMAGES, (6, 6, 3)),
]
each_layer = pytest.mark.parametrize(("layer", "arguments", "shape", "output"), LAYERS)


def batch_of(shape):
    return np.random.default_rng(0).random((2, *shape), "float32")


@each_layer
def test_output_has_the_documented_shape(layer, arguments, shape, output):
    assert tuple(layer(**arguments)(batch_of(shape)).shape) == (2, *output)


@each_layer
def test_a_layer_comes_back_from_its_config(layer, arguments, shape, output):
    config = layer(**arguments).get_config()
    assert layer.from_config(config).get_config() == config


@each_layer
def test_a_saved_model_comes_back_the_same(layer, arguments, shape, output, tmp_path):
    inputs = keras.Input(shape)
    model = keras.Model(inputs, layer(**arguments)(inputs))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    images = batch_of(shape)
    np.testing.assert_array_equal(model(images), loaded(images))


@each_layer
def test_bfloat16_gives_nearly_the_same(layer, arguments, shape, output):
    full, half = layer(**arguments), layer(**arguments, dtype="mixed_bfloat16")
    batch = batch_of(shape)
    expected = np.array(full(batch))
    half.build((None, *shape))
    half.set_weights(full.get_weights())
    result = half(batch)
    assert keras.backend.standardize_dtype(result.dtype) == "bfloat16"
    np.testing.assert_allclose(
        np.array(keras.ops.cast(result, "float32")), expected, atol=0.05
    )
