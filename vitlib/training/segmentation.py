"""Segmentation: name the class of each pixel."""

import keras
import numpy as np

from vitlib.data.class_maps import class_map
from vitlib.data.moves import move_planes
from vitlib.training.confusion import confusion_matrix, mean_iou
from vitlib.training.dense import DenseTask
from vitlib.training.losses import CrossEntropy

ROWS = 100  # images that are scored together, to keep the memory small


class Segmentation(DenseTask):
    """Name the class of each pixel: from the image to logits `(batch, H, W, C)`.

    Class 0 is the background, and 1 + kind that of a thing.

    Args:
        config: `SegmentationConfig` of the model.
    """

    name = "segmentation"
    scores = ("loss", "accuracy", "miou")
    train_scores = ("loss", "accuracy")
    monitor, mode = "miou", "max"

    def targets(self, split):
        """The class of each pixel of the images of a `Split`: `(N, H, W)`."""
        return class_map(split)

    def _move(self, targets, moves):
        return move_planes(targets, moves)

    def loss(self, config):
        """`CrossEntropy` of each pixel, with the label smoothing of a `TrainConfig`."""
        return CrossEntropy(config.label_smoothing)

    def metrics(self):
        """The accuracy of the pixels, for the training images as they go by."""
        return [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]

    def score(self, outputs, targets):
        """Measures logits.

        Args:
            outputs: Array of shape `(N, H, W, C)`.
            targets: Integer array of shape `(N, H, W)`.

        Returns:
            Dict: `loss`, the mean cross-entropy in nats, without label smoothing;
            `accuracy`, the fraction of pixels named rightly; `miou`, the mean IoU of
            the kinds that occur, over all images at once: see `mean_iou`.
        """
        classes = outputs.shape[-1]
        matrix, losses = np.zeros((classes, classes), int), []
        for start in range(0, len(targets), ROWS):
            logits = outputs[start : start + ROWS].astype("float64")
            truth = targets[start : start + ROWS]
            matrix += confusion_matrix(truth, logits.argmax(axis=-1), classes)
            losses.append(_cross_entropies(logits, truth))
        return {
            "loss": float(np.concatenate(losses).mean()),
            "accuracy": float(np.trace(matrix) / matrix.sum()),
            "miou": mean_iou(matrix),
        }

    def tell(self, history):
        """How good the last epoch was, in a few words."""
        return f"mean IoU {history['val_miou'][-1]:.3f} in validation"


def _cross_entropies(logits, truth):
    """The cross-entropy of each pixel, in nats."""
    logits = logits - logits.max(axis=-1, keepdims=True)
    of_truth = np.take_along_axis(logits, truth[..., None].astype(int), axis=-1)
    return np.log(np.exp(logits).sum(axis=-1)) - of_truth[..., 0]
