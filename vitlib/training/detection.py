"""Detection: find the things in an image, and draw a box around each."""

import numpy as np
from keras import ops

from vitlib.data.moves import move_boxes
from vitlib.training.average_precision import average_precision
from vitlib.training.cells import CellsLoss, decode_cells
from vitlib.training.dense import DenseTask
from vitlib.training.set_prediction import SetLoss, decode_set, require_queries

ROWS = 500  # images whose loss is computed together, to keep the memory small


class Detection(DenseTask):
    """Find things: from the image to the answers of cells, or of a set of queries.

    Args:
        config: `DetectionConfig` of the model.
    """

    name = "detection"
    scores = ("loss", "ap50", "ap")
    train_scores = ("loss",)
    monitor, mode = "ap", "max"

    def require(self, split, name, model):
        """As `DenseTask`; and refuses more things in an image than there are queries.

        Raises:
            ValueError: When there are, or as `DenseTask` says.
        """
        super().require(split, name, model)
        if self.config.head == "set":
            require_queries(split.kinds.shape[1], self.config.num_queries)

    def targets(self, split):
        """Box and kind of each thing in the images of a `Split`: `(N, T, 5)`."""
        return np.concatenate([split.boxes, split.kinds[..., None]], axis=-1)

    def _move(self, targets, moves):
        boxes = move_boxes(targets[..., :4], moves, self.config.image_size)
        kinds = np.where(boxes.any(axis=-1), targets[..., 4], -1)  # or it moved out
        return np.concatenate([boxes, kinds[..., None]], axis=-1)

    def loss(self, config):
        """`CellsLoss` or `SetLoss`, whatever the `TrainConfig`."""
        if self.config.head == "cells":
            return CellsLoss(self.config.cell_size)
        return SetLoss(self.config.image_size)

    def metrics(self):
        """None: an average precision of the images as they go by would cost much."""
        return []

    def decode(self, outputs):
        """The `Detections` in outputs of the model."""
        if self.config.head == "cells":
            return decode_cells(outputs, self.config.cell_size)
        return decode_set(outputs, self.config.image_size)

    def score(self, outputs, targets):
        """Measures outputs of the model.

        Args:
            outputs: Array of shape `(N, ...)`, as the model gives them.
            targets: Integer array of shape `(N, T, 5)`.

        Returns:
            Dict: `loss`, the mean over the images; `ap50`, the average precision of
            boxes with an IoU of one half, and `ap`, the mean over ten such limits: see
            `average_precision`.
        """
        loss, losses = self.loss(None), []
        for start in range(0, len(targets), ROWS):
            rows = slice(start, start + ROWS)
            pair = targets[rows].astype("float32"), outputs[rows]
            losses.append(
                ops.convert_to_numpy(loss.call(*map(ops.convert_to_tensor, pair)))
            )
        precision = average_precision(
            self.decode(outputs), targets[..., :4], targets[..., 4]
        )
        return {
            "loss": float(np.concatenate(losses).mean(dtype="float64")),
            "ap50": float(precision[0]),
            "ap": float(precision.mean()),
        }

    def tell(self, history):
        """How good the last epoch was, in a few words."""
        return (
            f"AP50 {history['val_ap50'][-1]:.3f}, AP {history['val_ap'][-1]:.3f} "
            "in validation"
        )
