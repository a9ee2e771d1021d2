import math
from dataclasses import replace

import numpy as np
import pytest
from train_micro import MODEL, TRAINING, micro_data

from vitlib import build_model, evaluate, train
from vitlib.inspection.first_steps import observe
from vitlib.training.instruments import READINGS, distinct_answers, head_layers, spread

pytestmark = pytest.mark.backend

HEAD = replace(MODEL, pooling="flatten", head_units=(24, 12))


@pytest.fixture(scope="module")
def data():
    return micro_data()


def test_observing_trains_as_train_does(data):
    training = replace(TRAINING, epochs=2, schedule="constant")
    trained = build_model(HEAD, training)
    run = train(trained, data, training, report=lambda line: None)
    observed = build_model(HEAD, training)
    seen = observe(observed, data, training, steps=12 * run.best_epoch, every=12)
    for first, second in zip(observed.weights, trained.weights, strict=True):
        if first.name != "seed_generator_state":
            np.testing.assert_allclose(first, second, rtol=1e-5, atol=1e-6)
    assert seen["train_loss"] == pytest.approx(run.history["loss"][: run.best_epoch])


def test_train_reads_the_same_instruments_after_each_epoch(data):
    """With as many steps an epoch as `observe` makes from reading to reading."""
    training = replace(TRAINING, epochs=3, steps_per_epoch=5, schedule="constant")
    run = train(build_model(HEAD, training), data, training, watch=True)
    seen = observe(build_model(HEAD, training), data, training, steps=15, every=5)
    for name in READINGS:
        np.testing.assert_allclose(run.history[name], seen[name], rtol=1e-4, atol=1e-6)
    assert run.history["loss"] == pytest.approx(seen["train_loss"], rel=1e-5)


def test_a_reading_has_one_value_of_each_instrument(data):
    model = build_model(HEAD, TRAINING)
    seen = observe(model, data, TRAINING, steps=7, every=3)
    assert seen["step"] == [3, 6]
    assert {len(values) for values in seen.values()} == {2}
    assert [len(shares) for shares in seen["dead"]] == [2, 2]
    assert all(0 < norm < math.inf for norm in seen["gradient_norm"])
    assert 1 <= seen["answers"][-1] <= 100


def test_the_instruments_read_the_watched_images(data):
    still = replace(TRAINING, learning_rate=1e-12, schedule="constant")
    model = build_model(HEAD, still)
    seen = observe(model, data, still, steps=1, every=1)
    result = evaluate(model, data.validation)  # 200 images: all of them are watched
    assert {name: seen[name][0] for name in result} == pytest.approx(result)
    logits = model.predict_on_batch(data.validation.images)
    assert seen["logit_spread"] == [pytest.approx(spread(logits))]
    assert seen["answers"] == [distinct_answers(logits)]


def test_a_model_made_constant_is_seen_as_such(data):
    training = replace(TRAINING, learning_rate=1e-12, schedule="constant")
    model = build_model(HEAD, training)
    _, hidden = head_layers(model)
    hidden[-1].set_weights([np.zeros((24, 12)), np.full(12, -9.0)])
    seen = observe(model, data, training, steps=1, every=1)
    assert seen["dead"][0][1] == 1
    assert (seen["answers"], seen["top1"], seen["top5"]) == ([1], [0.01], [0.05])
    assert seen["logit_spread"][0] < 1e-6 < seen["token_spread"][0]
