"""Scenes that never end: each epoch draws its own, and the same again after a stop."""

from dataclasses import replace

import numpy as np
import pytest
from train_micro import MODEL, TRAINING, outcome

from vitlib import build_model, limit_train, train
from vitlib.data.fresh import draw_small_scenes, load_fresh_scenes
from vitlib.data.scenes import draw_scenes
from vitlib.data.sets import DATA_SETS

pytestmark = pytest.mark.backend

RECIPE = replace(TRAINING, epochs=3, steps_per_epoch=4)


@pytest.fixture(scope="module")
def data():
    return load_fresh_scenes(train=200, validation=50, test=50)


def images_of(split):
    return {image.tobytes() for image in split.images}


def test_a_small_scene_is_a_scene_at_half_the_size():
    small, scenes = draw_small_scenes(30, 7), draw_scenes(30, (7, 0))
    np.testing.assert_array_equal(small.labels, scenes.labels)
    means = scenes.images.reshape(30, 32, 2, 32, 2, 3).mean(axis=(2, 4))
    assert small.images.shape == (30, 32, 32, 3) and small.masks is None
    assert (0 <= means - small.images).all() and (means - small.images < 1).all()


def test_each_run_and_each_epoch_has_images_of_its_own(data):
    drawn = [data.fresh(*key, 60) for key in ((0, 0), (0, 1), (1, 0))]
    everything = [*drawn, data.train, data.validation, data.test]
    assert len(set().union(*map(images_of, everything))) == 3 * 60 + 300
    assert images_of(data.fresh(0, 1, 60)) == images_of(drawn[1])
    assert DATA_SETS["fresh-scenes"].load(None).name == data.name


def test_more_scenes_than_a_block_go_on_where_it_ends(monkeypatch):
    monkeypatch.setattr("vitlib.data.fresh.BLOCK", 20)
    split = draw_small_scenes(50, (3, 1))
    assert len(split.labels) == 50 == len(images_of(split))
    assert images_of(draw_small_scenes(40, (3, 1))) < images_of(split)


@pytest.mark.parametrize(("count", "seed"), [(0, 1), (1.0, 1), (3, -1), (3, ())])
def test_what_cannot_be_drawn_is_refused(count, seed):
    with pytest.raises(ValueError, match="must be an integer of at least .*Received: "):
        draw_small_scenes(count, seed)


def fit(data, folder=None, report=lambda line: None):
    return train(build_model(MODEL, RECIPE), data, RECIPE, folder, report)


def test_a_training_takes_fresh_images_and_a_limited_one_does_not(data, tmp_path):
    seen = []

    def fresh(seed, epoch, num_images):
        seen.append((seed, epoch, num_images))
        return data.fresh(seed, epoch, num_images)

    watched = replace(data, fresh=fresh)
    whole = fit(watched)
    images = RECIPE.steps_per_epoch * RECIPE.batch_size
    assert seen == [(RECIPE.seed, epoch, images) for epoch in range(3)]

    def interrupt(line):
        if line.startswith("epoch 2/"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(data, tmp_path, interrupt)
    assert outcome(fit(data, tmp_path)) == outcome(whole)

    seen.clear()
    limited = fit(limit_train(watched, 50))
    assert not seen and limited.data["repeated_to"] == 200
    assert limited.history["loss"] != whole.history["loss"]
