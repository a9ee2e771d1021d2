"""What a training predicts, how it is scored, and which score picks the epoch."""

import keras
import numpy as np
from keras import ops

from vitlib.training import parallel

EVALUATION_BATCH = 500  # images; divides 2,000 and 10,000: one compilation on JAX
PERCENT = 100


class Classification:
    """Name the class of an image, one of C: from the image to C logits.

    A task is what a training needs to know of its purpose. `name` is that of its
    records. `scores` are the names of what `score` returns: each has a list in the
    history, for the training images as they went by (from the loss and `metrics`) and
    for the validation images, as in `val_top1`. The epoch whose score `monitor` on the
    validation images is best, by `mode` the largest ("max") or the smallest ("min"),
    gives the weights that are kept.
    """

    name = "classification"
    scores = ("loss", "top1", "top5")
    monitor, mode = "top1", "max"

    def targets(self, split):
        """What the model is to predict for each image of a `Split`: its label."""
        return split.labels

    def loss(self, config):
        """The cross-entropy in nats, with the label smoothing of a `TrainConfig`.

        Returns:
            Function of the targets `(B,)` and the logits `(B, C)`.
        """

        def loss(labels, logits):
            labels = ops.reshape(labels, (-1,))
            labels = ops.cast(labels, "int32")  # Keras hands on floats
            targets = ops.one_hot(labels, logits.shape[-1])
            return keras.losses.categorical_crossentropy(
                targets,
                logits,
                from_logits=True,
                label_smoothing=config.label_smoothing,
            )

        return loss

    def metrics(self):
        """New metrics of Keras', for the training images as they go by."""
        return [
            keras.metrics.SparseCategoricalAccuracy(name="top1"),
            keras.metrics.SparseTopKCategoricalAccuracy(5, name="top5"),
        ]

    def score(self, outputs, targets):
        """Measures outputs of the model: see the function `score`."""
        return score(outputs, targets)

    def tell(self, history):
        """How good the last epoch was, in a few words."""
        return (
            f"top-1 {PERCENT * history['top1'][-1]:.1f} % in training, "
            f"{PERCENT * history['val_top1'][-1]:.1f} % in validation"
        )


CLASSIFICATION = Classification()


def evaluate(model, split, task=CLASSIFICATION):
    """Measures a model on a split, in one deterministic pass.

    Args:
        model: `keras.Model` from images to what the task predicts.
        split: `Split`.
        task: As `Classification`, the default.

    Returns:
        Dict of the `scores` of the task; for classification as `score` gives it.
    """
    starts = range(0, len(split.labels), EVALUATION_BATCH)
    batches = (split.images[i : i + EVALUATION_BATCH] for i in starts)
    outputs = np.concatenate([parallel.predict(model, batch) for batch in batches])
    return task.score(outputs, task.targets(split))


def score(logits, labels):
    """Measures how well logits name the classes.

    Args:
        logits: Array of shape `(N, C)`.
        labels: Integer array of shape `(N,)`.

    Returns:
        Dict: `loss`, the mean cross-entropy in nats, without label smoothing; `top1`
        and `top5`, fractions of the images. Equal logits count in the order of the
        classes, so a constant predictor gets 1 / C and 5 / C on balanced labels.
    """
    logits = np.asarray(logits, "float64")
    logits = logits - logits.max(axis=1, keepdims=True)
    log_probabilities = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    of_label = np.take_along_axis(log_probabilities, labels[:, None], axis=1)
    best = np.argsort(-logits, axis=1, kind="stable")[:, :5] == labels[:, None]
    return {
        "loss": float(-of_label.mean()),
        "top1": float(best[:, 0].mean()),
        "top5": float(best.any(axis=1).mean()),
    }
