"""A masked autoencoder sees some patches, and is measured on the others."""

from dataclasses import asdict, replace

import keras
import numpy as np
import pytest
from train_micro import MODEL, TRAINING, micro_data

from vitlib import build_encoder, join_patches, train
from vitlib.config.masked import MaskedAutoencoderConfig
from vitlib.layers.masking import (
    AddedLoss,
    HiddenError,
    MaskTokens,
    PatchDropout,
    RandomMasking,
)
from vitlib.models.flops import count_flops
from vitlib.models.masked_autoencoder import build_masked_autoencoder, reconstruct
from vitlib.training.tasks import TASKS

pytestmark = pytest.mark.backend

CONFIG = MaskedAutoencoderConfig(**asdict(MODEL) | {"patch_size": 4})
DATA = micro_data()


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return build_masked_autoencoder(CONFIG)


def tagged(batch, tokens):
    """Tokens that say which they are, of which image."""
    places = np.arange(batch * tokens, dtype="float32").reshape(batch, tokens, 1)
    return np.repeat(places, 4, axis=-1)


def test_visible_and_hidden_tokens_are_all_tokens_of_their_image():
    tokens = tagged(8, 16)
    kept, visible, hidden = map(np.array, RandomMasking(12)(tokens))
    assert kept.shape == (8, 4, 4) and visible.shape == (8, 4)
    both = np.sort(np.concatenate([visible, hidden], axis=1))
    np.testing.assert_array_equal(both, np.tile(np.arange(16), (8, 1)))
    np.testing.assert_array_equal(kept[..., 0], visible + 16 * np.arange(8)[:, None])


def test_each_image_has_its_own_mask_drawn_anew_in_training_alone():
    layer, tokens = RandomMasking(8), tagged(50, 16)
    masks = [np.sort(layer(tokens, training=t)[2]) for t in (True, True, False, False)]
    for mask in masks:
        assert len(np.unique(mask, axis=0)) > 40
    assert (masks[0] != masks[1]).any(axis=1).mean() > 0.9
    np.testing.assert_array_equal(masks[2], masks[3])


def test_each_place_is_hidden_as_often_as_the_others():
    hidden = np.array(RandomMasking(12)(np.zeros((4_000, 16, 1), "float32"))[2])
    shares = np.bincount(hidden.ravel(), minlength=16) / 4_000
    np.testing.assert_allclose(shares, 12 / 16, atol=5 * np.sqrt(3 / 16 / 4_000))


def test_patch_dropout_leaves_out_some_tokens_of_each_image_in_training_alone():
    layer, tokens = PatchDropout(0.25), tagged(200, 16)
    np.testing.assert_array_equal(layer(tokens), tokens)
    kept = np.array(layer(tokens, training=True))[..., 0]
    places = kept - 16 * np.arange(200)[:, None]
    assert kept.shape == (200, 12)
    assert all(len(set(row)) == 12 and set(row) <= set(range(16)) for row in places)
    counts = np.bincount(places.ravel().astype(int), minlength=16) / 200
    np.testing.assert_allclose(counts, 0.75, atol=5 * np.sqrt(3 / 16 / 200))
    assert layer(tokens[:, :1], training=True).shape == (200, 1, 4)  # one stays


def test_tokens_go_back_to_their_places_and_the_others_are_the_mask_token():
    tokens = tagged(8, 16)
    kept, visible, hidden = RandomMasking(12)(tokens)
    layer = MaskTokens()
    filled = np.array(layer([kept, visible, hidden]))
    expected = np.broadcast_to(layer.mask_token, filled.shape).copy()
    for image, places in enumerate(np.array(visible)):
        expected[image, places] = tokens[image, places]
    np.testing.assert_array_equal(filled, expected)


@pytest.mark.parametrize("normalize", [True, False])
def test_the_error_is_that_of_the_hidden_patches_alone(normalize):
    rng = np.random.default_rng(0)
    predicted, patches = rng.normal(2, 3, size=(2, 5, 16, 12)).astype("float32")
    hidden = np.array([rng.permutation(16)[:12] for _ in range(5)])
    errors = HiddenError(normalize)([predicted, patches, hidden])
    for image, places in enumerate(hidden):
        target = patches[image, places]
        if normalize:
            center = target.mean(axis=1, keepdims=True)
            target = (target - center) / target.std(axis=1, keepdims=True)
        expected = ((predicted[image, places] - target) ** 2).mean(axis=1)
        np.testing.assert_allclose(errors[image], expected, rtol=1e-4)


def test_what_is_hidden_does_not_change_the_prediction_and_the_rest_does(model):
    images = DATA.test.images[:4].astype("float32")
    predicted, _, hidden = reconstruct(model, images)
    is_hidden = np.zeros((4, CONFIG.num_patches, 1), bool)
    np.put_along_axis(is_hidden, hidden[..., None], True, axis=1)
    mask = join_patches(np.repeat(is_hidden, 4 * 4 * 3, axis=-1), (32, 32))
    for where, changes in ((mask, False), (~np.array(mask), True)):
        other = np.where(where, 255 - images, images)
        difference = np.abs(reconstruct(model, other)[0] - predicted).max()
        assert (difference > 1e-3) == changes
        assert changes or difference < 1e-5


def test_the_layers_of_the_encoder_come_first_and_in_its_order(model):
    both = build_masked_autoencoder(replace(CONFIG, learn_labels=True))
    wanted = [(w.name, tuple(w.shape)) for w in build_encoder(CONFIG).weights]
    for built in (model, both):
        first = built.weights[: len(wanted)]
        assert [(w.name, tuple(w.shape)) for w in first] == wanted


def test_an_encoder_of_some_tokens_costs_less_than_one_of_all(model):
    """By hand: projections of all patches, a block on a quarter of them, a decoder."""
    dims, keys, mlp = MODEL.projection_dim, 2 * MODEL.key_dim, MODEL.mlp_units

    def block(tokens, dim, width, units):
        projections = 4 * dim * width + 2 * tokens * width
        return tokens * (projections + dim * units + units * dim)

    macs = 64 * 48 * dims
    macs += MODEL.num_layers * block(16, dims, keys, mlp[0])
    macs += 16 * dims * 64 + block(64, 64, 64, 128) + 64 * 64 * 48
    assert count_flops(model) == 2 * macs


def test_a_training_lowers_the_error_and_says_its_task():
    keras.utils.set_random_seed(0)
    model, said = build_masked_autoencoder(CONFIG), []
    training = replace(TRAINING, epochs=3)
    run = train(model, DATA, training, report=said.append, task=TASKS["reconstruction"])
    errors = run.history["val_loss"]
    assert run.task == "reconstruction"
    assert errors[-1] < errors[0] and run.test["loss"] == pytest.approx(
        errors[run.best_epoch - 1], rel=0.1
    )
    assert f"{errors[-1]:.3f} in validation" in said[-1]


def test_both_losses_at_once_are_added():
    keras.utils.set_random_seed(0)
    config = replace(CONFIG, learn_labels=True, reconstruction_weight=3.0)
    model = build_masked_autoencoder(config)
    assert tuple(model.output.shape) == (None, MODEL.num_classes)
    entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", entropy)
    images, labels = DATA.test.images[:50], DATA.test.labels[:50]
    together = float(model.test_on_batch(images, labels))
    logits = model.predict_on_batch(images)
    errors = keras.Model(model.input, find_errors(model)).predict_on_batch(images)
    expected = float(entropy(labels, logits)) + 3.0 * errors.mean()
    assert together == pytest.approx(expected, rel=1e-5)


def find_errors(model):
    return next(x for x in model.layers if isinstance(x, AddedLoss)).input[1]


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        (
            "mask_ratio",
            0.0,
            "a number that hides at least 1 of 64 patches and leaves 1",
        ),
        (
            "mask_ratio",
            1.0,
            "a number that hides at least 1 of 64 patches and leaves 1",
        ),
        ("mask_ratio", 0.995, "a number that hides at least 1 of 64 patches"),
        ("mask_ratio", float("nan"), "a number that hides at least 1"),
        ("decoder_dim", 30, "a multiple of 4 and of decoder_heads=4"),
        ("stem_filters", (16,), "for convolutions before the mask see what it hides"),
        ("position", "relative", "attention sees a part of the grid alone"),
        ("reconstruction_weight", 0, "a finite number above 0"),
        ("learn_labels", 1, "True or False"),
    ],
)
def test_a_config_that_cannot_be_is_refused(field, value, rule):
    with pytest.raises(ValueError) as error:
        replace(CONFIG, **{field: value})
    message = str(error.value)
    assert f"MaskedAutoencoderConfig.{field} must be" in message and rule in message
    assert f"Received: {value!r}" in message


def test_a_layer_that_would_hide_all_tokens_is_refused():
    with pytest.raises(ValueError, match="num_hidden must be fewer than the 16 tokens"):
        RandomMasking(16)(np.zeros((2, 16, 4), "float32"))


@pytest.mark.parametrize(
    ("layer", "rule"),
    [
        (lambda: RandomMasking(0), "num_hidden must be an integer of at least 1"),
        (lambda: HiddenError(1), "normalize must be True or False"),
        (lambda: AddedLoss(-1.0), "weight must be a finite number above 0"),
    ],
)
def test_an_argument_of_a_layer_that_breaks_its_rule_is_refused(layer, rule):
    with pytest.raises(ValueError, match=f"{rule}. Received: "):
        layer()


@pytest.mark.parametrize("learn_labels", [False, True])
def test_a_saved_model_comes_back_the_same(learn_labels, tmp_path):
    model = build_masked_autoencoder(replace(CONFIG, learn_labels=learn_labels))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    images = DATA.test.images[:4]
    expected = model.predict_on_batch(images)
    np.testing.assert_allclose(loaded.predict_on_batch(images), expected, atol=1e-6)
    layers = [layer for layer in loaded.layers if isinstance(layer, AddedLoss)]
    assert [layer.weight for layer in layers] == [1.0] * learn_labels
