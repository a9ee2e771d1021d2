"""Segmentation: heads, targets that move with their images, and a training."""

from dataclasses import asdict, replace

import keras
import numpy as np
import pytest
from scipy.special import log_softmax
from small_scenes import draw_split, small_scenes

from vitlib import TINY_VIT, TrainConfig, build_model, evaluate, train
from vitlib.config.dense import DetectionConfig, SegmentationConfig
from vitlib.config.masked import MaskedAutoencoderConfig
from vitlib.config.models import ViTConfig
from vitlib.data.class_maps import class_map
from vitlib.data.moves import draw_moves
from vitlib.models.build import BUILDERS
from vitlib.models.transfer import begin_with
from vitlib.models.vit import build_encoder
from vitlib.training.confusion import confusion_matrix, mean_iou
from vitlib.training.losses import CrossEntropy
from vitlib.training.segmentation import Segmentation

pytestmark = pytest.mark.backend

SMALL = replace(
    TINY_VIT,
    projection_dim=32,
    num_heads=2,
    mlp_units=(64, 32),
    patch_size=4,
    num_classes=3,
)
PIXELS = SegmentationConfig(**asdict(SMALL))
PATCH = replace(PIXELS, head="patch")
ALONE = replace(PIXELS, attention=False)
TRAINING = TrainConfig(
    epochs=4, batch_size=32, learning_rate=1e-2, schedule="cosine", warmup_epochs=1
)
IMAGES = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype="uint8")


def build(config):
    keras.utils.set_random_seed(0)
    return BUILDERS[type(config)](config)


@pytest.mark.parametrize("config", [PIXELS, PATCH], ids=["pixels", "patch"])
def test_each_logit_stands_at_its_pixel(config):
    """With the weights 0 the biases tell which unit of the head is shown where."""
    model = build(config)
    kernel, bias = model.get_layer("logits").weights
    kernel.assign(np.zeros(kernel.shape))
    bias.assign(np.arange(bias.shape[0]))
    row, column, number = np.indices((32, 32, 3))
    inside = 3 * (row % 4 * 4 + column % 4) if config is PIXELS else 0
    expected = np.broadcast_to(inside + number, (2, 32, 32, 3))
    np.testing.assert_array_equal(model.predict_on_batch(IMAGES), expected)


def test_a_patch_has_one_answer():
    logits = build(PATCH).predict_on_batch(IMAGES)
    tiles = logits.reshape(2, 8, 4, 8, 4, 3)
    assert np.ptp(tiles, axis=(2, 4)).max() == 0
    assert np.ptp(tiles, axis=(1, 3)).min() > 0


@pytest.mark.parametrize("config", [PIXELS, ALONE], ids=["attention", "alone"])
def test_without_attention_a_token_knows_of_its_own_patch_alone(config):
    model, other = build(config), IMAGES.copy()
    other[:, 4:8, 8:12] = 255 - other[:, 4:8, 8:12]
    pair = map(model.predict_on_batch, (IMAGES, other))
    moved = np.abs(np.subtract(*pair)).max(axis=(0, 3)) > 1e-6
    assert moved[4:8, 8:12].all()
    moved[4:8, 8:12] = False
    assert moved.mean() > 0.9 if config.attention else not moved.any()


def test_a_head_adds_one_dense_layer_to_the_encoder():
    encoder = build_encoder(PIXELS).count_params()
    assert build(PATCH).count_params() == encoder + 33 * 3
    assert build(PIXELS).count_params() == encoder + 33 * 16 * 3
    hidden = replace(PIXELS, head_units=(20,))
    assert build(hidden).count_params() == encoder + 33 * 20 + 21 * 48
    blocks = 4 * 32 * 32 + 4 * 32 + 2 * 32  # an attention, and the norm before it
    assert build(ALONE).count_params() == build(PIXELS).count_params() - blocks


def test_images_and_class_maps_are_varied_together():
    """Of images that show their class maps it is seen at once."""
    split, task = draw_split(200, 0), Segmentation(PIXELS)
    maps = task.targets(split)
    shown = np.repeat(maps[..., None], 3, axis=-1)
    images, targets = task.vary(shown, maps, np.random.default_rng(3))
    np.testing.assert_array_equal(images[..., 0], targets)
    moves = draw_moves(200, np.random.default_rng(3), 4)
    still = ~np.any(moves, axis=0)
    assert 0 < still.sum() < 20
    np.testing.assert_array_equal(targets[still], maps[still])
    assert (targets[~still] != maps[~still]).any(axis=(1, 2)).mean() > 0.6
    quiet = Segmentation(replace(PIXELS, moves=0))
    assert quiet.vary(shown, maps, None) == (shown, maps)


def test_the_loss_of_maps_is_that_of_their_pixels():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(2, 4, 5, 3)).astype("float32")
    maps = rng.integers(0, 3, (2, 4, 5))
    for smoothing in (0.0, 0.1):
        loss = CrossEntropy(smoothing)
        pixels = float(loss(maps.ravel(), logits.reshape(-1, 3)))
        assert float(loss(maps, logits)) == pytest.approx(pixels, rel=1e-6)


def test_the_scores_are_those_of_all_pixels_at_once():
    rng, maps = np.random.default_rng(0), class_map(draw_split(130, 0))
    logits = rng.normal(size=(*maps.shape, 3)).astype("float32")
    found = Segmentation(PIXELS).score(logits, maps)
    rows = log_softmax(logits.astype("float64"), axis=-1).reshape(-1, 3)
    loss = -rows[np.arange(len(rows)), maps.ravel()].mean()
    guess = logits.argmax(axis=-1)
    assert found == pytest.approx(
        {
            "loss": loss,
            "accuracy": (guess == maps).mean(),
            "miou": mean_iou(confusion_matrix(maps, guess, 3)),
        }
    )
    perfect = Segmentation(PIXELS).score(50 * np.eye(3)[maps], maps)
    assert perfect == pytest.approx({"loss": 0, "accuracy": 1, "miou": 1})


@pytest.mark.parametrize("config", [PIXELS, PATCH], ids=["pixels", "patch"])
def test_a_training_finds_the_kinds_and_says_so(config):
    data, said, task = small_scenes(), [], Segmentation(config)
    model = build_model(config, TRAINING)
    run = train(model, data, TRAINING, report=said.append, task=task)
    assert run.task == "segmentation" and set(run.test) == set(task.scores)
    scores = {*task.scores} - {"miou"} | {f"val_{name}" for name in task.scores}
    assert set(run.history) == scores | {"learning_rate", "seconds"}
    assert {len(values) for values in run.history.values()} == {4}
    found = run.history["val_miou"]
    assert run.best_epoch == 1 + int(np.argmax(found)) and max(found) > 0.4
    assert evaluate(model, data.test, task) == run.test
    assert f"mean IoU {found[-1]:.3f} in validation" in said[-1]


def test_a_model_is_saved_and_loaded(tmp_path):
    model = build_model(PIXELS, TRAINING)
    model.compile("sgd", Segmentation(PIXELS).loss(TRAINING))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    outputs = (each.predict_on_batch(IMAGES) for each in (model, loaded))
    np.testing.assert_array_equal(*outputs)
    assert isinstance(loaded.loss, CrossEntropy)


@pytest.mark.parametrize("target", [PIXELS, DetectionConfig(**asdict(SMALL))])
@pytest.mark.parametrize("kind", [ViTConfig, MaskedAutoencoderConfig])
def test_a_dense_model_begins_with_the_encoder_of_another(kind, target):
    there = kind(**asdict(SMALL))
    keras.utils.set_random_seed(1)
    source, model = BUILDERS[kind](there), build(target)
    begin_with(model, target, source, there)
    weights = len(build_encoder(target).weights)
    for mine, other in zip(
        model.weights[:weights], source.weights[:weights], strict=True
    ):
        np.testing.assert_array_equal(mine, other)
    alone = replace(target, attention=False)
    with pytest.raises(ValueError, match=r"attention=False, as .* Received: True\."):
        begin_with(build(alone), alone, source, there)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"augmentation": "shift_flip"}, "augmentation must be 'none'.*'shift_flip'"),
        ({"image_size": 48}, r"image_size must be that of input_shape=.* 48\."),
        ({"moves": 32}, r"moves must be an integer from 0 .* including, 32.* 32\."),
        ({"moves": True}, r"moves must be an integer .*Received: True\."),
        ({"attention": 1}, r"attention must be True or False\. Received: 1\."),
        ({"head": "cells"}, r"head must be one of \('patch', 'pixels'\)\. Received"),
        ({"num_classes": 1}, r"num_classes must be at least 2: .* Received: 1\."),
    ],
    ids=lambda change: next(iter(change)) if isinstance(change, dict) else "",
)
def test_a_setting_that_breaks_its_rule_is_refused(change, rule):
    with pytest.raises(ValueError, match=rf"^SegmentationConfig\.{rule}"):
        replace(PIXELS, **change)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"masks": None}, r"The train images must come with masks.*: no masks\."),
        (
            {"kinds": np.full((320, 3), 2)},
            r"Each thing in the train .* from 0 to 1, or",
        ),
        (
            {
                "kinds": np.full((320, 3), -1),
                "boxes": np.zeros((320, 3, 4), int),
                "masks": np.zeros((320, 3, 32, 32), bool),
            },
            r"The train images must show at least one thing\. Received: 320 images",
        ),
    ],
    ids=["no-masks", "kind-2", "nothing"],
)
def test_a_split_that_does_not_say_what_is_where_is_refused(change, rule):
    data = small_scenes()
    data = replace(data, train=replace(data.train, **change))
    with pytest.raises(ValueError, match=rule):
        train(
            build(PIXELS), data, TRAINING, report=pytest.fail, task=Segmentation(PIXELS)
        )
