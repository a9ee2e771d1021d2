"""A training knows of its purpose what the task tells, and nothing else."""

import keras
import numpy as np
import pytest
from train_micro import MODEL, TRAINING, micro_data

from vitlib import build_encoder, train

pytestmark = pytest.mark.backend

DATA = micro_data()


class MeanColor:
    """Tell the mean colour of an image: numbers in place of classes."""

    name = "mean-color"
    scores = ("loss", "error")
    monitor, mode = "error", "min"

    def targets(self, split):
        return split.images.mean(axis=(1, 2)) / 255

    def loss(self, config):
        return keras.losses.MeanSquaredError()

    def metrics(self):
        return [keras.metrics.MeanAbsoluteError(name="error")]

    def score(self, outputs, targets):
        errors = outputs - targets
        return {"loss": float((errors**2).mean()), "error": float(abs(errors).mean())}

    def tell(self, history):
        return f"{history['val_error'][-1]:.3f} off"


def test_an_encoder_under_another_head_is_trained_for_another_task():
    keras.utils.set_random_seed(0)
    encoder = build_encoder(MODEL)
    pooled = keras.layers.GlobalAveragePooling1D()(encoder.output)
    model = keras.Model(encoder.input, keras.layers.Dense(3)(pooled))
    said = []
    run = train(model, DATA, TRAINING, report=said.append, task=MeanColor())
    assert run.task == "mean-color"
    assert set(run.history) == {
        *("loss", "error", "val_loss", "val_error", "learning_rate", "seconds")
    }
    errors = run.history["val_error"]
    assert run.best_epoch == 1 + int(np.argmin(errors))
    assert errors[-1] < errors[0] / 2
    assert set(run.test) == {"loss", "error"}
    assert f"{errors[-1]:.3f} off" in said[-1]
