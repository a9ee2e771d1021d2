"""Running means of weights: looked at, kept and tested; never trained on."""

from dataclasses import replace

import numpy as np
import pytest
from train_micro import MODEL, TRAINING, micro_data, outcome

from vitlib import build_model, evaluate, train
from vitlib.training.averages import averaged, put_averages
from vitlib.training.prepare import prepare
from vitlib.training.tasks import CLASSIFICATION

pytestmark = pytest.mark.backend

AVERAGED = replace(TRAINING, ema_momentum=0.8, epochs=2)
DATA = micro_data()


def weights_of(model):
    return [np.array(weight) for weight in model.trainable_variables]


def same(one, two):
    return all(map(np.array_equal, one, two))


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_the_means_are_those_of_the_weights_after_each_step(optimizer):
    training = replace(AVERAGED, optimizer=optimizer)
    model = build_model(MODEL, training)
    prepare(model, DATA, training)
    images, labels = DATA.train.images[:50], DATA.train.labels[:50]
    mean = None
    for _ in range(4):
        model.fit(images, labels, batch_size=50, verbose=0)  # ends as an epoch does
        now = weights_of(model)
        mean = (
            now
            if mean is None
            else [0.8 * old + 0.2 * new for old, new in zip(mean, now, strict=True)]
        )
    with averaged(model):
        for weight, expected in zip(weights_of(model), mean, strict=True):
            np.testing.assert_allclose(weight, expected, atol=1e-6)
        looked = evaluate(model, DATA.validation)
    assert same(weights_of(model), now)
    assert looked != evaluate(model, DATA.validation)
    put_averages(model)
    assert evaluate(model, DATA.validation) == looked


def test_a_training_is_the_same_but_for_what_is_measured():
    runs = {}
    for momentum in (None, 0.8):
        training = replace(AVERAGED, ema_momentum=momentum)
        model = build_model(MODEL, training)
        runs[momentum] = train(model, DATA, training, report=str)
        measured = evaluate(model, DATA.test, CLASSIFICATION)
        assert measured == runs[momentum].test  # the model that is handed back
    plain, mean = runs[None], runs[0.8]
    assert plain.history["loss"] == mean.history["loss"]
    assert plain.history["val_loss"] != mean.history["val_loss"]
    assert outcome(plain)["test"] != outcome(mean)["test"]
