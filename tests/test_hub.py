"""A preset of keras-hub gives the tokens that its own model computes."""

import sys

import keras
import numpy as np
import pytest

from vitlib import load_hub_preset

pytestmark = pytest.mark.backend

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype="uint8")
SIZES = {"num_layers": 2, "num_heads": 2, "hidden_dim": 8, "patch_size": 8}


@pytest.fixture(scope="module")
def hub():
    return pytest.importorskip(
        "keras_hub", reason=".ci/run installs keras-hub for this"
    )


def save(hub, folder, kind, **settings):
    """Saves a tiny preset with weights of its own."""
    backbone = getattr(hub.models, f"{kind}Backbone")(**settings)
    for weight in backbone.weights:  # a LayerScale or a norm of ones would hide itself
        weight.assign(keras.random.normal(weight.shape, stddev=0.3))
    backbone.save_to_preset(str(folder))
    converter = getattr(hub.layers, f"{kind}ImageConverter")
    scaled = converter(image_size=(32, 32), scale=[0.01, 0.02, 0.03], offset=[0, -1, 1])
    scaled.save_to_preset(str(folder))
    return hub.models.Backbone.from_preset(str(folder))  # its positions resized anew


@pytest.fixture
def vit(hub, tmp_path):
    return save(hub, tmp_path, "ViT", mlp_dim=16, image_shape=(32, 32, 3), **SIZES)


def dinov2(hub, folder, registers=0):
    return save(
        hub,
        folder,
        "DINOV2",
        intermediate_dim=16,
        num_register_tokens=registers,
        image_shape=(32, 32, 3),
        position_embedding_shape=(40, 40, 3),
        **SIZES,
    )


def scaled(images):
    return images * np.array([0.01, 0.02, 0.03]) + np.array([0, -1, 1])


def test_a_vit_gives_the_tokens_of_its_backbone_and_of_its_blocks(vit, tmp_path):
    *blocks, last = load_hub_preset(str(tmp_path)).predict_on_batch(IMAGES)
    expected = vit.predict_on_batch(scaled(IMAGES).astype("float32"))
    np.testing.assert_allclose(last, expected, atol=1e-5)
    norm = vit.get_layer("vit_encoder").layer_norm
    np.testing.assert_allclose(norm(blocks[-1]), expected, atol=1e-5)
    assert len(blocks) == 2 and abs(blocks[0] - blocks[1]).max() > 0.1


@pytest.mark.parametrize("registers", [0, 2])
def test_a_dinov2_gives_its_tokens_without_registers(hub, tmp_path, registers):
    backbone = dinov2(hub, tmp_path, registers)
    *blocks, last = load_hub_preset(str(tmp_path)).predict_on_batch(IMAGES)
    expected = backbone.predict_on_batch({"images": scaled(IMAGES).astype("float32")})
    rest = np.delete(expected, range(1, 1 + registers), axis=1)
    np.testing.assert_allclose(last, rest, atol=1e-5)
    assert [block.shape for block in blocks] == 2 * [(3, 1 + 16, 8)]
    assert abs(blocks[0] - blocks[1]).max() > 0.1


def test_a_dinov2_takes_another_size_and_a_vit_does_not(hub, vit, tmp_path):
    with pytest.raises(ValueError, match="None or the side .* 32 pixels. .* 48"):
        load_hub_preset(str(tmp_path), 48)
    dinov2(hub, tmp_path / "other")
    last = load_hub_preset(str(tmp_path / "other"), 48).output[-1]
    assert last.shape == (None, 1 + 36, 8)


def test_no_preset_and_another_model_are_refused_in_a_sentence(hub, tmp_path):
    save(
        hub,
        tmp_path,
        "ResNet",
        input_conv_filters=[64],
        input_conv_kernel_sizes=[3],
        stackwise_num_filters=[64],
        stackwise_num_blocks=[1],
        stackwise_num_strides=[1],
        block_type="basic_block",
        image_shape=(32, 32, 3),
    )
    rule = "must be a ViT or a DINOv2 of keras-hub"
    with pytest.raises(ValueError, match=f"{rule}.*Received: .*, a ResNetBackbone"):
        load_hub_preset(str(tmp_path))
    (tmp_path / "image_converter.json").unlink()
    for preset in (tmp_path, tmp_path / "missing"):
        with pytest.raises(ValueError, match=f"{rule}.*Received: .*, .* preset"):
            load_hub_preset(str(preset))


def test_without_keras_hub_a_sentence_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    with pytest.raises(ModuleNotFoundError, match="pip install keras-hub"):
        load_hub_preset("dinov2_small")
